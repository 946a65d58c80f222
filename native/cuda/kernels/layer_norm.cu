// Residual sum, dropout and layer norm of tokens in one pass over memory, and its gradient.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

template <class S>
Real<S> scale_of(const Dropout& dropout) {
  return static_cast<Real<S>>(keep_scale(dropout.threshold));
}

// Rows that fit the registers of a group: CHUNKS vectors a lane. Dynamic shared memory: random bytes of each group's row.
template <class S, int VEC, int CHUNKS>
__global__ void __launch_bounds__(kBlock) layer_norm_kernel(LayerNorm<S> a, int lanes, Real<S> scale) {
  using R = Real<S>;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes, d = a.d;
  const int count = rows_in(a.tokens.rows), threshold = a.dropout.threshold;
  std::uint8_t* place = dynamic_shared<std::uint8_t>() + group * row_bytes(d);
  R gain[CHUNKS][VEC], offset[CHUNKS][VEC];
#pragma unroll
  for (int c = 0; c < CHUNKS; ++c)
#pragma unroll
    for (int v = 0; v < VEC; ++v) {
      const int i = (c * lanes + lane) * VEC + v;
      gain[c][v] = i < d ? a.gain[i] : R(0);
      offset[c][v] = i < d ? a.offset[i] : R(0);
    }
  // all groups of a block walk together, as sums take whole warps
  for (int start = blockIdx.x * groups; start < a.tokens.rows.capacity; start += gridDim.x * groups) {
    const int row = start + group;
    const bool filled = row < count;
    const std::size_t at = static_cast<std::size_t>(row) * d;
    const std::uint8_t* bytes = place;
    if (threshold > 0) {
      __syncwarp();
      if (filled) bytes = draw_row(a.dropout, a.tokens, row, d, lane, lanes, place);
      __syncwarp();
    }
    R s[CHUNKS][VEC];
    R sum = 0;
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int i = (c * lanes + lane) * VEC;
#pragma unroll
      for (int v = 0; v < VEC; ++v) s[c][v] = 0;
      if (!filled || i >= d) continue;
      load<S>(a.x + at + i, s[c]);
      if (a.branch) {
        R branch[VEC], factor[VEC];
        load<S>(a.branch + at + i, branch);
        if (threshold > 0) keep_factors(bytes + i, threshold, scale, factor);
#pragma unroll
        for (int v = 0; v < VEC; ++v) s[c][v] += threshold > 0 ? branch[v] * factor[v] : branch[v];
      }
#pragma unroll
      for (int v = 0; v < VEC; ++v) sum += s[c][v];
    }
    const R mean = group_sum(sum, lanes) / R(d);
    R square = 0;
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c)
#pragma unroll
      for (int v = 0; v < VEC; ++v)
        if ((c * lanes + lane) * VEC < d) square += (s[c][v] - mean) * (s[c][v] - mean);
    const R rstd = R(1) / math::sqrt(group_sum(square, lanes) / R(d) + R(1e-5));
    if (row >= a.tokens.rows.capacity) continue;
    if (a.rstd && lane == 0) a.rstd[row] = filled ? rstd : R(0);
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int i = (c * lanes + lane) * VEC;
      if (i >= d) continue;
      R out[VEC];
#pragma unroll
      for (int v = 0; v < VEC; ++v) {
        s[c][v] = filled ? (s[c][v] - mean) * rstd : R(0);
        out[v] = filled ? s[c][v] * gain[c][v] + offset[c][v] : R(0);
      }
      if (a.normal) store<S>(a.normal + at + i, s[c]);
      store<S>(a.out + at + i, out);
    }
  }
}

