// Working memory: aligned to a cache line, not initialised, grows, never shrinks, so that it is allocated once.
#pragma once
#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace aclr {

template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)), align_(other.align_) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    std::swap(align_, other.align_);
    return *this;
  }
  ~Buffer() { free(); }

  // Room for `count`; what stood here is lost where that takes more memory than there was. Some room is left, as the next
  // batch may be a little larger.
  T* need(std::size_t count) {
    if (count > count_) {
      free();
      count += std::min(count / 8, kSlack / sizeof(T));
      const std::size_t bytes = count * sizeof(T);
      align_ = bytes >= kHuge ? kHuge : kLine;
      data_ = static_cast<T*>(::operator new(bytes, std::align_val_t{align_}));
      count_ = count;
#if defined(__linux__)
      // fewer page faults and address look-ups; a refusal changes nothing
      if (align_ == kHuge) madvise(data_, bytes, MADV_HUGEPAGE);
#endif
    }
    return data_;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }

 private:
  static constexpr std::size_t kLine = 64, kHuge = std::size_t{1} << 21, kSlack = std::size_t{1} << 18;
  void free() {
    if (data_ != nullptr) ::operator delete(data_, std::align_val_t{align_});
    data_ = nullptr;
    count_ = 0;
  }

  T* data_ = nullptr;
  std::size_t count_ = 0, align_ = kLine;
};

}  // namespace aclr
