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
  const float n = (bounded * 1.44269504f + 12582912.0f) - 12582912.0f;  // round to nearest
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const std::int32_t bits = (static_cast<std::int32_t>(n) + 127) << 23;
  const float result = p * __builtin_bit_cast(float, bits);
  return x < -87.0f ? 0.0f : result;
}

template <class T>
void layer_norm(const LayerNorm<T>& a) {
  const int d = a.d;
  for (int r = 0; r < a.rows; ++r) {
    const T* x = a.x + std::ptrdiff_t{r} * d;
    const T* branch = a.branch ? a.branch + std::ptrdiff_t{r} * d : nullptr;
    T* normal = a.normal + std::ptrdiff_t{r} * d;
    T* out = a.out + std::ptrdiff_t{r} * d;
    T sum = 0;
    if (branch) {
#pragma omp simd reduction(+ : sum)
      for (int i = 0; i < d; ++i) sum += normal[i] = x[i] + branch[i];
    } else {
#pragma omp simd reduction(+ : sum)
      for (int i = 0; i < d; ++i) sum += normal[i] = x[i];
    }
    const T mean = sum / T(d);
    T square = 0;
#pragma omp simd reduction(+ : square)
    for (int i = 0; i < d; ++i) {
      normal[i] -= mean;
      square += normal[i] * normal[i];
    }
    const T rstd = T(1) / root(square / T(d) + T(1e-5));
    a.rstd[r] = rstd;
#pragma omp simd
    for (int i = 0; i < d; ++i) {
      normal[i] *= rstd;
      out[i] = normal[i] * a.gain[i] + a.offset[i];
    }
  }
}

template <class T>
void layer_norm_backward(const LayerNormBackward<T>& a) {
  const int d = a.d;
  for (int r = 0; r < a.rows; ++r) {
    const T* dout = a.dout + std::ptrdiff_t{r} * d;
    const T* normal = a.normal + std::ptrdiff_t{r} * d;
    T* ds = a.ds + std::ptrdiff_t{r} * d;
    T mean_g = 0, mean_gn = 0;
#pragma omp simd reduction(+ : mean_g, mean_gn)
    for (int i = 0; i < d; ++i) {
      const T g = dout[i] * a.gain[i];
      mean_g += g;
      mean_gn += g * normal[i];
    }
    mean_g /= T(d);
    mean_gn /= T(d);
    const T rstd = a.rstd[r];
#pragma omp simd
    for (int i = 0; i < d; ++i) {
      a.dgain[i] += dout[i] * normal[i];
      a.doffset[i] += dout[i];
      ds[i] = rstd * (dout[i] * a.gain[i] - mean_g - normal[i] * mean_gn);
    }
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
    const int first = a.offsets[e], n = a.offsets[e + 1] - first;
    const T* base = a.qkv + std::ptrdiff_t{first} * 3 * d;
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < n; ++i) {
        const T* q = base + std::ptrdiff_t{i} * 3 * d + h * width;
        T* p = probs + i * n;
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
        T* out = a.out + std::ptrdiff_t{first + i} * d + h * width;
        for (int c = 0; c < width; ++c) out[c] = 0;
        for (int j = 0; j < n; ++j) {
          const T weight = keep ? (keep[i * n + j] ? p[j] * a.keep_scale : T(0)) : p[j];
          const T* v = base + std::ptrdiff_t{j} * 3 * d + 2 * d + h * width;
#pragma omp simd
          for (int c = 0; c < width; ++c) out[c] += weight * v[c];
        }
      }
      probs += n * n;
      if (keep) keep += n * n;
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
    const int first = a.offsets[e], n = a.offsets[e + 1] - first;
    const T* base = a.qkv + std::ptrdiff_t{first} * 3 * d;
    T* dbase = a.dqkv + std::ptrdiff_t{first} * 3 * d;
    for (std::ptrdiff_t i = 0; i < std::ptrdiff_t{n} * 3 * d; ++i) dbase[i] = 0;
    for (int h = 0; h < a.heads; ++h) {
      for (int i = 0; i < n; ++i) {
        const T* dout = a.dout + std::ptrdiff_t{first + i} * d + h * width;
        const T* p = probs + i * n;
        T dp[64];  // kMaxObjects
        T inner = 0;
        for (int j = 0; j < n; ++j) {
          const T factor = keep ? (keep[i * n + j] ? a.keep_scale : T(0)) : T(1);
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
      probs += n * n;
      if (keep) keep += n * n;
    }
  }
}

template <class T>
void column_sums(const T* x, int rows, int cols, T* out) {
  for (int r = 0; r < rows; ++r)
#pragma omp simd
    for (int c = 0; c < cols; ++c) out[c] += x[std::ptrdiff_t{r} * cols + c];
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
    for (int l = 0; l < kLanes; ++l) {
      const std::uint32_t words[4] = {c0[l], c1[l], c2[l], c3[l]};
      const int at = start + 16 * l, left = a.count - at < 16 ? a.count - at : 16;
      for (int i = 0; i < left; ++i)
        a.keep[at + i] = static_cast<int>((words[i >> 2] >> (8 * (i & 3))) & 0xFFu) >= a.threshold;
    }
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
