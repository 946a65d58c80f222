// What is done to rows of tokens besides norms and products: dropout, relu's gradient, sums of columns, pooling.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

// Zeros from number `first` to `last`, by all threads of the grid.
template <class S>
__device__ void clear(S* x, std::size_t first, std::size_t last) {
  const std::size_t step = std::size_t(gridDim.x) * blockDim.x;
  for (std::size_t i = first + std::size_t(blockIdx.x) * blockDim.x + threadIdx.x; i < last; i += step)
    x[i] = stored<S>(Real<S>(0));
}

// The numbers of an event stand in line, so a thread makes one Philox block and uses all of its 16 bytes. A warp an event.
template <class S, int VEC>
__global__ void dropout_kernel(Tokens tokens, int f, S* hidden, Dropout dropout, Real<S> scale) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int e = blockIdx.x * kWarps + warp; e < tokens.events; e += gridDim.x * kWarps) {
    const int first = tokens.offsets[e], numbers = (tokens.offsets[e + 1] - first) * f;
    const DropoutStream stream = stream_of(dropout, tokens, e);
    S* x = hidden + static_cast<std::size_t>(first) * f;
    for (int at = lane * 16; at < numbers; at += kWarp * 16) {
      const Words words = stream.block(at / 16);
#pragma unroll
      for (int k = 0; k < 16; k += VEC) {
        if (at + k >= numbers) continue;
        R y[VEC];
        load<S>(x + at + k, y);
#pragma unroll
        for (int v = 0; v < VEC; ++v) {
          const int byte = words.w[(k + v) / 4] >> (8 * ((k + v) % 4)) & 0xff;
          y[v] *= byte >= dropout.threshold ? scale : R(0);
        }
        store<S>(x + at + k, y);
      }
    }
  }
  clear(hidden, static_cast<std::size_t>(rows_in(tokens.rows)) * f, static_cast<std::size_t>(tokens.rows.capacity) * f);
}

template <class S, int VEC>
__global__ void relu_backward_kernel(Rows rows, int cols, S* dx, const S* out, Real<S> scale) {
  using R = Real<S>;
  const std::size_t filled = static_cast<std::size_t>(rows_in(rows)) * cols, step = std::size_t(gridDim.x) * kBlock * VEC;
  for (std::size_t i = (std::size_t(blockIdx.x) * kBlock + threadIdx.x) * VEC; i < filled; i += step) {
    R d[VEC], y[VEC];
    load<S>(dx + i, d);
    load<S>(out + i, y);
#pragma unroll
    for (int v = 0; v < VEC; ++v) d[v] *= y[v] > R(0) ? scale : R(0);
    store<S>(dx + i, d);
  }
  clear(dx, filled, static_cast<std::size_t>(rows.capacity) * cols);
}

// partials [gridDim.x, cols]
template <class S, int VEC>
__global__ void column_sums_kernel(Rows rows, int cols, const S* x, Real<S>* partials, int lanes) {
  using R = Real<S>;
  __shared__ R sums[kBlock * VEC];
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  const int tile = blockIdx.y * lanes * VEC, first = tile + lane * VEC, count = rows_in(rows);
  R sum[VEC] = {};
  if (first < cols)
#pragma unroll 4
    for (int row = blockIdx.x * groups + group; row < count; row += gridDim.x * groups) {
      R y[VEC];
      load<S>(x + static_cast<std::size_t>(row) * cols + first, y);
#pragma unroll
      for (int v = 0; v < VEC; ++v) sum[v] += y[v];
    }
  sum_groups(sum, lanes, sums, [&](int column, R total) {
    if (tile + column < cols) partials[std::size_t(blockIdx.x) * cols + tile + column] = total;
  });
}

template <class S, int VEC>
void start_column_sums(const Rows& rows, int cols, const S* x, Real<S>* out, const Scratch& scratch, cudaStream_t stream) {
  const int lanes = lanes_for(ceil_div(cols, VEC));
  const dim3 grid(blocks_for(rows.capacity, std::size_t(4) * kBlock / lanes, kPartials), ceil_div(cols, lanes * VEC));
  launch("column sums", column_sums_kernel<S, VEC>, grid, kBlock, 0, stream, rows, cols, x,
         static_cast<Real<S>*>(scratch.data), lanes);
  finish_sums<Real<S>>("column sums", scratch, static_cast<int>(grid.x), cols, out, cols, nullptr, stream);
}

