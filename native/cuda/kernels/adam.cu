// One step of the optimiser on all weights: the gradient's norm, what follows from it, the update.
#include "cuda/kernels/rows.h"

namespace aclr::cuda {
namespace {

// The scratch begins with a sum of squares of each block; what all weights share stands behind them.
constexpr int kNormBlocks = kPartials / 2;
template <class R>
struct Shared {
  R scale, rate, decay_complement, inverse_root_v;
  bool go;
};
template <class R>
__host__ __device__ Shared<R>* shared_of(const Scratch& scratch) {
  static_assert(sizeof(Shared<R>) <= (kPartials - kNormBlocks) * sizeof(double));
  return reinterpret_cast<Shared<R>*>(static_cast<double*>(scratch.data) + kNormBlocks);
}

// partials [gridDim.x]: sums of squares in double.
template <class R>
__global__ void squares_kernel(std::size_t count, const R* g, double* partials) {
  double sum = 0;
  const std::size_t step = std::size_t(gridDim.x) * kBlock;
#pragma unroll 4
  for (std::size_t i = std::size_t(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step)
    sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// One block: norm, clipping and the bias corrections of this step, which it counts.
template <class S>
__global__ void norm_kernel(Update<S> a, int blocks) {
  using R = Real<S>;
  static_assert(kNormBlocks <= kBlock);
  const double* partials = static_cast<const double*>(a.scratch.data);
  const double sum = block_sum(static_cast<int>(threadIdx.x) < blocks ? partials[threadIdx.x] : 0.0);
  if (threadIdx.x > 0) return;
  const double norm = std::sqrt(sum), rate = a.input->rate;
  Shared<R>& shared = *shared_of<R>(a.scratch);
  a.state->norm = norm;
  shared.go = std::isfinite(norm);
  if (!shared.go) return;
  const double t = static_cast<double>(++a.state->steps);
  const double scale = a.clip > 0 ? a.clip / (norm + 1e-6) : 1.0;
  shared.scale = static_cast<R>(scale < 1 ? scale : 1.0);
  shared.decay_complement = static_cast<R>(1 - rate * a.weight_decay);
  shared.rate = static_cast<R>(a.sgd ? rate : rate / (1 - std::pow(a.beta1, t)));
  shared.inverse_root_v = static_cast<R>(a.sgd ? 1.0 : 1 / std::sqrt(1 - std::pow(a.beta2, t)));
}

// The optimiser's constants as the arithmetic takes them: complements are made in double.
template <class R>
struct Constants {
  R l2, momentum, beta1, beta1_complement, beta2, beta2_complement, eps;
};

template <class R, int VEC>
__device__ void sgd(const Shared<R>& shared, const Constants<R>& k, const R (&g)[VEC], R (&w)[VEC], R (&m)[VEC]) {
#pragma unroll
  for (int v = 0; v < VEC; ++v) {
    m[v] = k.momentum * m[v] + g[v] * shared.scale + k.l2 * w[v];
    w[v] -= shared.rate * m[v];
  }
}

template <class R, int VEC>
__device__ void adam(const Shared<R>& shared, const Constants<R>& k, const R (&g)[VEC], R (&w)[VEC], R (&m)[VEC],
                     R (&v)[VEC]) {
#pragma unroll
  for (int i = 0; i < VEC; ++i) {
    const R slope = g[i] * shared.scale + k.l2 * w[i];
    m[i] = k.beta1 * m[i] + k.beta1_complement * slope;
    v[i] = k.beta2 * v[i] + k.beta2_complement * slope * slope;
    w[i] = w[i] * shared.decay_complement - shared.rate * m[i] / (math::sqrt(v[i]) * shared.inverse_root_v + k.eps);
  }
}

// Weights at .. at + VEC - 1
template <class S, int VEC>
__device__ void update_some(const Update<S>& a, const Shared<Real<S>>& shared, const Constants<Real<S>>& k, std::size_t at) {
  using R = Real<S>;
  R w[VEC];
  load<R>(a.w + at, w);
  if (shared.go) {
    R g[VEC], m[VEC], v[VEC];
    load<R>(a.g + at, g);
    load<R>(a.m + at, m);
    if (a.sgd) {
      sgd<R, VEC>(shared, k, g, w, m);
    } else {
      load<R>(a.v + at, v);
      adam<R, VEC>(shared, k, g, w, m, v);
      store<R>(a.v + at, v);
    }
    store<R>(a.m + at, m);
    store<R>(a.w + at, w);
  }
  if (a.copy) store<S>(a.copy + at, w);
}

template <class S, int VEC>
__global__ void update_kernel(Update<S> a, Constants<Real<S>> k) {
  const Shared<Real<S>> shared = *shared_of<Real<S>>(a.scratch);
  const std::size_t vectors = a.count / VEC, step = std::size_t(gridDim.x) * kBlock;
  const std::size_t thread = std::size_t(blockIdx.x) * kBlock + threadIdx.x;
  for (std::size_t i = thread; i < vectors; i += step) update_some<S, VEC>(a, shared, k, i * VEC);
  if (thread < a.count % VEC) update_some<S, 1>(a, shared, k, vectors * VEC + thread);
}

template <class S>
__global__ void copy_kernel(std::size_t count, const Real<S>* w, S* copy) {
  const std::size_t step = std::size_t(gridDim.x) * kBlock;
  for (std::size_t i = std::size_t(blockIdx.x) * kBlock + threadIdx.x; i < count; i += step) copy[i] = stored<S>(w[i]);
}

}  // namespace

template <class S>
void update_weights(const Update<S>& a, cudaStream_t stream) {
  using R = Real<S>;
  constexpr int kWide = kVector<R>;
  const unsigned blocks = blocks_for(a.count, 4 * kBlock, kNormBlocks);
  launch("gradient norm", squares_kernel<R>, blocks, kBlock, 0, stream, a.count, a.g, static_cast<double*>(a.scratch.data));
  launch("gradient norm", norm_kernel<S>, 1, kBlock, 0, stream, a, blocks);
  const Constants<R> k{R(a.l2),    R(a.momentum),  R(a.beta1), R(1 - a.beta1),
                       R(a.beta2), R(1 - a.beta2), R(a.eps)};
  const bool wide = in_vectors<R>(kWide, 0, {a.w, a.m, a.v, a.g}) && in_vectors<S>(kWide, 0, {a.copy});
  launch("update of the weights", wide ? update_kernel<S, kWide> : update_kernel<S, 1>,
         blocks_for(a.count, kBlock * (wide ? kWide : 1), 4 * kMostBlocks), kBlock, 0, stream, a, k);
}

template <class S>
void copy_weights(std::size_t count, const Real<S>* w, S* copy, cudaStream_t stream) {
  launch("copy of the weights", copy_kernel<S>, blocks_for(count, kBlock), kBlock, 0, stream, count, w, copy);
}

#define ACLR_INSTANTIATE(S)                                    \
  template void update_weights(const Update<S>&, cudaStream_t); \
  template void copy_weights(std::size_t, const Real<S>*, S*, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
ACLR_INSTANTIATE(bf16)
#undef ACLR_INSTANTIATE

}  // namespace aclr::cuda
