// Device and pinned memory: between guard zones, 0xFF (NaN in every floating type) until it is written.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "device.h"
#include "grid.h"

namespace emulator {
namespace {

// In front of and behind an allocation. The front leaves pointers aligned to 256 bytes and to no more, as a device may.
constexpr std::size_t kFront = 1024 + 256, kBehind = 1024;

struct Allocation {
  unsigned char* memory;  // of the front zone
  std::size_t bytes;
  bool device;
  unsigned long number;  // counted from 1
};

// By address; never destroyed, as libraries may call at exit.
std::map<const unsigned char*, Allocation>& allocations() {
  static auto& all = *new std::map<const unsigned char*, Allocation>;
  return all;
}
std::size_t device_bytes = 0;
unsigned long made = 0;

bool untouched(const unsigned char* zone, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, zone + i, 8);
    if (word != ~std::uint64_t{0}) return false;
  }
  return true;
}

void check(const Allocation& allocation, const char* when) {
  const unsigned char* begin = allocation.memory + kFront;
  const bool front = untouched(allocation.memory, kFront), behind = untouched(begin + allocation.bytes, kBehind);
  if (front && behind) return;
  std::ptrdiff_t at = 0;
  if (!front)
    for (at = -1; begin[at] == 0xFF;) --at;
  else
    for (at = static_cast<std::ptrdiff_t>(allocation.bytes); begin[at] == 0xFF;) ++at;
  fail("%s: byte %td of %s allocation %lu, which has %zu bytes, was written", when, at,
       allocation.device ? "device" : "pinned", allocation.number, allocation.bytes);
}

cudaError_t allocate(void** place, std::size_t bytes, bool device) {
  if (!place) return cudaErrorInvalidValue;
  *place = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (next_allocation_fails()) return cudaErrorMemoryAllocation;
  if (device && (bytes > memory_limit() || device_bytes > memory_limit() - bytes)) return cudaErrorMemoryAllocation;
  const std::size_t all = (kFront + bytes + kBehind + 1023) / 1024 * 1024;
  auto* memory = static_cast<unsigned char*>(std::aligned_alloc(1024, all));
  if (!memory) return cudaErrorMemoryAllocation;
  std::memset(memory, 0xFF, all);
  if (device) device_bytes += bytes;
  allocations()[memory + kFront] = {memory, bytes, device, ++made};
  *place = memory + kFront;
  return cudaSuccess;
}

void release(const unsigned char* place, const char* when) {
  const auto found = allocations().find(place);
  if (found == allocations().end()) return;
  check(found->second, when);
  if (found->second.device) device_bytes -= found->second.bytes;
  std::memset(found->second.memory, 0xFF, kFront + found->second.bytes);  // for what still reads it
  std::free(found->second.memory);
  allocations().erase(found);
}

bool is_allocation(const void* place, bool device) {
  const auto found = allocations().find(static_cast<const unsigned char*>(place));
  return found != allocations().end() && found->second.device == device;
}

// The allocation that `place` points into, its end included.
const Allocation* around(const void* place) {
  const auto* address = static_cast<const unsigned char*>(place);
  auto after = allocations().upper_bound(address);
  if (after == allocations().begin()) return nullptr;
  const auto& [begin, allocation] = *--after;
  return address <= begin + allocation.bytes ? &allocation : nullptr;
}

}  // namespace

Space space_of(const void* place, std::size_t bytes) {
  const Allocation* allocation = around(place);
  if (!allocation) return Space::kPageable;
  const std::size_t offset =
      static_cast<std::size_t>(static_cast<const unsigned char*>(place) - (allocation->memory + kFront));
  if (bytes > allocation->bytes - offset) return Space::kOutside;
  return allocation->device ? Space::kDevice : Space::kPinned;
}

bool on_device(const void* place, std::size_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(device_mutex());
  return space_of(place, bytes) == Space::kDevice;
}

cudaError_t check_copy(const void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes, cudaMemcpyKind kind) {
  const Space target = space_of(to, to_bytes), source = space_of(from, from_bytes);
  if (!to || !from) return complain(cudaErrorInvalidValue, "a copy from or to a null pointer");
  if (target == Space::kOutside || source == Space::kOutside)
    return complain(cudaErrorInvalidValue, "a copy runs over the end of an allocation");
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  if (kind == cudaMemcpyDefault) return cudaSuccess;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (to_device != (target == Space::kDevice) || from_device != (source == Space::kDevice))
    return complain(cudaErrorInvalidValue, "a copy's pointers are not of the kind that it names");
  return cudaSuccess;
}

void check_guards(const char* when) {
  for (const auto& [place, allocation] : allocations()) check(allocation, when);
}

bool check_after_kernels() {
  const char* text = std::getenv("ANOMALYCLR_EMULATED_CHECK");
  return text && *text == '1';
}

void free_all_memory() {
  while (!allocations().empty()) release(allocations().begin()->first, "cudaDeviceReset");
}

}  // namespace emulator

using emulator::called;
using emulator::Needs;

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return called(Needs::kDevice, [&] {
    *total = emulator::memory_limit();
    *free = *total - std::min(*total, emulator::device_bytes);
    return cudaSuccess;
  });
}

cudaError_t cudaMalloc(void** place, std::size_t bytes) {
  return called(Needs::kNoCapture, [&] { return emulator::allocate(place, bytes, true); });
}

cudaError_t cudaHostAlloc(void** place, std::size_t bytes, unsigned) {
  return called(Needs::kNoCapture, [&] { return emulator::allocate(place, bytes, false); });
}

// Both wait for the device, as the real ones do. A lost device doesn't keep its memory from this process.
static cudaError_t release_now(void* place, bool device, const char* name) {
  return called(Needs::kNothing, [&] {
    if (!place) return cudaSuccess;
    const cudaError_t error = emulator::available(Needs::kNoCapture);
    if (error == cudaErrorStreamCaptureUnsupported) return error;
    emulator::run_everything();
    if (!emulator::is_allocation(place, device)) return emulator::complain(cudaErrorInvalidValue, name);
    emulator::release(static_cast<unsigned char*>(place), name);
    return emulator::lost() != cudaSuccess ? emulator::lost() : error;
  });
}
cudaError_t cudaFree(void* place) { return release_now(place, true, "cudaFree"); }
cudaError_t cudaFreeHost(void* place) { return release_now(place, false, "cudaFreeHost"); }

cudaError_t cudaMallocAsync(void** place, std::size_t bytes, cudaStream_t) { return cudaMalloc(place, bytes); }

cudaError_t cudaFreeAsync(void* place, cudaStream_t stream) {
  return called(Needs::kNoCapture, [&] {
    if (!place) return cudaSuccess;
    if (!emulator::is_allocation(place, true)) return emulator::complain(cudaErrorInvalidValue, "cudaFreeAsync");
    return emulator::enqueue(stream, [place] { emulator::release(static_cast<unsigned char*>(place), "cudaFreeAsync"); });
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* place) {
  return called(Needs::kDevice, [&] {
    const emulator::Space space = emulator::space_of(place, 0);
    *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, nullptr};
    if (space == emulator::Space::kDevice) *attributes = {cudaMemoryTypeDevice, 0, const_cast<void*>(place), nullptr};
    if (space == emulator::Space::kPinned)
      *attributes = {cudaMemoryTypeHost, 0, const_cast<void*>(place), const_cast<void*>(place)};
    return cudaSuccess;
  });
}
