// Plain loops: the reference for every kernel, and what vector targets use where the compiler does as well as we would.
// Included by each target inside its own namespace (ACLR_TARGET), so that code built with wide-vector flags is never
// linked in place of portable code. No STL here for the same reason.
#include "kernels/ops.h"

namespace aclr::ACLR_TARGET {

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
inline double exponential(double x) { return __builtin_exp(x); }

// exp in float by 2^n times a polynomial (Cephes' coefficients); relative error below 2e-7 on [-87, 88], 0 below.
// Written without branches or library calls, so that loops over it become vector code.
inline float exponential(float x) {
  const float low = x < -87.0f ? -87.0f : x;  // keeps NaN
  const float bounded = low > 88.0f ? 88.0f : low;
  const float shifted = bounded * 1.44269504f + 12582912.0f;  // n, rounded to nearest, in its lowest bits, whatever NaN is
  const float n = shifted - 12582912.0f;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::uint32_t bits = (__builtin_bit_cast(std::uint32_t, shifted) - 0x4B400000u + 127u) << 23;
  const float result = p * __builtin_bit_cast(float, bits);
  return x < -87.0f ? 0.0f : result;
}

// Sixteen numbers by the compiler's vector extension: what `omp simd` reductions would end by adding lane after lane is
// folded in halves here.
template <class T>
struct Sixteen {
  typedef T type __attribute__((vector_size(16 * sizeof(T)), aligned(alignof(T)), may_alias));
};

// Sum over i < n of term(i): `wide` gives 16 of them as a vector, `one` a single one.
template <class T, class Wide, class One>
[[gnu::always_inline]] inline T sum_over(int n, const Wide& wide, const One& one) {
  using V = typename Sixteen<T>::type;
  V sum{}, other{};
  int i = 0;
  for (; i + 32 <= n; i += 32) {
    wide(sum, i);
    wide(other, i + 16);
  }
  if (i + 16 <= n) {
    wide(sum, i);
    i += 16;
  }
  sum += other;
  T rest = 0;
  for (; i < n; ++i) rest += one(i);
  T eight[8], four[4];
  for (int l = 0; l < 8; ++l) eight[l] = sum[l] + sum[l + 8];
  for (int l = 0; l < 4; ++l) four[l] = eight[l] + eight[l + 4];
  return ((four[0] + four[2]) + (four[1] + four[3])) + rest;
}

template <class T>
const typename Sixteen<T>::type& sixteen(const T* x) {
  return *reinterpret_cast<const typename Sixteen<T>::type*>(x);
}

// sum_i x_i y_i z_i; y and z as far as Y and Z say.
template <class T, bool Y, bool Z>
T sum_of_products(int n, const T* x, const T* y = nullptr, const T* z = nullptr) {
  using V = typename Sixteen<T>::type;
  return sum_over<T>(
      n,
      [&](V& sum, int i) {
        V product = sixteen(x + i);
        if constexpr (Y) product *= sixteen(y + i);
        if constexpr (Z) product *= sixteen(z + i);
        sum += product;
      },
      [&](int i) { return x[i] * (Y ? y[i] : T(1)) * (Z ? z[i] : T(1)); });
}

template <class T>
T sum_of_squares_about(int n, const T* x, T mean) {
  using V = typename Sixteen<T>::type;
  return sum_over<T>(
      n,
      [&](V& sum, int i) {
        const V difference = sixteen(x + i) - mean;
        sum += difference * difference;
      },
      [&](int i) { return (x[i] - mean) * (x[i] - mean); });
}

template <class T>
void layer_norm(const LayerNorm<T>& a) {
  const int d = a.d;
  for (int r = 0; r < a.rows; ++r) {
    const std::ptrdiff_t at = std::ptrdiff_t{r} * d;
    const T *x = a.x + at, *gain = a.gain, *offset = a.offset;
    T *normal = a.normal + at, *out = a.out + at;
    if (a.keep) {
      const T* branch = a.branch + at;
      const std::uint8_t* keep = a.keep + at;
      const T scale = a.keep_scale;
#pragma omp simd
      for (int i = 0; i < d; ++i) normal[i] = x[i] + branch[i] * (keep[i] ? scale : T(0));
    } else if (a.branch) {
      const T* branch = a.branch + at;
#pragma omp simd
      for (int i = 0; i < d; ++i) normal[i] = x[i] + branch[i];
    } else if (normal != x) {
      for (int i = 0; i < d; ++i) normal[i] = x[i];
    }
    const T mean = sum_of_products<T, false, false>(d, normal) / T(d);
    const T square = sum_of_squares_about(d, normal, mean);
    const T rstd = T(1) / root(square / T(d) + T(1e-5));
    a.rstd[r] = rstd;
#pragma omp simd
    for (int i = 0; i < d; ++i) {
      const T scaled = (normal[i] - mean) * rstd;
      normal[i] = scaled;
      out[i] = scaled * gain[i] + offset[i];
    }
  }
}

template <class T>
void affine(const T* normal, const T* gain, const T* offset, int rows, int d, T* out) {
  for (int r = 0; r < rows; ++r, normal += d, out += d)
#pragma omp simd
    for (int i = 0; i < d; ++i) out[i] = normal[i] * gain[i] + offset[i];
}

// ROWS rows at once, so that dgain and doffset are read and written once for all of them.
template <class T, int ROWS>
void layer_norm_backward_rows(const LayerNormBackward<T>& a, std::ptrdiff_t at, const T* rstd) {
  const int d = a.d;
  const T* dout = a.dout + at;
  const T* normal = a.normal + at;
  const T* gain = a.gain;
  T* ds = a.ds + at;
  T mean_g[ROWS], mean_gn[ROWS];
  for (int r = 0; r < ROWS; ++r) {
    const T* g = dout + r * d;
    const T* x = normal + r * d;
    mean_g[r] = sum_of_products<T, true, false>(d, g, gain) / T(d);
    mean_gn[r] = sum_of_products<T, true, true>(d, g, gain, x) / T(d);
  }
#pragma omp simd
  for (int i = 0; i < d; ++i) {
    T dgain = 0, doffset = 0;
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      const T g = dout[r * d + i], x = normal[r * d + i];
      dgain += g * x;
      doffset += g;
      ds[r * d + i] = rstd[r] * (g * gain[i] - mean_g[r] - x * mean_gn[r]);
    }
    a.dgain[i] += dgain;
    a.doffset[i] += doffset;
  }
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& a) {
  int r = 0;
  for (; r + 4 <= a.rows; r += 4) layer_norm_backward_rows<T, 4>(a, std::ptrdiff_t{r} * a.d, a.rstd + r);
  for (; r < a.rows; ++r) layer_norm_backward_rows<T, 1>(a, std::ptrdiff_t{r} * a.d, a.rstd + r);
  if (!a.keep) return;
  const std::size_t count = static_cast<std::size_t>(a.rows) * static_cast<std::size_t>(a.d);
  const T scale = a.keep_scale, *ds = a.ds;
  const std::uint8_t* keep = a.keep;
  T* dbranch = a.dbranch;
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) dbranch[i] = ds[i] * (keep[i] ? scale : T(0));
}

