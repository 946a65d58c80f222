// Starts kernels: what <<<grid, block, shared, stream>>> is on a device.
#pragma once
#include <cstddef>
#include <functional>
#include <tuple>
#include <typeinfo>

#include "runtime_api.h"
#include "vector_types.h"

namespace emulator {

struct Launch {
  dim3 grid, block;
  std::size_t shared_bytes;
  const void* kernel;
  const char* type;  // mangled, for reports
  void (*body)(const void* arguments);
};

// Enqueues a grid; `arguments` lives as long as the work, and longer where it was captured.
cudaError_t launch_grid(const Launch& launch, std::shared_ptr<const void> arguments, cudaStream_t stream);

// The name in reports of the next kernel that this host thread launches.
void name_kernel(const char* name);


template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "as many arguments as the kernel takes");
  struct Held {
    void (*kernel)(P...);
    std::tuple<std::remove_const_t<P>...> arguments;
  };
  auto held = std::make_shared<Held>(Held{kernel, std::tuple<std::remove_const_t<P>...>(std::forward<A>(arguments)...)});
  const auto body = [](const void* all) {
    const Held& call = *static_cast<const Held*>(all);
    std::apply(call.kernel, call.arguments);
  };
  return launch_grid({grid, block, shared_bytes, reinterpret_cast<const void*>(kernel), typeid(kernel).name(), body},
                     std::move(held), stream);
}

}  // namespace emulator
