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

}  // namespace portable

ACLR_DEFINE_TABLES(portable)

}  // namespace aclr
