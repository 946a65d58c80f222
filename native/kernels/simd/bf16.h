// Matrix products of bfloat16 with float sums. B lies in panels of 32 columns as pairs of k, [panel][k/2][32][2]; a chunk
// of rows of A is converted at a time and stays in cache for all panels. Included by one .cc per target, which sets
// ACLR_TARGET and then defines, in that namespace,
//   multiply(g, j, chunk)    C of one chunk and one panel
//   peak_bf16(rounds)        as Ops::peak
//   kRowsTogether            whether it wants the numbers of a row together even where A is given turned
//   kChunkRows               rows converted at a time
#include <immintrin.h>

#include "kernels/simd/gemm.h"

namespace aclr::ACLR_TARGET {

using Bf16 = std::uint16_t;
inline constexpr int kPanel = 32;    // columns
inline constexpr int kSlice = 512;   // of k
static_assert(kColumns<float> == kPanel);

// A converted: pair p of row r stands at pairs[r * row + p * col], each two Bf16; kpairs of them, then zeros to a multiple
// of 16 where col is 1. `g` is the part of C that this chunk makes, with all columns; panel j.. of it is multiplied.
struct Chunk {
  const std::uint32_t* pairs;
  std::ptrdiff_t row, col;
  int kpairs;
  const std::uint32_t* panel;
};

constexpr int pairs_of(int k) { return (k + 1) / 2; }

inline std::size_t packed_size_bf16(int k, int n) {  // in floats, as wide as a pair
  return static_cast<std::size_t>((n + kPanel - 1) / kPanel) * kPanel * static_cast<std::size_t>(pairs_of(k));
}

// 16 pairs (x[l], y[l]).
inline __m512i pair_up(__m512 x, __m512 y) {
  alignas(64) static constexpr std::uint16_t kOrder[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                           8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), (__m512i)_mm512_cvtne2ps_pbh(y, x));
}
inline __mmask16 first(int count) { return static_cast<__mmask16>(count >= 16 ? 0xFFFF : (1 << (count < 0 ? 0 : count)) - 1); }

// `count` pairs (x[l], y[l]) for l < count, zeros to 16; y may be null.
inline __m512i pairs_at(const float* x, const float* y, int count) {
  return pair_up(_mm512_maskz_loadu_ps(first(count), x), y ? _mm512_maskz_loadu_ps(first(count), y) : _mm512_setzero_ps());
}

// 16 floats that stand `step` apart.
inline __m512 strided(const float* from, std::ptrdiff_t step, int count) {
  alignas(64) float x[16] = {};
  for (int l = 0; l < 16 && l < count; ++l) x[l] = from[l * step];
  return _mm512_load_ps(x);
}

// Rows of numbers side by side, [rows][kpairs to a multiple of 16].
inline void convert_rows(const float* a, std::ptrdiff_t a_row, std::ptrdiff_t a_col, int rows, int k, std::uint32_t* out,
                         std::ptrdiff_t out_row) {
  for (int r = 0; r < rows; ++r, a += a_row, out += out_row)
    for (int p = 0; p < k; p += 32) {
      const __m512 low = a_col == 1 ? _mm512_maskz_loadu_ps(first(k - p), a + p) : strided(a + p * a_col, a_col, k - p);
      __m512 high = _mm512_setzero_ps();
      if (k - p > 16)
        high = a_col == 1 ? _mm512_maskz_loadu_ps(first(k - p - 16), a + p + 16) : strided(a + (p + 16) * a_col, a_col, k - p - 16);
      _mm512_storeu_si512(out + p / 2, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

inline void pack_bf16(const float* b, std::ptrdiff_t row, std::ptrdiff_t col, int k, int n, float* packed) {
  auto* out = reinterpret_cast<std::uint32_t*>(packed);
  for (int j = 0; j < n; j += kPanel) {
    const int columns = n - j < kPanel ? n - j : kPanel;
    if (col != 1) {  // down the columns, as weights are given to the forward pass
      alignas(64) std::uint32_t pairs[kPanel * (kSlice / 2)];
      for (int from = 0; from < k; from += kSlice) {
        const int size = k - from < kSlice ? k - from : kSlice, width = (size + 31) / 32 * 16;
        convert_rows(b + from * row + j * col, col, row, columns, size, pairs, width);
        for (int p = 0; p < pairs_of(size); ++p, out += kPanel)
          for (int c = 0; c < kPanel; ++c) out[c] = c < columns ? pairs[c * width + p] : 0;
      }
      continue;
    }
    for (int p = 0; p < k; p += 2)
      for (int half = 0; half < kPanel; half += 16, out += 16) {
        const float* x = b + p * row + j + half;
        _mm512_storeu_si512(out, pairs_at(x, p + 1 < k ? x + row : nullptr, columns - half));
      }
  }
}

// Pair after pair of all rows, [kpairs][rows to a multiple of 16]: where a row's numbers stand apart and rows together.
inline void convert_turned(const float* a, std::ptrdiff_t a_col, int rows, int k, std::uint32_t* out, std::ptrdiff_t out_col) {
  for (int p = 0; p < k; p += 2, out += out_col)
    for (int r = 0; r < rows; r += 16)
      _mm512_storeu_si512(out + r, pairs_at(a + p * a_col + r, p + 1 < k ? a + (p + 1) * a_col + r : nullptr, rows - r));
}

void multiply(const Gemm<float>& g, int j, const Chunk& chunk);

inline void gemm_bf16(const Gemm<float>& all) {
  constexpr int kRoom = (kChunkRows + 15) / 16 * 16;
  alignas(64) std::uint32_t converted[kRoom * (kSlice / 2)];
  const auto* packed = reinterpret_cast<const std::uint32_t*>(all.packed_b);
  const std::ptrdiff_t panel_size = std::ptrdiff_t{pairs_of(all.k)} * kPanel;
  // k = 0 still has its bias to give
  for (int from = 0; from == 0 || from < all.k; from += kSlice) {
    Gemm<float> g = all;
    g.k = all.k - from < kSlice ? all.k - from : kSlice;
    if (from > 0) {
      g.bias = nullptr;
      g.accumulate = true;
    }
    g.relu = all.relu && from + g.k == all.k;
    for (int i = 0; i < all.m; i += kChunkRows) {
      g.m = all.m - i < kChunkRows ? all.m - i : kChunkRows;
      g.c = all.c + i * all.c_row;
      Chunk chunk{converted, (g.k + 31) / 32 * 16, 1, pairs_of(g.k), nullptr};
      const float* a = all.a + i * all.a_row + from * all.a_col;
      if (!kRowsTogether && all.a_row == 1 && all.a_col != 1) {
        chunk.row = 1;
        chunk.col = kRoom;
        convert_turned(a, all.a_col, g.m, g.k, converted, kRoom);
      } else {
        convert_rows(a, all.a_row, all.a_col, g.m, g.k, converted, chunk.row);
      }
      chunk.panel = packed + std::ptrdiff_t{from / 2} * kPanel;
      for (int j = 0; j < g.n; j += kPanel, chunk.panel += panel_size) multiply(g, j, chunk);
    }
  }
}

}  // namespace aclr::ACLR_TARGET
