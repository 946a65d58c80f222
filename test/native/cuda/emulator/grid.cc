#include "grid.h"

#include <signal.h>
#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>
#include <vector>

#include "fiber.h"
#include "static_shared.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator {
namespace {

constexpr unsigned kLanes = 32;
constexpr std::size_t kSharedMost = 227 * 1024, kSharedGuard = 1024;

enum class State : std::uint8_t { kRunning, kAtBarrier, kAtWarp, kEnded };

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes, source_bytes;
};
struct Copies {
  std::vector<Copy> open;
  std::vector<std::vector<Copy>> groups;
};

struct Thread {
  State state;
  Fiber* fiber;  // null until it starts
  uint3 index;
  Where where;
};

struct Warp {
  unsigned exist, ended, waiting;  // lanes
  unsigned mask[kLanes];
  void* arguments[kLanes];
  Together together[kLanes];
};

// The block that runs now. Threads that have waited and can go on stand on a stack, `ready`; the top one is next. Fresh
// threads start when that is empty, in `order`.
struct Block {
  const Grid* grid = nullptr;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<unsigned> ready, order;
  std::vector<Copies> copies;
  bool any_copies = false;
  unsigned current = 0, started = 0, ended = 0, at_barrier = 0;
  int votes = 0, result = 0;
  std::uint64_t seed = 0, random = 0;
};
// Never destroyed: other threads of the host may still run kernels at exit.
Block& block = *new Block;
Fiber host;  // the host thread that runs the grid
std::vector<Fiber*>& idle = *new std::vector<Fiber*>;

alignas(1024) unsigned char shared_memory[kSharedMost + kSharedGuard];

std::uint64_t draw() {
  block.random = block.random * 6364136223846793005u + 1442695040888963407u;
  return block.random >> 33;
}

bool same(const Where& a, const Where& b) {
  if (a.line() != b.line() || a.column() != b.column()) return false;
  return a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0;
}

void describe(unsigned number) {
  const Thread& thread = block.threads[number];
  std::fprintf(stderr, "  thread (%u,%u,%u) ", thread.index.x, thread.index.y, thread.index.z);
  if (thread.state == State::kEnded) {
    std::fprintf(stderr, "has ended\n");
    return;
  }
  if (thread.state == State::kAtWarp)
    std::fprintf(stderr, "waits for lanes 0x%08x", block.warps[number / kLanes].mask[number % kLanes]);
  else
    std::fprintf(stderr, "waits for the block");
  std::fprintf(stderr, " at %s:%u in %s\n", thread.where.file_name(), thread.where.line(), thread.where.function_name());
}

// One thread of each place and state where threads stand.
void describe_threads() {
  std::vector<unsigned> shown;
  for (unsigned i = 0; i < block.threads.size() && shown.size() < 8; ++i) {
    const Thread& a = block.threads[i];
    bool seen = false;
    for (unsigned j : shown) {
      const Thread& b = block.threads[j];
      seen = seen || (a.state == b.state && (a.state == State::kEnded || same(a.where, b.where)));
    }
    if (seen) continue;
    shown.push_back(i);
    describe(i);
  }
}

[[noreturn]] void fail_block(const char* what) {
  std::fprintf(stderr, "emulator: kernel %s, block (%u,%u,%u): %s\n", block.grid->kernel, blockIdx.x, blockIdx.y, blockIdx.z,
               what);
  describe_threads();
  std::abort();
}

void shuffle(unsigned* numbers, unsigned count) {
  for (unsigned i = count; i > 1; --i) std::swap(numbers[i - 1], numbers[draw() % i]);
}

// Puts threads on the stack, so that the first of `numbers` (or the last, or any, by the seed) goes next.
void make_ready(unsigned* numbers, unsigned count) {
  if (block.seed >= 2) shuffle(numbers, count);
  for (unsigned i = 0; i < count; ++i) block.ready.push_back(block.seed == 1 ? numbers[i] : numbers[count - 1 - i]);
  if (block.seed >= 2 && !block.ready.empty())  // another warp goes first now and then
    if (draw() % 4 == 0) std::swap(block.ready.back(), block.ready[draw() % block.ready.size()]);
}

