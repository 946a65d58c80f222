// The emulated device: what it computes, and that it finds missing waits, missing barriers and overruns.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "cuda_bf16.h"
#include "cuda_runtime.h"

namespace {

// An environment variable while it lives.
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Setting() { unsetenv(name_); }

 private:
  const char* name_;
};

const char* const kSeeds[] = {"0", "1", "2", "3", "4"};

// What a child process that runs `body` says before it aborts; empty where it doesn't abort.
template <class F>
std::string last_words(F body) {
  int ends[2];
  if (pipe(ends) != 0) return "";
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    close(ends[0]);
    body();
    _exit(0);
  }
  close(ends[1]);
  std::string words;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) words.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? words : "";
}
bool has(const std::string& words, const char* part) { return words.find(part) != std::string::npos; }

// Device memory that frees itself.
template <class T>
class Device {
 public:
  explicit Device(std::size_t count) : count_(count) { CHECK(cudaMalloc(&data_, count * sizeof(T)) == cudaSuccess); }
  explicit Device(const std::vector<T>& from) : Device(from.size()) {
    CHECK(cudaMemcpy(data_, from.data(), count_ * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~Device() { cudaFree(data_); }
  T* data() const { return data_; }
  std::vector<T> host() const {
    std::vector<T> out(count_);
    CHECK(cudaMemcpy(out.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
    return out;
  }

 private:
  std::size_t count_;
  T* data_ = nullptr;
};

class Stream {
 public:
  Stream() { CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking) == cudaSuccess); }
  ~Stream() { cudaStreamDestroy(stream_); }
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

cudaEvent_t new_event() {
  cudaEvent_t event = nullptr;
  CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess);
  return event;
}

__global__ void add(float* x, int count, float by) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] += by;
}
__global__ void scale(float* x, int count, float by) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] *= by;
}

}  // namespace

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
  CHECK(cudaFuncSetAttribute(number_threads, cudaFuncAttributeMaxDynamicSharedMemorySize, 228 << 10) == cudaErrorInvalidValue);
  CHECK(cudaFuncSetAttribute(number_threads, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10) == cudaSuccess);
  Device<int> out(std::vector<int>(24, 0));
  CHECK(emulator::launch(number_threads, dim3(1), dim3(24), 64 << 10, nullptr, out.data()) == cudaSuccess);
  CHECK(cudaDeviceSynchronize() == cudaSuccess);
  int blocks = 0;
  CHECK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, number_threads, 256, 100 << 10) == cudaSuccess);
  CHECK(blocks == 2);
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
      CHECK(emulator::launch(kernel, dim3(blocks), dim3(threads), threads * 4, nullptr, from.data(), to.data()) == cudaSuccess);
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
}

// ---- memory --------------------------------------------------------------------------------------------------------

