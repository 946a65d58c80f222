// The passes of contrast.cu over all pairs, in bf16 on tensor cores. As in FlashAttention-2, warps hold rows in registers or
// shared memory, and columns stream past them through two stages of shared memory; cosines never leave the registers.
//
// What to expect, not yet measured: mma.sync reaches 60 to 65 % of what Hopper's wgmma does, at best 600 TFLOP/s on an H200.
// Of 131,072 rows of 160 the statistics take 2.7 TFLOP as half of all pairs and the spread 11 TFLOP: 23 ms at that rate, 30
// at three quarters of it. Exponentials, 16 a clock and multiprocessor, take 2.5 and 5 ms of their own units meanwhile. An
// mma takes 1.6 clocks of a multiprocessor; its reads of shared memory take 1 in the statistics and 1.5 in the spread.
#include "cuda/kernels/contrast_parts.h"
#include "cuda/ptx.h"

namespace aclr::cuda {
namespace {

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.6931471805599453f;

// A row of `width` in shared memory: eight rows of 16 bytes below each other lie in different banks.
constexpr int shared_row(int width) { return width + 8; }

// Rows col .. col + kCols - 1 of U into shared memory, zeros behind the last.
template <int kWidth, int kCols, int kThreads>
__device__ inline void load_columns(const Contrast<bf16>& c, int col, bf16* shared) {
  constexpr int kChunks = kWidth / 8;         // of 16 bytes
  constexpr int kPass = kThreads / kChunks;  // whole rows at once: from one pass to the next is a constant distance
  const int row = threadIdx.x / kChunks, k = threadIdx.x % kChunks * 8, all = 2 * c.total;
  if (row >= kPass) return;
  const bf16* u = c.unit + std::size_t(col + row) * kWidth + k;
  bf16* to = shared + row * shared_row(kWidth) + k;
  if (col + kCols <= all) {
#pragma unroll
    for (int first = 0; first < kCols; first += kPass)
      if (first + kPass <= kCols || first + row < kCols) cp_async_16(to + first * shared_row(kWidth), u + first * kWidth);
  } else {
#pragma unroll 1
    for (int r = row; r < kCols; r += kPass, u += kPass * kWidth, to += kPass * shared_row(kWidth))
      cp_async_16(to, col + r < all ? u : c.unit, col + r < all ? 16 : 0);
  }
}

// Entries [first, first + kCols) of x [2 total], zeros behind the last.
template <int kCols>
__device__ inline void load_entries(const Contrast<bf16>& c, const float* x, int first, float* shared) {
  const int i = 4 * threadIdx.x, left = 2 * c.total - first - i;
  if (i < kCols) cp_async_16(shared + i, x + (left > 0 ? first + i : 0), left >= 4 ? 16 : left > 0 ? 4 * left : 0);
}

// Where a lane's row `own` of the 2 count stands; those behind the last do the last again.
__device__ inline int clamped_row(const Contrast<bf16>& c, int own) {
  return row_of(c, own < 2 * c.count ? own : 2 * c.count - 1);
}

// What a lane holds of its warp's rows: 16 kTiles from `own`. Tile m has rows lane / 4 and lane / 4 + 8 of it, as row 2m and
// 2m + 1.
template <int kTiles>
struct LaneRows {
  int row[2 * kTiles];
  __device__ LaneRows(const Contrast<bf16>& c, int own) {
    for (int r = 0; r < 2 * kTiles; ++r) row[r] = clamped_row(c, own + 8 * r + static_cast<int>(threadIdx.x) % kWarp / 4);
  }
};

// The A fragments (ptx.h) of such rows.
template <int kWidth, int kTiles>
using RowFragments = std::uint32_t[kTiles][kWidth / 16][4];
template <int kWidth, int kTiles>
__device__ inline void load_rows(const Contrast<bf16>& c, const LaneRows<kTiles>& lane, RowFragments<kWidth, kTiles>& a) {
  const int k = 2 * (threadIdx.x % 4);
  for (int r = 0; r < 2 * kTiles; ++r) {
    const bf16* u = c.unit + std::size_t(lane.row[r]) * kWidth + k;
#pragma unroll
    for (int step = 0; step < kWidth / 16; ++step)
      for (int half = 0; half < 2; ++half)
        a[r / 2][step][2 * half + r % 2] = *reinterpret_cast<const std::uint32_t*>(u + 16 * step + 8 * half);
  }
}

// Where lane l reads a 16 x 16 block at `shared` of rows shared_row(kWidth) apart. Quarters in the order of an A fragment,
// or of two of B out of a transposed matrix: rows first; in that of two of B out of one as it stands: columns first.
template <int kWidth>
__device__ inline const bf16* rows_first(const bf16* shared) {
  const int l = threadIdx.x % kWarp;
  return shared + (l % 16) * shared_row(kWidth) + l / 16 * 8;
}
template <int kWidth>
__device__ inline const bf16* columns_first(const bf16* shared) {
  const int l = threadIdx.x % kWarp;
  return shared + (l % 8 + l / 16 * 8) * shared_row(kWidth) + l / 8 % 2 * 8;
}

// s [16 kTiles, 8 kParts] of a warp, by tiles of 16 x 8 as mma gives them
template <int kTiles, int kParts>
using Tile = float[kTiles][kParts][4];

template <int kTiles, int kParts>
__device__ inline void clear(Tile<kTiles, kParts>& s) {
#pragma unroll
  for (int m = 0; m < kTiles; ++m)
    for (int n = 0; n < kParts; ++n)
      for (int i = 0; i < 4; ++i) s[m][n][i] = 0;
}

// s += rows . columns of one step of 16 along the width; columns: columns_first() of the stage.
template <int kWidth, int kTiles, int kParts>
__device__ inline void multiply_step(const std::uint32_t (&a)[kTiles][4], const bf16* columns, Tile<kTiles, kParts>& s) {
#pragma unroll
  for (int n = 0; n < kParts; n += 2) {
    std::uint32_t b[4];
    ldmatrix_x4(b, columns + n * 8 * shared_row(kWidth));
    for (int m = 0; m < kTiles; ++m) {
      mma_m16n8k16_bf16(s[m][n], a[m], b[0], b[1]);
      mma_m16n8k16_bf16(s[m][n + 1], a[m], b[2], b[3]);
    }
  }
}

// All of it, with the rows in registers.
template <int kWidth, int kTiles, int kParts>
__device__ inline void multiply(const RowFragments<kWidth, kTiles>& a, const bf16* stage, Tile<kTiles, kParts>& s) {
  const bf16* columns = columns_first<kWidth>(stage);
  clear<kTiles, kParts>(s);
#pragma unroll
  for (int step = 0; step < kWidth / 16; ++step) {
    std::uint32_t of_step[kTiles][4];
    for (int m = 0; m < kTiles; ++m)
      for (int i = 0; i < 4; ++i) of_step[m][i] = a[m][step][i];
    multiply_step<kWidth, kTiles, kParts>(of_step, columns + 16 * step, s);
  }
}

// -inf for a row itself, its partner, and columns behind the last; few tiles have any.
template <int kTiles, int kParts>
__device__ inline void leave_out(const Contrast<bf16>& c, const LaneRows<kTiles>& lane, int col, Tile<kTiles, kParts>& s) {
  constexpr int kCols = 8 * kParts;
  const int all = 2 * c.total;
  const auto within = [&](int b) { return static_cast<unsigned>(b - col) < unsigned{kCols}; };
  bool touched = col + kCols > all;
  for (int r = 0; r < 2 * kTiles; ++r) touched = touched || within(lane.row[r]) || within(partner_of(c, lane.row[r]));
  if (!touched) return;
#pragma unroll
  for (int m = 0; m < kTiles; ++m)
    for (int n = 0; n < kParts; ++n)
      for (int i = 0; i < 4; ++i) {
        const int r = 2 * m + i / 2, b = col + 8 * n + 2 * (static_cast<int>(threadIdx.x) % 4) + i % 2;
        if (b == lane.row[r] || b == partner_of(c, lane.row[r]) || b >= all) s[m][n][i] = -INFINITY;
      }
}

// Visits tiles of columns [first, last) with the stage that each was loaded into, the next being on its way meanwhile. One
// barrier a tile; before another run, one more.
template <class Load, class Visit>
__device__ inline void stream_tiles(int first, int last, Load load, Visit visit) {
  load(first, 0);
  cp_async_commit();
  for (int tile = first; tile < last; ++tile) {
    cp_async_wait<0>();
    __syncthreads();  // this stage is there, and the other has been read
    if (tile + 1 < last) load(tile + 1, (tile + 1 - first) % 2);
    cp_async_commit();
    visit(tile, (tile - first) % 2);
  }
}

// ---- statistics -------------------------------------------------------------------------------------------------------

constexpr int kStatWarps = 8, kStatTiles = 2, kStatRows = kStatWarps * kStatTiles * 16, kStatThreads = kStatWarps * kWarp;
constexpr int kStatCols = kContrastTile, kStatParts = kStatCols / 8;
static_assert(kSideStep % kStatRows == 0);

template <int kWidth>
struct Stages {
  bf16 columns[2][kStatCols * shared_row(kWidth)];
};

template <int kWidth, class Visit>
__device__ inline void stream_columns(const Contrast<bf16>& c, int first, int last, Stages<kWidth>& stages, Visit visit) {
  const auto load = [&](int tile, int stage) {
    load_columns<kWidth, kStatCols, kStatThreads>(c, tile * kStatCols, stages.columns[stage]);
  };
  stream_tiles(first, last, load, [&](int tile, int stage) { visit(tile, stages.columns[stage]); });
}

// As statistics_kernel of contrast.cu; tops in base 2 until they are stored.
template <int kWidth>
__global__ void __launch_bounds__(kStatThreads, 1) statistics_mma(Contrast<bf16> c) {
  Stages<kWidth>& stages = *dynamic_shared<Stages<kWidth>>();
  const int lane = threadIdx.x % kWarp, own = blockIdx.x * kStatRows + threadIdx.x / kWarp * kStatTiles * 16;
  const int all = 2 * c.total, tiles = ceil_div(all, kStatCols), split = blockIdx.y, splits = gridDim.y;
  const float scale = c.inverse_temperature * kLog2E;
  const bool fixed = one_top(c);
  const LaneRows<kStatTiles> rows(c, own);
  std::uint32_t a[kStatTiles][kWidth / 16][4];
  load_rows<kWidth>(c, rows, a);
  float top[2 * kStatTiles], sum[2 * kStatTiles];
  for (int r = 0; r < 2 * kStatTiles; ++r) top[r] = fixed ? scale : -INFINITY, sum[r] = 0;
  stream_columns<kWidth>(c, first_tile(tiles, split, splits), first_tile(tiles, split + 1, splits), stages,
                       [&](int tile, const bf16* stage) {
    Tile<kStatTiles, kStatParts> s;
    multiply<kWidth, kStatTiles, kStatParts>(a, stage, s);
    leave_out<kStatTiles, kStatParts>(c, rows, tile * kStatCols, s);
#pragma unroll
    for (int r = 0; r < 2 * kStatTiles; ++r) {
      if (!fixed) {
        float largest = -INFINITY;
        for (int n = 0; n < kStatParts; ++n)
          for (int e = 0; e < 2; ++e) largest = fmaxf(largest, s[r / 2][n][r % 2 * 2 + e]);
        const float old = top[r];
        top[r] = fmaxf(old, largest * scale);
        if (top[r] > old) sum[r] *= exp2_approximate(old - top[r]);
      }
      const float from = top[r] == -INFINITY ? 0.0f : top[r];  // where all so far is left out
      for (int n = 0; n < kStatParts; ++n)
        for (int e = 0; e < 2; ++e) sum[r] += exp2_approximate(s[r / 2][n][r % 2 * 2 + e] * scale - from);
    }
  });
  for (int r = 0; r < 2 * kStatTiles; ++r) {
    float maximum = top[r];
    for (int apart = 2; apart > 0; apart /= 2) maximum = fmaxf(maximum, __shfl_xor_sync(kAllLanes, maximum, apart));
    float total = top[r] == maximum ? sum[r] : sum[r] * exp2_approximate(top[r] - maximum);
    for (int apart = 2; apart > 0; apart /= 2) total += __shfl_xor_sync(kAllLanes, total, apart);
    const int mine = own + 8 * r + lane / 4, count = 2 * c.count;
    if (lane % 4 != 0 || mine >= count) continue;
    c.statistics[std::size_t(split) * count + mine] = fixed ? c.inverse_temperature : maximum * kLn2;
    c.statistics[std::size_t(splits + split) * count + mine] = total;
  }
}

// ---- statistics of all rows by half of the pairs ----------------------------------------------------------------------

// With one top for all rows, exp(s_ab/t - top) is of row a and of row b alike. The matrix is cut into squares of `side`
// rows; a block does square (i, j), i <= j: its row sums are part j of rows of i, its column sums part i of rows of j.
template <int kWidth>
struct HalfShared {
  Stages<kWidth> stages;
  float of_warp[2][kStatWarps][kStatCols];  // column sums of a tile
  float columns[kMostSide];                 // and of all the square's rows so far
};

// Sums over the eight lanes of a column: of 16 sums a lane keeps two, those of part lane / 4.
__device__ inline void sum_lanes(const float (&all)[2 * kStatParts], float (&kept)[2]) {
  const int lane = threadIdx.x % kWarp;
  float half[kStatParts], quarter[kStatParts / 2];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const bool high = lane & 16;
    half[i] = (high ? all[i + 8] : all[i]) + __shfl_xor_sync(kAllLanes, high ? all[i] : all[i + 8], 16);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const bool high = lane & 8;
    quarter[i] = (high ? half[i + 4] : half[i]) + __shfl_xor_sync(kAllLanes, high ? half[i] : half[i + 4], 8);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const bool high = lane & 4;
    kept[i] = (high ? quarter[i + 2] : quarter[i]) + __shfl_xor_sync(kAllLanes, high ? quarter[i] : quarter[i + 2], 4);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kStatThreads, 1) half_statistics_mma(Contrast<bf16> c, int side, float* parts) {
  HalfShared<kWidth>& shared = *dynamic_shared<HalfShared<kWidth>>();
  const int thread = threadIdx.x, lane = thread % kWarp, warp = thread / kWarp, all = 2 * c.total;
  int i = blockIdx.x, j = 0;
  while (i > j) i -= ++j;
  const int first = j * side / kStatCols, last = ceil_div((j + 1) * side < all ? (j + 1) * side : all, kStatCols);
  const float scale = c.inverse_temperature * kLog2E;
  for (int k = thread; k < side; k += kStatThreads) shared.columns[k] = 0;
  // the sums that the warps left of a tile, in their order
  const auto gather = [&](int tile) {
    if (thread >= kStatCols) return;
    float sum = 0;
    for (int w = 0; w < kStatWarps; ++w) sum += shared.of_warp[tile % 2][w][thread];
    shared.columns[(tile - first) * kStatCols + thread] += sum;
  };
  for (int row = i * side; row < (i + 1) * side && row < all; row += kStatRows) {
    const int own = row + warp * kStatTiles * 16;
    const LaneRows<kStatTiles> rows(c, own);
    std::uint32_t a[kStatTiles][kWidth / 16][4];
    load_rows<kWidth>(c, rows, a);
    float sum[2 * kStatTiles] = {};
    stream_columns<kWidth>(c, first, last, shared.stages, [&](int tile, const bf16* stage) {
      if (tile > first && i != j) gather(tile - 1);
      Tile<kStatTiles, kStatParts> s;
      multiply<kWidth, kStatTiles, kStatParts>(a, stage, s);
      leave_out<kStatTiles, kStatParts>(c, rows, tile * kStatCols, s);
      float columns[2 * kStatParts] = {};
#pragma unroll
      for (int r = 0; r < 2 * kStatTiles; ++r)
        for (int k = 0; k < 2 * kStatParts; ++k) {
          const float e = exp2_approximate(s[r / 2][k / 2][r % 2 * 2 + k % 2] * scale - scale);
          sum[r] += e;
          columns[k] += e;
        }
      if (i == j) return;  // as is every square that has rows behind the last
      float kept[2];
      sum_lanes(columns, kept);
      for (int e = 0; e < 2; ++e) shared.of_warp[tile % 2][warp][lane / 4 * 8 + 2 * (lane % 4) + e] = kept[e];
    });
    __syncthreads();  // the last sums are there, and both stages have been read
    if (i != j) gather(last - 1);
    for (int r = 0; r < 2 * kStatTiles; ++r) {
      for (int apart = 2; apart > 0; apart /= 2) sum[r] += __shfl_xor_sync(kAllLanes, sum[r], apart);
      const int mine = own + 8 * r + lane / 4;
      if (lane % 4 == 0 && mine < all) parts[std::size_t(j) * all + mine] = sum[r];
    }
  }
  if (i == j) return;
  __syncthreads();
  for (int k = thread; k < side && j * side + k < all; k += kStatThreads)
    parts[std::size_t(i) * all + j * side + k] = shared.columns[k];
}

// The parts of a row as its statistics: all in the first split.
__global__ void fold_parts(Contrast<bf16> c, int squares, int splits, const float* parts) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x, all = 2 * c.total;
  if (row >= all) return;
  float sum = 0;
  for (int part = 0; part < squares; ++part) sum += parts[std::size_t(part) * all + row];
  for (int split = 0; split < splits; ++split) {
    c.statistics[std::size_t(split) * all + row] = split == 0 ? c.inverse_temperature : -INFINITY;
    c.statistics[std::size_t(splits + split) * all + row] = split == 0 ? sum : 0.0f;
  }
}

// ---- spread -----------------------------------------------------------------------------------------------------------

// Sums of dU take width / 2 registers for each 16 rows of a warp. Where there is room for 32 rows, fragments of columns are
// read half as often.
template <int kWidth>
struct Spread {
  static constexpr int kTiles = kWidth <= 160 ? 2 : 1, kWarps = 4, kBlocks = 2;
  static constexpr int kRows = 16 * kTiles * kWarps, kThreads = kWarps * kWarp;
  static constexpr int kCols = 32, kParts = kCols / 8;
  static constexpr bool kHeld = kWidth <= 64 || kWidth == 192;  // rows stay in registers too
  bf16 columns[2][kCols * shared_row(kWidth)];
  bf16 rows[kHeld ? 8 : kRows * shared_row(kWidth)];
  float weight[2][kCols], top[2][kCols];
};

// G + G^T of a tile, but for 1/t: as weigh() of contrast.cu. Fragments of it are those of A in the product with U.
template <int kTiles, int kParts>
struct Weights {
  float scale;
  bool fixed;
  float weight[2 * kTiles], top[2 * kTiles];  // of the lane's rows; tops in base 2

