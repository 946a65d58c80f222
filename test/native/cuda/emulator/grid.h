// Runs a grid on the host: block after block, each CUDA thread until it has to wait for others.
#pragma once
#include <cstddef>
#include <cstdint>
#include <source_location>

#include "vector_types.h"

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace emulator {

using Where = std::source_location;

struct Grid {
  dim3 grid, block;
  std::size_t shared_bytes;
  void (*body)(const void* arguments);  // one thread of it
  const void* arguments;
  const char* kernel;
};

// One at a time: the caller holds the device.
void run_grid(const Grid& grid);

// ---- for the threads of a kernel -----------------------------------------------------------------------------------

void* dynamic_shared();  // 1024-byte aligned, 0xFF when a block starts

// Waits until every thread of the block is here. Returns for how many `predicate` held.
int block_barrier(bool predicate, Where where);

// Waits until every lane of `mask` is here; the last to come calls `together(arguments, lanes)` for all of them, where
// arguments[lane] is what that lane handed in. Lanes that the block hasn't got are dropped from the mask.
using Together = void (*)(void* const* arguments, unsigned lanes);
void warp_together(unsigned mask, void* argument, Together together, Where where);

// Lane `l` puts `bytes` at `mine`; everybody gets those of all lanes, [32, bytes], 0xFF for lanes outside the mask.
void warp_gather(unsigned mask, const void* mine, std::size_t bytes, void* all, Where where = Where::current());

unsigned lane_id();
unsigned active_lanes();  // of the warp: those that have not ended

// cp.async: `bytes` of 4, 8 or 16, of which `source_bytes` are read and the rest are zeros. They land at the wait for
// their group, or at once under odd seeds, as either may happen on a device.
void copy_async(void* shared, const void* global, std::size_t bytes, std::size_t source_bytes);
void commit_copies();
void wait_copies(int groups_left);

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// ANOMALYCLR_EMULATED_SEED: 0 runs blocks and threads forward, 1 backward, others at random.
std::uint64_t seed();

}  // namespace emulator
