// Every kernel of the CUDA engine: what it is given and how it is launched. As kernels/ops.h of the CPU, one family a file;
// all pointers are device memory, all matrices row-major. `out` is overwritten unless a contract says "added to"; nothing
// may alias unless said so. Nothing here allocates, waits or reads back, so that all may be captured in a graph.
//
// Templates stand for S = float, double, bf16 (number.h); each family's file instantiates them.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "augment/augmentation.h"
#include "core/features.h"
#include "cuda/number.h"
#include "loss/contrastive_loss.h"

namespace aclr::cuda {

// How many rows a ragged batch has is known to the device alone. `capacity` rows have memory; whoever writes [rows, *]
// writes zeros behind *count, so that products over all of them stay right. A null count is capacity.
struct Rows {
  int capacity;
  const int* count;
};
#if defined(__CUDACC__) || defined(ACLR_EMULATED)
__device__ inline int rows_in(const Rows& rows) { return rows.count ? *rows.count : rows.capacity; }
#endif

// Which token belongs to which event. events = views * batch: view v of event i of the batch stands at v * batch + i.
struct Tokens {
  Rows rows;
  int events, batch;
  int most;                     // no event has more tokens, at most 64
  const std::int32_t* offsets;  // [events + 1]
  const std::int32_t* event;    // [rows], of each row; any number behind *count
};

// What a step reads from the device, so that a graph can be used again.
struct StepInput {
  std::uint32_t key0, key1, epoch;  // of the random numbers
  double rate;
};

// Dropout as the CPU draws it: element i of an event, counted from its first token, has byte i of the Philox stream (seed,
// epoch, ids[event % batch], stream_id(kDropout, event / batch, site)); bytes below `threshold` go. 0 is no dropout.
// site = 4 layer + 0 probabilities [heads, n, padded_keys(n)], 1 attention output [n, d], 2 hidden [n, f], 3 output [n, d].
struct Dropout {
  int threshold = 0, site = 0;
  const StepInput* input = nullptr;
  const std::uint32_t* ids = nullptr;  // [batch]
};
// What kept ones are multiplied by.
__host__ __device__ inline double keep_scale(int threshold) { return 256.0 / (256 - threshold); }

// Memory for partial sums, shared by all kernels of a stream.
struct Scratch {
  void* data;
  std::size_t bytes;
};
// What one kernel may need of it at most, for matrices of so many columns (of what it sums, Real).
inline constexpr int kPartials = 512;
constexpr std::size_t partial_bytes(std::size_t columns) { return kPartials * columns * sizeof(double); }

// ---- rows.cu, embedding.cu, layer_norm.cu ------------------------------------------------------------------------------

// out [rows, d] = x W^T + b with x [rows, features], 1 to 8 features.
template <class S>
struct Embedding {
  Rows rows;
  int features, d;
  const Real<S>*x, *weight, *bias;
  S* out;
};
template <class S>
void embedding(const Embedding<S>&, cudaStream_t);

// dweight [d, features], dbias [d] and, where not null, dx [rows, features] (added to), from dout [rows, d].
template <class S>
struct EmbeddingBackward {
  Rows rows;
  int features, d;
  const Real<S>*x, *weight;
  const S* dout;
  Real<S>*dweight, *dbias, *dx;
  Scratch scratch;  // partial_bytes(d * (features + 1))
};
template <class S>
void embedding_backward(const EmbeddingBackward<S>&, cudaStream_t);

// As LayerNorm of kernels/ops.h on tokens, with the branch dropped out: out = LN(x + drop(branch)). out may be x or branch.
// normal and rstd may both be null (no backward to come).
template <class S>
struct LayerNorm {
  Tokens tokens;
  int d;
  const S *x, *branch;
  const Real<S>*gain, *offset;
  S *out, *normal;
  Real<S>* rstd;
  Dropout dropout;
};
template <class S>
void layer_norm(const LayerNorm<S>&, cudaStream_t);

// ds from dout, and dbranch (null without dropout) = ds where kept, times the scale. ds may be dout.
template <class S>
struct LayerNormBackward {
  Tokens tokens;
  int d;
  const S *dout, *normal;
  const Real<S>*rstd, *gain;
  S *ds, *dbranch;
  Real<S>*dgain, *doffset;
  Dropout dropout;
  Scratch scratch;  // partial_bytes(2 d)
};
template <class S>
void layer_norm_backward(const LayerNormBackward<S>&, cudaStream_t);

// hidden [rows, f] in place: dropped out.
template <class S>
void dropout(const Tokens&, int f, S* hidden, const Dropout&, cudaStream_t);

// dx *= out > 0 ? scale : 0, [rows, cols]
template <class S>
void relu_backward(Rows, int cols, S* dx, const S* out, double scale, cudaStream_t);

// out [cols] = column sums of x [rows, cols]; scratch: partial_bytes(cols)
template <class S>
void column_sums(Rows, int cols, const S* x, Real<S>* out, Scratch, cudaStream_t);

// key_bias [rows] = 0.5 log pt', pt' being the first feature of x [rows, features]
template <class R>
void key_bias(Rows, int features, const R* x, R* out, cudaStream_t);

// reps[e * rep_row ..] = sum over the tokens of e of weight * x; weight is pt' with the continuous mask, else 1 (features null).
template <class S>
struct Pool {
  Tokens tokens;
  int d, rep_row;
  const S* x;
  const Real<S>* features;  // [rows, feature_count], or null
  int feature_count;
  Real<S>* reps;
};
template <class S>
void pool(const Pool<S>&, cudaStream_t);

// dtoken [rows, d] = weight * dreps of the event; where dfeatures [rows, feature_count] is not null its first column is
// set to dreps . x and the others to 0 (x: what was pooled; hard mask: all 0).
template <class S>
struct PoolBackward {
  Tokens tokens;
  int d, rep_row;
  const Real<S>* dreps;
  const S* x;
  const Real<S>* features;
  int feature_count;
  S* dtoken;
  Real<S>* dfeatures;
};
template <class S>
void pool_backward(const PoolBackward<S>&, cudaStream_t);

// dfeatures[:, 0] += 0.5 / pt' * sum over heads of dkey_bias [heads, rows]
template <class R>
void key_bias_backward(Rows, int heads, int features, const R* x, const R* dkey_bias, R* dfeatures, cudaStream_t);

// ---- head.cu: layers after pooling, one row an event -----------------------------------------------------------------

// out [rows, in] = relu(LN(x) or x), x [rows, in] x_row apart. gain null: no norm (normal, rstd unused).
template <class S>
struct HeadInput {
  int rows, in, x_row;
  const Real<S>*x, *gain, *offset;
  S *out, *normal;
  Real<S>* rstd;
};
template <class S>
void head_input(const HeadInput<S>&, cudaStream_t);

// From dout [rows, in], the gradient of `out`: dx [rows, in], dx_row apart, is added to; dgain, doffset where gain is not null.
template <class S>
struct HeadInputBackward {
  int rows, in, dx_row;
  const S *dout, *out, *normal;
  const Real<S>*rstd, *gain;
  Real<S>*dx, *dgain, *doffset;
  Scratch scratch;  // partial_bytes(2 in)
};
template <class S>
void head_input_backward(const HeadInputBackward<S>&, cudaStream_t);

// out [rows, cols] S, dense = x [rows, cols] Real, x_row apart; and back: out, out_row apart, of dense x of S
template <class S>
void store_rows(int rows, int cols, const Real<S>* x, int x_row, S* out, cudaStream_t);

// ---- attention.cu ----------------------------------------------------------------------------------------------------

// As Attention of kernels/ops.h; probabilities are not kept but made again in the backward. out [rows, d]
template <class S>
struct Attention {
  Tokens tokens;
  int heads, d;
  const S* qkv;             // [rows, 3d]
  const Real<S>* key_bias;  // [rows], or null
  S* out;
  Dropout dropout;
};
template <class S>
void attention(const Attention<S>&, cudaStream_t);

template <class S>
struct AttentionBackward {
  Tokens tokens;
  int heads, d;
  const S *qkv, *dout;
  const Real<S>* key_bias;
  S* dqkv;              // [rows, 3d]
  Real<S>* dkey_bias;   // [heads, rows.capacity], or null
  Dropout dropout;
};
template <class S>
void attention_backward(const AttentionBackward<S>&, cudaStream_t);

// ---- dense.cu, dense_mma.cu, cublas_lt.cc ------------------------------------------------------------------------------

// c [m, n], c_row apart = (accumulate ? c : 0) + op(a) op(b) + bias, then relu. a_transposed: a stands as [k, m], else
// [m, k]; b_transposed: b stands as [n, k], else [k, n]; a_row and b_row are the distances of the rows as they stand. bias is
// [n] Real, and the same as S in bias_stored (what cuBLASLt wants where c is of S), or both null.
//   y = x W^T + b    m rows, n out, k in   b_transposed         dx = dy W    m rows, n in, k out
//   dW = dy^T x      m out, n in, k rows   a_transposed
template <class S, class C>
struct Product {
  int m, n, k;
  const S* a;
  int a_row;
  bool a_transposed;
  const S* b;
  int b_row;
  bool b_transposed;
  C* c;
  int c_row;
  const Real<S>* bias = nullptr;
  const S* bias_stored = nullptr;
  bool accumulate = false, relu = false;
};

// Multiplies matrices by cuBLASLt where it is found, else by our own kernels. One a session; its workspace is taken at the
// start. ANOMALYCLR_CUBLASLT names the library, or is "off".
class Dense {
 public:
  Dense();
  ~Dense();
  Dense(const Dense&) = delete;
  Dense& operator=(const Dense&) = delete;