template <class R>
__global__ void key_bias_kernel(Rows rows, int features, const R* x, R* out) {
  const int count = rows_in(rows);
  for (int row = blockIdx.x * kBlock + threadIdx.x; row < rows.capacity; row += gridDim.x * kBlock)
    out[row] = row < count ? R(0.5) * std::log(x[static_cast<std::size_t>(row) * features]) : R(0);
}

template <class R>
__global__ void key_bias_backward_kernel(Rows rows, int heads, int features, const R* x, const R* dkey_bias, R* dfeatures) {
  const int count = rows_in(rows);
  for (int row = blockIdx.x * kBlock + threadIdx.x; row < count; row += gridDim.x * kBlock) {
    R sum = 0;
    for (int h = 0; h < heads; ++h) sum += dkey_bias[static_cast<std::size_t>(h) * rows.capacity + row];
    const std::size_t at = static_cast<std::size_t>(row) * features;
    dfeatures[at] += R(0.5) * sum / x[at];
  }
}

// A group an event, which adds its rows one after another.
template <class S, int VEC>
__global__ void pool_kernel(Pool<S> a, int lanes) {
  using R = Real<S>;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  for (int e = blockIdx.x * groups + group; e < a.tokens.events; e += gridDim.x * groups) {
    const int begin = a.tokens.offsets[e], end = a.tokens.offsets[e + 1];
    for (int first = lane * VEC; first < a.d; first += lanes * VEC) {
      R sum[VEC] = {};
#pragma unroll 4
      for (int row = begin; row < end; ++row) {
        const R weight = a.features ? a.features[static_cast<std::size_t>(row) * a.feature_count] : R(1);
        R x[VEC];
        load<S>(a.x + static_cast<std::size_t>(row) * a.d + first, x);
#pragma unroll
        for (int v = 0; v < VEC; ++v) sum[v] += weight * x[v];
      }
      R* to = a.reps + static_cast<std::size_t>(e) * a.rep_row + first;
#pragma unroll
      for (int v = 0; v < VEC; ++v) to[v] = sum[v];
    }
  }
}

template <class S, int VEC>
__global__ void pool_backward_kernel(PoolBackward<S> a, int lanes) {
  using R = Real<S>;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  const int count = rows_in(a.tokens.rows), capacity = a.tokens.rows.capacity;
  for (int start = blockIdx.x * groups; start < capacity; start += gridDim.x * groups) {
    const int row = start + group;
    const bool filled = row < count;
    const R* dreps = filled ? a.dreps + static_cast<std::size_t>(a.tokens.event[row]) * a.rep_row : nullptr;
    const R weight = filled && a.features ? a.features[static_cast<std::size_t>(row) * a.feature_count] : R(1);
    R inner = 0;  // dreps . x
    for (int first = lane * VEC; first < a.d && row < capacity; first += lanes * VEC) {
      const std::size_t at = static_cast<std::size_t>(row) * a.d + first;
      R d[VEC] = {};
      if (filled) {
#pragma unroll
        for (int v = 0; v < VEC; ++v) d[v] = dreps[first + v];
        if (a.dfeatures && a.features) {
          R x[VEC];
          load<S>(a.x + at, x);
#pragma unroll
          for (int v = 0; v < VEC; ++v) inner += d[v] * x[v];
        }
#pragma unroll
        for (int v = 0; v < VEC; ++v) d[v] *= weight;
      }
      store<S>(a.dtoken + at, d);
    }
    if (!a.dfeatures) continue;
    inner = group_sum(inner, lanes);
    if (row >= capacity) continue;
    for (int j = lane; j < a.feature_count; j += lanes)
      a.dfeatures[static_cast<std::size_t>(row) * a.feature_count + j] = j == 0 ? inner : R(0);
  }
}

}  // namespace

