#include "model/perceptron.h"

#include <algorithm>
#include <cmath>

namespace aclr {
namespace {

constexpr int kBlockRows = 128;

template <class T>
void activate(Activation kind, T* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (y[i] > T(0)) continue;
    y[i] = kind == Activation::kRelu ? T(0) : kind == Activation::kLeakyRelu ? T(0.01) * y[i] : std::expm1(y[i]);
  }
}

// From what came out of the activation: elu' = y + 1 below 0.
template <class T>
void activate_backward(Activation kind, const T* y, T* dy, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (y[i] > T(0)) continue;
    dy[i] *= kind == Activation::kRelu ? T(0) : kind == Activation::kLeakyRelu ? T(0.01) : y[i] + T(1);
  }
}

}  // namespace

Status PerceptronConfig::check() const {
  const bool row = learns == Learns::kRow;
  if (widths.size() < (row ? 3 : 2) || widths.size() > 64)
    return Status::invalid(row ? "an autoencoder needs 3 to 64 widths" : "a classifier needs 2 to 64 widths");
  for (const int w : widths)
    if (w < 1 || w > 65536) return Status::invalid("widths of a perceptron must lie in 1..65536");
  if (row && widths.front() != widths.back())
    return Status::invalid("an autoencoder's first and last width must agree");
  if (!row && widths.back() != 1) return Status::invalid("a classifier's last width must be 1");
  if (Perceptron<float>(*this).weight_count() > kMaxWeights)
    return Status::invalid("the perceptron has more than 2^28 weights");
  return {};
}

template <class T>
Perceptron<T>::Perceptron(const PerceptronConfig& config) : config_(config) {
  for (std::size_t l = 0; l + 1 < config.widths.size(); ++l) {
    Linear<T> linear;
    linear.in = config.widths[l];
    linear.out = config.widths[l + 1];
    const std::string at = "layers." + std::to_string(l) + ".";
    const std::size_t matrix = static_cast<std::size_t>(linear.in) * linear.out;
    linear.weight = weight_count_;
    linear.bias = weight_count_ + matrix;
    layout_.push_back({at + "weight", {linear.out, linear.in}, linear.weight, matrix});
    layout_.push_back({at + "bias", {linear.out}, linear.bias, static_cast<std::size_t>(linear.out)});
    weight_count_ += matrix + linear.out;
    layers_.push_back(std::move(linear));
  }
}

template <class T>
bool Perceptron<T>::activated(std::size_t layer) const {
  if (layer + 1 == layers_.size()) return false;
  if (learns_class()) return true;
  const auto narrowest = std::min_element(config_.widths.begin(), config_.widths.end());
  const bool bottleneck = static_cast<std::ptrdiff_t>(layer) + 1 == narrowest - config_.widths.begin();
  return !bottleneck || config_.activate_bottleneck;
}

template <class T>
void Perceptron<T>::pack(const T* weights, bool backward) {
  for (Linear<T>& l : layers_) l.pack(ops<T>(), weights, backward);
}

template <class T>
void Perceptron<T>::forward(const T* weights, const T* x, std::ptrdiff_t x_row, int rows, Tape& tape) const {
  tape.out.resize(layers_.size());
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Linear<T>& linear = layers_[l];
    const bool active = activated(l), relu = active && config_.activation == Activation::kRelu;
    const std::size_t count = static_cast<std::size_t>(rows) * linear.out;
    T* y = tape.out[l].need(count);
    linear.forward(ops<T>(), weights, x, x_row, rows, y, linear.out, relu);
    if (active && !relu) activate(config_.activation, y, count);
    x = y;
    x_row = linear.out;
  }
}

template <class T>
void Perceptron<T>::score(const T* weights, const T* x, std::ptrdiff_t x_row, int rows, Tape& tape, T* score) const {
  forward(weights, x, x_row, rows, tape);
  if (learns_class()) {
    std::copy_n(tape.out.back().data(), rows, score);
    return;
  }
  const int d = features();
  for (int r = 0; r < rows; ++r) {
    const T *in = x + r * x_row, *out = tape.out.back().data() + std::size_t(r) * d;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < d; ++c) sum += (out[c] - in[c]) * (out[c] - in[c]);
    score[r] = sum / T(d);
  }
}

