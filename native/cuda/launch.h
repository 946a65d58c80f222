// Errors of the CUDA runtime as exceptions, which end at the library's edge (api.cc), and launches that both nvcc and the
// emulator (test/native/cuda/emulator) compile.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

namespace aclr::cuda {

struct Error {
  cudaError_t code;
  const char* doing;  // what was tried: "copying events to the device"
};

inline void check(cudaError_t code, const char* doing) {
  if (code != cudaSuccess) throw Error{code, doing};
}

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;
// What a block may have in all, on every device that we compile for but sm_120, which has 99 KiB.
inline constexpr std::size_t kMostShared = 99 * 1024;

template <class Int>
constexpr Int ceil_div(Int a, Int b) {
  return (a + b - 1) / b;
}

// kernel<<<grid, block, shared, stream>>>(args...). A grid without blocks is no launch.
template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream,
            Arguments... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (shared > 48 * 1024)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)),
          name);
#if defined(ACLR_EMULATED)
  emulator::name_kernel(name);
  check(emulator::launch(kernel, grid, block, shared, stream, static_cast<Parameters>(arguments)...), name);
#else
  const auto start = [&](Parameters... values) {
    void* pointers[] = {const_cast<void*>(static_cast<const void*>(&values))..., nullptr};
    return cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, shared, stream);
  };
  check(start(static_cast<Parameters>(arguments)...), name);
#endif
}

// The block's dynamic shared memory, aligned to 1,024 bytes.
template <class T>
__device__ inline T* dynamic_shared() {
#if defined(ACLR_EMULATED)
  return static_cast<T*>(emulator::dynamic_shared());
#else
  extern __shared__ __align__(1024) unsigned char aclr_dynamic_shared[];
  return reinterpret_cast<T*>(aclr_dynamic_shared);
#endif
}

}  // namespace aclr::cuda
