// A multilayer perceptron on rows of numbers x, which learns one of two things:
// - the row itself, as an autoencoder (test/golden/README "ae/"): loss is the mean over rows and features of (out - x)^2,
//   the score of a row the mean over its features; the bottleneck, the narrowest layer, is linear unless asked otherwise;
// - the class of the row, y = 0 or 1: its one output z is log(p(y=1|x) / p(y=0|x)) and the score; loss is the mean over rows
//   of the cross-entropy log(1 + e^z) - y z.
// The output is linear.
#pragma once
#include <cstdint>
#include <vector>

#include "core/status.h"
#include "model/encoder.h"
#include "model/gradient_slots.h"
#include "model/optimiser.h"

namespace aclr {

enum class Activation { kRelu, kLeakyRelu, kElu };

enum class Learns { kRow, kClass };

struct PerceptronConfig {
  std::vector<int> widths;  // from input to output: the same of the row itself, 1 of a class
  Activation activation = Activation::kRelu;
  bool activate_bottleneck = false;  // of one that learns the row
  Learns learns = Learns::kRow;

  Status check() const;
};

template <class T>
class Perceptron {
 public:
  explicit Perceptron(const PerceptronConfig& config);

  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  int features() const { return config_.widths.front(); }
  bool learns_class() const { return config_.learns == Learns::kClass; }
  // Whether the output of that layer goes through the activation.
  bool activated(std::size_t layer) const;
  void pack(const T* weights, bool backward);

  // What one pass leaves behind, and its working memory. One per thread or block, reused.
  struct Tape {
    std::vector<Buffer<T>> out;  // of every layer
    Buffer<T> dy, dx, pack;
  };

  // x [rows, features], x_row apart -> score [rows]. Const and thread-safe over different tapes.
  void score(const T* weights, const T* x, std::ptrdiff_t x_row, int rows, Tape& tape, T* score) const;
  // The same for dense x of any length, on the pool.
  void score(ThreadPool& pool, const T* weights, const T* x, int rows, T* score);
  // Loss over all rows, and its gradient in *gradient (owned here, weight_count long). y [rows]: classes, where it learns
  // these.
  double loss(ThreadPool& pool, const T* weights, const T* x, const std::uint8_t* y, int rows, const T** gradient);

 private:
  void forward(const T* weights, const T* x, std::ptrdiff_t x_row, int rows, Tape& tape) const;
  // Sum of the losses of `rows` rows, over their outputs too; dout [rows, outputs]: of the mean over `all` rows by each output.
  double loss_of_rows(const T* x, const std::uint8_t* y, const T* out, int rows, int all, T* dout) const;
  void backward(const T* x, int rows, Tape& tape, T* dweights) const;

  PerceptronConfig config_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_ = 0;
  std::vector<Linear<T>> layers_;
  std::vector<Tape> tapes_;
  GradientSlots<T> slots_;
};

}  // namespace aclr
