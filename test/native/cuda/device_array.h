// Numbers in device memory between guard zones, on a GPU or on what stands in for one.
#pragma once
#include <cuda_runtime.h>

#include <cstring>
#include <vector>

#include "check.h"

namespace aclr::cuda {

template <class T>
class DeviceArray {
 public:
  // `shift` numbers past an aligned place.
  explicit DeviceArray(std::size_t count, int shift = 0) : count_(count), before_(kZone / sizeof(T) + shift) {
    CHECK(cudaMalloc(reinterpret_cast<void**>(&all_), bytes()) == cudaSuccess);
    CHECK(cudaMemset(all_, kMark, bytes()) == cudaSuccess);
  }
  explicit DeviceArray(const std::vector<T>& numbers, int shift = 0) : DeviceArray(numbers.size(), shift) { set(numbers); }
  ~DeviceArray() { cudaFree(all_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return all_ + before_; }
  operator T*() { return data(); }
  void set(const std::vector<T>& numbers) {
    if (!numbers.empty())
      CHECK(cudaMemcpy(data(), numbers.data(), numbers.size() * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  // Waits for the device; checks the guard zones too.
  std::vector<T> get() {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    std::vector<unsigned char> raw(bytes());
    CHECK(cudaMemcpy(raw.data(), all_, bytes(), cudaMemcpyDeviceToHost) == cudaSuccess);
    const std::size_t first = before_ * sizeof(T), last = first + count_ * sizeof(T);
    bool intact = true;
    for (std::size_t i = 0; i < raw.size(); ++i) intact = intact && ((i >= first && i < last) || raw[i] == kMark);
    CHECK(intact);
    std::vector<T> out(count_);
    if (count_ > 0) std::memcpy(static_cast<void*>(out.data()), raw.data() + first, count_ * sizeof(T));
    return out;
  }

 private:
  static constexpr std::size_t kZone = 256;  // bytes
  static constexpr unsigned char kMark = 0xA5;
  std::size_t bytes() const { return (before_ + count_) * sizeof(T) + kZone; }

  std::size_t count_, before_;
  T* all_ = nullptr;
};

}  // namespace aclr::cuda
