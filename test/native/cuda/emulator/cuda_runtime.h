// Stands in for the CUDA toolkit's header of the same name, so that g++ compiles host code and kernels of native/cuda.
// Kernels are plain functions here, started by emulator::launch; see README.md.
#pragma once

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// A thread's variables lie together, so that static_shared.h finds and poisons those that kernels share.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static  // AddressSanitizer looks after the bounds of these
#else
#define __shared__ static thread_local
#endif

#include "device_code.h"
#include "launch.h"
#include "runtime_api.h"
