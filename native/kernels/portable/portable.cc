// The oracle: plain loops for the compiler's default target.
#define ACLR_TARGET portable
#include "kernels/loops.h"
#include "kernels/targets.h"

namespace aclr {
namespace portable {

template <class T>
std::size_t packed_size(int k, int n) { return static_cast<std::size_t>(k) * static_cast<std::size_t>(n); }

template <class T>
void pack(const T* b, std::ptrdiff_t row, std::ptrdiff_t col, int k, int n, T* packed) {
  for (int p = 0; p < k; ++p)
    for (int j = 0; j < n; ++j) packed[std::ptrdiff_t{p} * n + j] = b[p * row + j * col];
}

template <class T>
void gemm(const Gemm<T>& g) {
  for (int i = 0; i < g.m; ++i) {
    T* c = g.c + i * g.c_row;
    for (int j = 0; j < g.n; ++j) c[j] = (g.accumulate ? c[j] : T(0)) + (g.bias ? g.bias[j] : T(0));
    for (int p = 0; p < g.k; ++p) {
      const T a = g.a[i * g.a_row + p * g.a_col];
      const T* b = g.packed_b + std::ptrdiff_t{p} * g.n;
      for (int j = 0; j < g.n; ++j) c[j] += a * b[j];
    }
    if (g.relu)
      for (int j = 0; j < g.n; ++j) c[j] = c[j] > T(0) ? c[j] : T(0);
  }
}

template <class T>
T dot(const T* x, const T* y, int n) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

template <class T>
void attention(const Attention<T>& a) {
  const int d = a.d, width = d / a.heads;
  const T scale = T(1) / root(T(width));
  T* probs = a.probs;
  const std::uint8_t* keep = a.keep;
  for (int e = 0; e < a.events; ++e) {
    const int first = a.offsets[e] - a.offsets[0], n = a.offsets[e + 1] - a.offsets[e], row = padded_keys(n);
    const T* base = a.qkv + std::ptrdiff_t{first} * 3 * d;
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < n; ++i) {
        const T* q = base + std::ptrdiff_t{i} * 3 * d + h * width;
        T* p = probs + i * row;
        T top = -__builtin_huge_val();
        for (int j = 0; j < n; ++j) {
          p[j] = dot(q, base + std::ptrdiff_t{j} * 3 * d + d + h * width, width) * scale;
          if (a.key_bias) p[j] += a.key_bias[first + j];
          top = p[j] > top ? p[j] : top;
        }
        T sum = 0;
        for (int j = 0; j < n; ++j) sum += p[j] = exponential(p[j] - top);
        const T norm = T(1) / sum;
        for (int j = 0; j < n; ++j) p[j] *= norm;
        for (int j = n; j < row; ++j) p[j] = 0;
        T* out = a.out + std::ptrdiff_t{first + i} * d + h * width;
        for (int c = 0; c < width; ++c) out[c] = 0;
        for (int j = 0; j < n; ++j) {
          const T weight = keep ? (keep[i * row + j] ? p[j] * a.keep_scale : T(0)) : p[j];
          const T* v = base + std::ptrdiff_t{j} * 3 * d + 2 * d + h * width;
#pragma omp simd
          for (int c = 0; c < width; ++c) out[c] += weight * v[c];
        }
      }
      probs += n * row;
      if (keep) keep += n * row;
    }
  }
}

template <class T>
void attention_backward(const AttentionBackward<T>& a) {
  const int d = a.d, width = d / a.heads;
  const T scale = T(1) / root(T(width));
  const T* probs = a.probs;
  const std::uint8_t* keep = a.keep;
  for (int e = 0; e < a.events; ++e) {
    const int first = a.offsets[e] - a.offsets[0], n = a.offsets[e + 1] - a.offsets[e], row = padded_keys(n);
    const T* base = a.qkv + std::ptrdiff_t{first} * 3 * d;
    T* dbase = a.dqkv + std::ptrdiff_t{first} * 3 * d;
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t{n} * 3 * d; ++i) dbase[i] = 0;
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < n; ++i) {
        const T* dout = a.dout + std::ptrdiff_t{first + i} * d + h * width;
        const T* p = probs + i * row;
        T dp[kMostKeys];
        T inner = 0;
        for (int j = 0; j < n; ++j) {
          const T factor = keep ? (keep[i * row + j] ? a.keep_scale : T(0)) : T(1);
          dp[j] = factor * dot(dout, base + std::ptrdiff_t{j} * 3 * d + 2 * d + h * width, width);
          inner += p[j] * dp[j];
          const T weight = factor * p[j];
          T* dv = dbase + std::ptrdiff_t{j} * 3 * d + 2 * d + h * width;
#pragma omp simd
          for (int c = 0; c < width; ++c) dv[c] += weight * dout[c];
        }
        const T* q = base + std::ptrdiff_t{i} * 3 * d + h * width;
        T* dq = dbase + std::ptrdiff_t{i} * 3 * d + h * width;
        for (int j = 0; j < n; ++j) {
          const T dlogit = p[j] * (dp[j] - inner);
          if (a.dkey_bias) a.dkey_bias[first + j] += dlogit;
          const T weight = dlogit * scale;
          const T* k = base + std::ptrdiff_t{j} * 3 * d + d + h * width;
          T* dk = dbase + std::ptrdiff_t{j} * 3 * d + d + h * width;
#pragma omp simd
          for (int c = 0; c < width; ++c) {
            dq[c] += weight * k[c];
            dk[c] += weight * q[c];
          }
        }
      }
      probs += n * row;
      if (keep) keep += n * row;
    }
  }
}

template <class T>
double peak(long rounds) {
  constexpr int kSums = 8;
  T sum[kSums];
  for (int s = 0; s < kSums; ++s) sum[s] = T(s);
  for (long r = 0; r < rounds; ++r)
#pragma omp simd
    for (int s = 0; s < kSums; ++s) sum[s] = sum[s] * T(0.999) + T(1e-3);
  T all = 0;
  for (const T s : sum) all += s;
  // the sums stay between 0 and 8: what is returned depends on them, so that they are made
  return 2.0 * kSums * static_cast<double>(rounds) + (all < T(0) ? 1 : 0);
}

}  // namespace portable
}  // namespace aclr

#include "kernels/rounded.h"

namespace aclr {

ACLR_DEFINE_TABLES(portable)
ACLR_DEFINE_BF16_TABLE(portable, rounded)

}  // namespace aclr