TEST(memory_starts_as_nan_and_copies_are_checked) {
  const Device<float> a(100), b(100);
  for (float x : a.host()) CHECK(std::isnan(x));
  std::vector<float> host(200, 1.f);
  CHECK(cudaMemcpy(a.data(), host.data(), 404, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(a.data(), host.data(), 400, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host.data(), host.data() + 100, 400, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(a.data(), host.data(), 400, cudaMemcpyDefault) == cudaSuccess);
  CHECK(cudaMemcpy2DAsync(b.data(), 40, a.data(), 80, 40, 5, cudaMemcpyDeviceToDevice) == cudaSuccess);
  CHECK(b.host()[49] == 1 && std::isnan(b.host()[50]));
  CHECK(cudaFree(host.data()) == cudaErrorInvalidValue);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 256 == 0);
}

TEST(pinned_memory_is_read_late_and_pageable_at_once) {
  const Stream stream;
  const Device<float> to(1);
  float *pinned = nullptr, pageable = 1;
  CHECK(cudaMallocHost(&pinned, 4) == cudaSuccess);
  *pinned = 1;
  CHECK(cudaMemcpyAsync(to.data(), pinned, 4, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  *pinned = 2;  // too early
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(to.host()[0] == 2);
  CHECK(cudaMemcpyAsync(to.data(), &pageable, 4, cudaMemcpyHostToDevice, stream) == cudaSuccess);
  pageable = 2;
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(to.host()[0] == 1);
  *pinned = 3;
  CHECK(cudaMemcpyAsync(pinned, to.data(), 4, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
  CHECK(*pinned == 3);  // it hasn't come yet
  CHECK(cudaStreamSynchronize(stream) == cudaSuccess);
  CHECK(*pinned == 1);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST(faults_that_the_environment_asks_for) {
  void* place = nullptr;
  int count = -1;
  {
    Setting setting("ANOMALYCLR_EMULATED_DEVICES", "0");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0);
    CHECK(cudaMalloc(&place, 4) == cudaErrorNoDevice);
  }
  {
    Setting setting("ANOMALYCLR_EMULATED_DRIVER", "12040");
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver);
    CHECK(cudaDriverGetVersion(&count) == cudaSuccess && count == 12040);
  }
  {
    Setting setting("ANOMALYCLR_EMULATED_FAIL_MALLOC", "2");
    CHECK(cudaMalloc(&place, 4) == cudaSuccess);
    cudaFree(place);
    CHECK(cudaMalloc(&place, 4) == cudaErrorMemoryAllocation);
    CHECK(cudaMalloc(&place, 4) == cudaSuccess);
    cudaFree(place);
  }
  {
    Setting setting("ANOMALYCLR_EMULATED_MEMORY", "1000");
    std::size_t free = 0, total = 0;
    CHECK(cudaMalloc(&place, 600) == cudaSuccess);
    CHECK(cudaMemGetInfo(&free, &total) == cudaSuccess && free == 400 && total == 1000);
    void* second = nullptr;
    CHECK(cudaMalloc(&second, 401) == cudaErrorMemoryAllocation);
    cudaFree(place);
  }
  for (const auto& [value, error] : {std::pair{"2", cudaErrorLaunchFailure}, {"2:214", cudaErrorECCUncorrectable}}) {
    Device<float> x(std::vector<float>(4, 1));
    Setting setting("ANOMALYCLR_EMULATED_LOST", value);
    CHECK(emulator::launch(add, dim3(1), dim3(4), 0, nullptr, x.data(), 4, 1.f) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(emulator::launch(add, dim3(1), dim3(4), 0, nullptr, x.data(), 4, 1.f) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == error);
    CHECK(cudaMalloc(&place, 4) == error);
    CHECK(cudaStreamSynchronize(nullptr) == error);
    CHECK(cudaGetLastError() == error);
  }
  CHECK(cudaMalloc(&place, 4) == cudaSuccess);
  CHECK(cudaFree(place) == cudaSuccess);
  cudaGetLastError();
}

// ---- streams -------------------------------------------------------------------------------------------------------

TEST(a_missing_wait_between_streams_gives_wrong_numbers) {
  int found = 0;
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    for (const bool wait : {true, false}) {
      const Stream first, second;
      const cudaEvent_t done = new_event();
      const Device<float> x(std::vector<float>(300, 2.f));
      emulator::launch(add, dim3(2), dim3(256), 0, first, x.data(), 300, 1.f);
      CHECK(cudaEventRecord(done, first) == cudaSuccess);
      if (wait) CHECK(cudaStreamWaitEvent(second, done) == cudaSuccess);
      emulator::launch(scale, dim3(2), dim3(256), 0, second, x.data(), 300, 10.f);
      CHECK(cudaStreamSynchronize(second) == cudaSuccess);
      CHECK(cudaDeviceSynchronize() == cudaSuccess);
      const float got = x.host()[299];
      if (wait) CHECK(got == 30);
      found += !wait && got != 30;
      CHECK(cudaEventDestroy(done) == cudaSuccess);
    }
  }
  CHECK(found >= 1);
}

TEST(the_legacy_stream_waits_for_blocking_streams) {
  cudaStream_t blocking = nullptr;
  CHECK(cudaStreamCreate(&blocking) == cudaSuccess);
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    const Device<float> x(std::vector<float>(4, 1.f));
    emulator::launch(add, dim3(1), dim3(4), 0, blocking, x.data(), 4, 1.f);
    emulator::launch(scale, dim3(1), dim3(4), 0, nullptr, x.data(), 4, 3.f);
    emulator::launch(add, dim3(1), dim3(4), 0, blocking, x.data(), 4, 1.f);
    CHECK(x.host()[3] == 7);
  }
  CHECK(cudaStreamDestroy(blocking) == cudaSuccess);
  CHECK(cudaStreamSynchronize(blocking) == cudaErrorInvalidResourceHandle);
  cudaGetLastError();
}

TEST(queries_make_work_go_on) {
  const Stream stream;
  const Device<float> x(std::vector<float>(4, 1.f));
  const cudaEvent_t done = new_event();
  for (int i = 0; i < 5; ++i) emulator::launch(add, dim3(1), dim3(4), 0, stream, x.data(), 4, 1.f);
  CHECK(cudaEventRecord(done, stream) == cudaSuccess);
  int turns = 0;
  while (cudaEventQuery(done) == cudaErrorNotReady && turns < 100) ++turns;
  CHECK(turns > 0 && turns < 100);
  CHECK(cudaStreamQuery(stream) == cudaSuccess);
  CHECK(x.host()[0] == 6);
  cudaEventDestroy(done);
}

TEST(host_threads_share_the_device) {
  std::vector<std::thread> threads;
  std::vector<float> got(4);
  for (std::size_t t = 0; t < got.size(); ++t)
    threads.emplace_back([t, &got] {
      const Stream stream;
      const Device<float> x(std::vector<float>(1000, static_cast<float>(t)));
      for (int i = 0; i < 50; ++i) emulator::launch(add, dim3(8), dim3(128), 0, stream, x.data(), 1000, 1.f);
      cudaStreamSynchronize(stream);
      const auto all = x.host();
      got[t] = std::accumulate(all.begin(), all.end(), 0.f);
    });
  for (auto& thread : threads) thread.join();
  for (std::size_t t = 0; t < got.size(); ++t) CHECK(got[t] == 1000.f * (50.f + static_cast<float>(t)));
}

// ---- graphs --------------------------------------------------------------------------------------------------------

// x -> (x + 1) on one stream, y -> 3 y on another, then x += y' by the first.
__global__ void add_to(float* x, const float* y, int count) {
  if (static_cast<int>(threadIdx.x) < count) x[threadIdx.x] += y[threadIdx.x];
}

TEST(a_captured_graph_replays_with_forks_and_joins) {
  for (const char* seed : kSeeds) {
    Setting setting("ANOMALYCLR_EMULATED_SEED", seed);
    const Stream first, second;
    const cudaEvent_t fork = new_event(), join = new_event();
    const Device<float> x(std::vector<float>(8, 1.f)), y(std::vector<float>(8, 1.f));
    float* fed = nullptr;
    CHECK(cudaMallocHost(&fed, 32) == cudaSuccess);
    CHECK(cudaStreamBeginCapture(first, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    CHECK(cudaMemcpyAsync(x.data(), fed, 32, cudaMemcpyHostToDevice, first) == cudaSuccess);
    CHECK(cudaEventRecord(fork, first) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(second, fork) == cudaSuccess);
    emulator::launch(add, dim3(1), dim3(8), 0, first, x.data(), 8, 1.f);
    emulator::launch(scale, dim3(1), dim3(8), 0, second, y.data(), 8, 3.f);
    CHECK(cudaEventRecord(join, second) == cudaSuccess);
    CHECK(cudaStreamWaitEvent(first, join) == cudaSuccess);
    emulator::launch(add_to, dim3(1), dim3(8), 0, first, x.data(), y.data(), 8);
    cudaGraph_t graph = nullptr;
    CHECK(cudaStreamEndCapture(first, &graph) == cudaSuccess);
    cudaGraphExec_t executable = nullptr;
    CHECK(cudaGraphInstantiate(&executable, graph) == cudaSuccess);
    CHECK(cudaGraphDestroy(graph) == cudaSuccess);
    CHECK(x.host()[0] == 1 && y.host()[0] == 1);  // nothing has run
    float three = 3;
    for (const float value : {5.f, 7.f}) {
      std::fill(fed, fed + 8, value);
      CHECK(cudaGraphLaunch(executable, first) == cudaSuccess);
      CHECK(cudaStreamSynchronize(first) == cudaSuccess);
      CHECK(x.host()[7] == value + 1 + three);
      three *= 3;
    }
    CHECK(cudaGraphExecDestroy(executable) == cudaSuccess);
    cudaFreeHost(fed);
    cudaEventDestroy(fork);
    cudaEventDestroy(join);
  }
}

TEST(a_capture_forbids_what_cuda_forbids) {
  const Stream stream, other;
  const Device<float> x(std::vector<float>(4, 1.f));
  const cudaEvent_t fork = new_event();
  cudaGraph_t graph = nullptr;
  void* place = nullptr;
  float value = 0;
  const auto spoil = [&](auto call, cudaError_t expected) {
    CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    emulator::launch(add, dim3(1), dim3(4), 0, stream, x.data(), 4, 1.f);
    CHECK(call() == expected);
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    CHECK(cudaStreamIsCapturing(stream, &status) == cudaSuccess && status == cudaStreamCaptureStatusInvalidated);
    CHECK(emulator::launch(add, dim3(1), dim3(4), 0, stream, x.data(), 4, 1.f) == cudaErrorStreamCaptureInvalidated);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated && graph == nullptr);
  };
  spoil([&] { return cudaMalloc(&place, 4); }, cudaErrorStreamCaptureUnsupported);
  spoil([&] { return cudaMemcpy(&value, x.data(), 4, cudaMemcpyDeviceToHost); }, cudaErrorStreamCaptureUnsupported);
  spoil([&] { return cudaStreamSynchronize(stream); }, cudaErrorStreamCaptureUnsupported);
  spoil([&] { return cudaDeviceSynchronize(); }, cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  CHECK(cudaEventRecord(fork, stream) == cudaSuccess);
  CHECK(cudaStreamWaitEvent(other, fork) == cudaSuccess);
  emulator::launch(add, dim3(1), dim3(4), 0, other, x.data(), 4, 1.f);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureUnjoined);
  CHECK(cudaEventDestroy(fork) == cudaSuccess);
  CHECK(x.host()[0] == 1);
  cudaGetLastError();
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
