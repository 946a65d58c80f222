// Products of float and double matrices on the ordinary units: every product is a fused multiply-add of that type.
#include <algorithm>

#include "cuda/kernels/dense.h"

namespace aclr::cuda {
namespace {

// A block of 16 x 16 threads makes a tile of c; a thread rows x columns numbers of it, in runs as long as a 16-byte load.
template <class R>
struct Tile;
template <>
struct Tile<float> {
  static constexpr int kThreadRows = 8, kThreadColumns = 4, kRun = 4;
};
template <>
struct Tile<double> {
  static constexpr int kThreadRows = 4, kThreadColumns = 4, kRun = 2;
};
constexpr int kSide = 16, kThreads = kSide * kSide;
constexpr int kStep = 16;  // of k at a time

template <class R>
struct Shape : Tile<R> {
  using Tile<R>::kRun, Tile<R>::kThreadRows, Tile<R>::kThreadColumns;
  static constexpr int kRows = kSide * kThreadRows, kColumns = kSide * kThreadColumns;
  // Rows of the tiles in shared memory: [kStep, kRows + kRun] and [kStep, kColumns + kRun], twice.
  static constexpr int kARow = kRows + kRun, kBRow = kColumns + kRun;
  static constexpr std::size_t kShared = std::size_t{2} * kStep * (kARow + kBRow) * sizeof(R);
};

template <class R>
struct Arguments {
  int m, n, k, length;  // length: of k for each blockIdx.y
  const R *a, *b;
  std::ptrdiff_t a_row, b_row;
  R* c;
  std::ptrdiff_t c_row;
  Finish<R> finish;
  R* parts;  // [gridDim.y, m, n], or null: c is made at once
};

// One operand's way into shared memory, [kStep, kWidth]: width along m or n. It stands as [width, k], if kAlongK, or
// [k, width]; threads next to each other read what stands next to each other.
template <class R, int kWidth, bool kAlongK>
struct Operand {
  static constexpr int kEach = kStep * kWidth / kThreads;
  const R* origin;
  std::ptrdiff_t row;
  int width, end;  // of the operand, from origin; where k ends
  R held[kEach];

  __device__ static int place(int e) { return static_cast<int>(threadIdx.x) + e * kThreads; }
  __device__ static int across(int e) { return kAlongK ? place(e) / kStep : place(e) % kWidth; }
  __device__ static int along(int e) { return kAlongK ? place(e) % kStep : place(e) / kWidth; }

