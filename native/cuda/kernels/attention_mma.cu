// Attention of bf16 by tensor cores, for heads of at most 64 columns in whole groups of eight: an event of up to 16 tokens
// is one or two tiles of eight rows, which go from memory into registers and back without a stop in shared memory. Larger
// events go the way of all (attention.h).
//
// With g = lane / 4 and t = lane % 4 a lane holds of row g of a tile the eight columns from 8 t on, of each group of 32: 16
// bytes of memory, four registers of pairs. A product over columns may take them in any order, as long as both factors do:
// pairs 2s and 2s + 1 of a chunk are the k = 2t .. and k = 2t + 8 .. of the s-th mma. Where rows are summed over, pair r of
// all chunks is a matrix of 8 x 8 whose transpose mma takes for B; what comes out is again pair r of all chunks.
#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_mma.h"
#include "cuda/ptx.h"

namespace aclr::cuda {
namespace {

using namespace attention_warp;

constexpr int kTileRows = 8, kChunk = 8, kGroup = 4 * kChunk;
constexpr float kLog2E = 1.44269504f;

template <int kTiles, int kGroups>
struct Rows16 {
  std::uint32_t x[kTiles][kGroups][4];
};

// Rows [n, width] of memory, `row` apart, and this lane's share of them.
template <class S>
struct Slice {
  S* data;
  std::ptrdiff_t row;
  int n, width, lane;

  __device__ bool has(int tile, int group) const {
    return tile * kTileRows + lane / 4 < n && group * kGroup + lane % 4 * kChunk < width;
  }
  __device__ std::ptrdiff_t place(int tile, int group) const {
    return (tile * kTileRows + lane / 4) * row + group * kGroup + lane % 4 * kChunk;
  }
};

// Zeros outside.
template <int kTiles, int kGroups>
__device__ inline Rows16<kTiles, kGroups> load(const Slice<const bf16>& from) {
  Rows16<kTiles, kGroups> rows;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      uint4 v = make_uint4(0, 0, 0, 0);
      if (from.has(tile, group)) v = *reinterpret_cast<const uint4*>(from.data + from.place(tile, group));
      std::uint32_t(&x)[4] = rows.x[tile][group];
      x[0] = v.x, x[1] = v.y, x[2] = v.z, x[3] = v.w;
    }
  return rows;
}

// A matrix of tokens by tokens, as mma leaves it: of rows 8 half + g the columns 8 tile + 2t and + 1.
template <int kTiles>
struct Pairs {
  float x[kTiles][kTiles][2];  // [half, tile]

  // Calls body(value, half, j) for each that this lane holds.
  template <class Body>
  __device__ void each(int lane, const Body& body) {
#pragma unroll
    for (int half = 0; half < kTiles; ++half)
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
        for (int k = 0; k < 2; ++k)
          body(x[half][tile][k], half, tile * kTileRows + lane % 4 * 2 + k);
  }
  __device__ void multiply(const Pairs& by) {
#pragma unroll
    for (int half = 0; half < kTiles; ++half)
#pragma unroll
      for (int s = 0; s < 2 * kTiles; ++s) x[half][s / 2][s % 2] *= by.x[half][s / 2][s % 2];
  }
};

// As factor A of a product over columns, and the same of the transposed.
template <int kTiles>
struct Weights {
  std::uint32_t x[4] = {};  // [tile, half]

  __device__ explicit Weights(const Pairs<kTiles>& pairs) {
#pragma unroll
    for (int half = 0; half < kTiles; ++half)
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile)
        x[2 * tile + half] = pack_bf16(pairs.x[half][tile][0], pairs.x[half][tile][1]);
  }
  __device__ void transpose() {
    std::uint32_t old[4] = {x[0], x[1], x[2], x[3]};
#pragma unroll
    for (int half = 0; half < kTiles; ++half)
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) x[2 * half + tile] = transpose_8x8(old[2 * tile + half]);
  }
};

// a_i . b_j
template <int kTiles, int kGroups>
__device__ inline Pairs<kTiles> products(const Rows16<kTiles, kGroups>& a, const Rows16<kTiles, kGroups>& b) {
  Pairs<kTiles> out;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    float c[4] = {};
#pragma unroll
    for (int group = 0; group < kGroups; ++group)
#pragma unroll
      for (int s = 0; s < 4; s += 2) {
        const std::uint32_t low = a.x[0][group][s], high = a.x[0][group][s + 1];
        const std::uint32_t both[4] = {low, kTiles > 1 ? a.x[kTiles - 1][group][s] : 0, high,
                                       kTiles > 1 ? a.x[kTiles - 1][group][s + 1] : 0};
        mma_m16n8k16_bf16(c, both, b.x[tile][group][s], b.x[tile][group][s + 1]);
      }
#pragma unroll
    for (int half = 0; half < kTiles; ++half)
#pragma unroll
      for (int k = 0; k < 2; ++k) out.x[half][tile][k] = c[2 * half + k];
  }
  return out;
}

