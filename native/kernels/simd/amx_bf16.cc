// TDPBF16PS on tiles; all else as AVX-512.
#define ACLR_TARGET amx
#define ACLR_VECTOR_BYTES 64
#define ACLR_ROWS 12
namespace aclr::ACLR_TARGET {
inline constexpr bool kRowsTogether = true;
inline constexpr int kChunkRows = 96;
}
#include "kernels/simd/amx.h"
#include "kernels/simd/bf16.h"

namespace aclr {
namespace amx {

void multiply(const Gemm<float>& g, int j, const Chunk& chunk) {
  const int columns = g.n - j < kPanel ? g.n - j : kPanel;
  amx_panel(AmxPanel<Bf16>{g.m, columns, chunk.kpairs, reinterpret_cast<const Bf16*>(chunk.pairs), 2 * chunk.row,
                           reinterpret_cast<const Bf16*>(chunk.panel), g.bias ? g.bias + j : nullptr, g.c + j, g.c_row,
                           g.accumulate, g.relu});
}

double peak_bf16(long rounds) {
  const TileScope scope;  // all tiles are zero
  for (long r = 0; r < rounds; ++r) {
    tile_dot<0, 4, 6>();
    tile_dot<1, 4, 7>();
    tile_dot<2, 5, 6>();
    tile_dot<3, 5, 7>();
  }
  return 4.0 * 2 * 16 * 16 * 32 * static_cast<double>(rounds);
}

}  // namespace amx

ACLR_DEFINE_BF16_TABLE(amx, bf16)

}  // namespace aclr
