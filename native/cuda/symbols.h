// Functions of libraries that are opened at run time (cuBLASLt, NCCL), so that ours runs without them.
#pragma once
#include <cuda_runtime.h>
#include <dlfcn.h>

namespace aclr::cuda {

// The library's function of that name; without a library the emulator's own, which is none elsewhere.
template <class Function>
bool resolve(void* library, const char* name, Function& function) {
#if defined(ACLR_EMULATED)
  function = reinterpret_cast<Function>(library ? dlsym(library, name) : emulator::symbol(name));
#else
  function = library ? reinterpret_cast<Function>(dlsym(library, name)) : nullptr;
#endif
  return function != nullptr;
}

}  // namespace aclr::cuda
