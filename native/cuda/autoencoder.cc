#include "cuda/autoencoder.h"

#include <algorithm>
#include <cstring>

namespace aclr::cuda {
namespace {

// Rows that are scored together.
constexpr int kScoreRows = 65536;

}  // namespace

std::size_t widest_sums(const device::AutoencoderConfig& config) {
  std::size_t widest = 1;
  for (int l = 0; l < config.layers; ++l) widest = std::max<std::size_t>(widest, config.layer[l].out);
  return widest;
}

template <class R>
Stack<R>::Stack(const device::AutoencoderConfig& config, Workbench& bench)
    : layers_(config.layer, config.layer + config.layers),
      features_(config.features),
      bench_(bench),
      dy_(bench.moves),
      dx_(bench.moves) {
  for (int l = 0; l < config.layers; ++l) {
    activations_.push_back(static_cast<Activation>(config.activation[l]));
    outs_.emplace_back(bench.moves);
    widest_ = std::max<std::size_t>({widest_, std::size_t(layers_[l].out), std::size_t(layers_[l].in)});
  }
}

template <class R>
void Stack<R>::reserve(int rows, bool backward) {
  const std::size_t n = std::max(rows, 1);
  for (std::size_t l = 0; l < layers_.size(); ++l) outs_[l].need(n * layers_[l].out);
  if (!backward) return;
  dy_.need(n * widest_);
  dx_.need(n * widest_);
}

template <class R>
const R* Stack<R>::forward(const R* weights, const R* x, int rows, cudaStream_t stream) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const device::Linear& layer = layers_[l];
    R* y = outs_[l].data();
    Product<R, R> p{rows, layer.out, layer.in, x, layer.in, false, weights + layer.weight, layer.in, true, y, layer.out};
    p.bias = p.bias_stored = weights + layer.bias;
    p.relu = activations_[l] == Activation::kRelu;
    bench_.dense.multiply(p, bench_.scratch, stream);
    if (activations_[l] != Activation::kNone && !p.relu)
      activate<R>(activations_[l], std::size_t(rows) * layer.out, y, stream);
    x = y;
  }
  return x;
}

template <class R>
void Stack<R>::score(const R* weights, const R* x, int rows, R* score, cudaStream_t stream) {
  const R* out = forward(weights, x, rows, stream);
  row_errors<R>(rows, features_, out, x, features_, score, stream);
}

template <class R>
void Stack<R>::loss(const R* weights, const R* x, int rows, R* dweights, double* value, cudaStream_t stream) {
  const R* out = forward(weights, x, rows, stream);
  R *dy = dy_.data(), *dx = dx_.data();
  mean_error<R>(rows, features_, out, x, dy, value, bench_.scratch, stream);
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const device::Linear& layer = layers_[l];
    const R* in = l > 0 ? outs_[l - 1].data() : x;
    if (activations_[l] != Activation::kNone)
      activate_backward<R>(activations_[l], std::size_t(rows) * layer.out, outs_[l].data(), dy, stream);
    bench_.dense.multiply(Product<R, R>{layer.out, layer.in, rows, dy, layer.out, true, in, layer.in, false,
                                        dweights + layer.weight, layer.in},
                          bench_.scratch, stream);
    column_sums<R>({rows, nullptr}, layer.out, dy, dweights + layer.bias, bench_.scratch, stream);
    if (l == 0) break;
    bench_.dense.multiply(Product<R, R>{rows, layer.in, layer.out, dy, layer.out, false, weights + layer.weight, layer.in,
                                        false, dx, layer.in},
                          bench_.scratch, stream);
    std::swap(dy, dx);
  }
}

template class Stack<float>;
template class Stack<double>;

namespace {

template <class R>
class Autoencoder : public AnyAutoencoder {
 public:
  explicit Autoencoder(const device::AutoencoderConfig& config)
      : bench_(widest_sums(config)),
        stack_(config, bench_),
        optimiser_(config.optimiser),
        learned_(bench_.moves, config.weights),
        x_(bench_.moves),
        score_(bench_.moves),
        value_(bench_.moves),
        input_(bench_.moves) {
    value_.need(1);
    input_.need(1);
    host_input_.need(1);
    host_value_.need(1);
    learned_.clear(stream_);
    stream_.wait();
  }
  ~Autoencoder() override { cudaStreamSynchronize(stream_); }

  void weights(void* out) override {
    to_host(static_cast<R*>(out), learned_.w.data(), learned_.count, stream_);
    stream_.wait();
  }
  void set_weights(const void* weights) override {
    to_device(learned_.w.data(), static_cast<const R*>(weights), learned_.count, stream_);
    stream_.wait();
  }
  double step(const void* x, int rows, double rate) override { return learn(x, rows, &rate); }
  double gradients(const void* x, int rows, void* dweights) override {
    const double loss = learn(x, rows, nullptr);
    to_host(static_cast<R*>(dweights), learned_.gradient.data(), learned_.count, stream_);
    stream_.wait();
    return loss;
  }
  void score(const void* x, int rows, void* score) override {
    const std::size_t d = stack_.features();
    for (int first = 0; first < rows; first += kScoreRows) {
      const int count = std::min(kScoreRows, rows - first);
      stack_.reserve(count, false);
      R* on_device = score_.need(count);
      stack_.score(learned_.w.data(), send(static_cast<const R*>(x) + first * d, count), count, on_device, stream_);
      to_host(static_cast<R*>(score) + first, on_device, count, stream_);
      stream_.wait();
    }
  }

 private:
  const R* send(const R* x, int rows) {
    const std::size_t count = std::size_t(rows) * stack_.features();
    std::memcpy(host_x_.need(count), x, count * sizeof(R));
    to_device(x_.need(count), host_x_.data(), count, stream_);
    return x_.data();
  }
  // Loss and gradient; with a rate the update too.
  double learn(const void* x, int rows, const double* rate) {
    stack_.reserve(rows, true);
    const R* on_device = send(static_cast<const R*>(x), rows);
    *host_input_.data() = {0, 0, 0, rate ? *rate : 0};
    to_device(input_.data(), host_input_.data(), 1, stream_);
    graphs_.run({rows, rate != nullptr}, bench_.moves.count, stream_, [&](cudaStream_t stream) {
      stack_.loss(learned_.w.data(), on_device, rows, learned_.gradient.data(), value_.data(), stream);
      if (rate) update_weights<R>(learned_.update(optimiser_, input_.data(), bench_.scratch), stream);
    });
    to_host(host_value_.data(), value_.data(), 1, stream_);
    stream_.wait();
    return *host_value_.data();
  }

  Stream stream_;
  Workbench bench_;
  Stack<R> stack_;
  device::Optimiser optimiser_;
  Learned<R> learned_;
  DeviceBuffer<R> x_, score_;
  DeviceBuffer<double> value_;
  DeviceBuffer<StepInput> input_;
  PinnedBuffer<R> host_x_;
  PinnedBuffer<StepInput> host_input_;
  PinnedBuffer<double> host_value_;
  Graphs graphs_;
};

}  // namespace

std::unique_ptr<AnyAutoencoder> make_autoencoder(const device::AutoencoderConfig& config) {
  if (config.precision == device::Precision::kF64) return std::make_unique<Autoencoder<double>>(config);
  return std::make_unique<Autoencoder<float>>(config);
}

}  // namespace aclr::cuda
