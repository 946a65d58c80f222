// The emulated device's kernels: what they compute, and that missing barriers, overruns and deadlocks are found.
#include "emulator_support.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cuda_bf16.h"

// ---- grids ---------------------------------------------------------------------------------------------------------

__global__ void number_threads(int* out) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  atomicAdd(out + block * 24 + thread, static_cast<int>(1 + block * 24 + thread));
}

TEST(every_thread_of_a_grid_runs_once) {
  Device<int> out(std::vector<int>(24 * 12, 0));
  CHECK(emulator::launch(number_threads, dim3(2, 3, 2), dim3(4, 3, 2), 0, nullptr, out.data()) == cudaSuccess);
  const auto got = out.host();
  for (int i = 0; i < 24 * 12; ++i) CHECK(got[static_cast<std::size_t>(i)] == i + 1);
}

TEST(launches_are_checked) {
  int x = 0;
  CHECK(emulator::launch(number_threads, dim3(1), dim3(1025), 0, nullptr, &x) == cudaErrorInvalidConfiguration);
  CHECK(emulator::launch(number_threads, dim3(0), dim3(32), 0, nullptr, &x) == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
  CHECK(cudaGetLastError() == cudaSuccess);
  CHECK(emulator::launch(number_threads, dim3(1), dim3(24), 64 << 10, nullptr, &x) == cudaErrorInvalidValue);
  const auto most = cudaFuncAttributeMaxDynamicSharedMemorySize;
  CHECK(cudaFuncSetAttribute(number_threads, most, 228 << 10) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(number_threads, most, 64 << 10) == cudaSuccess);
  Device<int> out(std::vector<int>(24, 0));
  CHECK(emulator::launch(number_threads, dim3(1), dim3(24), 64 << 10, nullptr, out.data()) == cudaSuccess);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, number_threads, 256, 100 << 10) == cudaSuccess);
  CHECK(blocks == 2);
}

__global__ void order_of_blocks(int* counter, int* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = atomicAdd(counter, 1);
}

TEST(blocks_run_once_in_any_order) {
  std::vector<std::vector<int>> orders;
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    const Device<int> counter(std::vector<int>(1, 0)), out(100);
    emulator::launch(order_of_blocks, dim3(100), dim3(32), 0, nullptr, counter.data(), out.data());
    orders.push_back(out.host());
    std::vector<int> sorted = orders.back();
    std::sort(sorted.begin(), sorted.end());
    for (int i = 0; i < 100; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
  }
  CHECK(orders[0][0] == 0 && orders[1][0] == 99);
  CHECK(orders[2] != orders[0] && orders[2] != orders[1] && orders[2] != orders[3]);
}

// ---- warps and blocks ----------------------------------------------------------------------------------------------

__global__ void collectives(int* out) {
  const int lane = static_cast<int>(threadIdx.x % 32), n = static_cast<int>(blockDim.x);
  int* mine = out + threadIdx.x;
  mine[0 * n] = __shfl_sync(0xFFFFFFFF, lane * 10, 5);
  mine[1 * n] = __shfl_xor_sync(0xFFFFFFFF, lane, 3);
  mine[2 * n] = __shfl_up_sync(0xFFFFFFFF, lane, 2);
  mine[3 * n] = __shfl_down_sync(0xFFFFFFFF, lane, 4, 8);
  mine[4 * n] = static_cast<int>(__ballot_sync(0xFFFFFFFF, lane % 3 == 0));
  mine[5 * n] = static_cast<int>(__shfl_xor_sync(0xFFFFFFFF, 1e300 * lane, 1) / 1e300 + 0.5);
  mine[6 * n] = __any_sync(0xFFFFFFFF, lane == 31) + 2 * __all_sync(0xFFFFFFFF, lane < 31);
  mine[7 * n] = __reduce_max_sync(0xFFFFFFFF, -lane);
  const unsigned half = lane < 16 ? 0x0000FFFF : 0xFFFF0000;  // halves of a warp go their own ways
  int sum = lane;
  if (lane < 16)
    for (int d = 8; d > 0; d /= 2) sum += __shfl_xor_sync(half, sum, d);
  else
    sum = __shfl_sync(half, lane, 20);
  mine[8 * n] = sum;
  mine[9 * n] = __syncthreads_count(lane < 4);
  double all[32], value = lane;
  emulator::warp_gather(0xFFFFFFFF, &value, sizeof value, all);
  mine[10 * n] = static_cast<int>(all[lane / 2]);
}

