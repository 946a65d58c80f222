// The emulated device's memory, faults, streams and graphs, and that a missing wait between streams is found.
#include "emulator_support.h"

#include <cmath>
#include <cstdint>
#include <numeric>
#include <thread>
#include <utility>

namespace {

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
