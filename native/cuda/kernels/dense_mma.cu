// Products of bf16 matrices on the tensor cores: exact products of bf16 factors, float sums.
#include <algorithm>

#include "cuda/kernels/dense.h"
#include "cuda/ptx.h"

namespace aclr::cuda {
namespace {

constexpr int kStep = 32, kStages = 4;  // of k at a time; so many steps are under way
constexpr int kThreads = 256, kWarpsDown = 4, kWarpsAcross = 2;
constexpr int kChunk = 8;  // bf16 in the 16 bytes that cp.async and a row of ldmatrix are

struct Arguments {
  int m, n, k, length;  // length: of k for each blockIdx.y
  const bf16 *a, *b;
  int a_row, b_row;
  void* c;  // float, or bf16
  std::ptrdiff_t c_row;
  bool c_float, c_whole;  // c_whole: 16 bytes of a row at once may be written
  Finish<float> finish;
};

// An operand in shared memory, kWidth of its m or n times kStep, as it stands in memory. Both layouts let the 8 rows of an
// 8 x 8 matrix, 16 bytes each, fall into all 32 banks.
//   kAlongK   [kWidth, kStep]: two rows fill the banks, so chunk c of row r lies at c ^ (r / 2 % 4)
//   else      [kStep, kWidth + kChunk]
template <int kWidth, bool kAlongK>
struct Operand {
  static constexpr int kRows = kAlongK ? kWidth : kStep;
  static constexpr int kRow = kAlongK ? kStep : kWidth + kChunk;
  static constexpr int kSize = kRows * kRow;
  // The threads that copy a row, one chunk each; in a row of 20 chunks 12 of 32 have none.
  static constexpr int kRowChunks = (kAlongK ? kStep : kWidth) / kChunk;
  static constexpr int kRowThreads = kRowChunks == 20 ? 32 : kRowChunks, kRowsAtOnce = kThreads / kRowThreads;

  const bf16* source;  // of this thread's first chunk, k from 0
  int row;             // distance
  int width, end;      // of m or n, and of all k, from that chunk
  int offset;          // where it goes in shared memory

  __device__ static int down() { return static_cast<int>(threadIdx.x) / kRowThreads; }
  __device__ static int chunk() { return static_cast<int>(threadIdx.x) % kRowThreads; }
  __device__ std::ptrdiff_t at(int r) const { return static_cast<std::ptrdiff_t>(r) * row; }

  __device__ Operand(const bf16* matrix, int row_, int first, int width_, int end_) : row(row_) {
    const int across = first + (kAlongK ? down() : chunk() * kChunk), along = kAlongK ? chunk() * kChunk : down();
    source = matrix + (kAlongK ? at(across) + along : at(along) + across);
    width = width_ - across;
    end = end_ - along;
    offset = down() * kRow + (kAlongK ? chunk() ^ (down() / 2 % 4) : chunk()) * kChunk;  // later rows are multiples of 8 on
  }

  // The copies of one step of k. Without kGuarded the matrix is a multiple of 16 bytes and `row` one of kChunk.
  template <bool kGuarded>
  __device__ void copy(bf16* shared, int from) const {
    if (kRowChunks != kRowThreads && chunk() >= kRowChunks) return;
#pragma unroll
    for (int i = 0; i < kRows; i += kRowsAtOnce) {
      if (i + kRowsAtOnce > kRows && down() >= kRows - i) break;
      const bool inside = kAlongK ? i < width : from + i < end;
      const int count = inside ? max(0, min(kChunk, kAlongK ? end - from : width)) : 0;
      bf16* const to = shared + offset + i * kRow;
      const bf16* const now = source + (kAlongK ? at(i) + from : at(from + i));
      if constexpr (kGuarded) {
#pragma unroll
        for (int e = 0; e < kChunk; ++e) to[e] = e < count ? now[e] : stored<bf16>(0.0f);
      } else {
        cp_async_16(to, now, count * 2);  // of none, the address is not looked at
      }
    }
  }