template <class T>
void Perceptron<T>::score(ThreadPool& pool, const T* weights, const T* x, int rows, T* score) {
  const int blocks = (rows + kBlockRows - 1) / kBlockRows, d = features();
  // a few tapes serve however many rows there are
  const int tasks = std::min(blocks, 4 * pool.threads());
  if (static_cast<int>(tapes_.size()) < tasks) tapes_.resize(tasks);
  pool.run(tasks, [&](int task) {
    for (int b = task; b < blocks; b += tasks) {
      const int first = b * kBlockRows, count = std::min(kBlockRows, rows - first);
      this->score(weights, x + std::size_t(first) * d, d, count, tapes_[task], score + first);
    }
  });
}

template <class T>
double Perceptron<T>::loss_of_rows(const T* x, const std::uint8_t* y, const T* out, int rows, int all, T* dout) const {
  double sum = 0;
  if (learns_class()) {
    for (int r = 0; r < rows; ++r) {
      const double z = out[r], decay = std::exp(-std::abs(z));
      sum += std::max(z, 0.0) + std::log1p(decay) - (y[r] ? z : 0.0);
      const double sigmoid = (z < 0 ? decay : 1.0) / (1 + decay);
      dout[r] = T((sigmoid - (y[r] ? 1.0 : 0.0)) / all);
    }
    return sum;
  }
  const std::size_t d = features();
  const T share = T(2.0 / (static_cast<double>(all) * d));
  for (std::size_t i = 0; i < rows * d; ++i) {
    const T difference = out[i] - x[i];
    sum += double(difference) * double(difference);
    dout[i] = share * difference;
  }
  return sum;
}

// From tape.dy, what the loss makes of the output.
template <class T>
void Perceptron<T>::backward(const T* x, int rows, Tape& tape, T* dweights) const {
  T *dy = tape.dy.data(), *dx = tape.dx.data();
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Linear<T>& linear = layers_[l];
    if (activated(l)) activate_backward(config_.activation, tape.out[l].data(), dy, std::size_t(rows) * linear.out);
    linear.backward_weights(ops<T>(), dy, l > 0 ? tape.out[l - 1].data() : x, linear.in, rows, dweights, tape.pack);
    if (l == 0) break;
    linear.backward_input(ops<T>(), dy, linear.out, rows, dx, linear.in, false);
    std::swap(dy, dx);
  }
}

template <class T>
double Perceptron<T>::loss(ThreadPool& pool, const T* weights, const T* x, const std::uint8_t* y, int rows,
                           const T** gradient) {
  const int blocks = (rows + kBlockRows - 1) / kBlockRows, d = features();
  if (static_cast<int>(tapes_.size()) < blocks) tapes_.resize(blocks);
  std::vector<double> partial(blocks, 0.0);
  const int widest = *std::max_element(config_.widths.begin(), config_.widths.end());
  *gradient = slots_.accumulate(pool, blocks, weight_count_, [&](int b, T* dweights) {
    Tape& tape = tapes_[b];
    const int first = b * kBlockRows, count = std::min(kBlockRows, rows - first);
    const T* in = x + std::size_t(first) * d;
    forward(weights, in, d, count, tape);
    tape.dx.need(std::size_t(count) * widest);
    T* dout = tape.dy.need(std::size_t(count) * widest);
    partial[b] = loss_of_rows(in, y == nullptr ? nullptr : y + first, tape.out.back().data(), count, rows, dout);
    backward(in, count, tape, dweights);
  });
  double total = 0;
  for (const double p : partial) total += p;
  return total / (static_cast<double>(rows) * config_.widths.back());
}

template class Perceptron<float>;
template class Perceptron<double>;

}  // namespace aclr
