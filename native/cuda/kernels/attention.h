// Attention of one event and head by one warp, for any numbers and shapes: for attention.cu and attention_mma.cu.
// The warp has a pool of shared memory, of the same size for all and laid out for the event at hand:
//   logits [n, stride] of Real, a second such matrix in the backward, bytes of dropout, rows of q, k, v (and dout) of S
// Rows are staged whole where the pool holds them, else in pieces of their columns, so that heads may be of any width.
#pragma once
#include <type_traits>

#include "core/math.h"
#include "core/rng.h"
#include "cuda/kernels/ops.h"
#include "cuda/launch.h"
#include "kernels/ops.h"

namespace aclr::cuda::attention_warp {

// Four numbers next to each other: what a lane loads, multiplies and stores at once.
constexpr int kUnit = 4;

template <class R>
struct Four {
  R x[kUnit];
};

__device__ inline Four<float> load_four(const float* from) {
  const float4 v = *reinterpret_cast<const float4*>(from);
  return {{v.x, v.y, v.z, v.w}};
}
__device__ inline Four<double> load_four(const double* from) {
  const double2 a = reinterpret_cast<const double2*>(from)[0], b = reinterpret_cast<const double2*>(from)[1];
  return {{a.x, a.y, b.x, b.y}};
}
__device__ inline Four<float> load_four(const bf16* from) {
  const uint2 v = *reinterpret_cast<const uint2*>(from);
  return {{math::from_bits(v.x << 16), math::from_bits(v.x & 0xffff0000u), math::from_bits(v.y << 16),
           math::from_bits(v.y & 0xffff0000u)}};
}
__device__ inline void store_four(float* to, const Four<float>& v) {
  *reinterpret_cast<float4*>(to) = make_float4(v.x[0], v.x[1], v.x[2], v.x[3]);
}
__device__ inline void store_four(double* to, const Four<double>& v) {
  reinterpret_cast<double2*>(to)[0] = make_double2(v.x[0], v.x[1]);
  reinterpret_cast<double2*>(to)[1] = make_double2(v.x[2], v.x[3]);
}
__device__ inline std::uint32_t two_bf16(float low, float high) {
  return __bfloat16_as_ushort(stored<bf16>(low)) | std::uint32_t{__bfloat16_as_ushort(stored<bf16>(high))} << 16;
}
__device__ inline void store_four(bf16* to, const Four<float>& v) {
  *reinterpret_cast<uint2*>(to) = make_uint2(two_bf16(v.x[0], v.x[1]), two_bf16(v.x[2], v.x[3]));
}

// a / b of whole numbers, 0 <= a < 2^20: a division as such takes many instructions.
__device__ inline int quotient(int a, int b) {
  return static_cast<int>(__fdividef(static_cast<float>(a) + 0.5f, static_cast<float>(b)));
}

// ---- the pool of a warp -----------------------------------------------------------------------------------------------

// An odd count of units, so that the rows of a matrix begin in different banks.
__host__ __device__ inline int odd_units(int columns) { return ceil_div(columns, kUnit) | 1; }

// Bytes of the pool before the rows: `matrices` of [n, n], and dropout's, which are drawn 16 at a time.
template <class R>
__host__ __device__ inline int matrix_bytes(int n) {
  return n * odd_units(n) * kUnit * static_cast<int>(sizeof(R));
}
__host__ __device__ inline int keep_bytes(int n) { return (n * padded_keys(n) + 31) / 16 * 16; }

// What the host says about a kernel.
template <class S>
struct Plan {
  static constexpr int kUnitBytes = kUnit * static_cast<int>(sizeof(S));

  int width;           // of a head
  int matrices, rows;  // how many matrices, and kinds of rows
  bool dropout;
  int pool;          // bytes
  Real<S> scale;     // of logits
  Real<S> kept;      // factor of what dropout keeps