void take(unsigned number) {
  block.current = number;
  block.threads[number].state = State::kRunning;
  threadIdx = block.threads[number].index;
}

void run_threads();

Fiber* idle_fiber() {
  if (idle.empty()) return new_fiber(run_threads);
  Fiber* fiber = idle.back();
  idle.pop_back();
  return fiber;
}

unsigned next_thread() {
  if (!block.ready.empty()) {
    const unsigned number = block.ready.back();
    block.ready.pop_back();
    return number;
  }
  if (block.started < block.threads.size()) return block.order[block.started++];
  char what[120];
  std::snprintf(what, sizeof what, "of %zu threads %u have ended, the others wait and none can go on", block.threads.size(),
                block.ended);
  fail_block(what);
}

// The running thread waits: its fiber is left and the next thread's goes on, a fresh thread on an idle one.
void suspend() {
  Fiber* mine = block.threads[block.current].fiber;
  const unsigned next = next_thread();
  Thread& thread = block.threads[next];
  if (!thread.fiber) thread.fiber = idle_fiber();
  take(next);
  switch_fiber(mine, thread.fiber);
}

// A fiber's life: thread after thread, as long as fresh ones are next; idle while threads that have waited go on.
void run_threads() {
  for (;;) {
    block.grid->body(block.grid->arguments);
    Thread& thread = block.threads[block.current];
    Fiber* mine = std::exchange(thread.fiber, nullptr);
    thread.state = State::kEnded;
    block.warps[block.current / kLanes].ended |= 1u << block.current % kLanes;
    if (++block.ended == block.threads.size()) {
      idle.push_back(mine);
      switch_fiber(mine, &host);
      continue;  // a later block's fresh thread is current
    }
    const unsigned next = next_thread();
    Fiber* other = block.threads[next].fiber;
    take(next);
    if (!other) {
      block.threads[next].fiber = mine;
      continue;
    }
    idle.push_back(mine);
    switch_fiber(mine, other);
  }
}

void prepare(const Grid& grid) {
  const unsigned count = grid.block.x * grid.block.y * grid.block.z;
  block.grid = &grid;
  block.threads.resize(count);
  block.warps.resize((count + kLanes - 1) / kLanes);
  if (block.copies.size() < count) block.copies.resize(count);
  for (unsigned i = 0; i < count; ++i)
    block.threads[i].index = {i % grid.block.x, i / grid.block.x % grid.block.y, i / (grid.block.x * grid.block.y)};
  for (Thread& thread : block.threads) thread.fiber = nullptr;
  block.seed = seed();
  block.random = block.seed * 0x9E3779B97F4A7C15u + 1;
  block.order.resize(count);
  for (unsigned i = 0; i < count; ++i) block.order[i] = block.seed == 1 ? count - 1 - i : i;
  blockDim = grid.block;
  gridDim = grid.grid;
}

