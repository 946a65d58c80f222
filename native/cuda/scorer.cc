#include "cuda/scorer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cuda/autoencoder.h"
#include "cuda/event_set.h"

namespace aclr::cuda {
namespace {

// Events that go through together: enough to fill a device, few enough that sending and computing overlap.
constexpr int kEvents = 16384;

std::size_t widest_sums(const device::ScorerConfig& config) {
  const std::size_t detector = cuda::widest_sums(config.autoencoder);
  return config.encoder ? std::max(detector, cuda::widest_sums(*config.encoder)) : detector;
}

template <class S>
class Scorer : public AnyScorer {
 public:
  using R = Real<S>;

  explicit Scorer(const device::ScorerConfig& config)
      : bench_(widest_sums(config)), stack_(config.autoencoder, bench_), from_(config.from), inputs_(config.inputs),
        outputs_(config.outputs), prepares_(config.matrix != nullptr), weights_(bench_.moves), stored_(bench_.moves),
        stack_weights_(bench_.moves), mean_(bench_.moves), matrix_(bench_.moves), bias_(bench_.moves), rows_(bench_.moves),
        centred_(bench_.moves), prepared_(bench_.moves), reps_(bench_.moves) {
    if (config.encoder) {
      const device::Encoder& e = *config.encoder;
      encoder_ = std::make_unique<Encoder<S>>(e, bench_);
      features_ = feature_config(e);
      send(weights_, static_cast<const R*>(config.encoder_weights), e.weights);
      if constexpr (!std::is_same_v<S, R>) copy_weights<S>(e.weights, weights_.data(), stored_.need(e.weights), stream_);
      // head layers after the representation are left out
      while (encoder_->rep_offset(levels_) + encoder_->rep_width(levels_) < config.to) ++levels_;
      for (auto& set : sets_) set = std::make_unique<EventSet<R>>(bench_.moves);
      for (auto& out : results_) out = std::make_unique<Result>(bench_.moves);
    }
    send(stack_weights_, static_cast<const R*>(config.autoencoder_weights), config.autoencoder.weights);
    if (prepares_) send_preparation(config);
    stream_.wait();
  }
  ~Scorer() override {
    cudaStreamSynchronize(side_);
    cudaStreamSynchronize(stream_);
  }

  void score(const device::Events& events, void* score) override {
    run(events, static_cast<R*>(score), 1, [&](int count, const R* reps, R* out) {
      detect(reps + from_, encoder_->rep_row(), count, out);
    });
  }
  void embed(const device::Events& events, void* to) override {
    run(events, static_cast<R*>(to), inputs_, [&](int count, const R* reps, R* out) {
      copy_rows(out, inputs_, reps + from_, encoder_->rep_row(), inputs_, count, stream_);
    });
  }
  void score_rows(const void* x, int rows, void* score) override {
    const std::size_t d = inputs_;
    DeviceBuffer<R> out(bench_.moves);
    for (int first = 0; first < rows; first += kEvents) {
      const int count = std::min(kEvents, rows - first);
      to_device(rows_.need(count * d), static_cast<const R*>(x) + first * d, count * d, stream_);
      detect(rows_.data(), inputs_, count, out.need(count));
      to_host(static_cast<R*>(score) + first, out.data(), count, stream_);
      stream_.wait();
    }
  }

 private:
  // What a chunk gives, on its way to the host.
  struct Result {
    explicit Result(Moves& moves) : device(moves) {}
    DeviceBuffer<R> device;
    PinnedBuffer<R> host;
    Flag done;
    int count = 0;
    R* to = nullptr;
  };

  template <class T>
  void send(DeviceBuffer<T>& to, const T* from, std::size_t count) {
    to_device(to.need(count), from, count, stream_);
    stream_.wait();
  }
  // In the precision of R, what its mean lost by that being made up for: model/preparation.cc.
  void send_preparation(const device::ScorerConfig& config) {
    std::vector<R> mean(config.mean, config.mean + inputs_), bias(outputs_);
    const std::vector<R> matrix(config.matrix, config.matrix + std::size_t(outputs_) * inputs_);
    for (int o = 0; o < outputs_; ++o) {
      double sum = 0;
      for (int i = 0; i < inputs_; ++i) sum += config.matrix[std::size_t(o) * inputs_ + i] * (mean[i] - config.mean[i]);
      bias[o] = static_cast<R>(sum);
    }
    send(mean_, mean.data(), mean.size());
    send(matrix_, matrix.data(), matrix.size());
    send(bias_, bias.data(), bias.size());
  }