  __host__ __device__ int before_rows(int n) const {
    return matrices * matrix_bytes<Real<S>>(n) + (dropout ? keep_bytes(n) : 0);
  }
  __host__ __device__ int bytes(int n, int units) const { return before_rows(n) + rows * n * units * kUnitBytes; }
  // Units of a row that the pool has room for, at most `wanted`, an odd number.
  __device__ int units(int n, int wanted) const {
    if (bytes(n, wanted) <= pool) return wanted;
    return ((pool - before_rows(n)) / (rows * n * kUnitBytes) - 1) | 1;
  }
};

// Whole rows of events of 16 tokens; of larger ones as much as that gives, but some units at least.
constexpr int kUsualTokens = 16, kFewestUnits = 3, kWarps = 4;

template <class S>
int pool_bytes(const Plan<S>& plan, int most, int width) {
  const int most_tokens = most < 1 ? 1 : most, usual = most_tokens < kUsualTokens ? most_tokens : kUsualTokens;
  const int whole = plan.bytes(usual, odd_units(width)), needed = plan.bytes(most_tokens, kFewestUnits);
  constexpr int kShare = static_cast<int>(kMostShared) / kWarps - 15;
  const int bytes = whole < kShare ? whole : kShare;
  return ceil_div(needed > bytes ? needed : bytes, 16) * 16;
}

// ---- what both directions are made of -----------------------------------------------------------------------------------

// How lanes share rows of some units: lane -> (row, unit), and the steps in either.
struct Lanes {
  int row, unit, rows, units;

  __device__ Lanes(int lane, int row_units) {
    units = row_units < kWarp ? row_units : kWarp;
    rows = quotient(kWarp, units);
    row = quotient(lane, units);
    unit = lane - row * units;
    if (row >= rows) row = 1 << 20;  // to spare
  }
};

// Rows [n, width] of memory, `row` apart; kWide: each unit lies as wide loads and stores want it.
template <class S, bool kWide>
struct Matrix {
  using R = Real<std::remove_const_t<S>>;
  S* data;
  std::ptrdiff_t row;