// to_i = factor sum_j weights[i][j] x_j
template <int kTiles, int kGroups>
__device__ inline void combine(const Weights<kTiles>& weights, const Rows16<kTiles, kGroups>& x, float factor,
                               const Slice<bf16>& to) {
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    std::uint32_t out[kTiles][4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      float c[4] = {};
      const std::uint32_t b1 = kTiles > 1 ? transpose_8x8(x.x[kTiles - 1][group][r]) : 0;
      mma_m16n8k16_bf16(c, weights.x, transpose_8x8(x.x[0][group][r]), b1);
#pragma unroll
      for (int half = 0; half < kTiles; ++half) out[half][r] = pack_bf16(factor * c[2 * half], factor * c[2 * half + 1]);
    }
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
      if (to.has(tile, group))
        *reinterpret_cast<uint4*>(to.data + to.place(tile, group)) =
            make_uint4(out[tile][0], out[tile][1], out[tile][2], out[tile][3]);
  }
}

// The four lanes of a row together.
__device__ inline float largest_of_four(float x) {
#pragma unroll
  for (int step = 1; step < 4; step *= 2) {
    const float other = __shfl_xor_sync(kAllLanes, x, step);
    x = other > x ? other : x;
  }
  return x;
}

// Rows of logits become probabilities; none on keys that are not there.
template <int kTiles>
__device__ inline void softmax(Pairs<kTiles>& m, int n, float scale, const float* key_bias, int lane) {
  constexpr float kNone = -HUGE_VALF;
  m.each(lane, [=](float& x, int, int j) { x = j < n ? x * scale + (key_bias ? key_bias[j] : 0.0f) : kNone; });
  float top[kTiles], norm[kTiles];
#pragma unroll
  for (int half = 0; half < kTiles; ++half) top[half] = kNone;
  m.each(lane, [&](float& x, int half, int) { top[half] = x > top[half] ? x : top[half]; });
#pragma unroll
  for (int half = 0; half < kTiles; ++half) {
    top[half] = largest_of_four(top[half]);
    norm[half] = 0;
  }
  m.each(lane, [&](float& x, int half, int) {
    x = exp2_approximate((x - top[half]) * kLog2E);
    norm[half] += x;
  });
#pragma unroll
  for (int half = 0; half < kTiles; ++half) norm[half] = 1.0f / sum_of_four(norm[half]);
  m.each(lane, [&](float& x, int half, int) { x *= norm[half]; });
}

// What probabilities are multiplied by: eight keys are eight bytes of the stream, so that a row is half a block, or one.
template <int kTiles>
__device__ inline void draw_factors(const Dropout& dropout, const Task& task, int batch, float kept,
                                    Pairs<kTiles>& factors) {
  const Stream stream(dropout, task.event, batch);
  const int t = task.lane % 4;
#pragma unroll
  for (int half = 0; half < kTiles; ++half) {
    const int row = task.head * task.n + half * kTileRows + task.lane / 4, first = row * kTiles;  // eights of bytes
    const Words words = stream.block(static_cast<std::uint32_t>(first / 2));
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const bool second = kTiles > 1 ? tile > 0 : first % 2 > 0;
      const std::uint32_t low = second ? words.w[2] : words.w[0], high = second ? words.w[3] : words.w[1];
      const std::uint32_t word = (t < 2 ? low : high) >> (t % 2 * 16);
#pragma unroll
      for (int k = 0; k < 2; ++k)
        factors.x[half][tile][k] = static_cast<int>(word >> (8 * k) & 255) >= dropout.threshold ? kept : 0.0f;
    }
  }
}

template <int kTiles, int kGroups>
__device__ inline void forward_tiles(const Attention<bf16>& a, const Plan<bf16>& plan, const Task& task) {
  const int n = task.n, lane = task.lane, width = plan.width;
  const std::ptrdiff_t d = a.d, row = 3 * d;
  const bf16* base = a.qkv + task.first * row + task.head * width;
  const auto q = load<kTiles, kGroups>({base, row, n, width, lane});
  const auto k = load<kTiles, kGroups>({base + d, row, n, width, lane});
  const auto v = load<kTiles, kGroups>({base + 2 * d, row, n, width, lane});
  Pairs<kTiles> p = products(q, k);
  softmax(p, n, plan.scale, a.key_bias ? a.key_bias + task.first : nullptr, lane);
  if (plan.dropout) {
    Pairs<kTiles> factors;
    draw_factors(a.dropout, task, a.tokens.batch, plan.kept, factors);
    p.multiply(factors);
  }
  combine(Weights<kTiles>(p), v, 1.0f, {a.out + task.first * d + task.head * width, d, n, width, lane});
}