// Rows of any length, a warp each. Dynamic shared memory of a warp: the sum before the norm [d], and random bytes.
template <class S>
__global__ void layer_norm_wide_kernel(LayerNorm<S> a, std::size_t warp_bytes, Real<S> scale) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp, d = a.d;
  const int count = rows_in(a.tokens.rows), threshold = a.dropout.threshold;
  std::uint8_t* shared = dynamic_shared<std::uint8_t>() + warp * warp_bytes;
  R* s = reinterpret_cast<R*>(shared + row_bytes(d));
  for (int row = blockIdx.x * warps + warp; row < a.tokens.rows.capacity; row += gridDim.x * warps) {
    const std::size_t at = static_cast<std::size_t>(row) * d;
    if (row >= count) {
      for (int i = lane; i < d; i += kWarp) {
        if (a.normal) a.normal[at + i] = stored<S>(R(0));
        a.out[at + i] = stored<S>(R(0));
      }
      if (a.rstd && lane == 0) a.rstd[row] = 0;
      continue;
    }
    const std::uint8_t* bytes = shared;
    if (threshold > 0) {
      __syncwarp();
      bytes = draw_row(a.dropout, a.tokens, row, d, lane, kWarp, shared);
      __syncwarp();
    }
    for (int i = lane; i < d; i += kWarp) {
      R branch = a.branch ? real(a.branch[at + i]) : R(0);
      if (threshold > 0) branch *= bytes[i] >= threshold ? scale : R(0);
      s[i] = real(a.x[at + i]) + branch;
    }
    // each lane reads again only what it wrote
    const R rstd = normalise_row<R>(d, [&](int i) { return s[i]; }, [&](int i, R normal) {
      if (a.normal) a.normal[at + i] = stored<S>(normal);
      a.out[at + i] = stored<S>(normal * a.gain[i] + a.offset[i]);
    });
    if (a.rstd && lane == 0) a.rstd[row] = rstd;
  }
}

template <class S, int VEC, int CHUNKS>
void start_layer_norm(const LayerNorm<S>& a, int lanes, cudaStream_t stream) {
  const int groups = kBlock / lanes;
  const std::size_t shared = a.dropout.threshold > 0 ? std::size_t(groups) * row_bytes(a.d) : 0;
  launch("layer norm", layer_norm_kernel<S, VEC, CHUNKS>, blocks_for(a.tokens.rows.capacity, groups), kBlock, shared, stream,
         a, lanes, scale_of<S>(a.dropout));
}

template <class S>
void start_layer_norm_wide(const LayerNorm<S>& a, cudaStream_t stream) {
  const std::size_t warp_bytes = ceil_div<std::size_t>(row_bytes(a.d) + a.d * sizeof(Real<S>), 16) * 16;
  const int warps = warps_for(warp_bytes);
  launch("layer norm", layer_norm_wide_kernel<S>, blocks_for(a.tokens.rows.capacity, warps), warps * kWarp,
         warps * warp_bytes, stream, a, warp_bytes, scale_of<S>(a.dropout));
}

template <class S, int VEC>
void pick_layer_norm(const LayerNorm<S>& a, cudaStream_t stream) {
  const int lanes = lanes_for(ceil_div(a.d, VEC)), chunks = ceil_div(a.d, lanes * VEC);
  if (chunks == 1) start_layer_norm<S, VEC, 1>(a, lanes, stream);
  else if (chunks == 2) start_layer_norm<S, VEC, 2>(a, lanes, stream);
  else if (chunks <= 4) start_layer_norm<S, VEC, 4>(a, lanes, stream);
  else start_layer_norm_wide(a, stream);
}

