// vdpbf16ps: two products and a sum for each of 16 numbers; 12 x 2 accumulators as in avx512.cc.
#define ACLR_TARGET avx512bf16
#define ACLR_VECTOR_BYTES 64
#define ACLR_ROWS 12
namespace aclr::ACLR_TARGET {
inline constexpr bool kRowsTogether = false;
inline constexpr int kChunkRows = 72;
}
#include "kernels/simd/bf16.h"

namespace aclr {
namespace avx512bf16 {

template <int ROWS>
void tile_bf16(const Gemm<float>& g, int i, int j, const Chunk& chunk) {
  prefetch_rows<float, ROWS>(g, i, j);
  Vector<float>::type low[ROWS], high[ROWS];
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; ++r) low[r] = high[r] = Vector<float>::type{};
  const std::uint32_t* a = chunk.pairs + i * chunk.row;
  const std::uint32_t* b = chunk.panel;
  for (int p = 0; p < chunk.kpairs; ++p, a += chunk.col, b += kPanel) {
    const __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; ++r) {
      const __m512bh x = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * chunk.row]));
      low[r] = _mm512_dpbf16_ps(low[r], x, b0);
      high[r] = _mm512_dpbf16_ps(high[r], x, b1);
    }
  }
  put<float, ROWS>(g, i, j, low, high);
}

template <int ROWS>
void last_rows_bf16(const Gemm<float>& g, int i, int j, const Chunk& chunk) {
  if constexpr (ROWS > 0) {
    if (g.m - i == ROWS) tile_bf16<ROWS>(g, i, j, chunk);
    else last_rows_bf16<ROWS - 1>(g, i, j, chunk);
  }
}

void multiply(const Gemm<float>& g, int j, const Chunk& chunk) {
  int i = 0;
  for (; i + kRows <= g.m; i += kRows) tile_bf16<kRows>(g, i, j, chunk);
  if (i < g.m) last_rows_bf16<kRows - 1>(g, i, j, chunk);
}

double peak_bf16(long rounds) {
  constexpr int kSums = 12;
  Vector<float>::type sum[kSums];
  for (int s = 0; s < kSums; ++s) sum[s] = Vector<float>::type{} + static_cast<float>(s + 1);
  const __m512bh x = (__m512bh)_mm512_set1_epi32(0x3F803F80), y = (__m512bh)_mm512_set1_epi32(0x33803380);  // 1, 2^-24
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int s = 0; s < kSums; ++s) sum[s] = _mm512_dpbf16_ps(sum[s], x, y);
  float all = 0;
  for (int s = 0; s < kSums; ++s) all += sum[s][0];
  return 4.0 * kSums * 16 * static_cast<double>(rounds) + (all < 0 ? 1 : 0);  // it never is
}

}  // namespace avx512bf16

ACLR_DEFINE_BF16_TABLE(avx512bf16, bf16)

}  // namespace aclr