TEST(collectives_of_warps_and_blocks) {
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    Device<int> out(11 * 96);
    emulator::launch(collectives, dim3(1), dim3(96), 0, nullptr, out.data());
    const auto got = out.host();
    for (int t = 0; t < 96; ++t) {
      const int lane = t % 32;
      const auto at = [&](int row) { return got[static_cast<std::size_t>(row * 96 + t)]; };
      CHECK(at(0) == 50);
      CHECK(at(1) == (lane ^ 3));
      CHECK(at(2) == (lane < 2 ? lane : lane - 2));
      CHECK(at(3) == (lane % 8 < 4 ? lane + 4 : lane));
      CHECK(at(4) == 0x49249249);
      CHECK(at(5) == (lane ^ 1));
      CHECK(at(6) == 1);
      CHECK(at(7) == 0);
      CHECK(at(8) == (lane < 16 ? 120 : 20));
      CHECK(at(9) == 12);
      CHECK(at(10) == lane / 2);
    }
  }
}

// Reverses each block's numbers through shared memory.
template <bool kBarrier>
__global__ void reverse(const float* in, float* out) {
  auto* tile = static_cast<float*>(emulator::dynamic_shared());
  const unsigned base = blockIdx.x * blockDim.x;
  tile[threadIdx.x] = in[base + threadIdx.x];
  if (kBarrier) __syncthreads();
  out[base + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}
template <bool kBarrier>
__global__ void rotate_lanes(const float* in, float* out) {
  auto* tile = static_cast<float*>(emulator::dynamic_shared());
  tile[threadIdx.x] = in[threadIdx.x];
  if (kBarrier) __syncwarp();
  out[threadIdx.x] = tile[(threadIdx.x + 1) % 32];
}

TEST(a_missing_barrier_gives_wrong_numbers) {
  std::vector<float> in(512);
  std::iota(in.begin(), in.end(), 1.f);
  const Device<float> from(in);
  int found_block = 0, found_warp = 0;
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    const auto run = [&](auto kernel, unsigned blocks, unsigned threads) {
      Device<float> to(in.size());
      const auto started = emulator::launch(kernel, dim3(blocks), dim3(threads), threads * 4, nullptr, from.data(), to.data());
      CHECK(started == cudaSuccess);
      return to.host();
    };
    const auto right = run(reverse<true>, 2, 256), wrong = run(reverse<false>, 2, 256);
    bool wrong_block = false, wrong_warp = false;
    for (std::size_t i = 0; i < 512; ++i) {
      CHECK(right[i] == in[i / 256 * 256 + 255 - i % 256]);
      wrong_block = wrong_block || wrong[i] != right[i];
    }
    const auto right_lanes = run(rotate_lanes<true>, 1, 32), wrong_lanes = run(rotate_lanes<false>, 1, 32);
    for (std::size_t i = 0; i < 32; ++i) {
      CHECK(right_lanes[i] == in[(i + 1) % 32]);
      wrong_warp = wrong_warp || wrong_lanes[i] != right_lanes[i];
    }
    found_block += wrong_block;
    found_warp += wrong_warp;
  }
  CHECK(found_block >= 1);
  CHECK(found_warp >= 1);
}

__global__ void copy_through_shared(const float* in, float* out, bool wait) {
  auto* tile = static_cast<float*>(emulator::dynamic_shared());
  emulator::copy_async(tile + 4 * threadIdx.x, in + 4 * threadIdx.x, 16, threadIdx.x == 0 ? 8 : 16);
  emulator::commit_copies();
  if (wait) emulator::wait_copies(0);
  for (int i = 0; i < 4; ++i) out[4 * threadIdx.x + i] = tile[4 * threadIdx.x + i];
}

TEST(asynchronous_copies_land_at_the_wait) {
  std::vector<float> in(128);
  std::iota(in.begin(), in.end(), 1.f);
  const Device<float> from(in), to(in.size());
  emulator::launch(copy_through_shared, dim3(1), dim3(32), 512, nullptr, from.data(), to.data(), true);
  const auto right = to.host();
  for (std::size_t i = 0; i < 128; ++i) CHECK(right[i] == (i == 2 || i == 3 ? 0 : in[i]));
  emulator::launch(copy_through_shared, dim3(1), dim3(32), 512, nullptr, from.data(), to.data(), false);
  for (float x : to.host()) CHECK(std::isnan(x));
}

#if !defined(__SANITIZE_ADDRESS__)  // there they are plain statics
template <bool kZeroed>
__global__ void count_in_shared(float* out) {
  __shared__ float sum;
  if (kZeroed && threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, 1.f);
  __syncthreads();
  if (threadIdx.x == 0) *out = sum;
}