  __device__ Weights(const Contrast<bf16>& c, const LaneRows<kTiles>& lane)
      : scale(c.inverse_temperature * kLog2E), fixed(one_top(c)) {
    for (int r = 0; r < 2 * kTiles; ++r) {
      weight[r] = c.weight[lane.row[r]];
      top[r] = fixed ? scale : c.top[lane.row[r]] * kLog2E;
    }
  }
  __device__ void weigh(const float* col_weight, const float* col_top, Tile<kTiles, kParts>& s) const {
    const int first = 2 * (threadIdx.x % 4);
    const auto each = [&](auto entry_of) {  // (entry, its row, its column)
#pragma unroll
      for (int n = 0; n < kParts; ++n)
        for (int e = 0; e < 2; ++e)
          for (int r = 0; r < 2 * kTiles; ++r) entry_of(s[r / 2][n][r % 2 * 2 + e], r, 8 * n + first + e);
    };
    if (fixed) {
      each([&](float& entry, int r, int col) {
        entry = exp2_approximate(entry * scale - scale) * (weight[r] + col_weight[col]);
      });
    } else {
      each([&](float& entry, int r, int col) {
        const float logit = entry * scale;
        entry = weight[r] * exp2_approximate(logit - top[r]) +
                col_weight[col] * exp2_approximate(logit - col_top[col] * kLog2E);
      });
    }
  }
};

// sum [16 kTiles, kWidth] += g [16 kTiles, 8 kParts] of a warp . columns
template <int kWidth, int kTiles, int kParts>
__device__ inline void spread_tile(const Tile<kTiles, kParts>& g, const bf16* stage, Tile<kTiles, kWidth / 8>& sum) {
  const bf16* columns = rows_first<kWidth>(stage);
#pragma unroll
  for (int step = 0; step < kParts / 2; ++step) {
    std::uint32_t a[kTiles][4];
    for (int m = 0; m < kTiles; ++m)
      for (int i = 0; i < 4; ++i) {
        const float* pair = g[m][2 * step + i / 2] + i % 2 * 2;
        a[m][i] = pack_bf16(pair[0], pair[1]);
      }
#pragma unroll
    for (int n = 0; n < kWidth / 8; n += 2) {
      std::uint32_t b[4];
      ldmatrix_x4_trans(b, columns + step * 16 * shared_row(kWidth) + 8 * n);
      for (int m = 0; m < kTiles; ++m) {
        mma_m16n8k16_bf16(sum[m][n], a[m], b[0], b[1]);
        mma_m16n8k16_bf16(sum[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

// A block's own rows from `own` into shared memory, by cp.async.
template <int kWidth>
__device__ inline void store_rows_shared(const Contrast<bf16>& c, int own, bf16* shared) {
  constexpr int kChunks = kWidth / 8;
  for (int i = threadIdx.x; i < Spread<kWidth>::kRows * kChunks; i += blockDim.x) {
    const int row = i / kChunks, k = i % kChunks * 8;
    cp_async_16(shared + row * shared_row(kWidth) + k, c.unit + std::size_t(clamped_row(c, own + row)) * kWidth + k);
  }
}

template <int kWidth>
__global__ void __launch_bounds__(Spread<kWidth>::kThreads, Spread<kWidth>::kBlocks) spread_mma(Contrast<bf16> c) {
  using Shape = Spread<kWidth>;
  constexpr int kTiles = Shape::kTiles, kParts = Shape::kParts, kSteps = kWidth / 16;
  Shape& shared = *dynamic_shared<Shape>();
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, all = 2 * c.total;
  const int own = blockIdx.x * Shape::kRows + warp * kTiles * 16;
  const LaneRows<kTiles> rows(c, own);
  const Weights<kTiles, kParts> weights(c, rows);
  std::uint32_t held[kTiles][Shape::kHeld ? kSteps : 1][4];
  if constexpr (Shape::kHeld) load_rows<kWidth>(c, rows, held);
  else store_rows_shared<kWidth>(c, blockIdx.x * Shape::kRows, shared.rows);
  const bf16* of_warp = rows_first<kWidth>(shared.rows + warp * kTiles * 16 * (Shape::kHeld ? 0 : shared_row(kWidth)));
  Tile<kTiles, kWidth / 8> sum;
  clear<kTiles, kWidth / 8>(sum);
  const auto load = [&](int tile, int stage) {
    const int col = tile * Shape::kCols;
    load_columns<kWidth, Shape::kCols, Shape::kThreads>(c, col, shared.columns[stage]);
    load_entries<Shape::kCols>(c, c.weight, col, shared.weight[stage]);
    if (!weights.fixed) load_entries<Shape::kCols>(c, c.top, col, shared.top[stage]);
  };
  stream_tiles(0, ceil_div(all, Shape::kCols), load, [&](int tile, int stage) {
    Tile<kTiles, kParts> s;
    if constexpr (Shape::kHeld) {
      multiply<kWidth, kTiles, kParts>(held, shared.columns[stage], s);
    } else {
      const bf16* columns = columns_first<kWidth>(shared.columns[stage]);
      clear<kTiles, kParts>(s);
#pragma unroll
      for (int step = 0; step < kSteps; ++step) {
        std::uint32_t a[kTiles][4];
        for (int m = 0; m < kTiles; ++m) ldmatrix_x4(a[m], of_warp + m * 16 * shared_row(kWidth) + 16 * step);
        multiply_step<kWidth, kTiles, kParts>(a, columns + 16 * step, s);
      }
    }
    leave_out<kTiles, kParts>(c, rows, tile * Shape::kCols, s);
    weights.weigh(shared.weight[stage], shared.top[stage], s);
    spread_tile<kWidth, kTiles, kParts>(s, shared.columns[stage], sum);
  });
#pragma unroll
  for (int r = 0; r < 2 * kTiles; ++r) {
    const int mine = own + 8 * r + lane / 4;
    if (mine >= 2 * c.count) continue;
    float* dz = c.dz + std::size_t(mine) * c.d;
    for (int n = 0; n < kWidth / 8; ++n)
      for (int e = 0; e < 2; ++e) {
        const int k = 8 * n + 2 * (lane % 4) + e;
        if (k < c.d) dz[k] += c.inverse_temperature * sum[r / 2][n][r % 2 * 2 + e];
      }
  }
}

// Calls visit(std::integral_constant<int, width>{}) where there are kernels for rows of d numbers.
template <class Visit>
bool with_width(int d, Visit visit) {
  switch (Contrast<bf16>::padded(d)) {
    case 32: return visit(std::integral_constant<int, 32>{}), true;
    case 64: return visit(std::integral_constant<int, 64>{}), true;
    case 96: return visit(std::integral_constant<int, 96>{}), true;
    case 128: return visit(std::integral_constant<int, 128>{}), true;
    case 160: return visit(std::integral_constant<int, 160>{}), true;
    case 192: return visit(std::integral_constant<int, 192>{}), true;
    case 256: return visit(std::integral_constant<int, 256>{}), true;
    default: return false;
  }
}

}  // namespace

bool contrast_statistics_mma(const Contrast<bf16>& c, cudaStream_t stream) {
  return with_width(c.d, [&](auto width) {
    constexpr int kWidth = decltype(width)::value;
    const int splits = Contrast<bf16>::splits(c.total, c.count), rows = 2 * c.count;
    const int squares = half_squares(c.total, c.count);
    if (squares == 0 || !one_top(c)) {
      const dim3 grid(ceil_div(rows, kStatRows), splits);
      launch("contrast_statistics", statistics_mma<kWidth>, grid, kStatThreads, sizeof(Stages<kWidth>), stream, c);
      return;
    }
    static_assert(sizeof(HalfShared<kWidth>) <= kMostShared);
    float* parts = c.statistics + std::size_t(2) * splits * rows;
    launch("contrast_statistics", half_statistics_mma<kWidth>, squares * (squares + 1) / 2, kStatThreads,
           sizeof(HalfShared<kWidth>), stream, c, half_side(rows), parts);
    launch("contrast_statistics", fold_parts, ceil_div(rows, kStatThreads), kStatThreads, 0, stream, c, squares, splits,
           parts);
  });
}

bool contrast_spread_mma(const Contrast<bf16>& c, cudaStream_t stream) {
  return with_width(c.d, [&](auto width) {
    using Shape = Spread<decltype(width)::value>;
    static_assert(sizeof(Shape) <= kMostShared);
    launch("contrast_spread", spread_mma<decltype(width)::value>, ceil_div(2 * c.count, Shape::kRows), Shape::kThreads,
           sizeof(Shape), stream, c);
  });
}

}  // namespace aclr::cuda
