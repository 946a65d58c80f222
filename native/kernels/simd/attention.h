// Attention of small sets. An event has some five tokens and a head some forty columns: too small for gemm and its packing.
// Everything is a product of few rows, kept in registers of kKeyLanes numbers, which divides the widths of the usual heads.
#pragma once
#include "kernels/loops.h"

namespace aclr::ACLR_TARGET {

template <class T>
struct Eight {
  typedef T type __attribute__((vector_size(kKeyLanes * sizeof(T)), aligned(alignof(T)), may_alias));
};
template <int N>
struct Count {
  static constexpr int value = N;
};

// References, as vectors wider than the target's registers are not passed the same way by all compilers.
template <class T>
const typename Eight<T>::type& load(const T* from) {
  return *reinterpret_cast<const typename Eight<T>::type*>(from);
}
template <class T>
typename Eight<T>::type& at(T* to) {
  return *reinterpret_cast<typename Eight<T>::type*>(to);
}

// to[c * to_row + j] = from[j * from_row + c] for 8 columns c and 8 keys j, zero from key n on.
template <class T>
void turn_8x8(const T* from, std::ptrdiff_t from_row, int n, T* to, std::ptrdiff_t to_row) {
  using V = typename Eight<T>::type;
  V x[8], y[8];
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) x[j] = j < n ? load(from + j * from_row) : V{};
#pragma GCC unroll 4
  for (int j = 0; j < 8; j += 2) {
    y[j] = __builtin_shufflevector(x[j], x[j + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    y[j + 1] = __builtin_shufflevector(x[j], x[j + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma GCC unroll 2
  for (int h = 0; h < 8; h += 4) {
    x[h] = __builtin_shufflevector(y[h], y[h + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    x[h + 1] = __builtin_shufflevector(y[h], y[h + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    x[h + 2] = __builtin_shufflevector(y[h + 1], y[h + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    x[h + 3] = __builtin_shufflevector(y[h + 1], y[h + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    at(to + c * to_row) = __builtin_shufflevector(x[c], x[c + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    at(to + (c + 4) * to_row) = __builtin_shufflevector(x[c], x[c + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

template <class T>
T sum_of_eight(const T* x) {
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

// s[r, 8 keys] = a[r, :] . turned[:, 8 keys] over `size` columns, or added to s. Two sums for each row hide the latency.
template <class T, int ROWS>
void dots(const T* a, std::ptrdiff_t a_row, const T* turned, int keys, int size, bool accumulate, T* s) {
  using V = typename Eight<T>::type;
  V even[ROWS], odd[ROWS];
#pragma GCC unroll 4
  for (int r = 0; r < ROWS; ++r) {
    even[r] = odd[r] = V{};
    if (accumulate) even[r] = load(s + r * keys);
  }
  int c = 0;
  for (; c + 2 <= size; c += 2) {
    const V b0 = load(turned + c * keys), b1 = load(turned + (c + 1) * keys);
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      even[r] += a[r * a_row + c] * b0;
      odd[r] += a[r * a_row + c + 1] * b1;
    }
  }
  if (c < size) {
    const V b0 = load(turned + c * keys);
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) even[r] += a[r * a_row + c] * b0;
  }
#pragma GCC unroll 4
  for (int r = 0; r < ROWS; ++r) at(s + r * keys) = even[r] + odd[r];
}

// s[i, j] = a_i . b_j for n rows each; s [n, padded_keys(n)], zero in the padding.
template <class T>
void products(const T* a, const T* b, std::ptrdiff_t a_row, std::ptrdiff_t b_row, int n, int width, T* s) {
  constexpr int kChunk = 64;
  T turned[kChunk * kMostKeys];  // b^T of some columns
  const int keys = padded_keys(n);
  for (int from = 0; from < width; from += kChunk) {
    const int size = width - from < kChunk ? width - from : kChunk;
    int c = 0;
    for (; c + 8 <= size; c += 8)
      for (int j = 0; j < n; j += 8) turn_8x8(b + j * b_row + from + c, b_row, n - j, turned + c * keys + j, keys);
    for (; c < size; ++c)
      for (int j = 0; j < keys; ++j) turned[c * keys + j] = j < n ? b[j * b_row + from + c] : T(0);
    for (int k = 0; k < keys; k += kKeyLanes) {
      int i = 0;
      const auto rows = [&](auto count) {
        constexpr int kCount = decltype(count)::value;
        dots<T, kCount>(a + i * a_row + from, a_row, turned + k, keys, size, from > 0, s + i * keys + k);
        i += kCount;
      };
      while (i + 4 <= n) rows(Count<4>{});
      if (n - i == 3) rows(Count<3>{});
      else if (n - i == 2) rows(Count<2>{});
      else if (n - i == 1) rows(Count<1>{});
    }
  }
}

// out[i, columns] = sum_j w[i, j] rows[j, columns] for n rows each; w[i, j] stands at w[i * w_row + j * w_col].
template <class T>
struct Mix {
  int n;
  const T* w;
  std::ptrdiff_t w_row, w_col;
  const T* rows;
  std::ptrdiff_t row;
  T* out;
  std::ptrdiff_t out_row;
};

template <class T, int ROWS, int VECTORS>
void mix_rows(const Mix<T>& m, int i, int c) {
  using V = typename Eight<T>::type;
  V sum[ROWS][VECTORS];
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) sum[r][v] = V{};
  const T* from = m.rows + c;
  const T* w = m.w + i * m.w_row;
  for (int j = 0; j < m.n; ++j, from += m.row, w += m.w_col) {
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) {
      const V x = load(from + v * kKeyLanes);
#pragma GCC unroll 8
      for (int r = 0; r < ROWS; ++r) sum[r][v] += w[r * m.w_row] * x;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < VECTORS; ++v) at(m.out + (i + r) * m.out_row + c + v * kKeyLanes) = sum[r][v];
}

template <class T, int VECTORS>
void mix_columns(const Mix<T>& m, int c) {
  int i = 0;
  for (; i + 2 <= m.n; i += 2) mix_rows<T, 2, VECTORS>(m, i, c);
  if (i < m.n) mix_rows<T, 1, VECTORS>(m, i, c);
}

template <class T>
void mix(const Mix<T>& m, int width) {
  int c = 0;
  for (; c + 5 * kKeyLanes <= width; c += 5 * kKeyLanes) mix_columns<T, 5>(m, c);
  for (; c + 2 * kKeyLanes <= width; c += 2 * kKeyLanes) mix_columns<T, 2>(m, c);
  for (; c + kKeyLanes <= width; c += kKeyLanes) mix_columns<T, 1>(m, c);
  for (int i = 0; i < m.n && c < width; ++i)
    for (int last = c; last < width; ++last) {
      T sum = 0;
      for (int j = 0; j < m.n; ++j) sum += m.w[i * m.w_row + j * m.w_col] * m.rows[j * m.row + last];
      m.out[i * m.out_row + last] = sum;
    }
}

template <class T>
void attention(const Attention<T>& a) {
  const int d = a.d, width = d / a.heads;
  const std::ptrdiff_t row = 3 * std::ptrdiff_t{d};
  const T scale = T(1) / root(T(width)), keep_scale = a.keep_scale;
  T* probs = a.probs;
  const std::uint8_t* keep = a.keep;
  T shift[kMostKeys], weight[kMostKeys * kMostKeys];
  for (int e = 0; e < a.events; ++e) {
    const int first = a.offsets[e] - a.offsets[0], n = a.offsets[e + 1] - a.offsets[e], keys = padded_keys(n);
    // the padding gets probability exp(-inf)
    for (int j = 0; j < keys; ++j) shift[j] = j >= n ? -__builtin_huge_val() : a.key_bias ? a.key_bias[first + j] : T(0);
    for (int h = 0; h < a.heads; ++h, probs += n * keys) {
      const T* q = a.qkv + first * row + h * width;
      products(q, q + d, row, row, n, width, probs);
      for (int i = 0; i < n; ++i) {
        T* p = probs + i * keys;
        T top = -__builtin_huge_val(), sum = 0;
        for (int k = 0; k < keys; k += kKeyLanes)
#pragma omp simd reduction(max : top)
          for (int j = k; j < k + kKeyLanes; ++j) {
            p[j] = p[j] * scale + shift[j];
            top = p[j] > top ? p[j] : top;
          }
        for (int k = 0; k < keys; k += kKeyLanes) {
#pragma omp simd
          for (int j = k; j < k + kKeyLanes; ++j) p[j] = exponential(p[j] - top);
          sum += sum_of_eight(p + k);
        }
        const T norm = T(1) / sum;
        for (int k = 0; k < keys; k += kKeyLanes)
#pragma omp simd
          for (int j = k; j < k + kKeyLanes; ++j) p[j] *= norm;
      }
      const T* w = probs;
      if (keep) {
        for (int k = 0; k < n * keys; k += kKeyLanes)
#pragma omp simd
          for (int j = k; j < k + kKeyLanes; ++j) weight[j] = probs[j] * (keep[j] ? keep_scale : T(0));
        w = weight;
        keep += n * keys;
      }
      mix<T>({n, w, keys, 1, q + 2 * d, row, a.out + std::ptrdiff_t{first} * d + h * width, d}, width);
    }
  }
}

template <class T>
void attention_backward(const AttentionBackward<T>& a) {
  const int d = a.d, width = d / a.heads;
  const std::ptrdiff_t row = 3 * std::ptrdiff_t{d};
  const T scale = T(1) / root(T(width)), keep_scale = a.keep_scale;
  const T* probs = a.probs;
  const std::uint8_t* keep = a.keep;
  T weight[kMostKeys * kMostKeys], dlogit[kMostKeys * kMostKeys], dbias[kMostKeys];
  for (int e = 0; e < a.events; ++e) {
    const int first = a.offsets[e] - a.offsets[0], n = a.offsets[e + 1] - a.offsets[e], keys = padded_keys(n);
    for (int h = 0; h < a.heads; ++h, probs += n * keys) {
      const T* q = a.qkv + first * row + h * width;
      T* dq = a.dqkv + first * row + h * width;
      const T* dout = a.dout + std::ptrdiff_t{first} * d + h * width;
      products(dout, q + 2 * d, d, row, n, width, dlogit);
      for (int k = 0; k < n * keys; k += kKeyLanes)
#pragma omp simd
        for (int j = k; j < k + kKeyLanes; ++j) {
          const T factor = keep ? (keep[j] ? keep_scale : T(0)) : T(1);
          dlogit[j] *= factor;
          weight[j] = probs[j] * factor;
        }
      if (keep) keep += n * keys;
      for (int j = 0; j < keys; ++j) dbias[j] = 0;
      for (int i = 0; i < n; ++i) {
        T* dl = dlogit + i * keys;
        const T* p = probs + i * keys;
        T inner = 0;
        for (int k = 0; k < keys; k += kKeyLanes) {
          T each[kKeyLanes];
#pragma omp simd
          for (int j = 0; j < kKeyLanes; ++j) each[j] = p[k + j] * dl[k + j];
          inner += sum_of_eight(each);
        }
        for (int k = 0; k < keys; k += kKeyLanes)
#pragma omp simd
          for (int j = k; j < k + kKeyLanes; ++j) {
            const T x = p[j] * (dl[j] - inner);
            dbias[j] += x;
            dl[j] = x * scale;
          }
      }
      if (a.dkey_bias)
        for (int j = 0; j < n; ++j) a.dkey_bias[first + j] += dbias[j];
      mix<T>({n, dlogit, keys, 1, q + d, row, dq, row}, width);
      mix<T>({n, dlogit, 1, keys, q, row, dq + d, row}, width);
      mix<T>({n, weight, 1, keys, dout, d, dq + 2 * d, row}, width);
    }
  }
}

}  // namespace aclr::ACLR_TARGET