template <class S>
void dropout(const Tokens& tokens, int f, S* hidden, const Dropout& drop, cudaStream_t stream) {
  if (drop.threshold <= 0) return;
  const bool wide = in_vectors<S>(kVector<S>, f, {hidden});
  launch("dropout", wide ? dropout_kernel<S, kVector<S>> : dropout_kernel<S, 1>, blocks_for(tokens.events, kWarps), kBlock,
         0, stream, tokens, f, hidden, drop, keep_scale(drop.threshold));
}

template <class S>
void relu_backward(Rows rows, int cols, S* dx, const S* out, double scale, cudaStream_t stream) {
  const bool wide = in_vectors<S>(kVector<S>, cols, {dx, out});
  const std::size_t share = std::size_t(4) * kBlock * (wide ? kVector<S> : 1);
  launch("relu, backward", wide ? relu_backward_kernel<S, kVector<S>> : relu_backward_kernel<S, 1>,
         blocks_for(static_cast<std::size_t>(rows.capacity) * cols, share, 4 * kMostBlocks), kBlock, 0, stream, rows, cols,
         dx, out, scale);
}

template <class S>
void column_sums(Rows rows, int cols, const S* x, Real<S>* out, Scratch scratch, cudaStream_t stream) {
  if (in_vectors<S>(kVector<S>, cols, {x})) start_column_sums<S, kVector<S>>(rows, cols, x, out, scratch, stream);
  else start_column_sums<S, 1>(rows, cols, x, out, scratch, stream);
}

template <class R>
void key_bias(Rows rows, int features, const R* x, R* out, cudaStream_t stream) {
  launch("key bias", key_bias_kernel<R>, blocks_for(rows.capacity, kBlock), kBlock, 0, stream, rows, features, x, out);
}

template <class R>
void key_bias_backward(Rows rows, int heads, int features, const R* x, const R* dkey_bias, R* dfeatures,
                       cudaStream_t stream) {
  launch("key bias, backward", key_bias_backward_kernel<R>, blocks_for(rows.capacity, kBlock), kBlock, 0, stream, rows,
         heads, features, x, dkey_bias, dfeatures);
}

template <class S>
void pool(const Pool<S>& a, cudaStream_t stream) {
  const bool wide = in_vectors<S>(kVector<S>, a.d, {a.x});
  const int lanes = lanes_for(ceil_div(a.d, wide ? kVector<S> : 1));
  launch("pooling", wide ? pool_kernel<S, kVector<S>> : pool_kernel<S, 1>, blocks_for(a.tokens.events, kBlock / lanes),
         kBlock, 0, stream, a, lanes);
}

template <class S>
void pool_backward(const PoolBackward<S>& a, cudaStream_t stream) {
  const bool wide = in_vectors<S>(kVector<S>, a.d, {a.x, a.dtoken});
  const int lanes = lanes_for(ceil_div(a.d, wide ? kVector<S> : 1));
  launch("pooling, backward", wide ? pool_backward_kernel<S, kVector<S>> : pool_backward_kernel<S, 1>,
         blocks_for(a.tokens.rows.capacity, kBlock / lanes), kBlock, 0, stream, a, lanes);
}

#define ACLR_INSTANTIATE(S)                                                              \
  template void dropout(const Tokens&, int, S*, const Dropout&, cudaStream_t);           \
  template void relu_backward(Rows, int, S*, const S*, double, cudaStream_t);            \
  template void column_sums(Rows, int, const S*, Real<S>*, Scratch, cudaStream_t);       \
  template void pool(const Pool<S>&, cudaStream_t);                                      \
  template void pool_backward(const PoolBackward<S>&, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
ACLR_INSTANTIATE(bf16)
#undef ACLR_INSTANTIATE

#define ACLR_INSTANTIATE(R)                                         \
  template void key_bias(Rows, int, const R*, R*, cudaStream_t);    \
  template void key_bias_backward(Rows, int, int, const R*, const R*, R*, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
#undef ACLR_INSTANTIATE

}  // namespace aclr::cuda
