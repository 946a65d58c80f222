#include "device.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "grid.h"
#include "launch.h"

namespace emulator {
namespace {

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;
thread_local const char* kernel_name = nullptr;
cudaError_t lost_with = cudaSuccess;
std::map<const void*, int>& shared_allowed() {
  static auto& all = *new std::map<const void*, int>;  // never destroyed: libraries may call at exit
  return all;
}

long number(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtol(text, nullptr, 0) : otherwise;
}

int device_count() { return static_cast<int>(number("ANOMALYCLR_EMULATED_DEVICES", 1)); }
int driver_version() { return static_cast<int>(number("ANOMALYCLR_EMULATED_DRIVER", CUDART_VERSION)); }
int capability() { return static_cast<int>(number("ANOMALYCLR_EMULATED_CAPABILITY", 90)); }

// Counts from when the variable took its present value, so that a test can set it again.
class Countdown {
 public:
  explicit Countdown(const char* name) : name_(name) {}
  // The variable's words once they have changed, so that what it did is undone.
  bool changed() {
    const char* text = std::getenv(name_);
    if (text_ == (text ? text : "")) return false;
    text_ = text ? text : "";
    count_ = 0;
    return true;
  }
  bool due() {
    changed();
    return !text_.empty() && ++count_ == std::strtol(text_.c_str(), nullptr, 10);
  }
  long second(long otherwise) const {  // of "first:second"
    const std::size_t colon = text_.find(':');
    return colon == std::string::npos ? otherwise : std::strtol(text_.c_str() + colon + 1, nullptr, 10);
  }

 private:
  const char* name_;
  std::string text_;
  long count_ = 0;
};
Countdown& launches() {
  static auto& all = *new Countdown("ANOMALYCLR_EMULATED_LOST");
  return all;
}
Countdown& allocations() {
  static auto& all = *new Countdown("ANOMALYCLR_EMULATED_FAIL_MALLOC");
  return all;
}

cudaError_t driver_answers() {
  if (driver_version() < CUDART_VERSION) return cudaErrorInsufficientDriver;
  return device_count() > 0 ? cudaSuccess : cudaErrorNoDevice;
}

}  // namespace

std::recursive_mutex& device_mutex() {
  static auto& mutex = *new std::recursive_mutex;
  return mutex;
}

cudaError_t lost() { return lost_with; }

cudaError_t available(Needs needs) {
  if (launches().changed()) lost_with = cudaSuccess;
  if (needs == Needs::kNothing) return cudaSuccess;
  if (const cudaError_t error = driver_answers(); error != cudaSuccess) return error;
  if (lost_with != cudaSuccess) return lost_with;
  return needs == Needs::kNoCapture ? capture_forbids() : cudaSuccess;
}

cudaError_t noted(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

cudaError_t complain(cudaError_t error, const char* what) {
  std::fprintf(stderr, "emulator: %s: %s\n", cudaGetErrorName(error), what);
  return error;
}

void lose_device(cudaError_t error) {
  lost_with = error;
  drop_everything();
}

bool next_launch_is_lost() {
  if (!launches().due()) return false;
  lose_device(static_cast<cudaError_t>(launches().second(cudaErrorLaunchFailure)));
  return true;
}
bool next_allocation_fails() { return allocations().due(); }
std::size_t memory_limit() { return static_cast<std::size_t>(number("ANOMALYCLR_EMULATED_MEMORY", 4L << 30)); }

void name_kernel(const char* name) { kernel_name = name; }

cudaError_t launch_grid(const Launch& launch, std::shared_ptr<const void> arguments, cudaStream_t stream) {
  const std::string name = kernel_name ? kernel_name : launch.type;
  kernel_name = nullptr;
  return called(Needs::kDevice, [&] {
    const auto bad = [&](cudaError_t error, const char* what) { return complain(error, (name + ": " + what).c_str()); };
    const dim3 grid = launch.grid, block = launch.block;
    const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
    if (threads == 0 || threads > 1024 || block.z > 64) return bad(cudaErrorInvalidConfiguration, "threads of a block");
    if (std::uint64_t{grid.x} * grid.y * grid.z == 0 || grid.x > 0x7FFFFFFF || grid.y > 65535 || grid.z > 65535)
      return bad(cudaErrorInvalidConfiguration, "blocks of the grid");
    if (launch.shared_bytes > kSharedStatic) {
      const auto allowed = shared_allowed().find(launch.kernel);
      if (allowed == shared_allowed().end() || launch.shared_bytes > static_cast<std::size_t>(allowed->second))
        return bad(cudaErrorInvalidValue, "more dynamic shared memory than cudaFuncSetAttribute has allowed");
    }
    return enqueue(stream, [launch, arguments, name] {
      if (next_launch_is_lost()) return;
      run_grid({launch.grid, launch.block, launch.shared_bytes, launch.body, arguments.get(), name.c_str()});
      if (check_after_kernels()) check_guards(name.c_str());
    });
  });
}

}  // namespace emulator

using emulator::called;
using emulator::Needs;

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define EMULATOR_ERROR(name, value, words) \
  case name:                               \
    return words;
    EMULATOR_ERRORS(EMULATOR_ERROR)
#undef EMULATOR_ERROR
  }
  return "unrecognized error code";
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define EMULATOR_ERROR(name, value, words) \
  case name:                               \
    return #name;
    EMULATOR_ERRORS(EMULATOR_ERROR)