  __device__ Four<R> load(int i, int column, int width) const {
    const S* from = data + i * row + column;
    if constexpr (kWide) {
      return load_four(from);
    } else {
      Four<R> v{};
      for (int k = 0; k < kUnit; ++k)
        if (column + k < width) v.x[k] = real(from[k]);
      return v;
    }
  }
  __device__ void store(int i, int column, int width, const Four<R>& v) const {
    S* to = data + i * row + column;
    if constexpr (kWide) {
      store_four(to, v);
    } else {
      for (int k = 0; k < kUnit; ++k)
        if (column + k < width) to[k] = stored<S>(v.x[k]);
    }
  }
};

// Units first .. of `kCount` matrices to rows in shared memory; zeros behind the last column. One of several loads before
// the first store, as the memory is far.
template <int kCount, class S, bool kWide>
__device__ inline void stage(const Matrix<const S, kWide> (&from)[kCount], int n, int first, int units, int width, int lane,
                             S* const (&to)[kCount], int stride) {
  const int left = ceil_div(width, kUnit) - first, count = left < units ? left : units;
  const Lanes lanes(lane, count);
  for (int i = lanes.row; i < n; i += lanes.rows)
    for (int u = lanes.unit; u < count; u += lanes.units) {
      Four<Real<S>> v[kCount];
#pragma unroll
      for (int m = 0; m < kCount; ++m) v[m] = from[m].load(i, (first + u) * kUnit, width);
#pragma unroll
      for (int m = 0; m < kCount; ++m) store_four(to[m] + (i * stride + u) * kUnit, v[m]);
    }
}

// m[i][j] = (add ? m[i][j] : 0) + a_i . b_j. Lanes take tiles of 2 x 2, several lanes a tile where there are few.
template <class S>
__device__ inline void products(const S* a, const S* b, int n, int units, int stride, bool add, int lane, Real<S>* m,
                                int m_row) {
  using R = Real<S>;
  const int side = (n + 1) / 2, tiles = side * side;
  int shift = 0;
  while (tiles << (shift + 1) <= kWarp && 2 << shift <= units) ++shift;
  const int split = 1 << shift, part = lane & (split - 1), group = lane >> shift, at_once = kWarp >> shift;
  for (int first = 0; first < tiles; first += at_once) {
    const int tile = first + group, row = quotient(tile, side), i = row * 2, j = (tile - row * side) * 2;
    const bool mine = tile < tiles;
    const int i0 = mine ? i : 0, j0 = mine ? j : 0, i1 = i0 + 1 < n ? i0 + 1 : i0, j1 = j0 + 1 < n ? j0 + 1 : j0;
    R sum[2][2] = {};
    for (int u = part; u < units; u += split) {
      const Four<R> x[2] = {load_four(a + (i0 * stride + u) * kUnit), load_four(a + (i1 * stride + u) * kUnit)};
      const Four<R> y[2] = {load_four(b + (j0 * stride + u) * kUnit), load_four(b + (j1 * stride + u) * kUnit)};
#pragma unroll
      for (int r = 0; r < 2; ++r)
#pragma unroll
        for (int c = 0; c < 2; ++c)
#pragma unroll
          for (int k = 0; k < kUnit; ++k) sum[r][c] += x[r].x[k] * y[c].x[k];
    }
    for (int step = split / 2; step > 0; step /= 2)
#pragma unroll
      for (int s = 0; s < 4; ++s) sum[s / 2][s % 2] += __shfl_xor_sync(kAllLanes, sum[s / 2][s % 2], step);
    if (mine && part == 0)
#pragma unroll
      for (int s = 0; s < 4; ++s) {
        const int r = i + s / 2, c = j + s % 2;
        if (r >= n || c >= n) continue;
        R& to = m[r * m_row + c];
        to = add ? to + sum[s / 2][s % 2] : sum[s / 2][s % 2];
      }
  }
}

// out_i = factor sum_j m[i][j] x_j, or of m[j][i] where transposed, for the staged units of x; two rows a lane at once.
template <bool kTransposed, class S, bool kWide>
__device__ inline void combine(const Real<S>* m, int m_row, const S* x, int n, int first, int units, int stride, int width,
                               Real<S> factor, int lane, const Matrix<S, kWide>& out) {
  using R = Real<S>;
  const int left = ceil_div(width, kUnit) - first, count = left < units ? left : units;
  const Lanes lanes(lane, count);
  const int step = kTransposed ? m_row : 1, row_step = kTransposed ? 1 : m_row;
  for (int i = lanes.row; i < n; i += 2 * lanes.rows) {
    const bool both = i + lanes.rows < n;
    const R *m0 = m + i * row_step, *m1 = both ? m0 + lanes.rows * row_step : m0;
    for (int u = lanes.unit; u < count; u += lanes.units) {
      Four<R> sum[2] = {};
#pragma unroll 4
      for (int j = 0; j < n; ++j) {
        const Four<R> y = load_four(x + (j * stride + u) * kUnit);
        const R a = m0[j * step], b = m1[j * step];
#pragma unroll
        for (int k = 0; k < kUnit; ++k) {
          sum[0].x[k] += a * y.x[k];
          sum[1].x[k] += b * y.x[k];
        }
      }
#pragma unroll
      for (int k = 0; k < kUnit; ++k) {
        sum[0].x[k] *= factor;
        sum[1].x[k] *= factor;
      }
      const int column = (first + u) * kUnit;
      out.store(i, column, width, sum[0]);
      if (both) out.store(i + lanes.rows, column, width, sum[1]);
    }
  }
}

// The random numbers of dropout of an event.
class Stream {
 public:
  __device__ Stream(const Dropout& dropout, int event, int batch) : input_(*dropout.input) {
    const std::uint32_t view = static_cast<std::uint32_t>(event) / static_cast<std::uint32_t>(batch);
    id_ = dropout.ids[event - static_cast<int>(view) * batch];
    stream_ = stream_id(Purpose::kDropout, view, static_cast<std::uint32_t>(dropout.site));
  }
  __device__ Words block(std::uint32_t number) const {
    return philox4x32({{number, stream_, id_, input_.epoch}}, input_.key0, input_.key1);
  }

