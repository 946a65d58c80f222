// The permutation-invariant transformer on packed tokens. Formulas: test/golden/README.md "encoder/".
//   embedding, then per layer  X <- LN(X + attention(X)),  X <- LN(X + relu(X W1^T + b1) W2^T + b2)     post-norm
//   pool r_0 = sum_s c_s X_s;  head r_{l+1} = relu(LN_l(r_l) or r_l) W_l^T + b_l
// An event without tokens pools to zero and goes through the head like any other.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "model/features.h"
#include "model/linear.h"

namespace aclr {

// kHard: every token counts the same. kContinuous: logits get 0.5 ln(pt'), the pool weight pt' (infrared safe).
enum class Mask { kHard, kContinuous };

struct EncoderConfig {
  FeatureConfig features;
  Mask mask = Mask::kHard;
  int width = 64, heads = 4, layers = 3, feed_forward = 64, output = 64, head_layers = 2;
  bool head_norm = false;
  double dropout = 0;

  Status check() const;
};

// A model of more weights is refused rather than left to fail for memory: 1 GiB of floats.
inline constexpr std::size_t kMaxWeights = std::size_t{1} << 28;

// A named piece of the flat weights.
struct WeightInfo {
  std::string name;
  std::vector<int> shape;
  std::size_t offset, count;
};

// Rows x [tokens, features] of some events, and where the dropout of each comes from.
template <class T>
struct TokenBlock {
  std::vector<T> x;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::uint32_t> ids;  // one per event, for dropout
  int events() const { return static_cast<int>(offsets.size()) - 1; }
  int tokens() const { return offsets.back(); }
  void clear() {  // x keeps its memory: rows are written over
    offsets.assign(1, 0);
    ids.clear();
  }
};

struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0, view = 0;
  bool on = false;
};

// What the backward needs of one block's forward, and its working memory. One per block or per thread, reused.
template <class T>
struct EncoderTape {
  struct Layer {
    std::vector<T> in, qkv, probs, mixed, normal1, rstd1, mid, hidden, normal2, rstd2;
    std::vector<std::uint8_t> keep_probs, keep_attention, keep_output;
  };
  std::vector<Layer> layers;
  std::vector<T> out, key_bias;              // [tokens, width], [tokens]
  std::vector<T> reps;                       // [events, rep_row]: pooled, then every head layer's output
  std::vector<T> head_in, head_normal, head_rstd;
  std::vector<T> scratch, scratch2, scratch3, pack;
};

template <class T>
class Encoder {
 public:
  explicit Encoder(const EncoderConfig& config);

  const EncoderConfig& config() const { return config_; }
  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  // Length of a row of representations: width + head_layers * output.
  int rep_row() const { return config_.width + config_.head_layers * config_.output; }
  int rep_width(int level) const { return level == 0 ? config_.width : config_.output; }
  int rep_offset(int level) const { return level == 0 ? 0 : config_.width + (level - 1) * config_.output; }

  // To be called after every change of the weights.
  void pack(const T* weights, bool backward);

  // Fills tape.reps. Const and thread-safe over different tapes.
  void forward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape) const;

  // From dreps [events, rep_row] (overwritten); dweights is added to; dx [tokens, features] overwritten, or null.
  void backward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape, T* dreps,
                T* dweights, T* dx) const;

 private:
  struct Layer {
    Linear<T> in_proj, out_proj, linear1, linear2;
    std::size_t gain1, offset1, gain2, offset2;
  };
  struct HeadLayer {
    Linear<T> linear;
    std::size_t gain = 0, offset = 0;
  };

  std::size_t add_weight(const std::string& name, std::vector<int> shape);
  Linear<T> add_linear(const std::string& weight, const std::string& bias, int in, int out);
  int keep_threshold() const;
  T keep_scale() const;
  void draw_keeps(const TokenBlock<T>& block, const DropoutKey& key, int layer,
                  typename EncoderTape<T>::Layer& tape) const;
  void head_forward(const T* weights, int events, EncoderTape<T>& tape) const;
  void head_backward(const T* weights, int events, EncoderTape<T>& tape, T* dreps, T* dweights) const;

  EncoderConfig config_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_ = 0;
  Linear<T> embedding_;
  std::vector<Layer> layers_;
  std::vector<HeadLayer> head_;
};

}  // namespace aclr
