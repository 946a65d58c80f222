// The embedding: rows of at most eight features become rows of d numbers.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

constexpr int kFeatures = 8;  // a model has 7 or 8 (model/features.h)
constexpr int kColumns = 4;   // of a thread, where d is a multiple

// A thread keeps the weights of its VEC columns in registers and walks over rows; columns of blockIdx.y.
template <class S, int VEC>
__global__ void embedding_kernel(Embedding<S> a, int lanes) {
  using R = Real<S>;
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  const int first = (blockIdx.y * lanes + lane) * VEC, count = rows_in(a.rows);
  if (first >= a.d) return;
  R weight[kFeatures][VEC], bias[VEC];
#pragma unroll
  for (int v = 0; v < VEC; ++v) {
    bias[v] = a.bias[first + v];
#pragma unroll
    for (int j = 0; j < kFeatures; ++j) weight[j][v] = j < a.features ? a.weight[(first + v) * a.features + j] : R(0);
  }
  for (int row = blockIdx.x * groups + group; row < a.rows.capacity; row += gridDim.x * groups) {
    R out[VEC];
#pragma unroll
    for (int v = 0; v < VEC; ++v) out[v] = row < count ? bias[v] : R(0);
    if (row < count) {
      const R* x = a.x + static_cast<std::size_t>(row) * a.features;
#pragma unroll
      for (int j = 0; j < kFeatures; ++j) {
        const R feature = j < a.features ? x[j] : R(0);
#pragma unroll
        for (int v = 0; v < VEC; ++v) out[v] += feature * weight[j][v];
      }
    }
    store<S>(a.out + static_cast<std::size_t>(row) * a.d + first, out);
  }
}

template <class S, int VEC>
void start_embedding(const Embedding<S>& a, cudaStream_t stream) {
  const int lanes = lanes_for(ceil_div(a.d, VEC));
  const dim3 grid(blocks_for(a.rows.capacity, kBlock / lanes), ceil_div(a.d, lanes * VEC));
  launch("embedding", embedding_kernel<S, VEC>, grid, kBlock, 0, stream, a, lanes);
}

// partials [blocks, d (features + 1)]: of dweight, then of dbias.
template <class S, int VEC>
__global__ void embedding_backward_kernel(EmbeddingBackward<S> a, int lanes) {
  using R = Real<S>;
  __shared__ R sums[kBlock * VEC];
  const int lane = threadIdx.x % lanes, group = threadIdx.x / lanes, groups = kBlock / lanes;
  const int tile = blockIdx.y * lanes * VEC, first = tile + lane * VEC, count = rows_in(a.rows);
  R dweight[kFeatures][VEC] = {}, dbias[VEC] = {};
  if (first < a.d)
    for (int row = blockIdx.x * groups + group; row < count; row += gridDim.x * groups) {
      const R* x = a.x + static_cast<std::size_t>(row) * a.features;
      R dout[VEC];
      load<S>(a.dout + static_cast<std::size_t>(row) * a.d + first, dout);
#pragma unroll
      for (int v = 0; v < VEC; ++v) dbias[v] += dout[v];
#pragma unroll
      for (int j = 0; j < kFeatures; ++j) {
        const R feature = j < a.features ? x[j] : R(0);
#pragma unroll
        for (int v = 0; v < VEC; ++v) dweight[j][v] += feature * dout[v];
      }
    }
  R* partials = static_cast<R*>(a.scratch.data) + std::size_t(blockIdx.x) * a.d * (a.features + 1);
#pragma unroll
  for (int j = 0; j < kFeatures; ++j)
    if (j < a.features)
      sum_groups(dweight[j], lanes, sums, [&](int column, R sum) {
        if (tile + column < a.d) partials[(tile + column) * a.features + j] = sum;
      });
  sum_groups(dbias, lanes, sums, [&](int column, R sum) {
    if (tile + column < a.d) partials[a.d * a.features + tile + column] = sum;
  });
}

template <class S, int VEC>
void start_embedding_backward(const EmbeddingBackward<S>& a, cudaStream_t stream) {
  const int lanes = lanes_for(ceil_div(a.d, VEC));
  const dim3 grid(blocks_for(a.rows.capacity, std::size_t(4) * kBlock / lanes, kPartials), ceil_div(a.d, lanes * VEC));
  launch("embedding, backward", embedding_backward_kernel<S, VEC>, grid, kBlock, 0, stream, a, lanes);
  finish_sums("embedding's gradients", a.scratch, static_cast<int>(grid.x), a.d * (a.features + 1), a.dweight,
              a.d * a.features, a.dbias, stream);
}

// dx [rows, features] += dout W, a warp a row.
template <class S>
__global__ void embedding_input_kernel(EmbeddingBackward<S> a) {
  using R = Real<S>;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp, count = rows_in(a.rows);
  for (int row = blockIdx.x * kWarps + warp; row < count; row += gridDim.x * kWarps) {
    R dx[kFeatures] = {};
    for (int c = lane; c < a.d; c += kWarp) {
      const R dout = real(a.dout[static_cast<std::size_t>(row) * a.d + c]);
#pragma unroll
      for (int j = 0; j < kFeatures; ++j)
        if (j < a.features) dx[j] += dout * a.weight[c * a.features + j];
    }
#pragma unroll
    for (int j = 0; j < kFeatures; ++j) {
      const R sum = group_sum(dx[j]);
      if (j < a.features && lane == j) a.dx[static_cast<std::size_t>(row) * a.features + j] += sum;
    }
  }
}

void check_features(int features) {
  if (features < 1 || features > kFeatures) throw Error{cudaErrorInvalidValue, "embedding rows of so many features"};
}

}  // namespace

template <class S>
void embedding(const Embedding<S>& a, cudaStream_t stream) {
  check_features(a.features);
  if (in_vectors<S>(kColumns, a.d, {a.out})) start_embedding<S, kColumns>(a, stream);
  else start_embedding<S, 1>(a, stream);
}

template <class S>
void embedding_backward(const EmbeddingBackward<S>& a, cudaStream_t stream) {
  check_features(a.features);
  if (in_vectors<S>(kColumns, a.d, {a.dout})) start_embedding_backward<S, kColumns>(a, stream);
  else start_embedding_backward<S, 1>(a, stream);
  if (a.dx)
    launch("embedding, gradient of its input", embedding_input_kernel<S>, blocks_for(a.rows.capacity, kWarps), kBlock, 0,
           stream, a);
}

template void embedding(const Embedding<float>&, cudaStream_t);
template void embedding(const Embedding<double>&, cudaStream_t);
template void embedding(const Embedding<bf16>&, cudaStream_t);
template void embedding_backward(const EmbeddingBackward<float>&, cudaStream_t);
template void embedding_backward(const EmbeddingBackward<double>&, cudaStream_t);
template void embedding_backward(const EmbeddingBackward<bf16>&, cudaStream_t);

}  // namespace aclr::cuda