 private:
  const StepInput& input_;
  std::uint32_t id_, stream_;
};

// Bytes of dropout of one event and head, drawn in whole blocks: those of (i, j) stand at i * padded_keys(n) + j of what is
// returned.
__device__ inline const std::uint8_t* draw(const Dropout& dropout, int event, int batch, int head, int n, int lane,
                                           std::uint8_t* to) {
  const int count = n * padded_keys(n), first = head * count, shift = first % 16;
  const Stream stream(dropout, event, batch);
  for (int b = lane; b * 16 < shift + count; b += kWarp) {
    const Words w = stream.block(static_cast<std::uint32_t>(first / 16 + b));
    reinterpret_cast<uint4*>(to)[b] = make_uint4(w.w[0], w.w[1], w.w[2], w.w[3]);
  }
  return to + shift;
}

// Groups of four lanes take rows, eight at once.
template <class R>
__device__ inline R sum_of_four(R x) {
  x += __shfl_xor_sync(kAllLanes, x, 1);
  return x + __shfl_xor_sync(kAllLanes, x, 2);
}

// m <- softmax of (m scale + key_bias), and `drop(i, j, probability)` of that.
template <class R, class Drop>
__device__ inline void softmax(R* m, int m_row, int n, R scale, const R* key_bias, int lane, const Drop& drop) {
  constexpr R kNone = -static_cast<R>(HUGE_VALF);
  for (int first = 0; first < n; first += kWarp / 4) {
    const int i = first + lane / 4, end = i < n ? n : 0;
    R* row = m + i * m_row;
    R top = kNone;
    for (int j = lane % 4; j < end; j += 4) {
      const R logit = row[j] * scale + (key_bias ? key_bias[j] : R(0));
      row[j] = logit;
      top = logit > top ? logit : top;
    }
    for (int step = 1; step < 4; step *= 2) {
      const R other = __shfl_xor_sync(kAllLanes, top, step);
      top = other > top ? other : top;
    }
    R sum = 0;
    for (int j = lane % 4; j < end; j += 4) {
      row[j] = math::exp(row[j] - top);
      sum += row[j];
    }
    const R norm = R(1) / sum_of_four(sum);
    for (int j = lane % 4; j < end; j += 4) row[j] = drop(i, j, row[j] * norm);
  }
}

// With p before and f p after dropout, and dp the gradient of the latter: p <- p (f dp - sum_j p f dp), dp <- f p.
template <class R, class Factor>
__device__ inline void softmax_backward(R* p, R* dp, int m_row, int n, int lane, const Factor& factor) {
  for (int first = 0; first < n; first += kWarp / 4) {
    const int i = first + lane / 4, end = i < n ? n : 0;
    R sum = 0;
    for (int j = lane % 4; j < end; j += 4) sum += p[i * m_row + j] * (factor(i, j) * dp[i * m_row + j]);
    sum = sum_of_four(sum);
    for (int j = lane % 4; j < end; j += 4) {
      const R probability = p[i * m_row + j], f = factor(i, j);
      p[i * m_row + j] = probability * (f * dp[i * m_row + j] - sum);
      dp[i * m_row + j] = f * probability;
    }
  }
}

template <class R>
__device__ inline void sum_columns(const R* m, int m_row, int n, int lane, R* out) {
  for (int j = lane; j < n; j += kWarp) {
    R sum = 0;
    for (int i = 0; i < n; ++i) sum += m[i * m_row + j];
    out[j] = sum;
  }
}

template <class S>
__device__ inline void zero_behind(const Rows& rows, std::ptrdiff_t columns, S* x) {
  const std::ptrdiff_t end = rows.capacity * columns, step = std::ptrdiff_t{gridDim.x} * blockDim.x;
  const std::ptrdiff_t mine = std::ptrdiff_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::ptrdiff_t i = rows_in(rows) * columns + mine; i < end; i += step) x[i] = stored<S>(0);
}

template <class S>
__device__ inline void zero_gradients_behind(const AttentionBackward<S>& a) {
  const Rows& rows = a.tokens.rows;
  zero_behind(rows, 3 * std::ptrdiff_t{a.d}, a.dqkv);
  if (a.dkey_bias)
    for (int h = 0; h < a.heads; ++h) zero_behind(rows, 1, a.dkey_bias + std::ptrdiff_t{h} * rows.capacity);
}

// ---- one event and head -------------------------------------------------------------------------------------------------

// Which event and head a warp has, and where its pool lies.
struct Task {
  int lane, event, head, first, n;
  unsigned char* pool;

