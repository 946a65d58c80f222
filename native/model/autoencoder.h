// A dense autoencoder on rows of numbers. Loss: mean over rows and features of (out - x)^2; score of a row: mean over its
// features. The bottleneck (the narrowest layer) and the output are linear unless asked otherwise. test/golden/README "ae/".
#pragma once
#include <vector>

#include "core/status.h"
#include "model/encoder.h"
#include "model/gradient_slots.h"
#include "model/optimiser.h"

namespace aclr {

enum class Activation { kRelu, kLeakyRelu, kElu };

struct AutoencoderConfig {
  std::vector<int> widths;  // from input to output, both the same
  Activation activation = Activation::kRelu;
  bool activate_bottleneck = false;

  Status check() const;
};

template <class T>
class Autoencoder {
 public:
  explicit Autoencoder(const AutoencoderConfig& config);

  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  int features() const { return config_.widths.front(); }
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
  // Loss over all rows, and its gradient in *gradient (owned here, weight_count long).
  double loss(ThreadPool& pool, const T* weights, const T* x, int rows, const T** gradient);

 private:
  void forward(const T* weights, const T* x, std::ptrdiff_t x_row, int rows, Tape& tape) const;

  AutoencoderConfig config_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_ = 0;
  std::vector<Linear<T>> layers_;
  std::vector<Tape> tapes_;
  GradientSlots<T> slots_;
};

}  // namespace aclr