template <class T>
void column_sums(const T* x, int rows, int cols, T* out) {
  int r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * std::ptrdiff_t{cols})
#pragma omp simd
    for (int c = 0; c < cols; ++c) out[c] += (x[c] + x[cols + c]) + (x[2 * cols + c] + x[3 * cols + c]);
  for (; r < rows; ++r, x += cols)
#pragma omp simd
    for (int c = 0; c < cols; ++c) out[c] += x[c];
}

template <class T>
void dropout(T* x, const std::uint8_t* keep, T scale, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) x[i] *= keep[i] ? scale : T(0);
}

template <class T>
void relu_backward(T* dx, const T* out, T scale, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) dx[i] *= out[i] > T(0) ? scale : T(0);
}

// As core/rng.h, many blocks side by side.
inline void dropout_keep(const DropoutKeep& a) {
  constexpr int kLanes = 16;
  std::uint32_t c0[kLanes], c1[kLanes], c2[kLanes], c3[kLanes];
  for (int start = 0; start < a.count; start += 16 * kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      c0[l] = static_cast<std::uint32_t>(start / 16 + l);
      c1[l] = a.stream;
      c2[l] = a.event;
      c3[l] = a.epoch;
    }
    std::uint32_t k0 = a.key0, k1 = a.key1;
    for (int round = 0; round < 10; ++round) {
#pragma omp simd
      for (int l = 0; l < kLanes; ++l) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[l];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2[l];
        c0[l] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[l] ^ k0;
        c1[l] = static_cast<std::uint32_t>(p1);
        c2[l] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[l] ^ k1;
        c3[l] = static_cast<std::uint32_t>(p0);
      }
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    std::uint32_t words[4 * kLanes];  // block after block, as they are drawn
#pragma omp simd
    for (int l = 0; l < kLanes; ++l) {
      words[4 * l] = c0[l];
      words[4 * l + 1] = c1[l];
      words[4 * l + 2] = c2[l];
      words[4 * l + 3] = c3[l];
    }
    const int left = a.count - start < 16 * kLanes ? a.count - start : 16 * kLanes;
    std::uint8_t bytes[16 * kLanes];
    if constexpr (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
      __builtin_memcpy(bytes, words, sizeof bytes);
    } else {
      for (int i = 0; i < 16 * kLanes; ++i) bytes[i] = static_cast<std::uint8_t>(words[i >> 2] >> (8 * (i & 3)));
    }
    std::uint8_t* keep = a.keep + start;
    const std::uint8_t threshold = static_cast<std::uint8_t>(a.threshold), any = a.threshold < 256;
#pragma omp simd
    for (int i = 0; i < left; ++i) keep[i] = bytes[i] >= threshold ? any : std::uint8_t{0};
  }
}