  Weights<S> weights() const {
    if constexpr (std::is_same_v<S, R>) return {weights_.data(), weights_.data()};
    else return {weights_.data(), stored_.data()};
  }

  // Calls use(events, reps, out) for every chunk, `width` numbers of out an event.
  template <class Use>
  void run(const device::Events& events, R* out, int width, const Use& use) {
    std::vector<std::int32_t> offsets;
    const auto prepare = [&](int chunk) {
      const int first = chunk * kEvents;
      device::Batch part{};
      part.events = slice<R>(events, first, std::min(kEvents, events.count - first), offsets);
      sets_[chunk % 2]->prepare(part, nullptr, 0, 1, features_, side_);
    };
    for (auto& result : results_) {  // of a call that failed half-way
      result->done.wait();
      result->count = 0;
    }
    const int chunks = ceil_div(events.count, kEvents);
    if (chunks > 0) prepare(0);
    for (int chunk = 0; chunk < chunks; ++chunk) {
      Result& result = *results_[chunk % 2];
      collect(result);  // of two chunks ago
      EventSet<R>& set = *sets_[chunk % 2];
      const Tokens tokens = set.tokens(stream_);
      encoder_->reserve(tokens.rows.capacity, tokens.events, false);
      R* reps = reps_.need(std::size_t(tokens.events) * encoder_->rep_row());
      set.pad(tokens, stream_);
      encoder_->forward(weights(), {tokens, set.x()}, levels_, false, nullptr, nullptr, reps, stream_);
      const std::size_t numbers = std::size_t(tokens.events) * width;
      use(tokens.events, reps, result.device.need(numbers));
      to_host(result.host.need(numbers), result.device.data(), numbers, stream_);
      result.done.raise(stream_);
      result.count = static_cast<int>(numbers);
      result.to = out + std::size_t(chunk) * kEvents * width;
      // the other set was computed on last time round
      results_[1 - chunk % 2]->done.wait();
      if (chunk + 1 < chunks) prepare(chunk + 1);
    }
    for (auto& result : results_) collect(*result);
  }
  void collect(Result& result) {
    result.done.wait();
    if (result.count > 0) std::memcpy(result.to, result.host.data(), result.count * sizeof(R));
    result.count = 0;
  }

  void detect(const R* x, int x_row, int rows, R* score) {
    stack_.reserve(rows, false);
    const R* in = nullptr;
    if (prepares_) {
      R* centred = centred_.need(std::size_t(rows) * inputs_);
      R* prepared = prepared_.need(std::size_t(rows) * outputs_);
      centre<R>(rows, inputs_, x, x_row, mean_.data(), centred, stream_);
      Product<R, R> p{rows, outputs_, inputs_, centred, inputs_, false, matrix_.data(), inputs_, true, prepared, outputs_};
      p.bias = p.bias_stored = bias_.data();
      bench_.dense.multiply(p, bench_.scratch, stream_);
      in = prepared;
    } else if (x_row == inputs_) {
      in = x;
    } else {
      R* dense = centred_.need(std::size_t(rows) * inputs_);
      copy_rows(dense, inputs_, x, x_row, inputs_, rows, stream_);
      in = dense;
    }
    stack_.score(stack_weights_.data(), in, rows, score, stream_);
  }

  Stream stream_, side_;
  Workbench bench_;
  Stack<R> stack_;
  int from_, inputs_, outputs_, levels_ = 0;
  bool prepares_;
  FeatureConfig features_;
  std::unique_ptr<Encoder<S>> encoder_;
  DeviceBuffer<R> weights_;
  DeviceBuffer<S> stored_;
  DeviceBuffer<R> stack_weights_, mean_, matrix_, bias_, rows_, centred_, prepared_, reps_;
  std::array<std::unique_ptr<EventSet<R>>, 2> sets_;
  std::array<std::unique_ptr<Result>, 2> results_;
};

}  // namespace

std::unique_ptr<AnyScorer> make_scorer(const device::ScorerConfig& config) {
  switch (config.precision) {
    case device::Precision::kF32: return std::make_unique<Scorer<float>>(config);
    case device::Precision::kF64: return std::make_unique<Scorer<double>>(config);
    case device::Precision::kBf16: break;
  }
  return std::make_unique<Scorer<bf16>>(config);
}

}  // namespace aclr::cuda
