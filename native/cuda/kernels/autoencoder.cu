// What the autoencoder does besides products: activations and errors.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

constexpr double kLeak = 0.01;

template <class R>
__global__ void activate_kernel(Activation kind, std::size_t count, R* y) {
  const std::size_t step = std::size_t(gridDim.x) * kBlock;
  for (std::size_t i = std::size_t(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step) {
    const R x = y[i];
    if (x > R(0)) continue;
    y[i] = kind == Activation::kRelu ? R(0) : kind == Activation::kLeakyRelu ? R(kLeak) * x : std::expm1(x);
  }
}

// elu' = y + 1 below 0
template <class R>
__global__ void activate_backward_kernel(Activation kind, std::size_t count, const R* y, R* dy) {
  const std::size_t step = std::size_t(gridDim.x) * kBlock;
  for (std::size_t i = std::size_t(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step) {
    if (y[i] > R(0)) continue;
    dy[i] *= kind == Activation::kRelu ? R(0) : kind == Activation::kLeakyRelu ? R(kLeak) : y[i] + R(1);
  }
}

// A group a row.
template <class R>
__global__ void row_errors_kernel(int rows, int d, const R* out, const R* x, int x_row, R* score, int lanes) {
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  for (int start = blockIdx.x * groups; start < rows; start += gridDim.x * groups) {
    const int row = start + group;
    R sum = 0;
    for (int c = lane; c < d && row < rows; c += lanes) {
      const R error = out[static_cast<std::size_t>(row) * d + c] - x[static_cast<std::size_t>(row) * x_row + c];
      sum += error * error;
    }
    sum = group_sum(sum, lanes);
    if (lane == 0 && row < rows) score[row] = sum / R(d);
  }
}

template <class R>
__global__ void mean_error_kernel(std::size_t count, const R* out, const R* x, R* dout, double* partials, R scale) {
  double sum = 0;
  const std::size_t step = std::size_t(gridDim.x) * kBlock;
  for (std::size_t i = std::size_t(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step) {
    const R error = out[i] - x[i];
    sum += static_cast<double>(error) * static_cast<double>(error);
    dout[i] = scale * error;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// One block: *value = sum of the partials / count
__global__ void mean_kernel(const double* partials, int blocks, std::size_t count, double* value) {
  double sum = 0;
  for (int b = threadIdx.x; b < blocks; b += kBlock) sum += partials[b];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *value = sum / static_cast<double>(count);
}

template <class R>
__global__ void centre_kernel(int rows, int cols, const R* x, int x_row, const R* mean, R* out, int lanes) {
  const int groups = kBlock / lanes;
  for (int row = blockIdx.x * groups + threadIdx.x / lanes; row < rows; row += gridDim.x * groups)
    for (int c = threadIdx.x % lanes; c < cols; c += lanes)
      out[static_cast<std::size_t>(row) * cols + c] = x[static_cast<std::size_t>(row) * x_row + c] - mean[c];
}

unsigned blocks_of(std::size_t count) { return blocks_for(count, 4 * kBlock); }

}  // namespace

template <class R>
void activate(Activation kind, std::size_t count, R* y, cudaStream_t stream) {
  if (kind == Activation::kNone) return;
  launch("activation", activate_kernel<R>, blocks_of(count), kBlock, 0, stream, kind, count, y);
}

template <class R>
void activate_backward(Activation kind, std::size_t count, const R* y, R* dy, cudaStream_t stream) {
  if (kind == Activation::kNone) return;
  launch("activation, backward", activate_backward_kernel<R>, blocks_of(count), kBlock, 0, stream, kind, count, y, dy);
}

template <class R>
void row_errors(int rows, int d, const R* out, const R* x, int x_row, R* score, cudaStream_t stream) {
  const int lanes = lanes_for(d);
  launch("errors of rows", row_errors_kernel<R>, blocks_for(rows, kBlock / lanes), kBlock, 0, stream, rows, d, out, x, x_row,
         score, lanes);
}

template <class R>
void mean_error(int rows, int d, const R* out, const R* x, R* dout, double* value, Scratch scratch, cudaStream_t stream) {
  const std::size_t count = static_cast<std::size_t>(rows) * d;
  const unsigned blocks = blocks_for(count, 4 * kBlock, kPartials);
  double* partials = static_cast<double*>(scratch.data);
  launch("mean error", mean_error_kernel<R>, blocks, kBlock, 0, stream, count, out, x, dout, partials,
         static_cast<R>(2.0 / static_cast<double>(count)));
  launch("mean error", mean_kernel, 1, kBlock, 0, stream, partials, blocks, count, value);
}

template <class R>
void centre(int rows, int cols, const R* x, int x_row, const R* mean, R* out, cudaStream_t stream) {
  const int lanes = lanes_for(cols);
  launch("centring", centre_kernel<R>, blocks_for(rows, kBlock / lanes), kBlock, 0, stream, rows, cols, x, x_row, mean, out,
         lanes);
}

#define ACLR_INSTANTIATE(R)                                                                               \
  template void activate(Activation, std::size_t, R*, cudaStream_t);                                      \
  template void activate_backward(Activation, std::size_t, const R*, R*, cudaStream_t);                   \
  template void row_errors(int, int, const R*, const R*, int, R*, cudaStream_t);                          \
  template void mean_error(int, int, const R*, const R*, R*, double*, Scratch, cudaStream_t);             \
  template void centre(int, int, const R*, int, const R*, R*, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
#undef ACLR_INSTANTIATE

}  // namespace aclr::cuda