#undef EMULATOR_ERROR
  }
  return "unrecognized error code";
}

cudaError_t cudaGetLastError() {
  const cudaError_t error = cudaPeekAtLastError();
  emulator::last_error = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() {
  std::lock_guard<std::recursive_mutex> lock(emulator::device_mutex());
  return emulator::lost() != cudaSuccess ? emulator::lost() : emulator::last_error;
}

cudaError_t cudaGetDeviceCount(int* count) {
  return called(Needs::kNothing, [&] {
    *count = 0;
    const cudaError_t error = emulator::driver_answers();
    if (error == cudaSuccess) *count = emulator::device_count();
    return error;
  });
}

cudaError_t cudaSetDevice(int device) {
  return called(Needs::kDevice, [&] {
    if (device < 0 || device >= emulator::device_count()) return cudaErrorInvalidDevice;
    emulator::current_device = device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return called(Needs::kDevice, [&] {
    *device = emulator::current_device;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return called(Needs::kDevice, [&] {
    if (device < 0 || device >= emulator::device_count()) return cudaErrorInvalidDevice;
    cudaDeviceProp p{};
    std::snprintf(p.name, sizeof p.name, "Emulated device");
    p.uuid.bytes[0] = static_cast<char>(device + 1);
    p.totalGlobalMem = emulator::memory_limit();
    p.sharedMemPerBlock = emulator::kSharedStatic;
    p.sharedMemPerBlockOptin = emulator::kSharedOptin;
    p.sharedMemPerMultiprocessor = emulator::kSharedOfProcessor;
    p.reservedSharedMemPerBlock = 1024;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 0x7FFFFFFF;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 65536;
    p.major = emulator::capability() / 10;
    p.minor = emulator::capability() % 10;
    p.multiProcessorCount = 8;
    p.l2CacheSize = 50 << 20;
    p.maxThreadsPerMultiProcessor = 2048;
    p.maxBlocksPerMultiProcessor = 32;
    p.pciBusID = device + 1;
    p.asyncEngineCount = 2;
    p.concurrentKernels = p.unifiedAddressing = p.memoryPoolsSupported = p.cooperativeLaunch = 1;
    *properties = p;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t error = cudaGetDeviceProperties(&p, device); error != cudaSuccess) return error;
  const auto answer = [&](auto number) {
    *value = static_cast<int>(number);
    return cudaSuccess;
  };
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: return answer(p.maxThreadsPerBlock);
    case cudaDevAttrMaxSharedMemoryPerBlock: return answer(p.sharedMemPerBlock);
    case cudaDevAttrWarpSize: return answer(p.warpSize);
    case cudaDevAttrMultiProcessorCount: return answer(p.multiProcessorCount);
    case cudaDevAttrComputeCapabilityMajor: return answer(p.major);
    case cudaDevAttrComputeCapabilityMinor: return answer(p.minor);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: return answer(p.sharedMemPerMultiprocessor);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: return answer(p.sharedMemPerBlockOptin);
  }
  return emulator::noted(cudaErrorInvalidValue);
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int bytes, int device) {
  return called(Needs::kDevice, [&] {
    if (device < 0 || device >= emulator::device_count()) return cudaErrorInvalidDevice;
    std::snprintf(id, static_cast<std::size_t>(bytes), "0000:%02x:00.0", device + 1);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  return called(Needs::kNothing, [&] {
    *version = emulator::driver_version();
    return cudaSuccess;
  });
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  return called(Needs::kNoCapture, [&] {
    emulator::run_everything();
    emulator::check_guards("cudaDeviceSynchronize");
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceReset() {
  return called(Needs::kNothing, [&] {
    emulator::drop_everything();
    emulator::free_all_memory();
    emulator::lost_with = cudaSuccess;
    emulator::last_error = cudaSuccess;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  return called(Needs::kDevice, [&] {
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    if (attribute == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
    if (value < 0 || static_cast<std::size_t>(value) > emulator::kSharedOptin)
      return emulator::complain(cudaErrorInvalidValue, "cudaFuncSetAttribute: a block has 227 KiB of shared memory at most");
    emulator::shared_allowed()[kernel] = value;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* kernel, int block_size,
                                                          std::size_t shared_bytes) {
  return called(Needs::kDevice, [&] {
    if (!kernel) return cudaErrorInvalidDeviceFunction;
    if (block_size < 1 || block_size > 1024) return cudaErrorInvalidValue;
    const int by_threads = 2048 / ((block_size + 31) / 32 * 32);
    const int by_memory = static_cast<int>(emulator::kSharedOfProcessor / (shared_bytes + 1024));
    *blocks = by_threads < by_memory ? by_threads : by_memory;
    if (*blocks > 32) *blocks = 32;
    return cudaSuccess;
  });
}
