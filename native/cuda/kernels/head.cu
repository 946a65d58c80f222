// What the layers after pooling do besides products: one row an event, which a warp walks over.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

template <class S>
__global__ void head_input_kernel(HeadInput<S> a) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp;
  for (int row = blockIdx.x * kWarps + threadIdx.x / kWarp; row < a.rows; row += gridDim.x * kWarps) {
    const R* x = a.x + static_cast<std::size_t>(row) * a.x_row;
    const std::size_t at = static_cast<std::size_t>(row) * a.in;
    const auto write = [&](int i, R y) { a.out[at + i] = stored<S>(y > R(0) ? y : R(0)); };
    if (!a.gain) {
      for (int i = lane; i < a.in; i += kWarp) write(i, x[i]);
      continue;
    }
    const R rstd = normalise_row<R>(a.in, [&](int i) { return x[i]; }, [&](int i, R normal) {
      if (a.normal) a.normal[at + i] = stored<S>(normal);
      write(i, normal * a.gain[i] + a.offset[i]);
    });
    if (a.rstd && lane == 0) a.rstd[row] = rstd;
  }
}

// Without a norm, a group a row.
template <class S>
__global__ void head_relu_backward_kernel(HeadInputBackward<S> a, int lanes) {
  using R = Real<S>;
  const int groups = kBlock / lanes;
  for (int row = blockIdx.x * groups + threadIdx.x / lanes; row < a.rows; row += gridDim.x * groups) {
    const std::size_t at = static_cast<std::size_t>(row) * a.in;
    R* dx = a.dx + static_cast<std::size_t>(row) * a.dx_row;
    for (int i = threadIdx.x % lanes; i < a.in; i += lanes)
      dx[i] += real(a.out[at + i]) > R(0) ? real(a.dout[at + i]) : R(0);
  }
}

// Dynamic shared memory of a warp: its dgain and doffset [2 in].
template <class S>
__global__ void head_input_backward_kernel(HeadInputBackward<S> a) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
  R* all = dynamic_shared<R>();
  R* dgain = all + static_cast<std::size_t>(warp) * 2 * a.in;
  R* doffset = dgain + a.in;
  for (int i = lane; i < a.in; i += kWarp) dgain[i] = doffset[i] = 0;
  for (int row = blockIdx.x * warps + warp; row < a.rows; row += gridDim.x * warps) {
    const std::size_t at = static_cast<std::size_t>(row) * a.in;
    R* dx = a.dx + static_cast<std::size_t>(row) * a.dx_row;
    normalise_row_backward<R>(
        a.in, a.rstd[row], a.gain, dgain, doffset,
        [&](int i) { return real(a.out[at + i]) > R(0) ? real(a.dout[at + i]) : R(0); },
        [&](int i) { return real(a.normal[at + i]); }, [&](int i, R d) { dx[i] += d; });
  }
  sum_warps(all, std::size_t(2) * a.in, 2 * a.in, static_cast<R*>(a.scratch.data));
}

template <class S>
__global__ void store_rows_kernel(int rows, int cols, const Real<S>* x, int x_row, S* out, int lanes) {
  const int groups = kBlock / lanes;
  for (int row = blockIdx.x * groups + threadIdx.x / lanes; row < rows; row += gridDim.x * groups)
    for (int c = threadIdx.x % lanes; c < cols; c += lanes)
      out[static_cast<std::size_t>(row) * cols + c] = stored<S>(x[static_cast<std::size_t>(row) * x_row + c]);
}

}  // namespace

template <class S>
void head_input(const HeadInput<S>& a, cudaStream_t stream) {
  launch("head layer's input", head_input_kernel<S>, blocks_for(a.rows, kWarps), kBlock, 0, stream, a);
}

template <class S>
void head_input_backward(const HeadInputBackward<S>& a, cudaStream_t stream) {
  if (!a.gain) {
    const int lanes = lanes_for(a.in);
    launch("head layer's input, backward", head_relu_backward_kernel<S>, blocks_for(a.rows, kBlock / lanes), kBlock, 0,
           stream, a, lanes);
    return;
  }
  const std::size_t warp_bytes = std::size_t(2) * a.in * sizeof(Real<S>);
  const int warps = warps_for(warp_bytes);
  const unsigned blocks = blocks_for(a.rows, warps, kPartials);
  launch("head layer's input, backward", head_input_backward_kernel<S>, blocks, warps * kWarp, warps * warp_bytes,
         stream, a);
  finish_sums("head norm's gradients", a.scratch, static_cast<int>(blocks), 2 * a.in, a.dgain, a.in, a.doffset, stream);
}

template <class S>
void store_rows(int rows, int cols, const Real<S>* x, int x_row, S* out, cudaStream_t stream) {
  const int lanes = lanes_for(cols);
  launch("storing rows", store_rows_kernel<S>, blocks_for(rows, kBlock / lanes), kBlock, 0, stream, rows, cols, x, x_row,
         out, lanes);
}

#define ACLR_INSTANTIATE(S)                                                    \
  template void head_input(const HeadInput<S>&, cudaStream_t);                 \
  template void head_input_backward(const HeadInputBackward<S>&, cudaStream_t); \
  template void store_rows(int, int, const Real<S>*, int, S*, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
ACLR_INSTANTIATE(bf16)
#undef ACLR_INSTANTIATE

}  // namespace aclr::cuda