// Formulas: see backward() of attention.h.
template <int kTiles, int kGroups>
__device__ inline void backward_tiles(const AttentionBackward<bf16>& a, const Plan<bf16>& plan, const Task& task) {
  const int n = task.n, lane = task.lane, width = plan.width;
  const std::ptrdiff_t d = a.d, row = 3 * d, start = task.first * row + task.head * width;
  const bf16* base = a.qkv + start;
  const auto q = load<kTiles, kGroups>({base, row, n, width, lane});
  const auto k = load<kTiles, kGroups>({base + d, row, n, width, lane});
  const auto v = load<kTiles, kGroups>({base + 2 * d, row, n, width, lane});
  const auto g = load<kTiles, kGroups>({a.dout + task.first * d + task.head * width, d, n, width, lane});
  Pairs<kTiles> p = products(q, k), dp = products(g, v), factors;
  softmax(p, n, plan.scale, a.key_bias ? a.key_bias + task.first : nullptr, lane);
  factors.each(lane, [](float& x, int, int) { x = 1.0f; });
  if (plan.dropout) draw_factors(a.dropout, task, a.tokens.batch, plan.kept, factors);

  Pairs<kTiles> dropped = p;
  dropped.multiply(factors);
  dp.multiply(factors);
#pragma unroll
  for (int half = 0; half < kTiles; ++half) {
    float sum = 0;
#pragma unroll
    for (int s = 0; s < 2 * kTiles; ++s) sum += p.x[half][s / 2][s % 2] * dp.x[half][s / 2][s % 2];
    sum = sum_of_four(sum);
#pragma unroll
    for (int s = 0; s < 2 * kTiles; ++s) dp.x[half][s / 2][s % 2] -= sum;
  }
  p.multiply(dp);  // now dlogit
  if (a.dkey_bias) {
    float* to = a.dkey_bias + std::ptrdiff_t{task.head} * a.tokens.rows.capacity + task.first;
#pragma unroll
    for (int s = 0; s < 2 * kTiles; ++s) {
      float sum = p.x[0][s / 2][s % 2] + (kTiles > 1 ? p.x[kTiles - 1][s / 2][s % 2] : 0.0f);
#pragma unroll
      for (int step = 4; step < kWarp; step *= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
      const int j = s / 2 * kTileRows + lane % 4 * 2 + s % 2;
      if (lane < 4 && j < n) to[j] = sum;
    }
  }

  bf16* dbase = a.dqkv + start;
  Weights<kTiles> dlogit(p), weights(dropped);
  combine(dlogit, k, plan.scale, {dbase, row, n, width, lane});
  dlogit.transpose();
  combine(dlogit, q, plan.scale, {dbase + d, row, n, width, lane});
  weights.transpose();
  combine(weights, g, 1.0f, {dbase + 2 * d, row, n, width, lane});
}

template <int kGroups>
__global__ void __launch_bounds__(kWarps* kWarp, 6) attention_mma_kernel(const Attention<bf16> a, const Plan<bf16> plan) {
  zero_behind(a.tokens.rows, a.d, a.out);
  const Task task(a.tokens, a.heads, plan.pool);
  if (task.n == 0) return;
  if (task.n <= kTileRows) forward_tiles<1, kGroups>(a, plan, task);
  else if (task.n <= 2 * kTileRows) forward_tiles<2, kGroups>(a, plan, task);
  else forward<bf16, true>(a, plan, task);
}

template <int kGroups>
__global__ void __launch_bounds__(kWarps* kWarp, kGroups > 1 ? 4 : 5)
    attention_backward_mma_kernel(const AttentionBackward<bf16> a, const Plan<bf16> plan) {
  zero_gradients_behind(a);
  const Task task(a.tokens, a.heads, plan.pool);
  if (task.n == 0) return;
  if (task.n <= kTileRows) backward_tiles<1, kGroups>(a, plan, task);
  else if (task.n <= 2 * kTileRows) backward_tiles<2, kGroups>(a, plan, task);
  else backward<bf16, true>(a, plan, task);
}

template <class... Pointers>
bool fits(int d, int heads, Pointers... pointers) {
  const int width = d / heads;
  return width % kChunk == 0 && width <= 2 * kGroup && ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace

bool attention_mma(const Attention<bf16>& op, cudaStream_t stream) {
  if (!fits(op.d, op.heads, op.qkv, op.out)) return false;
  const auto kernel = op.d / op.heads > kGroup ? attention_mma_kernel<2> : attention_mma_kernel<1>;
  start<bf16>("attention", kernel, op, 1, 3, stream);
  return true;
}

bool attention_backward_mma(const AttentionBackward<bf16>& op, cudaStream_t stream) {
  if (!fits(op.d, op.heads, op.qkv, op.dout, op.dqkv)) return false;
  const auto kernel = op.d / op.heads > kGroup ? attention_backward_mma_kernel<2> : attention_backward_mma_kernel<1>;
  start<bf16>("attention backward", kernel, op, 2, 4, stream);
  return true;
}

}  // namespace aclr::cuda