TEST(shared_variables_start_as_nan) {
  const Device<float> out(1);
  CHECK(cudaMalloc(static_cast<void**>(nullptr), 1) == cudaErrorInvalidValue);  // noted for this thread
  for (int i = 0; i < 2; ++i) {
    emulator::launch(count_in_shared<true>, dim3(1), dim3(64), 0, nullptr, out.data());
    CHECK(out.host()[0] == 64);
    emulator::launch(count_in_shared<false>, dim3(1), dim3(64), 0, nullptr, out.data());
    CHECK(std::isnan(out.host()[0]));
  }
  CHECK(cudaGetLastError() == cudaErrorInvalidValue);
}
#endif

// ---- faults in kernels ---------------------------------------------------------------------------------------------

__global__ void half_waits() {
  if (threadIdx.x < 16) return;
  __syncthreads();
}
__global__ void two_barriers() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}
__global__ void lanes_that_never_come() {
  if (threadIdx.x < 8) __shfl_sync(0xFFFF, 1, 0);
}
__global__ void unnamed_lane() { __shfl_sync(0xFF, 1, 0); }
__global__ void over_shared(int at) { static_cast<char*>(emulator::dynamic_shared())[at] = 1; }
__global__ void write_at(char* place, int at) { place[at] = 1; }
__global__ void overflow_stack(int* out) {
  volatile int big[200000];
  for (int i = 0; i < 200000; ++i) big[199999 - i] = i;
  *out = big[7];
}

TEST(faulty_kernels_are_reported) {
  const auto words = [](auto kernel, unsigned threads, auto... arguments) {
    return last_words([&] {
      emulator::launch(kernel, dim3(1), dim3(threads), 64, nullptr, arguments...);
      cudaDeviceSynchronize();
    });
  };
  CHECK(has(words(half_waits, 64), "of 64 threads 16 have ended"));
  CHECK(has(words(half_waits, 64), "half_waits"));
  CHECK(has(words(two_barriers, 64), "different barriers"));
  CHECK(has(words(lanes_that_never_come, 32), "waits for lanes 0x0000ffff"));
  CHECK(has(words(unnamed_lane, 32), "doesn't name it"));
  CHECK(has(words(over_shared, 1, 64), "wrote byte 64 of 64 bytes of dynamic shared memory"));
  CHECK(words(over_shared, 1, 63).empty());
  const auto write = [](int at) {
    return last_words([at] {
      char* place = nullptr;
      cudaMalloc(&place, 100);
      emulator::launch(write_at, dim3(1), dim3(1), 0, nullptr, place, at);
      cudaDeviceSynchronize();
    });
  };
  CHECK(write(99).empty());
  CHECK(has(write(100), "byte 100 of device allocation"));
  CHECK(has(write(-1), "byte -1 of device allocation"));
#if !defined(__SANITIZE_ADDRESS__)  // which says it itself
  CHECK(has(words(write_at, 1, static_cast<char*>(nullptr), 1), "thread (0,0,0): a fault at address 0x1"));
  CHECK(has(words(overflow_stack, 1, static_cast<int*>(nullptr)), "thread (0,0,0): a fault"));
#endif
}

// ---- bf16 ----------------------------------------------------------------------------------------------------------

TEST(bf16_rounds_to_nearest_even_and_keeps_nan) {
  const auto bits = [](float x) { return __bfloat16_as_ushort(__float2bfloat16(x)); };
  CHECK(bits(1.f) == 0x3F80);
  CHECK(bits(1.f + 0x1p-8f) == 0x3F80);              // a tie, to even
  CHECK(bits(1.f + 0x1p-7f + 0x1p-8f) == 0x3F82);    // a tie, to even
  CHECK(bits(1.f + 0x1p-8f + 0x1p-20f) == 0x3F81);
  CHECK(bits(-3.4e38f) == 0xFF80);                   // past the largest
  CHECK((bits(std::nanf("")) & 0x7FFF) > 0x7F80);
  for (unsigned u = 0; u < 0x10000; ++u) {
    const auto b = __ushort_as_bfloat16(static_cast<unsigned short>(u));
    if ((u & 0x7FFF) <= 0x7F80) CHECK(bits(__bfloat162float(b)) == u);
  }
  const float2 pair = __bfloat1622float2(__floats2bfloat162_rn(1.5f, -2.f));
  CHECK(pair.x == 1.5f && pair.y == -2.f);
}
