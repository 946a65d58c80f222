// What contrast.cu and contrast_mma.cu share.
#pragma once
#include <type_traits>

#include "cuda/kernels/ops.h"
#include "cuda/launch.h"

namespace aclr::cuda {

inline constexpr int kContrastTile = 64;  // rows and columns of a tile of cosines; splits end between tiles

// With U the rows of anchors, 0 .. total - 1, and of physical views, total .. 2 total - 1: which of them is row `own` of the
// 2 count that this rank does, and what stands in no negatives of a row besides itself.
template <class S>
__device__ inline int row_of(const Contrast<S>& c, int own) {
  return c.first + (own < c.count ? own : c.total - c.count + own);
}
template <class S>
__device__ inline int partner_of(const Contrast<S>& c, int row) {
  return row < c.total ? row + c.total : row - c.total;
}

// Cosines are at most 1. Where exp((s - 1)/t) is far from vanishing, bf16 takes 1/t for the maximum of all rows: with one
// exponential G_ab + G_ba = exp((s_ab - 1)/t) (weight_a + weight_b)/t. At 20 the smallest is exp(-40).
template <class S>
__host__ __device__ inline bool one_top(const Contrast<S>& c) {
  return std::is_same_v<S, bf16> && c.inverse_temperature <= 20;
}

// First tile of a split of the columns.
__device__ inline int first_tile(int tiles, int split, int splits) {
  return static_cast<int>(static_cast<long long>(tiles) * split / splits);
}

// Squares of the cosines of a single rank, of which tensor cores do half (contrast_mma.cu); few enough that their partial
// sums are of the size of rows.
inline constexpr int kSideStep = 256, kMostSide = 4096, kMostSquares = 64;
constexpr int half_side(int rows) {
  const int side = ceil_div(rows, kMostSquares / 2 * kSideStep) * kSideStep;
  return side < kMostSide ? side : kMostSide;
}
// 0: this rank has not all rows, or too many.
constexpr int half_squares(int total, int count) {
  const int squares = ceil_div(2 * total, half_side(2 * total));
  return count == total && squares <= kMostSquares ? squares : 0;
}

// The passes over all pairs on tensor cores (contrast_mma.cu); false where the width is none of theirs.
bool contrast_statistics_mma(const Contrast<bf16>&, cudaStream_t);
bool contrast_spread_mma(const Contrast<bf16>&, cudaStream_t);  // dz += (G + G^T) U, before the projection

}  // namespace aclr::cuda
