// Stacks that take turns on one host thread: a fiber carries one CUDA thread after another.
#pragma once
#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulator {

struct Fiber {
#if defined(__x86_64__)
  void* stack_pointer = nullptr;  // where it was left
#else
  ucontext_t context;
#endif
  void* stack = nullptr;  // null for the host thread's own
  std::size_t bytes = 0;
  void* fake_stack = nullptr;  // of AddressSanitizer
};

// A fiber that will run `main` on a stack of its own when it is first switched to. `main` must not return.
Fiber* new_fiber(void (*main)());

// Leaves `from` and goes on where `to` was left; returns when something switches back to `from`.
void switch_fiber(Fiber* from, Fiber* to);

}  // namespace emulator
