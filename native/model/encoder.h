// The permutation-invariant transformer on packed tokens. Formulas: test/golden/README.md "encoder/".
//   embedding, then per layer  X <- LN(X + attention(X)),  X <- LN(X + relu(X W1^T + b1) W2^T + b2)     post-norm
//   pool r_0 = sum_s c_s X_s;  head r_{l+1} = relu(LN_l(r_l) or r_l) W_l^T + b_l
// An event without tokens pools to zero and goes through the head like any other.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/buffer.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "core/features.h"
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

// Rows x [tokens, features] of some events; event e has the rows offsets[e] .. offsets[e + 1] - 1.
template <class T>
struct TokenRows {
  std::vector<T> x;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::uint32_t> ids;  // one per event: where its dropout comes from
  int events() const { return static_cast<int>(offsets.size()) - 1; }
  int tokens() const { return offsets.back(); }
};

// Some events of such rows, standing together.
template <class T>
struct TokenBlock {
  const T* x;                   // of the first event's first token
  const std::int32_t* offsets;  // [events + 1], from any number
  const std::uint32_t* ids;     // may be null without dropout
  int events;

  TokenBlock(const TokenRows<T>& rows, int features, int first, int last)
      : x(rows.x.data() + std::size_t(rows.offsets[first]) * features), offsets(rows.offsets.data() + first),
        ids(rows.ids.empty() ? nullptr : rows.ids.data() + first), events(last - first) {}
  int tokens() const { return offsets[events] - offsets[0]; }
  int tokens(int event) const { return offsets[event + 1] - offsets[event]; }
};

struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0, view = 0;
  bool on = false;
};

// What the backward needs of one block's forward. What a multiply-add gives back, as the normalised rows give the
// layers' inputs, is not kept.
template <class T>
struct EncoderTape {
  Buffer<T> saved;              // all layers', see Encoder::layer_tape
  Buffer<std::uint8_t> keeps;
  Buffer<T> key_bias;           // [tokens]
  Buffer<T> reps;               // [events, rep_row]: pooled, then every head layer's output
  Buffer<T> head_in, head_normal, head_rstd;
};

// Working memory of one thread, hot in its cache from block to block.
template <class T>
struct EncoderScratch {
  Buffer<T> x, mid, branch, hidden, dtoken, dqkv, pack;
  Buffer<std::uint8_t> keep_hidden;
};

template <class T>
class Encoder {
 public:
  explicit Encoder(const EncoderConfig& config, Products products = Products::kExact);

  const EncoderConfig& config() const { return config_; }
  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  // Length of a row of representations: width + head_layers * output.
  int rep_row() const { return config_.width + config_.head_layers * config_.output; }
  int rep_width(int level) const { return level == 0 ? config_.width : config_.output; }
  int rep_offset(int level) const { return level == 0 ? 0 : config_.width + (level - 1) * config_.output; }
  // Of dropout: this many of 256 random bytes go.
  int keep_threshold() const;

  // To be called after every change of the weights.
  void pack(ThreadPool& pool, const T* weights, bool backward);

  // Fills tape.reps. Const and thread-safe over different tapes and scratches.
  void forward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape,
               EncoderScratch<T>& scratch) const;

  // The same without dropout and with nothing kept but tape.reps, which holds the levels 0 .. `levels`: pooled, then so
  // many layers of the head.
  void infer(const T* weights, const TokenBlock<T>& block, int levels, EncoderTape<T>& tape,
             EncoderScratch<T>& scratch) const;

  // From dreps [events, rep_row] (overwritten); dweights is added to; dx [tokens, features] overwritten, or null.
  void backward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape,
                EncoderScratch<T>& scratch, T* dreps, T* dweights, T* dx) const;

  // One layer's share of a tape.
  struct LayerTape {
    T *qkv, *probs, *mixed, *hidden, *normal1, *normal2, *rstd1, *rstd2;
    std::uint8_t *keep_probs, *keep_attention, *keep_output;
  };

  LayerTape layer_tape(const TokenBlock<T>& block, int layer, EncoderTape<T>& tape) const;

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
  T keep_scale() const;
  bool drops(const DropoutKey& dropout) const { return dropout.on && keep_threshold() > 0; }
  std::size_t pairs_of(const TokenBlock<T>& block) const;
  // Memory for `layers` layers is made ready by reserve(); where it is one, all layers share it.
  void reserve(const TokenBlock<T>& block, int layers, bool drop, EncoderTape<T>& tape) const;
  void draw_keeps(const TokenBlock<T>& block, const DropoutKey& key, int layer, const LayerTape& tape,
                  std::uint8_t* keep_hidden) const;
  void run(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, bool keep, int levels,
           EncoderTape<T>& tape, EncoderScratch<T>& scratch) const;
  // What went into a layer: the embedding, or the normalised rows of the layer before.
  const T* layer_input(const T* weights, const TokenBlock<T>& block, int layer, EncoderTape<T>& tape,
                       EncoderScratch<T>& scratch) const;
  void head_forward(const T* weights, int events, int levels, EncoderTape<T>& tape) const;
  void head_backward(const T* weights, int events, EncoderTape<T>& tape, EncoderScratch<T>& scratch, T* dreps,
                     T* dweights) const;

  EncoderConfig config_;
  const Ops<T>& op_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_ = 0;
  Linear<T> embedding_;
  std::vector<Layer> layers_;
  std::vector<HeadLayer> head_;
};

}  // namespace aclr
