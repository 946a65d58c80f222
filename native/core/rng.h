// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11; Random123). A draw depends on
// (seed, epoch, event, stream, draw) alone, never on thread, batch or order. src/events/philox.ts is its twin.
//   key     = seed (low word, high word)
//   counter = (block, stream, event, epoch); the four words of a block are used in order, blocks count from 0
#pragma once
#include <cstdint>

#include "core/host_device.h"
#include "core/math.h"

namespace aclr {

struct Words {
  std::uint32_t w[4];
};

ACLR_LANE Words philox4x32(Words counter, std::uint32_t key0, std::uint32_t key1) {
  ACLR_UNROLL(10)
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

// The numbers that augmentations ask for, made of the words of Source::word().
template <class T, class Source>
class Numbers {
 public:
  // On (0, 1), never an end point: the middle of one of 2^23 equal cells, exact in float.
  ACLR_LANE T unit() {
    return (static_cast<T>(static_cast<std::int32_t>(source().word() >> 9)) + T(0.5)) * T(1.0 / 8388608.0);
  }
  ACLR_LANE T uniform(T low, T high) { return low + (high - low) * unit(); }
  // Uniform on 0..n inclusive.
  ACLR_LANE int integer(int n) {
    return static_cast<int>((std::uint64_t{source().word()} * static_cast<std::uint64_t>(n + 1)) >> 32);
  }
  // Mean 1.
  ACLR_LANE T exponential() { return -math::log(unit()); }
  // Two independent standard normals (Box and Muller, 1958).
  ACLR_LANE void normals(T& a, T& b) {
    const T radius = math::sqrt(T(-2) * math::log(unit()));
    math::sin_cos(T(2 * kPi) * unit(), b, a);
    a *= radius;
    b *= radius;
  }
  ACLR_LANE T normal() {
    T a, b;
    normals(a, b);
    return a;
  }

 private:
  ACLR_LANE Source& source() { return static_cast<Source&>(*this); }
};

// The random numbers of one augmentation step on one event. `ready` holds the first words of its stream, whole blocks,
// where someone has made them before.
template <class T>
class Draws : public Numbers<T, Draws<T>> {
 public:
  ACLR_HD Draws(std::uint64_t seed, std::uint32_t epoch, std::uint32_t event, std::uint32_t stream,
                const std::uint32_t* ready = nullptr, std::uint32_t ready_words = 0)
      : key0_(static_cast<std::uint32_t>(seed)), key1_(static_cast<std::uint32_t>(seed >> 32)), epoch_(epoch),
        event_(event), stream_(stream), block_(ready_words / 4), next_(ready), end_(ready + ready_words) {}
  Draws(const Draws&) = delete;  // next_ may point into it
  Draws& operator=(const Draws&) = delete;

  ACLR_HD std::uint32_t word() {
    if (next_ == end_) {
      words_ = philox4x32({{block_++, stream_, event_, epoch_}}, key0_, key1_);
      next_ = words_.w;
      end_ = words_.w + 4;
    }
    return *next_++;
  }

 private:
  std::uint32_t key0_, key1_, epoch_, event_, stream_, block_;
  const std::uint32_t *next_, *end_;
  Words words_;
};

// Numbers from `count` words at hand: those of one object in a vector loop.
template <class T, int count>
class WordDraws : public Numbers<T, WordDraws<T, count>> {
 public:
  template <class... Words>
  ACLR_LANE explicit WordDraws(Words... words) : words_{words...} {}
  ACLR_LANE std::uint32_t word() { return words_[used_++]; }

 private:
  std::uint32_t words_[count];
  int used_ = 0;
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
