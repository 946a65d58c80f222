#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulator {
namespace {

constexpr std::size_t kStack = 256 * 1024;  // bytes; pages never touched cost nothing
void (*fiber_main)() = nullptr;

#if defined(__SANITIZE_ADDRESS__)
Fiber* left = nullptr;  // by the last switch

void arrived(Fiber* here) {
  const void* stack = nullptr;
  std::size_t bytes = 0;
  __sanitizer_finish_switch_fiber(here ? here->fake_stack : nullptr, &stack, &bytes);
  if (left->stack) return;
  left->stack = const_cast<void*>(stack);  // the host thread's, known once it has been left
  left->bytes = bytes;
}
void leaving(Fiber* from, Fiber* to) {
  left = from;
  __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->bytes);
}
#else
void arrived(Fiber*) {}
void leaving(Fiber*, Fiber*) {}
#endif

void start() {
  arrived(nullptr);
  fiber_main();
  std::abort();
}

}  // namespace

#if defined(__x86_64__)
// The callee-saved registers go onto the old stack and come off the new one.
extern "C" void aclr_emulator_switch(void** from, void* to);
asm(R"(
.text
.globl aclr_emulator_switch
.hidden aclr_emulator_switch
.type aclr_emulator_switch, @function
aclr_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size aclr_emulator_switch, .-aclr_emulator_switch
)");
#endif

Fiber* new_fiber(void (*main)()) {
  fiber_main = main;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* memory = mmap(nullptr, page + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE) != 0) {  // running off the stack faults at once
    std::perror("emulator: a stack");
    std::abort();
  }
  auto* fiber = new Fiber;
  fiber->stack = static_cast<char*>(memory) + page;
  fiber->bytes = kStack;
  // Stacks lie a power of two apart: their tops are moved so that they don't all fall into the same sets of the cache.
  static unsigned made = 0;
  const std::size_t shift = (made++ % 61) * 192;
#if defined(__x86_64__)
  auto* top = reinterpret_cast<std::uintptr_t*>(static_cast<char*>(fiber->stack) + kStack - 64 - shift);
  *--top = 0;  // the return address of start(), where backtraces end
  *--top = reinterpret_cast<std::uintptr_t>(&start);
  for (int i = 0; i < 6; ++i) *--top = 0;
  fiber->stack_pointer = top;
#else
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStack - shift;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, &start, 0);
#endif
  return fiber;
}

void switch_fiber(Fiber* from, Fiber* to) {
  leaving(from, to);
#if defined(__x86_64__)
  aclr_emulator_switch(&from->stack_pointer, to->stack_pointer);
#else
  swapcontext(&from->context, &to->context);
#endif
  arrived(from);
}

}  // namespace emulator
