// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11; Random123). A draw depends on
// (seed, epoch, event, stream, draw) alone, never on thread, batch or order. src/events/philox.ts is its twin.
//   key     = seed (low word, high word)
//   counter = (block, stream, event, epoch); the four words of a block are used in order, blocks count from 0
#pragma once
#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace aclr {

inline constexpr double kPi = 3.14159265358979323846;

struct Words {
  std::uint32_t w[4];
};

ACLR_HD inline Words philox4x32(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter.w[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter.w[2];
    counter = {{static_cast<std::uint32_t>(p1 >> 32) ^ counter.w[1] ^ key0, static_cast<std::uint32_t>(p1),
                static_cast<std::uint32_t>(p0 >> 32) ^ counter.w[3] ^ key1, static_cast<std::uint32_t>(p0)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

// What a stream is for. An augmentation stream also carries the view and the step in the recipe.
enum class Purpose : std::uint32_t { kAugment = 1, kDropout = 2 };

ACLR_HD constexpr std::uint32_t stream_id(Purpose purpose, std::uint32_t view, std::uint32_t step) {
  return (static_cast<std::uint32_t>(purpose) << 28) | ((view & 0xFu) << 24) | (step & 0xFFFFFFu);
}

// The random numbers of one augmentation step on one event.
template <class T>
class Draws {
 public:
  ACLR_HD Draws(std::uint64_t seed, std::uint32_t epoch, std::uint32_t event, std::uint32_t stream)
      : key0_(static_cast<std::uint32_t>(seed)), key1_(static_cast<std::uint32_t>(seed >> 32)), epoch_(epoch),
        event_(event), stream_(stream) {}

  ACLR_HD std::uint32_t word() {
    if (used_ == 4) {
      words_ = philox4x32({{block_++, stream_, event_, epoch_}}, key0_, key1_);
      used_ = 0;
    }
    return words_.w[used_++];
  }
  // On (0, 1), never an end point: the middle of one of 2^23 equal cells, exact in float.
  ACLR_HD T unit() { return (static_cast<T>(word() >> 9) + T(0.5)) * T(1.0 / 8388608.0); }
  ACLR_HD T uniform(T low, T high) { return low + (high - low) * unit(); }
  // Uniform on 0..n inclusive.
  ACLR_HD int integer(int n) {
    return static_cast<int>((std::uint64_t{word()} * static_cast<std::uint64_t>(n + 1)) >> 32);
  }
  // Mean 1.
  ACLR_HD T exponential() { return -std::log(unit()); }
  // Two independent standard normals (Box and Muller, 1958).
  ACLR_HD void normals(T& a, T& b) {
    const T radius = std::sqrt(T(-2) * std::log(unit()));
    const T angle = T(2 * kPi) * unit();
    a = radius * std::cos(angle);
    b = radius * std::sin(angle);
  }
  ACLR_HD T normal() {
    T a, b;
    normals(a, b);
    return a;
  }

 private:
  std::uint32_t key0_, key1_, epoch_, event_, stream_;
  std::uint32_t block_ = 0;
  int used_ = 4;
  Words words_{};
};

// Given numbers in place of drawn ones, in the order in which the augmentation asks: how the golden files with fixed
// random numbers are met. Past its end it yields 0 and says so by `exhausted`.
template <class T>
class ScriptedDraws {
 public:
  ScriptedDraws(const double* numbers, int count) : numbers_(numbers), count_(count) {}
  T unit() { return next(); }
  T uniform(T, T) { return next(); }
  int integer(int n) {
    const int given = static_cast<int>(next());
    return given < n ? given : n;
  }
  T exponential() { return next(); }
  void normals(T& a, T& b) {
    a = next();
    b = next();
  }
  T normal() { return next(); }
  bool exhausted() const { return used_ > count_; }
  int unused() const { return count_ - used_; }

 private:
  T next() {
    const int at = used_++;
    return at < count_ ? static_cast<T>(numbers_[at]) : T(0);
  }
  const double* numbers_;
  int count_;
  int used_ = 0;
};

}  // namespace aclr