  __device__ void fetch(int from) {
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const int i = across(e), p = from + along(e);
      const std::ptrdiff_t at = kAlongK ? i * row + p : p * row + i;
      held[e] = i < width && p < end ? origin[at] : R(0);
    }
  }
  __device__ void put(R* shared, int shared_row) const {
#pragma unroll
    for (int e = 0; e < kEach; ++e) shared[along(e) * shared_row + across(e)] = held[e];
  }
};

template <class R, int kRun>
struct alignas(kRun * sizeof(R)) Run {
  R x[kRun];
};

// kCount numbers of a row of a tile: runs, kSide of them apart, thread by thread
template <class R, int kRun, int kCount>
__device__ inline void take(const R* row, int thread, R (&out)[kCount]) {
#pragma unroll
  for (int run = 0; run < kCount / kRun; ++run) {
    const auto values = *reinterpret_cast<const Run<R, kRun>*>(row + (run * kSide + thread) * kRun);
#pragma unroll
    for (int i = 0; i < kRun; ++i) out[run * kRun + i] = values.x[i];
  }
}

template <class R, bool kATransposed, bool kBTransposed>
__global__ void __launch_bounds__(kThreads, 2) multiply_tile(Arguments<R> g) {
  using T = Shape<R>;
  R* const a_tile = dynamic_shared<R>();
  R* const b_tile = a_tile + 2 * kStep * T::kARow;
  const int tiles = ceil_div(g.n, T::kColumns);
  const int row0 = static_cast<int>(blockIdx.x) / tiles * T::kRows;
  const int column0 = static_cast<int>(blockIdx.x) % tiles * T::kColumns;
  const int begin = static_cast<int>(blockIdx.y) * g.length, end = min(g.k, begin + g.length);
  const R *const a_first = g.a + (kATransposed ? row0 : row0 * g.a_row);
  const R *const b_first = g.b + (kBTransposed ? column0 * g.b_row : column0);
  Operand<R, T::kRows, !kATransposed> a{a_first, g.a_row, g.m - row0, end, {}};
  Operand<R, T::kColumns, kBTransposed> b{b_first, g.b_row, g.n - column0, end, {}};
  // A warp covers 4 x 8 of the 16 x 16 threads' places, so that its reads of shared memory are short.
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int thread_row = lane / 8 + 4 * (warp / 2), thread_column = lane % 8 + 8 * (warp % 2);

  R sum[T::kThreadRows][T::kThreadColumns] = {};
  a.fetch(begin);
  b.fetch(begin);
  int stage = 0;
  for (int from = begin; from < end; from += kStep, stage ^= 1) {
    R *const a_now = a_tile + stage * kStep * T::kARow, *const b_now = b_tile + stage * kStep * T::kBRow;
    a.put(a_now, T::kARow);  // the other stage may still be read
    b.put(b_now, T::kBRow);
    __syncthreads();
    if (from + kStep < end) {
      a.fetch(from + kStep);
      b.fetch(from + kStep);
    }
#pragma unroll
    for (int p = 0; p < kStep; ++p) {
      R x[T::kThreadRows], y[T::kThreadColumns];
      take<R, T::kRun>(a_now + p * T::kARow, thread_row, x);
      take<R, T::kRun>(b_now + p * T::kBRow, thread_column, y);
#pragma unroll
      for (int i = 0; i < T::kThreadRows; ++i)
#pragma unroll
        for (int j = 0; j < T::kThreadColumns; ++j) sum[i][j] = fma(x[i], y[j], sum[i][j]);
    }
  }

#pragma unroll
  for (int i = 0; i < T::kThreadRows; ++i) {
    const int row = row0 + (i / T::kRun * kSide + thread_row) * T::kRun + i % T::kRun;
#pragma unroll
    for (int j = 0; j < T::kThreadColumns; ++j) {
      const int column = column0 + (j / T::kRun * kSide + thread_column) * T::kRun + j % T::kRun;
      if (row >= g.m || column >= g.n) continue;
      if (g.parts) {
        g.parts[(static_cast<std::size_t>(blockIdx.y) * g.m + row) * g.n + column] = sum[i][j];
        continue;
      }
      R* const out = g.c + row * g.c_row + column;
      *out = finished(g.finish, sum[i][j], out, column);
    }
  }
}

template <class R>
void multiply_tiles(const Product<R, R>& p, Scratch scratch, cudaStream_t stream) {
  if (p.m == 0 || p.n == 0) return;
  using T = Shape<R>;
  const int tiles = ceil_div(p.m, T::kRows) * ceil_div(p.n, T::kColumns);
  const Split split = split_sums(p.m, p.n, p.k, tiles, kStep, sizeof(R), scratch.bytes);
  const Finish<R> finish{p.bias, p.accumulate, p.relu};
  R* const parts = split.parts > 1 ? static_cast<R*>(scratch.data) : nullptr;
  const Arguments<R> g{p.m, p.n, p.k, split.length, p.a, p.b, p.a_row, p.b_row, p.c, p.c_row, finish, parts};
  const auto kernel = p.a_transposed ? (p.b_transposed ? multiply_tile<R, true, true> : multiply_tile<R, true, false>)
                                     : (p.b_transposed ? multiply_tile<R, false, true> : multiply_tile<R, false, false>);
  launch("a matrix product", kernel, dim3(tiles, split.parts), dim3(kThreads), T::kShared, stream, g);
  if (parts) add_parts(p.m, p.n, split.parts, static_cast<const R*>(parts), p.c, p.c_row, finish, stream);
}

}  // namespace

template <>
void multiply_own<float, float>(const Product<float, float>& p, Scratch scratch, cudaStream_t stream) {
  multiply_tiles(p, scratch, stream);
}
template <>
void multiply_own<double, double>(const Product<double, double>& p, Scratch scratch, cudaStream_t stream) {
  multiply_tiles(p, scratch, stream);
}

}  // namespace aclr::cuda