template <class T>
void adam(const Adam<T>& a) {
#pragma omp simd
  for (std::size_t i = 0; i < a.count; ++i) {
    const T g = a.g[i] * a.scale + a.l2 * a.w[i];
    const T m = a.beta1 * a.m[i] + a.beta1_complement * g;
    const T v = a.beta2 * a.v[i] + a.beta2_complement * g * g;
    a.m[i] = m;
    a.v[i] = v;
    a.w[i] = a.w[i] * a.decay_complement - a.rate * m / (root(v) * a.inverse_root_v + a.eps);
  }
}

template <class T>
void log_sum_exp(const ContrastTile<T>& a) {
  for (int r = 0; r < a.rows; ++r) {
    const T* s = a.s + r * a.s_row;
    T top = s[0];
#pragma omp simd reduction(max : top)
    for (int c = 0; c < a.cols; ++c) top = s[c] > top ? s[c] : top;
    top *= a.inverse_temperature;
    const T old = a.maximum[r];
    const T maximum = top > old ? top : old;
    if (maximum == -__builtin_huge_val()) continue;  // everything so far is left out
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < a.cols; ++c) sum += exponential(s[c] * a.inverse_temperature - maximum);
    a.sum[r] = (old == -__builtin_huge_val() ? T(0) : a.sum[r] * exponential(old - maximum)) + sum;
    a.maximum[r] = maximum;
  }
}

template <class T>
void weigh(const ContrastTile<T>& a) {
  for (int r = 0; r < a.rows; ++r) {
    T* s = a.s + r * a.s_row;
    const T top = a.top_row[r], g = a.g_row[r], it = a.inverse_temperature;
#pragma omp simd
    for (int c = 0; c < a.cols; ++c) {
      const T logit = s[c] * it;
      s[c] = it * (g * exponential(logit - top) + a.g_col[c] * exponential(logit - a.top_col[c]));
    }
  }
}

}  // namespace aclr::ACLR_TARGET