  // What this lane names to load() for k 0 of a step; `first` is a multiple of 16 of m or n.
  template <bool kAcrossFirst>
  __device__ static int lane_offset(int first) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, matrix = lane / 8;
    const int i = kAcrossFirst ? matrix % 2 : matrix / 2, p = kAcrossFirst ? matrix / 2 : matrix % 2;
    return kAlongK ? (first + 8 * i + lane % 8) * kRow + (p ^ (lane % 8 / 2)) * kChunk
                   : (8 * p + lane % 8) * kRow + first + 8 * i;
  }
  // Four 8 x 8 matrices as ptx.h wants their fragments: the one at (first + across, along), then 8 on in k, then in m or n
  // (kAcrossFirst: the other way round).
  __device__ static void load(std::uint32_t (&out)[4], const bf16* shared, int lane_offset, int across, int along) {
    if constexpr (kAlongK)
      ldmatrix_x4(out, shared + (lane_offset ^ along) + across * kRow);  // 16 on in k is 2 chunks on, whatever the swizzle
    else
      ldmatrix_x4_trans(out, shared + lane_offset + along * kRow + across);
  }
};

template <int kTileRows, int kTileColumns, bool kATransposed, bool kBTransposed>
struct Shape {
  using A = Operand<kTileRows, !kATransposed>;
  using B = Operand<kTileColumns, kBTransposed>;
  static constexpr int kRows = kTileRows / kWarpsDown, kColumns = kTileColumns / kWarpsAcross;  // of a warp
  static constexpr int kDown = kRows / 16, kAcross = kColumns / 8;                              // in fragments
  static constexpr int kStage = A::kSize + B::kSize;
  // Sums on their way out, 16 rows of a warp at a time: no two of 4 rows in the same banks
  static constexpr int kOutRow = kColumns + 8, kOut = 16 * kOutRow;
  static constexpr std::size_t kShared =
      std::max(sizeof(bf16) * kStages * kStage, sizeof(float) * kWarpsDown * kWarpsAcross * kOut);
  static_assert(kDown >= 1 && kAcross % 2 == 0);
};

// sum += a b of one step of k
template <class T>
__device__ inline void multiply_step(const bf16* a, const bf16* b, int a_lane, int b_lane,
                                     float (&sum)[T::kDown][T::kAcross][4]) {
#pragma unroll
  for (int along = 0; along < kStep; along += 16) {
    std::uint32_t x[T::kDown][4];
#pragma unroll
    for (int i = 0; i < T::kDown; ++i) T::A::load(x[i], a, a_lane, 16 * i, along);
#pragma unroll
    for (int j = 0; j < T::kAcross; j += 2) {
      std::uint32_t y[4];
      T::B::load(y, b, b_lane, 8 * j, along);
#pragma unroll
      for (int i = 0; i < T::kDown; ++i) {
        mma_m16n8k16_bf16(sum[i][j], x[i], y[0], y[1]);
        mma_m16n8k16_bf16(sum[i][j + 1], x[i], y[2], y[3]);
      }
    }
  }
}

__device__ inline void write_chunk(float* c, const float (&out)[kChunk]) {
#pragma unroll
  for (int e = 0; e < kChunk; e += 4)
    *reinterpret_cast<float4*>(c + e) = make_float4(out[e], out[e + 1], out[e + 2], out[e + 3]);
}
__device__ inline void write_chunk(bf16* c, const float (&out)[kChunk]) {
  *reinterpret_cast<uint4*>(c) = make_uint4(pack_bf16(out[0], out[1]), pack_bf16(out[2], out[3]), pack_bf16(out[4], out[5]),
                                            pack_bf16(out[6], out[7]));
}

// 16 rows of a warp's sums, as they stand in shared memory, to c: a lane finishes 8 columns at a time.
template <class T, class C>
__device__ inline void write_rows(const Arguments& g, const float* sums, C* c, int row0, int column0) {
  for (int i = static_cast<int>(threadIdx.x) % kWarp; i < 2 * T::kColumns; i += kWarp) {
    const int r = i / (T::kColumns / kChunk), q = i % (T::kColumns / kChunk) * kChunk;
    const int row = row0 + r, column = column0 + q, left = g.n - column;
    if (row >= g.m || left <= 0) continue;
    const float* const from = sums + r * T::kOutRow + q;
    C* const to = c + row * g.c_row + column;
    if (!g.c_whole || left < kChunk) {
      for (int e = 0; e < min(left, kChunk); ++e) to[e] = stored<C>(finished(g.finish, from[e], to + e, column + e));
      continue;
    }
    float out[kChunk];
#pragma unroll
    for (int e = 0; e < kChunk; ++e) out[e] = finished(g.finish, from[e], to + e, column + e);
    write_chunk(to, out);
  }
}

template <class T>
__device__ inline void write_tile(const Arguments& g, float* sums, int row0, int column0,
                                  const float (&sum)[T::kDown][T::kAcross][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
#pragma unroll
  for (int i = 0; i < T::kDown; ++i) {
    float* const mine = sums + lane / 4 * T::kOutRow + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < T::kAcross; ++j) {
      *reinterpret_cast<float2*>(mine + 8 * j) = make_float2(sum[i][j][0], sum[i][j][1]);
      *reinterpret_cast<float2*>(mine + 8 * T::kOutRow + 8 * j) = make_float2(sum[i][j][2], sum[i][j][3]);
    }
    __syncwarp();
    if (g.c_float)  // parts one after another
      write_rows<T>(g, sums, static_cast<float*>(g.c) + blockIdx.y * (g.m * g.c_row), row0 + 16 * i, column0);
    else
      write_rows<T>(g, sums, static_cast<bf16*>(g.c), row0 + 16 * i, column0);
    __syncwarp();
  }
}

template <int kRows, int kColumns, bool kATransposed, bool kBTransposed, bool kGuarded>
__global__ void __launch_bounds__(kThreads, 2) multiply_tile(Arguments g) {
  using T = Shape<kRows, kColumns, kATransposed, kBTransposed>;
  bf16* const shared = dynamic_shared<bf16>();
  const int tiles = ceil_div(g.n, kColumns);
  const int row0 = static_cast<int>(blockIdx.x) / tiles * kRows, column0 = static_cast<int>(blockIdx.x) % tiles * kColumns;
  const int begin = static_cast<int>(blockIdx.y) * g.length, end = min(g.k, begin + g.length);
  const typename T::A a(g.a, g.a_row, row0, g.m, end);
  const typename T::B b(g.b, g.b_row, column0, g.n, end);
  const auto copy = [&](int from, unsigned stage) {
    if (from < end) {
      a.template copy<kGuarded>(shared + stage * T::kStage, from);
      b.template copy<kGuarded>(shared + stage * T::kStage + T::A::kSize, from);
    }
    cp_async_commit();
  };
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int row = warp % kWarpsDown * T::kRows, column = warp / kWarpsDown * T::kColumns;
  const int a_lane = T::A::template lane_offset<true>(row), b_lane = T::B::template lane_offset<false>(column);

  float sum[T::kDown][T::kAcross][4] = {};
  for (int stage = 0; stage < kStages - 1; ++stage) copy(begin + stage * kStep, static_cast<unsigned>(stage));
  unsigned stage = 0;
  for (int from = begin; from < end; from += kStep, stage = (stage + 1) % kStages) {
    cp_async_wait<kStages - 2>();
    __syncthreads();  // this step's numbers are there, and nobody reads the last one's any more
    copy(from + (kStages - 1) * kStep, (stage + kStages - 1) % kStages);
    const bf16* const now = shared + stage * T::kStage;
    multiply_step<T>(now, now + T::A::kSize, a_lane, b_lane, sum);
  }
  cp_async_wait<0>();
  __syncthreads();
  write_tile<T>(g, reinterpret_cast<float*>(shared) + warp * T::kOut, row0 + row, column0 + column, sum);
}

// ---- which kernel -------------------------------------------------------------------------------------------------------

struct Kernel {
  void (*kernel)(Arguments);
  int rows, columns;
  std::size_t shared;
};

template <int kRows, int kColumns, bool kATransposed, bool kBTransposed, bool kGuarded = false>
constexpr Kernel kernel_of() {
  return {multiply_tile<kRows, kColumns, kATransposed, kBTransposed, kGuarded>, kRows, kColumns,
          Shape<kRows, kColumns, kATransposed, kBTransposed>::kShared};
}

template <bool kATransposed, bool kBTransposed>
Kernel small_kernel(bool guarded) {
  return guarded ? kernel_of<64, 64, kATransposed, kBTransposed, true>() : kernel_of<64, 64, kATransposed, kBTransposed>();
}

// Wide tiles read their operands less often and fill the tensor cores; they must not reach far over the edge of c. Layers
// of 160 and 480 columns get tiles of 160, of 64 and 192 such of 64, of 512 those of 128.
template <bool kATransposed, bool kBTransposed>
Kernel wide_kernel(const Product<bf16, bf16>& p) {
  const auto cost = [&](int columns) { return ceil_div(p.n, columns) * columns * (columns == 64 ? 5 : 4); };
  if (cost(160) <= std::min(cost(128), cost(64))) return kernel_of<128, 160, kATransposed, kBTransposed>();
  if (cost(128) <= cost(64)) return kernel_of<128, 128, kATransposed, kBTransposed>();
  return kernel_of<128, 64, kATransposed, kBTransposed>();
}

Kernel choose_kernel(const Product<bf16, bf16>& p, bool aligned) {
  const bool both = p.a_transposed && p.b_transposed;  // which no layer asks for
  // Without a long k to split, wide tiles must be enough to go round.
  const bool few = p.k < 4096 && static_cast<long>(ceil_div(p.m, 128)) * ceil_div(p.n, 128) < 108;
  if (!aligned || both || few) {
    if (p.a_transposed) return p.b_transposed ? small_kernel<true, true>(!aligned) : small_kernel<true, false>(!aligned);
    return p.b_transposed ? small_kernel<false, true>(!aligned) : small_kernel<false, false>(!aligned);
  }
  if (p.a_transposed) return wide_kernel<true, false>(p);
  return p.b_transposed ? wide_kernel<false, true>(p) : wide_kernel<false, false>(p);
}

bool aligned(const void* p, std::ptrdiff_t row_bytes, std::uintptr_t to) {
  return reinterpret_cast<std::uintptr_t>(p) % to == 0 && row_bytes % static_cast<std::ptrdiff_t>(to) == 0;
}

template <class C>
void multiply_bf16(const Product<bf16, C>& p, Scratch scratch, cudaStream_t stream) {
  if (p.m == 0 || p.n == 0) return;
  constexpr bool kFloat = sizeof(C) == sizeof(float);
  const bool whole = aligned(p.a, p.a_row * 2, 16) && aligned(p.b, p.b_row * 2, 16);
  const Kernel kernel = choose_kernel(
      {p.m, p.n, p.k, p.a, p.a_row, p.a_transposed, p.b, p.b_row, p.b_transposed, nullptr, 0}, whole);
  const int tiles = ceil_div(p.m, kernel.rows) * ceil_div(p.n, kernel.columns);
  const Split split = split_sums(p.m, p.n, p.k, tiles, kStep, sizeof(float), scratch.bytes);
  const Finish<float> finish{p.bias, p.accumulate, p.relu};
  Arguments g{p.m, p.n, p.k, split.length, p.a, p.b, p.a_row, p.b_row, p.c, p.c_row, kFloat, false, finish};
  g.c_whole = aligned(p.c, g.c_row * static_cast<std::ptrdiff_t>(sizeof(C)), 16);
  if (split.parts > 1) {
    g.c = scratch.data;
    g.c_row = p.n;
    g.c_float = true;
    g.c_whole = aligned(g.c, g.c_row * 4, 16);
    g.finish = {nullptr, false, false};
  }
  launch("a matrix product", kernel.kernel, dim3(tiles, split.parts), dim3(kThreads), kernel.shared, stream, g);
  if (split.parts > 1)
    add_parts(p.m, p.n, split.parts, static_cast<const float*>(scratch.data), p.c, p.c_row, finish, stream);
}

}  // namespace

template <>
void multiply_own<bf16, bf16>(const Product<bf16, bf16>& p, Scratch scratch, cudaStream_t stream) {
  multiply_bf16(p, scratch, stream);
}
template <>
void multiply_own<bf16, float>(const Product<bf16, float>& p, Scratch scratch, cudaStream_t stream) {
  multiply_bf16(p, scratch, stream);
}

}  // namespace aclr::cuda
