#include "allocation.h"

#include <sanitizer/lsan_interface.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace aclr::fuzz {
namespace {

thread_local bool inside = false;
thread_local long countdown = 0;
std::atomic<int> runs{0};

void* allocate(std::size_t size, std::size_t alignment, bool nothrow = false) {
  if (inside && !nothrow && countdown > 0 && --countdown == 0) throw std::bad_alloc();
  if (size > kLargestBlock && !nothrow) throw std::bad_alloc();
  void* block = nullptr;
  const bool ours = runs > 0;  // libFuzzer lets go of little
  if (!ours) __lsan_disable();
  if (alignment == 0) block = std::malloc(size);
  else if (posix_memalign(&block, alignment, size) != 0) block = nullptr;
  if (!ours) __lsan_enable();
  if (block == nullptr && !nothrow) throw std::bad_alloc();
  return block;
}

}  // namespace

void fail_allocation(long n) { countdown = n; }
Run::Run() { ++runs; }
Run::~Run() { --runs; }
Inside::Inside(bool now) : before_(inside) { inside = now; }
Inside::~Inside() { inside = before_; }

}  // namespace aclr::fuzz

// What is asked for without operator new has the same limit.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1:max_allocation_size_mb=64:detect_stack_use_after_return=0:abort_on_error=0";
}

void* operator new(std::size_t size) { return aclr::fuzz::allocate(size, 0); }
void* operator new[](std::size_t size) { return aclr::fuzz::allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t a) { return aclr::fuzz::allocate(size, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t size, std::align_val_t a) { return aclr::fuzz::allocate(size, static_cast<std::size_t>(a)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return aclr::fuzz::allocate(size, 0, true); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return aclr::fuzz::allocate(size, 0, true); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