  __device__ Task(const Tokens& tokens, int heads, int bytes) {
    lane = static_cast<int>(threadIdx.x) % kWarp;
    const int warp = static_cast<int>(threadIdx.x) / kWarp, warps = static_cast<int>(blockDim.x) / kWarp;
    const unsigned task = blockIdx.x * static_cast<unsigned>(warps) + static_cast<unsigned>(warp);
    event = static_cast<int>(task / static_cast<unsigned>(heads));
    head = static_cast<int>(task) - event * heads;
    first = event < tokens.events ? tokens.offsets[event] : 0;
    n = event < tokens.events ? tokens.offsets[event + 1] - first : 0;
    pool = dynamic_shared<unsigned char>() + warp * bytes;
  }
};

template <class S, bool kWide>
__device__ inline void forward(const Attention<S>& a, const Plan<S>& plan, const Task& task) {
  using R = Real<S>;
  const int n = task.n, lane = task.lane, d = a.d, width = plan.width;
  const int m_row = odd_units(n) * kUnit, all = odd_units(width), stride = plan.units(n, all);
  R* m = reinterpret_cast<R*>(task.pool);
  std::uint8_t* bytes_of_keep = task.pool + matrix_bytes<R>(n);
  S* q = reinterpret_cast<S*>(task.pool + plan.before_rows(n));
  S *k = q + n * stride * kUnit, *v = k + n * stride * kUnit;
  const S* base = a.qkv + std::ptrdiff_t{task.first} * 3 * d + task.head * width;
  const std::ptrdiff_t row = 3 * std::ptrdiff_t{d};
  const Matrix<const S, kWide> from[3] = {{base, row}, {base + d, row}, {base + 2 * d, row}};
  const Matrix<S, kWide> out{a.out + std::ptrdiff_t{task.first} * d + task.head * width, d};
  const bool whole = stride == all, drops = a.dropout.threshold > 0;
  const int units = ceil_div(width, kUnit);

  if (whole) stage<3, S, kWide>(from, n, 0, units, width, lane, {q, k, v}, stride);
  const std::uint8_t* keep = nullptr;
  if (drops) keep = draw(a.dropout, task.event, a.tokens.batch, task.head, n, lane, bytes_of_keep);
  for (int u = 0; u < units; u += stride) {
    if (!whole) {
      __syncwarp();
      stage<2, S, kWide>({from[0], from[1]}, n, u, stride, width, lane, {q, k}, stride);
    }
    __syncwarp();
    products(q, k, n, units - u < stride ? units - u : stride, stride, u > 0, lane, m, m_row);
  }
  __syncwarp();
  const int padded = padded_keys(n), threshold = a.dropout.threshold;
  const R kept = plan.kept;
  softmax(m, m_row, n, plan.scale, a.key_bias ? a.key_bias + task.first : nullptr, lane,
          [=](int i, int j, R p) { return !drops ? p : keep[i * padded + j] >= threshold ? p * kept : R(0); });
  for (int u = 0; u < units; u += stride) {
    __syncwarp();
    if (!whole) {
      stage<1, S, kWide>({from[2]}, n, u, stride, width, lane, {v}, stride);
      __syncwarp();
    }
    combine<false, S, kWide>(m, m_row, v, n, u, stride, stride, width, R(1), lane, out);
  }
}

