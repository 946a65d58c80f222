// The table of kernels that model/ is written in. Each target (portable, avx2, avx512, neon ..) fills one table for float
// and one for double; dispatch.cc picks. portable/ is the oracle.
//
// Matrices are row-major. `out` is overwritten unless a contract says "added to". Nothing may alias unless said so.
#pragma once
#include <cstddef>
#include <cstdint>

namespace aclr {

// c[m, n] = (accumulate ? c : 0) + a[m, k] . b[k, n] + bias[n];  then relu if asked.
// a[i][p] stands at a[i * a_row + p * a_col]; b was packed by Ops::pack; bias may be null.
template <class T>
struct Gemm {
  int m, n, k;
  const T* a;
  std::ptrdiff_t a_row, a_col;
  const T* packed_b;
  const T* bias;
  T* c;
  std::ptrdiff_t c_row;
  bool accumulate, relu;
};

// s = x + branch; mean and variance (biased) over d; normal = (s - mean) rstd; out = normal * gain + offset. [rows, d]
// branch may be null; keep [rows, d], 0/1 bytes of dropout on it, may be null: kept ones are multiplied by keep_scale.
// out may alias x or branch; normal too where nobody reads it.
template <class T>
struct LayerNorm {
  int rows, d;
  const T *x, *branch, *gain, *offset;
  T *out, *normal, *rstd;  // rstd [rows]
  const std::uint8_t* keep = nullptr;
  T keep_scale = 1;
};

// ds from dout, and with keep dbranch = ds where kept, times keep_scale; dgain and doffset are added to. ds may alias dout.
template <class T>
struct LayerNormBackward {
  int rows, d;
  const T *dout, *normal, *rstd, *gain;
  T *ds, *dgain, *doffset;
  const std::uint8_t* keep = nullptr;
  T keep_scale = 1;
  T* dbranch = nullptr;
};

// Rows of attention probabilities are padded to whole groups of keys.
inline constexpr int kKeyLanes = 8, kMostKeys = 64;  // an event has at most kMaxObjects tokens
constexpr int padded_keys(int n) { return (n + kKeyLanes - 1) / kKeyLanes * kKeyLanes; }

// Self-attention of each event on its own tokens. qkv [tokens, 3d] as q, k, v; head h owns columns h*d/H .. of each.
// probs holds for each event H matrices [n, padded_keys(n)], zero in the padding, events one after another. key_bias
// [tokens] is added to the logits of that key, or null. keep [as probs] are 0/1 bytes of dropout on the probabilities, or
// null; kept ones are multiplied by keep_scale. probs are stored before dropout.
template <class T>
struct Attention {
  int events, heads, d;
  const std::int32_t* offsets;  // [events + 1]: the tokens of an event, counted from offsets[0]
  const T *qkv, *key_bias;
  const std::uint8_t* keep;
  T keep_scale;
  T *probs, *out;  // out [tokens, d]
};

// dqkv [tokens, 3d] from dout [tokens, d]; dkey_bias [tokens] is added to, or null.
template <class T>
struct AttentionBackward {
  int events, heads, d;
  const std::int32_t* offsets;
  const T *qkv, *probs, *dout;
  const std::uint8_t* keep;
  T keep_scale;
  T *dqkv, *dkey_bias;
};

// The bytes of Philox stream (seed, epoch, event, stream): keep[i] = byte_i >= threshold, so a share threshold/256 goes.
struct DropoutKeep {
  std::uint32_t key0, key1, epoch, event, stream;
  int count, threshold;
  std::uint8_t* keep;
};

// g' = g * scale + l2 * w;  w *= decay_complement;  m, v updated;  w -= rate * m / (sqrt(v) * inverse_root_v + eps)
template <class T>
struct Adam {
  std::size_t count;
  T *w, *m, *v;
  const T* g;
  // complements are made in double: 1 - 0.999f is off by 5e-5
  T scale, l2, beta1, beta1_complement, beta2, beta2_complement, decay_complement, rate, inverse_root_v, eps;
};

// A tile of cosines s [rows, cols]. log_sum_exp: running maximum and sum per row of exp(s * inverse_temperature).
// weigh: s <- inverse_temperature (g_row exp(s it - top_row) + g_col exp(s it - top_col)). -inf marks entries left out.
template <class T>
struct ContrastTile {
  int rows, cols;
  T* s;
  std::ptrdiff_t s_row;
  T inverse_temperature;
  T *maximum, *sum;              // [rows], log_sum_exp only
  const T *top_row, *top_col;    // weigh only, as g_*
  const T *g_row, *g_col;
};

template <class T>
struct Ops {
  const char* target;
  std::size_t (*packed_size)(int k, int n);
  // b[p][j] stands at b[p * row + j * col]
  void (*pack)(const T* b, std::ptrdiff_t row, std::ptrdiff_t col, int k, int n, T* packed);
  void (*gemm)(const Gemm<T>&);
  void (*layer_norm)(const LayerNorm<T>&);
  void (*layer_norm_backward)(const LayerNormBackward<T>&);
  void (*attention)(const Attention<T>&);
  void (*attention_backward)(const AttentionBackward<T>&);
  // out = normal * gain + offset, [rows, d]: what layer_norm gave
  void (*affine)(const T* normal, const T* gain, const T* offset, int rows, int d, T* out);
  void (*column_sums)(const T* x, int rows, int cols, T* out);  // out [cols] is added to
  void (*dropout)(T* x, const std::uint8_t* keep, T scale, std::size_t count);  // in place
  void (*relu_backward)(T* dx, const T* out, T scale, std::size_t count);  // dx *= out > 0 ? scale : 0
  void (*dropout_keep)(const DropoutKeep&);
  void (*adam)(const Adam<T>&);
  void (*log_sum_exp)(const ContrastTile<T>&);
  void (*weigh)(const ContrastTile<T>&);
  // Fused multiply-adds as this target does them in gemm, independent and out of registers; returns how many operations
  // (two for each multiply-add) it has done: the peak that gemm can be held against.
  double (*peak)(long rounds);
};

// What matrix products take their factors in. kBf16 rounds both to bfloat16 and sums in T; only float has it.
enum class Products { kExact, kBf16 };

// The table in use. ANOMALYCLR_TARGET=portable|avx2|avx512|avx512bf16|amx|neon forces one; a target that this CPU lacks, or an unknown
// name, is not taken: target_error() then says so.
template <class T>
const Ops<T>& ops(Products products = Products::kExact);
const char* target_error();
const char* target_name();
// Space-separated names of what this CPU can run, best first, and of CPU features seen.
const char* available_targets();
const char* cpu_features();

}  // namespace aclr
