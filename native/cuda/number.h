// The numbers of the CUDA engine. S is what activations are stored as: float, double or bf16; Real<S> is what is computed
// with, and what weights, their gradients, losses and representations are: float, or double.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace aclr::cuda {

using bf16 = __nv_bfloat16;

template <class S>
struct RealOf {
  using type = S;
};
template <>
struct RealOf<bf16> {
  using type = float;
};
template <class S>
using Real = typename RealOf<S>::type;

__host__ __device__ inline float real(float x) { return x; }
__host__ __device__ inline double real(double x) { return x; }
__host__ __device__ inline float real(bf16 x) { return __bfloat162float(x); }

template <class S>
__host__ __device__ inline S stored(Real<S> x) {
  return static_cast<S>(x);
}
template <>
__host__ __device__ inline bf16 stored<bf16>(float x) {
  return __float2bfloat16(x);
}

}  // namespace aclr::cuda
