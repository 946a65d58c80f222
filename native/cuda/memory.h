// Memory, streams and events of the device, owned. What is allocated grows and is kept, as in core/buffer.h; `Moves` counts
// every time that something moved, as captured graphs hold the old addresses.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "cuda/launch.h"

namespace aclr::cuda {

struct Moves {
  std::uint64_t count = 0;
};

template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(Moves& moves) : moves_(moves) {}
  ~DeviceBuffer() { cudaFree(data_); }
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : moves_(other.moves_), data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&&) = delete;

  // Room for `count`; what stood here is lost where that takes more memory than there was.
  T* need(std::size_t count) {
    if (count <= count_) return data_;
    cudaFree(std::exchange(data_, nullptr));
    count_ = 0;
    ++moves_.count;
    void* made = nullptr;
    check(cudaMalloc(&made, count * sizeof(T)), "taking device memory");
    data_ = static_cast<T*>(made);
    count_ = count;
    return data_;
  }
  T* data() const { return data_; }

 private:
  Moves& moves_;
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

// Host memory that the device copies from and to by itself.
template <class T>
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  ~PinnedBuffer() { cudaFreeHost(data_); }
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  T* need(std::size_t count) {
    if (count <= count_) return data_;
    cudaFreeHost(std::exchange(data_, nullptr));
    count_ = 0;
    count += count / 8;  // pinning is slow, and the next batch may be a little larger
    void* made = nullptr;
    check(cudaMallocHost(&made, count * sizeof(T)), "taking pinned host memory");
    data_ = static_cast<T*>(made);
    count_ = count;
    return data_;
  }
  T* data() const { return data_; }

 private:
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() {
    if (stream_) cudaStreamDestroy(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void wait() const { check(cudaStreamSynchronize(stream_), "computing"); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Flag {
 public:
  Flag() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
  ~Flag() {
    if (event_) cudaEventDestroy(event_);
  }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;
  void raise(cudaStream_t stream) const { check(cudaEventRecord(event_, stream), "recording an event"); }
  void hold(cudaStream_t stream) const { check(cudaStreamWaitEvent(stream, event_, 0), "ordering streams"); }
  void wait() const { check(cudaEventSynchronize(event_), "computing"); }

 private:
  cudaEvent_t event_ = nullptr;
};

template <class T>
void to_device(T* to, const T* from, std::size_t count, cudaStream_t stream) {
  if (count > 0)
    check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyHostToDevice, stream), "copying to the device");
}
template <class T>
void to_host(T* to, const T* from, std::size_t count, cudaStream_t stream) {
  if (count > 0)
    check(cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDeviceToHost, stream), "copying from the device");
}
template <class T>
void fill_zero(T* to, std::size_t count, cudaStream_t stream) {
  if (count > 0) check(cudaMemsetAsync(to, 0, count * sizeof(T), stream), "clearing device memory");
}
// `rows` rows of `cols` numbers, each side's rows so far apart.
template <class T>
void copy_rows(T* to, std::size_t to_row, const T* from, std::size_t from_row, std::size_t cols, std::size_t rows,
               cudaStream_t stream) {
  if (rows > 0 && cols > 0)
    check(cudaMemcpy2DAsync(to, to_row * sizeof(T), from, from_row * sizeof(T), cols * sizeof(T), rows,
                            cudaMemcpyDeviceToDevice, stream),
          "copying rows");
}

}  // namespace aclr::cuda
