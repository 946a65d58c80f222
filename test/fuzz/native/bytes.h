// The fuzzer's bytes, read from the front; after the end come zeros.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace aclr::fuzz {

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : at_(data), end_(data + size) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  std::uint8_t byte() { return at_ == end_ ? 0 : *at_++; }
  // 0 .. n-1
  std::size_t below(std::size_t n) { return n == 0 ? 0 : byte() % n; }
  bool one_in(std::size_t n) { return below(n) == n - 1; }
  template <class T>
  T raw() {
    std::uint8_t bytes[sizeof(T)];
    for (std::uint8_t& b : bytes) b = byte();
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::vector<std::uint8_t> some(std::size_t most) {
    std::vector<std::uint8_t> out(most < left() ? most : left());
    for (std::uint8_t& b : out) b = byte();
    return out;
  }

 private:
  const std::uint8_t *at_, *end_;
};

}  // namespace aclr::fuzz