// dp_ij = dout_i . v_j; then, with dlogit and f p as softmax_backward leaves them,
//   dv_j = sum_i f p dout_i,  dq_i = scale sum_j dlogit k_j,  dk_j = scale sum_i dlogit q_i
template <class S, bool kWide>
__device__ inline void backward(const AttentionBackward<S>& a, const Plan<S>& plan, const Task& task) {
  using R = Real<S>;
  const int n = task.n, lane = task.lane, d = a.d, width = plan.width;
  const int m_row = odd_units(n) * kUnit, all = odd_units(width), stride = plan.units(n, all);
  R *p = reinterpret_cast<R*>(task.pool), *dp = p + n * m_row;
  std::uint8_t* bytes_of_keep = task.pool + 2 * matrix_bytes<R>(n);
  S* q = reinterpret_cast<S*>(task.pool + plan.before_rows(n));
  S *k = q + n * stride * kUnit, *v = k + n * stride * kUnit, *g = v + n * stride * kUnit;
  const std::ptrdiff_t row = 3 * std::ptrdiff_t{d}, start = task.first * row + task.head * width;
  const S* base = a.qkv + start;
  const Matrix<const S, kWide> from[3] = {{base, row}, {base + d, row}, {base + 2 * d, row}};
  const Matrix<const S, kWide> dout{a.dout + std::ptrdiff_t{task.first} * d + task.head * width, d};
  const bool whole = stride == all, drops = a.dropout.threshold > 0;
  const int units = ceil_div(width, kUnit);
  const R scale = plan.scale;

  if (whole) stage<4, S, kWide>({from[0], from[1], from[2], dout}, n, 0, units, width, lane, {q, k, v, g}, stride);
  const std::uint8_t* keep = nullptr;
  if (drops) keep = draw(a.dropout, task.event, a.tokens.batch, task.head, n, lane, bytes_of_keep);
  for (int u = 0; u < units; u += stride) {
    if (!whole) {
      __syncwarp();
      stage<4, S, kWide>({from[0], from[1], from[2], dout}, n, u, stride, width, lane, {q, k, v, g}, stride);
    }
    __syncwarp();
    const int count = units - u < stride ? units - u : stride;
    products(q, k, n, count, stride, u > 0, lane, p, m_row);
    products(g, v, n, count, stride, u > 0, lane, dp, m_row);
  }
  __syncwarp();
  softmax(p, m_row, n, scale, a.key_bias ? a.key_bias + task.first : nullptr, lane, [](int, int, R x) { return x; });

  const int padded = padded_keys(n), threshold = a.dropout.threshold;
  const R kept = plan.kept;
  softmax_backward(p, dp, m_row, n, lane, [=](int i, int j) {
    return !drops ? R(1) : keep[i * padded + j] >= threshold ? kept : R(0);
  });
  __syncwarp();
  if (a.dkey_bias)
    sum_columns(p, m_row, n, lane, a.dkey_bias + std::ptrdiff_t{task.head} * a.tokens.rows.capacity + task.first);

  S* dbase = a.dqkv + start;
  for (int u = 0; u < units; u += stride) {
    if (!whole) {
      __syncwarp();
      stage<3, S, kWide>({from[0], from[1], dout}, n, u, stride, width, lane, {q, k, g}, stride);
      __syncwarp();
    }
    combine<false, S, kWide>(p, m_row, k, n, u, stride, stride, width, scale, lane, {dbase, row});
    combine<true, S, kWide>(p, m_row, q, n, u, stride, stride, width, scale, lane, {dbase + d, row});
    combine<true, S, kWide>(dp, m_row, g, n, u, stride, stride, width, R(1), lane, {dbase + 2 * d, row});
  }
}

// ---- launches ---------------------------------------------------------------------------------------------------------

template <class... S>
bool all_wide(int d, int heads, const S*... pointers) {
  const auto aligned = [](const void* pointer, std::size_t bytes) {
    return reinterpret_cast<std::uintptr_t>(pointer) % (bytes < 16 ? bytes : 16) == 0;
  };
  return d / heads % kUnit == 0 && (aligned(pointers, kUnit * sizeof(S)) && ...);
}

template <class S, class Op>
void start(const char* name, void (*kernel)(Op, Plan<S>), const Op& op, int matrices, int rows, cudaStream_t stream) {
  const int width = op.d / op.heads, threshold = op.dropout.threshold;
  Plan<S> plan{width, matrices, rows, threshold > 0, 0, Real<S>(1) / math::sqrt(Real<S>(width)),
               static_cast<Real<S>>(keep_scale(threshold))};
  plan.pool = pool_bytes(plan, op.tokens.most, width);
  const int fit = static_cast<int>(kMostShared) / plan.pool, warps = fit < kWarps ? fit : kWarps;
  const long long tasks = static_cast<long long>(op.tokens.events) * op.heads;
  const unsigned blocks = static_cast<unsigned>(tasks > 0 ? ceil_div<long long>(tasks, warps) : 1);
  launch(name, kernel, dim3(blocks), dim3(static_cast<unsigned>(warps * kWarp)), static_cast<std::size_t>(warps) * plan.pool,
         stream, op, plan);
}

}  // namespace aclr::cuda::attention_warp