// As the forward's kernel; each block sums dgain and doffset of its rows into partials [blocks, 2d].
template <class S, int VEC, int CHUNKS>
__global__ void __launch_bounds__(kBlock, 1) layer_norm_backward_kernel(LayerNormBackward<S> a, int lanes, Real<S> scale) {
  using R = Real<S>;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes, d = a.d;
  const int count = rows_in(a.tokens.rows), threshold = a.dbranch ? a.dropout.threshold : 0;
  __shared__ R sums[kBlock * VEC];
  std::uint8_t* place = dynamic_shared<std::uint8_t>() + group * row_bytes(d);
  R gain[CHUNKS][VEC], dgain[CHUNKS][VEC], doffset[CHUNKS][VEC];
#pragma unroll
  for (int c = 0; c < CHUNKS; ++c)
#pragma unroll
    for (int v = 0; v < VEC; ++v) {
      const int i = (c * lanes + lane) * VEC + v;
      gain[c][v] = i < d ? a.gain[i] : R(0);
      dgain[c][v] = doffset[c][v] = 0;
    }
  for (int start = blockIdx.x * groups; start < a.tokens.rows.capacity; start += gridDim.x * groups) {
    const int row = start + group;
    const bool filled = row < count;
    const std::size_t at = static_cast<std::size_t>(row) * d;
    const std::uint8_t* bytes = place;
    if (threshold > 0) {
      __syncwarp();
      if (filled) bytes = draw_row(a.dropout, a.tokens, row, d, lane, lanes, place);
      __syncwarp();
    }
    R g[CHUNKS][VEC], x[CHUNKS][VEC];
    R mean_g = 0, mean_gn = 0;
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int i = (c * lanes + lane) * VEC;
#pragma unroll
      for (int v = 0; v < VEC; ++v) g[c][v] = x[c][v] = 0;
      if (!filled || i >= d) continue;
      load<S>(a.dout + at + i, g[c]);
      load<S>(a.normal + at + i, x[c]);
#pragma unroll
      for (int v = 0; v < VEC; ++v) {
        dgain[c][v] += g[c][v] * x[c][v];
        doffset[c][v] += g[c][v];
        g[c][v] *= gain[c][v];
        mean_g += g[c][v];
        mean_gn += g[c][v] * x[c][v];
      }
    }
    mean_g = group_sum(mean_g, lanes) / R(d);
    mean_gn = group_sum(mean_gn, lanes) / R(d);
    if (row >= a.tokens.rows.capacity) continue;
    const R rstd = filled ? a.rstd[row] : R(0);
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) {
      const int i = (c * lanes + lane) * VEC;
      if (i >= d) continue;
#pragma unroll
      for (int v = 0; v < VEC; ++v) g[c][v] = filled ? rstd * (g[c][v] - mean_g - x[c][v] * mean_gn) : R(0);
      store<S>(a.ds + at + i, g[c]);
      if (a.dbranch) {
        R factor[VEC];
        if (threshold > 0 && filled) {
          keep_factors(bytes + i, threshold, scale, factor);
#pragma unroll
          for (int v = 0; v < VEC; ++v) g[c][v] *= factor[v];
        }
        store<S>(a.dbranch + at + i, g[c]);
      }
    }
  }
  R* partials = static_cast<R*>(a.scratch.data) + std::size_t(blockIdx.x) * 2 * d;
#pragma unroll
  for (int c = 0; c < CHUNKS; ++c) {
    const int first = c * lanes * VEC;
    const auto write = [&](R* to) {
      return [to, first, d](int column, R sum) {
        if (first + column < d) to[first + column] = sum;
      };
    };
    sum_groups(dgain[c], lanes, sums, write(partials));
    sum_groups(doffset[c], lanes, sums, write(partials + d));
  }
}

// Dynamic shared memory of a warp: its dgain and doffset [2d], and random bytes.
template <class S>
__global__ void layer_norm_backward_wide_kernel(LayerNormBackward<S> a, std::size_t warp_bytes, Real<S> scale) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp, d = a.d;
  const int count = rows_in(a.tokens.rows), threshold = a.dbranch ? a.dropout.threshold : 0;
  R* dgain = reinterpret_cast<R*>(dynamic_shared<std::uint8_t>() + warp * warp_bytes);
  R* doffset = dgain + d;
  std::uint8_t* place = reinterpret_cast<std::uint8_t*>(dgain) + ceil_div(2 * d * static_cast<int>(sizeof(R)), 16) * 16;
  for (int i = lane; i < d; i += kWarp) dgain[i] = doffset[i] = 0;
  for (int row = blockIdx.x * warps + warp; row < a.tokens.rows.capacity; row += gridDim.x * warps) {
    const std::size_t at = static_cast<std::size_t>(row) * d;
    if (row >= count) {
      for (int i = lane; i < d; i += kWarp) {
        a.ds[at + i] = stored<S>(R(0));
        if (a.dbranch) a.dbranch[at + i] = stored<S>(R(0));
      }
      continue;
    }
    const std::uint8_t* bytes = place;
    if (threshold > 0) {
      __syncwarp();
      bytes = draw_row(a.dropout, a.tokens, row, d, lane, kWarp, place);
      __syncwarp();
    }
    normalise_row_backward<R>(
        d, a.rstd[row], a.gain, dgain, doffset, [&](int i) { return real(a.dout[at + i]); },
        [&](int i) { return real(a.normal[at + i]); },
        [&](int i, R ds) {
          a.ds[at + i] = stored<S>(ds);
          if (!a.dbranch) return;
          if (threshold > 0) ds *= bytes[i] >= threshold ? scale : R(0);
          a.dbranch[at + i] = stored<S>(ds);
        });
  }
  const R* all = reinterpret_cast<R*>(dynamic_shared<std::uint8_t>());
  sum_warps(all, warp_bytes / sizeof(R), 2 * d, static_cast<R*>(a.scratch.data));
}

