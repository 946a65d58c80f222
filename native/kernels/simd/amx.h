// Rows of bf16 times one packed panel on AMX tiles: up to 2 x 2 tiles of 16 x 16 floats of C stay in tmm0-3 over the
// whole of k, A passes through tmm4-5 and B through tmm6-7. Included once per target, which sets ACLR_TARGET.
#include "kernels/simd/amx_tiles.h"

namespace aclr::ACLR_TARGET {

// c[rows, columns] = (accumulate ? c : 0) + a . b + bias;  then relu if asked: a Gemm of one panel.
// a: bf16, rows a_row elements apart, each filled with zeros to a multiple of 32.
// panel [kpairs][32][2]: rows 2p and 2p + 1 of b side by side, zeros past b's last row and column; columns <= 32.
// bias [columns] or null. c and bias are not touched past `columns`. a and panel are best aligned to 64 bytes.
// An element's sum has the same order whatever rows and columns stand beside it.
template <class Bf16>
struct AmxPanel {
  int rows, columns, kpairs;
  const Bf16* a;
  std::ptrdiff_t a_row;
  const Bf16* panel;
  const float* bias;
  float* c;
  std::ptrdiff_t c_row;
  bool accumulate, relu;
};

inline constexpr int kTilePairs = 16;  // of k
inline constexpr std::ptrdiff_t kPanelRowBytes = 128;  // 32 pairs
inline constexpr std::ptrdiff_t kTileStepBytes = kTilePairs * kPanelRowBytes;

// The last 1 to 15 rows of A, with zeros below. Apart, so that the loop over k keeps its registers.
template <int TILE>
[[gnu::noinline]] void load_last_rows(const unsigned char* a, std::ptrdiff_t row_bytes, int rows) {
  alignas(64) unsigned char part[16][64];
  for (int r = 0; r < rows; ++r) __builtin_memcpy(part[r], a + r * row_bytes, 64);
  __builtin_memset(part[rows], 0, static_cast<std::size_t>(16 - rows) * 64);
  tile_load<TILE>(part, 64);
}

// With c_row 0 every row of C begins as the same one.
template <int ROWS, int COLUMNS>
void load_c(const float* c, std::ptrdiff_t c_row) {
  tile_load<0>(c, 4 * c_row);
  if constexpr (COLUMNS == 2) tile_load<1>(c + 16, 4 * c_row);
  if constexpr (ROWS == 2) tile_load<2>(c + 16 * c_row, 4 * c_row);
  if constexpr (ROWS == 2 && COLUMNS == 2) tile_load<3>(c + 16 * c_row + 16, 4 * c_row);
}

template <int ROWS, int COLUMNS>
void store_c(float* c, std::ptrdiff_t c_row) {
  tile_store<0>(c, 4 * c_row);
  if constexpr (COLUMNS == 2) tile_store<1>(c + 16, 4 * c_row);
  if constexpr (ROWS == 2) tile_store<2>(c + 16 * c_row, 4 * c_row);
  if constexpr (ROWS == 2 && COLUMNS == 2) tile_store<3>(c + 16 * c_row + 16, 4 * c_row);
}

// C += A . B over all of k; the last pairs of the panel, where they do not fill a tile, stand in `last`.
template <int ROWS, int COLUMNS, class Bf16>
void amx_multiply(const AmxPanel<Bf16>& g, int i, int rows, const unsigned char* last) {
  const std::ptrdiff_t a_bytes = 2 * g.a_row;
  const auto* a = reinterpret_cast<const unsigned char*>(g.a) + i * a_bytes;
  const auto* b = reinterpret_cast<const unsigned char*>(g.panel);
  constexpr int kLast = 3 + ROWS;  // the tile of the last 16 rows
  const bool full = rows == 16 * ROWS;
  for (int p = 0; p < g.kpairs; p += kTilePairs, a += 64, b += kTileStepBytes) {
    const unsigned char* last_a = a + 16 * (ROWS - 1) * a_bytes;
    const unsigned char* step = p + kTilePairs <= g.kpairs ? b : last;
    if constexpr (ROWS == 2) tile_load<4>(a, a_bytes);
    if (full)
      tile_load<kLast>(last_a, a_bytes);
    else
      load_last_rows<kLast>(last_a, a_bytes, rows - 16 * (ROWS - 1));
    tile_load<6>(step, kPanelRowBytes);
    if constexpr (COLUMNS == 2) tile_load<7>(step + 64, kPanelRowBytes);
    tile_dot<0, 4, 6>();
    if constexpr (COLUMNS == 2) tile_dot<1, 4, 7>();
    if constexpr (ROWS == 2) tile_dot<2, 5, 6>();
    if constexpr (ROWS == 2 && COLUMNS == 2) tile_dot<3, 5, 7>();
  }
}

// Rows i .. i + rows of C. Tiles reach past the last row or column, so C then takes the way through `part`.
template <int ROWS, int COLUMNS, class Bf16>
void amx_block(const AmxPanel<Bf16>& g, int i, int rows, const unsigned char* last, const float* bias) {
  alignas(64) float part[32 * 32];
  float* c = g.c + i * g.c_row;
  const bool whole = rows == 16 * ROWS && g.columns == 16 * COLUMNS;
  float* out = whole ? c : part;
  const std::ptrdiff_t out_row = whole ? g.c_row : 32;
  if (g.accumulate) {
    if (!whole)
      for (int r = 0; r < 16 * ROWS; ++r)
        for (int q = 0; q < 16 * COLUMNS; ++q) part[r * 32 + q] = r < rows && q < g.columns ? c[r * g.c_row + q] : 0.0f;
    load_c<ROWS, COLUMNS>(out, out_row);
  } else if (g.bias) {
    load_c<ROWS, COLUMNS>(bias, 0);
  } else {
    tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  }
  amx_multiply<ROWS, COLUMNS>(g, i, rows, last);
  store_c<ROWS, COLUMNS>(out, out_row);
  const bool add_bias = g.accumulate && g.bias;
  if (whole && !g.relu && !add_bias) return;
  for (int r = 0; r < rows; ++r)
#pragma omp simd
    for (int q = 0; q < g.columns; ++q) {
      const float x = out[r * out_row + q] + (add_bias ? bias[q] : 0.0f);
      c[r * g.c_row + q] = g.relu && !(x > 0.0f) ? 0.0f : x;
    }
}

template <class Bf16>
void amx_panel(const AmxPanel<Bf16>& g) {
  static_assert(sizeof(Bf16) == 2);
  const TileScope scope;
  alignas(64) unsigned char last[kTileStepBytes];
  if (const int pairs = g.kpairs % kTilePairs) {
    const std::size_t bytes = static_cast<std::size_t>(pairs) * kPanelRowBytes;
    const auto* panel = reinterpret_cast<const unsigned char*>(g.panel);
    __builtin_memcpy(last, panel + (g.kpairs - pairs) * kPanelRowBytes, bytes);
    __builtin_memset(last + bytes, 0, sizeof last - bytes);
  }
  alignas(64) float bias[32] = {};
  if (g.bias) __builtin_memcpy(bias, g.bias, static_cast<std::size_t>(g.columns) * sizeof(float));
  for (int i = 0; i < g.rows; i += 32) {
    const int rows = g.rows - i < 32 ? g.rows - i : 32;
    if (rows > 16)
      g.columns > 16 ? amx_block<2, 2>(g, i, rows, last, bias) : amx_block<2, 1>(g, i, rows, last, bias);
    else
      g.columns > 16 ? amx_block<1, 2>(g, i, rows, last, bias) : amx_block<1, 1>(g, i, rows, last, bias);
  }
}

}  // namespace aclr::ACLR_TARGET