  // In words: "cuBLASLt 13.1" or "own kernels", and why where a library was named.
  const char* describe() const;
  // (S, C) = (float, float), (double, double), (bf16, bf16), (bf16, float). Split sums of long k use `scratch`.
  template <class S, class C>
  void multiply(const Product<S, C>&, Scratch scratch, cudaStream_t);
  static constexpr std::size_t kScratch = std::size_t{32} << 20;

 private:
  struct Library;
  Library* library_;
};

// Our own kernels, whatever libraries there are.
template <class S, class C>
void multiply_own(const Product<S, C>&, Scratch scratch, cudaStream_t);

// ---- contrast.cu, contrast_mma.cu -------------------------------------------------------------------------------------------

// model/contrast.cc on the device, in four passes; a rank does the rows of its own events, first .. first + count - 1 of
// `total`, against all, and between passes shares what is said below. Never more memory than rows.
template <class S>
struct Contrast {
  int total, first, count, d;
  int views;  // 3 where the loss uses the anomalous one
  Denominator denominator;
  int loss;  // place in kLosses (loss/list.h)
  Real<S> inverse_temperature;
  LossWeights weights;
  const Real<S>* z;   // [views, total, d]; of the third view, and without a denominator of all, only own rows are read
  Real<S>* dz;        // [views, count, d], own rows; null for the value alone
  // working memory
  S* unit;            // [views, total, padded(d)]; this, top and weight aligned to 16 bytes
  Real<S>*norm;       // [views, total]
  Real<S>*top, *weight;  // [2, total]: own rows after contrast_rows; all rows before contrast_spread
  Real<S>* statistics;   // statistics_size(): partial maxima and sums
  double* value;      // [1]: this rank's share of the loss
  Scratch scratch;    // partial_bytes(1)