template <class S>
void finish(const LayerNormBackward<S>& a, unsigned blocks, cudaStream_t stream) {
  finish_sums("layer norm's gradients", a.scratch, static_cast<int>(blocks), 2 * a.d, a.dgain, a.d, a.doffset, stream);
}

template <class S, int VEC, int CHUNKS>
void start_layer_norm_backward(const LayerNormBackward<S>& a, int lanes, cudaStream_t stream) {
  const int groups = kBlock / lanes;
  const std::size_t shared = a.dbranch && a.dropout.threshold > 0 ? std::size_t(groups) * row_bytes(a.d) : 0;
  const unsigned blocks = blocks_for(a.tokens.rows.capacity, groups, kPartials);
  launch("layer norm, backward", layer_norm_backward_kernel<S, VEC, CHUNKS>, blocks, kBlock, shared, stream, a, lanes,
         scale_of<S>(a.dropout));
  finish(a, blocks, stream);
}

template <class S>
void start_layer_norm_backward_wide(const LayerNormBackward<S>& a, cudaStream_t stream) {
  const std::size_t warp_bytes = ceil_div<std::size_t>(2 * a.d * sizeof(Real<S>), 16) * 16 + row_bytes(a.d);
  const int warps = warps_for(warp_bytes);
  const unsigned blocks = blocks_for(a.tokens.rows.capacity, warps, kPartials);
  launch("layer norm, backward", layer_norm_backward_wide_kernel<S>, blocks, warps * kWarp, warps * warp_bytes, stream, a,
         warp_bytes, scale_of<S>(a.dropout));
  finish(a, blocks, stream);
}

template <class S, int VEC>
void pick_layer_norm_backward(const LayerNormBackward<S>& a, cudaStream_t stream) {
  const int lanes = lanes_for(ceil_div(a.d, VEC)), chunks = ceil_div(a.d, lanes * VEC);
  if (chunks == 1) start_layer_norm_backward<S, VEC, 1>(a, lanes, stream);
  else if (chunks == 2) start_layer_norm_backward<S, VEC, 2>(a, lanes, stream);
  else start_layer_norm_backward_wide(a, stream);
}

}  // namespace

template <class S>
void layer_norm(const LayerNorm<S>& a, cudaStream_t stream) {
  if (in_vectors<S>(kVector<S>, a.d, {a.x, a.branch, a.out, a.normal})) pick_layer_norm<S, kVector<S>>(a, stream);
  else pick_layer_norm<S, 1>(a, stream);
}

template <class S>
void layer_norm_backward(const LayerNormBackward<S>& a, cudaStream_t stream) {
  if (in_vectors<S>(kVector<S>, a.d, {a.dout, a.normal, a.ds, a.dbranch}))
    pick_layer_norm_backward<S, kVector<S>>(a, stream);
  else pick_layer_norm_backward<S, 1>(a, stream);
}

template void layer_norm(const LayerNorm<float>&, cudaStream_t);
template void layer_norm(const LayerNorm<double>&, cudaStream_t);
template void layer_norm(const LayerNorm<bf16>&, cudaStream_t);
template void layer_norm_backward(const LayerNormBackward<float>&, cudaStream_t);
template void layer_norm_backward(const LayerNormBackward<double>&, cudaStream_t);
template void layer_norm_backward(const LayerNormBackward<bf16>&, cudaStream_t);

}  // namespace aclr::cuda
