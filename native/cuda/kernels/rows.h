// What kernels on rows of numbers share: who takes which of them, wide loads, sums, and the random bytes of dropout.
//
// A row of d numbers is shared by a group of `lanes` threads of one warp, a power of two, each of which takes VEC neighbours
// at a time: chunk c of lane l begins at (c * lanes + l) * VEC. A block of kBlock threads is kBlock / lanes groups.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "core/rng.h"
#include "cuda/kernels/ops.h"
#include "cuda/launch.h"

namespace aclr::cuda {

inline constexpr int kBlock = 256, kWarps = kBlock / kWarp;
inline constexpr int kMostBlocks = 1024;  // what walks over rows in strides: enough to fill a device

// How many S make 16 bytes.
template <class S>
inline constexpr int kVector = static_cast<int>(16 / sizeof(S));

inline int lanes_for(int vectors) {
  int lanes = 1;
  while (lanes < vectors && lanes < kWarp) lanes *= 2;
  return lanes;
}

// Whether rows of so many numbers at these places can be read `vec` at a time.
template <class S>
bool in_vectors(int vec, std::size_t columns, std::initializer_list<const void*> places) {
  const std::size_t bytes = std::min<std::size_t>(16, vec * sizeof(S));
  return columns % vec == 0 &&
         std::all_of(places.begin(), places.end(),
                     [&](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bytes == 0; });
}

// Blocks for so many groups of work, each block taking `share` at a time.
inline unsigned blocks_for(std::size_t work, std::size_t share, std::size_t most = kMostBlocks) {
  return static_cast<unsigned>(std::min(most, ceil_div(work, share)));
}

// ---- wide loads -------------------------------------------------------------------------------------------------------

template <int BYTES>
struct Piece;
template <>
struct Piece<2> {
  using type = unsigned short;
};
template <>
struct Piece<4> {
  using type = unsigned;
};
template <>
struct Piece<8> {
  using type = uint2;
};
template <>
struct Piece<16> {
  using type = uint4;
};

// VEC numbers as they stand in memory.
template <class S, int VEC>
struct Stored {
  static constexpr int kBytes = VEC * sizeof(S) < 16 ? VEC * static_cast<int>(sizeof(S)) : 16;
  static constexpr int kPieces = VEC * static_cast<int>(sizeof(S)) / kBytes;
  using Unit = typename Piece<kBytes>::type;
  Unit unit[kPieces];
};

#if !defined(__CUDACC__)
// As a device does at a wide access.
template <int BYTES>
void check_aligned(const void* place) {
  if (reinterpret_cast<std::uintptr_t>(place) % BYTES != 0) __trap();
}
#endif

template <class S, int VEC>
__device__ inline void load(const S* from, Real<S> (&x)[VEC]) {
  if constexpr (VEC == 1) {
    x[0] = real(*from);
  } else {
    using Wide = Stored<S, VEC>;
    S numbers[VEC];
#pragma unroll
    for (int p = 0; p < Wide::kPieces; ++p) {
#if defined(__CUDACC__)
      const typename Wide::Unit unit = reinterpret_cast<const typename Wide::Unit*>(from)[p];
      __builtin_memcpy(numbers + p * VEC / Wide::kPieces, &unit, Wide::kBytes);
#else
      check_aligned<Wide::kBytes>(from);
      __builtin_memcpy(numbers + p * VEC / Wide::kPieces, from + p * VEC / Wide::kPieces, Wide::kBytes);
#endif
    }
#pragma unroll
    for (int v = 0; v < VEC; ++v) x[v] = real(numbers[v]);
  }
}

template <class S, int VEC>
__device__ inline void store(S* to, const Real<S> (&x)[VEC]) {
  if constexpr (VEC == 1) {
    *to = stored<S>(x[0]);
  } else {
    using Wide = Stored<S, VEC>;
    S numbers[VEC];
#pragma unroll
    for (int v = 0; v < VEC; ++v) numbers[v] = stored<S>(x[v]);
#pragma unroll
    for (int p = 0; p < Wide::kPieces; ++p) {
#if defined(__CUDACC__)
      typename Wide::Unit unit;
      __builtin_memcpy(&unit, numbers + p * VEC / Wide::kPieces, Wide::kBytes);
      reinterpret_cast<typename Wide::Unit*>(to)[p] = unit;
#else
      check_aligned<Wide::kBytes>(to);
      __builtin_memcpy(to + p * VEC / Wide::kPieces, numbers + p * VEC / Wide::kPieces, Wide::kBytes);
#endif
    }
  }
}

// ---- sums -------------------------------------------------------------------------------------------------------------

// Over the lanes of a group; every thread of the warp must come here. All lanes get the same bits.
template <class R>
__device__ inline R group_sum(R x, int lanes = kWarp) {
  for (int away = lanes / 2; away > 0; away /= 2) x += __shfl_xor_sync(kAllLanes, x, away);
  return x;
}

// Over a block of kBlock threads, in fixed order; thread 0 has it.
__device__ inline double block_sum(double x) {
  __shared__ double sums[kWarps];
  x = group_sum(x);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = x;
  __syncthreads();
  double sum = 0;
  for (int w = 0; w < kWarps; ++w) sum += sums[w];
  return sum;
}

// Calls write(column, sum over the groups of the block) for the lanes * VEC columns of one chunk. shared [kBlock * VEC].
template <class R, int VEC, class Write>
__device__ inline void sum_groups(const R (&x)[VEC], int lanes, R* shared, const Write& write) {
#pragma unroll
  for (int v = 0; v < VEC; ++v) shared[threadIdx.x * VEC + v] = x[v];
  __syncthreads();
  const int columns = lanes * VEC, groups = kBlock / lanes;
  for (int c = threadIdx.x; c < columns; c += kBlock) {
    R sum = 0;
    for (int g = 0; g < groups; ++g) sum += shared[g * columns + c];
    write(c, sum);
  }
  __syncthreads();
}

// first [first_columns] and second [the rest] = sums of partials [blocks, columns], in fixed order.
inline constexpr int kFinishRows = 16;
template <class R>
__global__ void finish_sums_kernel(const R* partials, int blocks, int columns, R* first, int first_columns, R* second) {
  __shared__ double sums[kFinishRows][kWarp];
  const int lane = threadIdx.x % kWarp, y = threadIdx.x / kWarp, column = blockIdx.x * kWarp + lane;
  double sum = 0;
  if (column < columns)
    for (int b = y; b < blocks; b += kFinishRows) sum += static_cast<double>(partials[std::size_t(b) * columns + column]);
  sums[y][lane] = sum;
  __syncthreads();
  if (y > 0 || column >= columns) return;
  for (int other = 1; other < kFinishRows; ++other) sum += sums[other][lane];
  if (column < first_columns) first[column] = static_cast<R>(sum);
  else second[column - first_columns] = static_cast<R>(sum);
}
template <class R>
void finish_sums(const char* name, const Scratch& scratch, int blocks, int columns, R* first, int first_columns, R* second,
                 cudaStream_t stream) {
  launch(name, finish_sums_kernel<R>, ceil_div(columns, kWarp), kFinishRows * kWarp, 0, stream,
         static_cast<const R*>(scratch.data), blocks, columns, first, first_columns, second);
}

// ---- norms by a whole warp, of rows of any length ---------------------------------------------------------------------

// Calls write(i, (value(i) - mean) rstd) for what this lane has of a row; returns rstd.
template <class R, class Value, class Write>
__device__ inline R normalise_row(int d, const Value& value, const Write& write) {
  const int lane = threadIdx.x % kWarp;
  R sum = 0, square = 0;
  for (int i = lane; i < d; i += kWarp) sum += value(i);
  const R mean = group_sum(sum) / R(d);
  for (int i = lane; i < d; i += kWarp) square += (value(i) - mean) * (value(i) - mean);
  const R rstd = R(1) / math::sqrt(group_sum(square) / R(d) + R(1e-5));
  for (int i = lane; i < d; i += kWarp) write(i, (value(i) - mean) * rstd);
  return rstd;
}

// Calls write(i, ds(i)); adds to this warp's own dgain and doffset [d].
template <class R, class Dout, class Normal, class Write>
__device__ inline void normalise_row_backward(int d, R rstd, const R* gain, R* dgain, R* doffset, const Dout& dout,
                                              const Normal& normal, const Write& write) {
  const int lane = threadIdx.x % kWarp;
  R mean_g = 0, mean_gn = 0;
  for (int i = lane; i < d; i += kWarp) {
    const R g = dout(i) * gain[i];
    mean_g += g;
    mean_gn += g * normal(i);
  }
  mean_g = group_sum(mean_g) / R(d);
  mean_gn = group_sum(mean_gn) / R(d);
  for (int i = lane; i < d; i += kWarp) {
    const R g = dout(i), x = normal(i);
    dgain[i] += g * x;
    doffset[i] += g;
    write(i, rstd * (g * gain[i] - mean_g - x * mean_gn));
  }
}

// Warps of a block whose warps need so much shared memory each.
inline int warps_for(std::size_t bytes) {
  return static_cast<int>(std::clamp<std::size_t>(kMostShared * 2 / 3 / bytes, 1, kWarps));
}

// partials [gridDim.x, columns] of this block = sums over its warps' [columns], which stand `apart` numbers apart.
template <class R>
__device__ inline void sum_warps(const R* sums, std::size_t apart, int columns, R* partials) {
  __syncthreads();
  for (int c = threadIdx.x; c < columns; c += blockDim.x) {
    R sum = 0;
    for (unsigned w = 0; w < blockDim.x / kWarp; ++w) sum += sums[w * apart + c];
    partials[std::size_t(blockIdx.x) * columns + c] = sum;
  }
}

// ---- dropout ----------------------------------------------------------------------------------------------------------

// A row's bytes begin anywhere in a block of 16.
__host__ __device__ constexpr int row_bytes(int d) { return (d + 30) / 16 * 16; }

struct DropoutStream {
  std::uint32_t key0, key1, epoch, id, stream;
  __device__ Words block(std::uint32_t number) const { return philox4x32({{number, stream, id, epoch}}, key0, key1); }
};
__device__ inline DropoutStream stream_of(const Dropout& dropout, const Tokens& tokens, int event) {
  return {dropout.input->key0, dropout.input->key1, dropout.input->epoch, dropout.ids[event % tokens.batch],
          stream_id(Purpose::kDropout, static_cast<std::uint32_t>(event / tokens.batch),
                    static_cast<std::uint32_t>(dropout.site))};
}

// The bytes of one row [d] as its lanes draw them together into shared memory, 16 to a Philox block; __syncwarp before they
// are read, and before the next draw.
__device__ inline const std::uint8_t* draw_row(const Dropout& dropout, const Tokens& tokens, int row, int d, int lane,
                                               int lanes, std::uint8_t* shared) {
  const int event = tokens.event[row];
  const DropoutStream stream = stream_of(dropout, tokens, event);
  const std::uint32_t first = static_cast<std::uint32_t>(row - tokens.offsets[event]) * static_cast<std::uint32_t>(d);
  const std::uint32_t first_block = first / 16, blocks = (first + d - 1) / 16 - first_block + 1;
  for (std::uint32_t b = lane; b < blocks; b += lanes) {
    const Words words = stream.block(first_block + b);
    std::uint32_t* to = reinterpret_cast<std::uint32_t*>(shared) + 4 * b;
#pragma unroll
    for (int w = 0; w < 4; ++w) to[w] = words.w[w];
  }
  return shared + first % 16;
}

// VEC bytes, at a place that VEC divides, as factors: 0 or `scale`.
template <class R, int VEC>
__device__ inline void keep_factors(const std::uint8_t* bytes, int threshold, R scale, R (&factor)[VEC]) {
  std::uint8_t got[VEC];
  __builtin_memcpy(got, __builtin_assume_aligned(bytes, VEC), VEC);
#pragma unroll
  for (int v = 0; v < VEC; ++v) factor[v] = got[v] >= threshold ? scale : R(0);
}

}  // namespace aclr::cuda