void run_block(uint3 index) {
  const unsigned count = static_cast<unsigned>(block.threads.size());
  blockIdx = index;
  std::memset(shared_memory, 0xFF, block.grid->shared_bytes);
  block.started = block.ended = block.at_barrier = 0;
  block.ready.clear();
  if (block.seed >= 2) shuffle(block.order.data(), count);
  for (unsigned i = 0; i < block.warps.size(); ++i) {
    const unsigned lanes = count - i * kLanes;
    block.warps[i].exist = lanes >= kLanes ? ~0u : (1u << lanes) - 1;
    block.warps[i].ended = block.warps[i].waiting = 0;
  }
  if (block.any_copies)
    for (Copies& copies : block.copies) copies = {};
  block.any_copies = false;
  const unsigned first = next_thread();
  block.threads[first].fiber = idle_fiber();
  take(first);
  switch_fiber(&host, block.threads[first].fiber);
  static const std::vector<unsigned char> clean(kSharedGuard, 0xFF);
  if (std::memcmp(shared_memory + block.grid->shared_bytes, clean.data(), kSharedGuard) == 0) return;
  for (std::size_t i = 0; i < kSharedGuard; ++i)
    if (shared_memory[block.grid->shared_bytes + i] != 0xFF)
      fail("kernel %s, block (%u,%u,%u) wrote byte %zu of %zu bytes of dynamic shared memory", block.grid->kernel, index.x,
           index.y, index.z, block.grid->shared_bytes + i, block.grid->shared_bytes);
}

// Says which thread of which kernel faulted, then leaves the fault to whoever handled it before.
struct sigaction before[2];
void faulted(int, siginfo_t* info, void*) {
  if (block.grid)
    std::fprintf(stderr, "emulator: kernel %s, block (%u,%u,%u), thread (%u,%u,%u): a fault at address %p\n",
                 block.grid->kernel, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z,
                 info->si_addr);
  sigaction(SIGSEGV, &before[0], nullptr);
  sigaction(SIGBUS, &before[1], nullptr);
}
void watch_faults() {
  thread_local bool has_stack = false;
  if (!std::exchange(has_stack, true)) {  // a handler can't run on a fiber's stack that has overflowed
    stack_t stack{};
    if (sigaltstack(nullptr, &stack) == 0 && (stack.ss_flags & SS_DISABLE)) {
      stack.ss_flags = 0;
      stack.ss_size = 64 * 1024;
      stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (stack.ss_sp != MAP_FAILED) sigaltstack(&stack, nullptr);
    }
  }
  static bool watching = false;
  if (std::exchange(watching, true)) return;
  struct sigaction action{};
  action.sa_sigaction = faulted;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &before[0]);
  sigaction(SIGBUS, &action, &before[1]);
}

void land(const Copy& copy) {
  std::memcpy(copy.to, copy.from, copy.source_bytes);
  std::memset(static_cast<char*>(copy.to) + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
}

}  // namespace

