// Matrix product on vector registers: B lies in panels of kColumns, a tile of kRows x kColumns of C stays in registers
// over the whole of k. Included by one .cc per target, which sets ACLR_TARGET, ACLR_VECTOR_BYTES and ACLR_ROWS.
#include "kernels/simd/attention.h"
#include "kernels/targets.h"

namespace aclr::ACLR_TARGET {

template <class T>
struct Vector {
  // Unaligned loads and stores; vectors of any target's width by the compiler's extension.
  typedef T type __attribute__((vector_size(ACLR_VECTOR_BYTES), aligned(alignof(T)), may_alias));
  static constexpr int kLanes = ACLR_VECTOR_BYTES / static_cast<int>(sizeof(T));
};

inline constexpr int kRows = ACLR_ROWS;
template <class T>
inline constexpr int kColumns = 2 * Vector<T>::kLanes;

template <class T>
std::size_t packed_size(int k, int n) {
  const int panels = (n + kColumns<T> - 1) / kColumns<T>;
  return static_cast<std::size_t>(panels) * kColumns<T> * static_cast<std::size_t>(k);
}

// Panel j holds columns j*kColumns .., k rows of kColumns, zeros past n.
template <class T>
void pack(const T* b, std::ptrdiff_t row, std::ptrdiff_t col, int k, int n, T* packed) {
  for (int j = 0; j < n; j += kColumns<T>) {
    const int columns = n - j < kColumns<T> ? n - j : kColumns<T>;
    for (int p = 0; p < k; ++p, packed += kColumns<T>) {
      const T* source = b + p * row + j * col;
      if (columns == kColumns<T> && col == 1) {
        for (int c = 0; c < kColumns<T>; ++c) packed[c] = source[c];
      } else {
        for (int c = 0; c < columns; ++c) packed[c] = source[c * col];
        for (int c = columns; c < kColumns<T>; ++c) packed[c] = 0;
      }
    }
  }
}

// The rows of C that a tile will write, which would else be waited for in the end.
template <class T, int ROWS>
[[gnu::always_inline]] inline void prefetch_rows(const Gemm<T>& g, int i, int j) {
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r) {
    const T* row = g.c + (i + r) * g.c_row + j;
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + kColumns<T> - 1, 1);
  }
}

// Sums of a tile of C, and what gemm does to them besides.
template <class T, int ROWS>
[[gnu::always_inline]] inline void put(const Gemm<T>& g, int i, int j, typename Vector<T>::type (&low)[ROWS],
                                       typename Vector<T>::type (&high)[ROWS]) {
  using V = typename Vector<T>::type;
  constexpr int kLanes = Vector<T>::kLanes;
  const int columns = g.n - j < kColumns<T> ? g.n - j : kColumns<T>;
  T* c = g.c + i * g.c_row + j;
  if (columns == kColumns<T>) {
    V bias0{}, bias1{};
    if (g.bias) {
      bias0 = *reinterpret_cast<const V*>(g.bias + j);
      bias1 = *reinterpret_cast<const V*>(g.bias + j + kLanes);
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r, c += g.c_row) {
      V x0 = low[r] + bias0, x1 = high[r] + bias1;
      V* out = reinterpret_cast<V*>(c);
      V* out1 = reinterpret_cast<V*>(c + kLanes);
      if (g.accumulate) {
        x0 += *out;
        x1 += *out1;
      }
      if (g.relu) {
        x0 = x0 > T(0) ? x0 : V{};
        x1 = x1 > T(0) ? x1 : V{};
      }
      *out = x0;
      *out1 = x1;
    }
    return;
  }
  // All at once by constant indices, so that the accumulators never need addresses.
  T edge[ROWS][kColumns<T>];
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r) {
    *reinterpret_cast<V*>(edge[r]) = low[r];
    *reinterpret_cast<V*>(edge[r] + kLanes) = high[r];
  }
  for (int r = 0; r < ROWS; ++r, c += g.c_row) {
    for (int q = 0; q < columns; ++q) {
      T x = edge[r][q] + (g.bias ? g.bias[j + q] : T(0)) + (g.accumulate ? c[q] : T(0));
      c[q] = g.relu && !(x > T(0)) ? T(0) : x;
    }
  }
}

// `ahead` is a piece of the next panel, brought nearer while this tile is computed.
template <class T, int ROWS>
void tile(const Gemm<T>& g, int i, int j, const T* panel, const T* ahead) {
  using V = typename Vector<T>::type;
  constexpr int kLanes = Vector<T>::kLanes;
  prefetch_rows<T, ROWS>(g, i, j);
  V low[ROWS], high[ROWS];
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r) {
    __builtin_prefetch(ahead + r * (64 / static_cast<int>(sizeof(T))), 0, 2);
    low[r] = high[r] = V{};
  }
  const T* a = g.a + i * g.a_row;
  for (int p = 0; p < g.k; ++p, panel += kColumns<T>, a += g.a_col) {
    const V b0 = *reinterpret_cast<const V*>(panel), b1 = *reinterpret_cast<const V*>(panel + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) {
      const T x = a[r * g.a_row];
      low[r] += x * b0;
      high[r] += x * b1;
    }
  }
  put<T, ROWS>(g, i, j, low, high);
}

template <class T, int ROWS>
void last_rows(const Gemm<T>& g, int i, int rows, int j, const T* panel, const T* ahead) {
  if constexpr (ROWS > 0) {
    if (rows == ROWS)
      tile<T, ROWS>(g, i, j, panel, ahead);
    else
      last_rows<T, ROWS - 1>(g, i, rows, j, panel, ahead);
  }
}

template <class T>
void gemm(const Gemm<T>& g) {
  const T* panel = g.packed_b;
  for (int j = 0; j < g.n; j += kColumns<T>, panel += std::ptrdiff_t{g.k} * kColumns<T>) {
    const T* ahead = panel + std::ptrdiff_t{g.k} * kColumns<T>;
    constexpr int kPiece = kRows * (64 / static_cast<int>(sizeof(T)));
    int i = 0;
    for (; i + kRows <= g.m; i += kRows, ahead += kPiece) tile<T, kRows>(g, i, j, panel, ahead);
    if (i < g.m) last_rows<T, kRows - 1>(g, i, g.m - i, j, panel, ahead);
  }
}

template <class T>
double peak(long rounds) {
  using V = typename Vector<T>::type;
  constexpr int kSums = 12;
  V sum[kSums];
  for (int s = 0; s < kSums; ++s) sum[s] = V{} + T(s);
  const V x = V{} + T(0.999), y = V{} + T(1e-3);
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int s = 0; s < kSums; ++s) sum[s] = sum[s] * x + y;
  T all = 0;
  for (int s = 0; s < kSums; ++s)
    for (int l = 0; l < Vector<T>::kLanes; ++l) all += sum[s][l];
  // the sums stay above 0: what is returned depends on them, so that they are made
  return 2.0 * kSums * Vector<T>::kLanes * static_cast<double>(rounds) + (all < T(0) ? 1 : 0);
}

}  // namespace aclr::ACLR_TARGET

#include "kernels/rounded.h"