  static constexpr int padded(int d) { return (d + 31) / 32 * 32; }
  // Columns are split so many ways, that few rows keep a device busy.
  static int splits(int total, int count);
  static std::size_t statistics_size(int total, int count);
};
template <class S>
void contrast_units(const Contrast<S>&, cudaStream_t);       // unit, norm of all rows
template <class S>
void contrast_statistics(const Contrast<S>&, cudaStream_t);  // of own rows; nothing where there is no denominator
template <class S>
void contrast_rows(const Contrast<S>&, cudaStream_t);        // value; top and weight of own rows; dz so far
// Here ranks gather top and weight.
template <class S>
void contrast_spread(const Contrast<S>&, cudaStream_t);      // dz

// ---- views.cu -----------------------------------------------------------------------------------------------------------

// A recipe on the device; struct Scenario and RecipeStep of kernels/device.h flattened.
struct DeviceRecipe {
  int first_scenario[4];
  const double* until;                     // [scenarios]
  const std::int32_t *first_step, *steps;  // [scenarios]
  const std::int32_t* augmentation;        // [steps of all]
  const double* parameters;                // [steps of all, kMaxParameters]
};

// Views first_view .. first_view + views - 1 of a batch, as objects. R is float or double.
template <class R>
struct Views {
  int batch, views, first_view;
  const R *pt, *eta, *phi;
  const std::uint8_t* kind;
  const std::int32_t* offsets;  // [batch + 1]
  const std::uint32_t* ids;     // [batch]
  DeviceRecipe recipe;
  const StepInput* input;
  int stride;                   // places of an event in what follows, at most kMaxObjects
  R *out_pt, *out_eta, *out_phi;  // [views * batch, stride]
  std::int32_t* out_kind;
  std::int32_t* objects;        // [views * batch]: how many
};
template <class R>
void make_views(const Views<R>&, cudaStream_t);

// Rows of features (core/features.h) of such objects.
struct TokenCounts {
  std::int32_t tokens, most;  // rows in all, and of the largest event
};
template <class R>
struct Featurise {
  int events, batch, stride;
  const R *pt, *eta, *phi;
  const std::int32_t *kind, *objects;
  FeatureRow<R> row;
  int capacity;           // rows of x and event
  R* x;                   // [capacity, features]
  std::int32_t *offsets, *event;  // [events + 1], [capacity]
  TokenCounts* counts;    // tokens are counted on even where they do not fit
  Scratch scratch;
};
template <class R>
void featurise(const Featurise<R>&, cudaStream_t);
// Zeros behind the last token, once the capacity is chosen: x and event of rows counts->tokens .. capacity - 1.
template <class R>
void pad_rows(int capacity, int features, const TokenCounts* counts, R* x, std::int32_t* event, cudaStream_t);

// Events at rest as objects, without an augmentation: pt .. kind [events, stride], objects.
template <class R>
void unpack_events(int events, int stride, const R* pt, const R* eta, const R* phi, const std::uint8_t* kind,
                   const std::int32_t* offsets, R* out_pt, R* out_eta, R* out_phi, std::int32_t* out_kind,
                   std::int32_t* objects, cudaStream_t);

// ---- adam.cu --------------------------------------------------------------------------------------------------------------

// One update of all weights (model/optimiser.h). A norm that is not finite leaves everything as it was.
struct OptimiserState {
  std::int64_t steps;
  double norm;  // of the gradient before clipping, of the last step
};
template <class S>
struct Update {
  std::size_t count;
  Real<S>*w, *m, *v;
  const Real<S>* g;
  S* copy;  // the weights as S, or null; made anew whatever the norm is
  bool sgd;
  double beta1, beta2, eps, momentum, weight_decay, l2, clip;
  const StepInput* input;
  OptimiserState* state;
  Scratch scratch;  // partial_bytes(1)
};
template <class S>
void update_weights(const Update<S>&, cudaStream_t);
// copy = w
template <class S>
void copy_weights(std::size_t count, const Real<S>* w, S* copy, cudaStream_t);

// ---- autoencoder.cu -------------------------------------------------------------------------------------------------------

enum class Activation { kNone, kRelu, kLeakyRelu, kElu };
// y in place; and dy *= derivative, from what came out of it
template <class R>
void activate(Activation, std::size_t count, R* y, cudaStream_t);
template <class R>
void activate_backward(Activation, std::size_t count, const R* y, R* dy, cudaStream_t);
// score [rows] = mean over d of (out - x)^2, x rows x_row apart
template <class R>
void row_errors(int rows, int d, const R* out, const R* x, int x_row, R* score, cudaStream_t);
// dout = 2 (out - x)/(rows d); *value = mean of (out - x)^2
template <class R>
void mean_error(int rows, int d, const R* out, const R* x, R* dout, double* value, Scratch, cudaStream_t);
// out [rows, cols] = x [rows, cols], x_row apart, minus mean [cols]
template <class R>
void centre(int rows, int cols, const R* x, int x_row, const R* mean, R* out, cudaStream_t);

}  // namespace aclr::cuda