std::uint64_t seed() {
  const char* text = std::getenv("ANOMALYCLR_EMULATED_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 0;
}

void fail(const char* format, ...) {
  std::fprintf(stderr, "emulator: ");
  va_list values;
  va_start(values, format);
  std::vfprintf(stderr, format, values);
  va_end(values);
  std::fprintf(stderr, "\n");
  std::abort();
}

// Blocks go forward (seed 0), backward (1), or by steps of a length that meets each once: none may count on another.
void run_grid(const Grid& grid) {
  host = Fiber{};
  watch_faults();
  prepare(grid);
  std::memset(shared_memory + grid.shared_bytes, 0xFF, kSharedGuard);
  const std::uint64_t x = grid.grid.x, y = grid.grid.y, all = x * y * grid.grid.z;
  std::uint64_t at = block.seed == 1 ? all - 1 : 0, step = block.seed == 1 ? all - 1 : 1;
  if (block.seed >= 2) {
    at = draw() % all;
    step = draw() % all;
    while (std::gcd(step, all) != 1) step = (step + 1) % all;
  }
  const StaticShared poisoned;
  for (std::uint64_t i = 0; i < all; ++i) {
    run_block({static_cast<unsigned>(at % x), static_cast<unsigned>(at / x % y), static_cast<unsigned>(at / (x * y))});
    at = (at + step) % all;
  }
  block.grid = nullptr;
}

void* dynamic_shared() { return shared_memory; }
unsigned lane_id() { return block.current % kLanes; }
unsigned active_lanes() {
  const Warp& warp = block.warps[block.current / kLanes];
  return warp.exist & ~warp.ended;
}

int block_barrier(bool predicate, Where where) {
  Thread& me = block.threads[block.current];
  me.state = State::kAtBarrier;
  me.where = where;
  if (block.at_barrier == 0) block.votes = 0;
  block.votes += predicate;
  const unsigned count = static_cast<unsigned>(block.threads.size());
  if (++block.at_barrier < count) {
    suspend();
    return block.result;  // stands until all threads have come to the next barrier
  }
  block.at_barrier = 0;
  block.result = block.votes;
  static std::vector<unsigned> others;
  others.clear();
  for (unsigned i = 0; i < count; ++i) {
    if (!same(block.threads[i].where, where)) fail_block("threads wait at different barriers");
    if (i != block.current) others.push_back(i);
  }
  me.state = State::kRunning;
  make_ready(others.data(), static_cast<unsigned>(others.size()));
  return block.result;
}

void warp_together(unsigned mask, void* argument, Together together, Where where) {
  Thread& me = block.threads[block.current];
  Warp& warp = block.warps[block.current / kLanes];
  const unsigned lane = block.current % kLanes, first = block.current - lane;
  mask &= warp.exist;
  me.state = State::kAtWarp;
  me.where = where;
  warp.mask[lane] = mask;
  warp.arguments[lane] = argument;
  warp.together[lane] = together;
  if (!(mask >> lane & 1)) fail_block("a lane calls a collective whose mask doesn't name it");
  warp.waiting |= 1u << lane;
  if ((warp.waiting & mask) != mask) return suspend();
  unsigned others[kLanes], count = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    if (!(mask >> l & 1)) continue;
    if (warp.mask[l] != mask || warp.together[l] != together || !same(block.threads[first + l].where, where))
      fail_block("lanes of a warp wait at different collectives");
    if (l != lane) others[count++] = first + l;
  }
  warp.waiting &= ~mask;
  together(warp.arguments, mask);
  me.state = State::kRunning;
  make_ready(others, count);
}

void warp_gather(unsigned mask, const void* mine, std::size_t bytes, void* all, Where where) {
  struct Gather {
    const void* mine;
    std::size_t bytes;
    void* all;
  } gather{mine, bytes, all};
  warp_together(mask, &gather, [](void* const* arguments, unsigned lanes) {
    for (unsigned to = 0; to < kLanes; ++to) {
      if (!(lanes >> to & 1)) continue;
      const Gather& target = *static_cast<Gather*>(arguments[to]);
      for (unsigned from = 0; from < kLanes; ++from) {
        void* place = static_cast<char*>(target.all) + from * target.bytes;
        if (lanes >> from & 1)
          std::memcpy(place, static_cast<Gather*>(arguments[from])->mine, target.bytes);
        else
          std::memset(place, 0xFF, target.bytes);
      }
    }
  }, where);
}

void copy_async(void* shared, const void* global, std::size_t bytes, std::size_t source_bytes) {
  const auto to = reinterpret_cast<std::uintptr_t>(shared), from = reinterpret_cast<std::uintptr_t>(global);
  if ((bytes != 4 && bytes != 8 && bytes != 16) || source_bytes > bytes || to % bytes || from % bytes)
    fail_block("cp.async with a size or an alignment that it hasn't got");
  const Copy copy{shared, global, bytes, source_bytes};
  if (block.seed % 2 == 1) return land(copy);
  block.any_copies = true;
  block.copies[block.current].open.push_back(copy);
}

void commit_copies() {
  if (block.seed % 2 == 1) return;
  block.any_copies = true;
  Copies& copies = block.copies[block.current];
  copies.groups.push_back(std::exchange(copies.open, {}));
}

void wait_copies(int groups_left) {
  auto& groups = block.copies[block.current].groups;
  while (groups.size() > static_cast<std::size_t>(groups_left)) {
    for (const Copy& copy : groups.front()) land(copy);
    groups.erase(groups.begin());
  }
}

}  // namespace emulator
