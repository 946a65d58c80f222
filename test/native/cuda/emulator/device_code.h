// What kernels call: barriers, warp collectives, atomics, arithmetic.
#pragma once
#include <math.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "grid.h"

// ---- barriers and fences -------------------------------------------------------------------------------------------
inline void __syncthreads(emulator::Where where = emulator::Where::current()) { emulator::block_barrier(false, where); }
inline int __syncthreads_count(int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::block_barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::block_barrier(predicate != 0, where) > 0;
}
inline int __syncthreads_and(int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::block_barrier(predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFF, emulator::Where where = emulator::Where::current()) {
  emulator::warp_together(mask, nullptr, [](void* const*, unsigned) {}, where);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}
inline long long clock64() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
[[noreturn]] inline void __trap() { emulator::fail("__trap in block (%u,%u,%u)", blockIdx.x, blockIdx.y, blockIdx.z); }

// ---- warp collectives ----------------------------------------------------------------------------------------------
namespace emulator {

template <class T>
struct Shuffle {
  T value;
  unsigned source;  // lane
};

// A lane that the mask doesn't name gives 0xFF, where a device gives anything.
template <class T>
T shuffle(unsigned mask, T value, unsigned source, Where where) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  Shuffle<T> mine{value, source};
  warp_together(mask, &mine, [](void* const* arguments, unsigned lanes) {
    T values[32];
    std::memset(static_cast<void*>(values), 0xFF, sizeof values);
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) values[l] = static_cast<Shuffle<T>*>(arguments[l])->value;
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) {
        auto& lane = *static_cast<Shuffle<T>*>(arguments[l]);
        lane.value = values[lane.source];
      }
  }, where);
  return mine.value;
}

struct Vote {
  unsigned value;  // in and out
};

inline unsigned ballot(unsigned mask, bool predicate, Where where) {
  Vote mine{predicate};
  warp_together(mask, &mine, [](void* const* arguments, unsigned lanes) {
    unsigned all = 0;
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) all |= static_cast<Vote*>(arguments[l])->value << l;
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) static_cast<Vote*>(arguments[l])->value = all;
  }, where);
  return mine.value;
}

template <class Combine, class T>
T reduce(unsigned mask, T value, Where where) {
  warp_together(mask, &value, [](void* const* arguments, unsigned lanes) {
    T all{};
    bool first = true;
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) {
        all = first ? *static_cast<T*>(arguments[l]) : Combine::of(all, *static_cast<T*>(arguments[l]));
        first = false;
      }
    for (unsigned l = 0; l < 32; ++l)
      if (lanes >> l & 1) *static_cast<T*>(arguments[l]) = all;
  }, where);
  return value;
}

struct Sum {
  template <class T>
  static T of(T a, T b) {
    return a + b;
  }
};
struct Most {
  template <class T>
  static T of(T a, T b) {
    return a > b ? a : b;
  }
};
struct Least {
  template <class T>
  static T of(T a, T b) {
    return a < b ? a : b;
  }
};
struct Or {
  static unsigned of(unsigned a, unsigned b) { return a | b; }
};
struct And {
  static unsigned of(unsigned a, unsigned b) { return a & b; }
};

}  // namespace emulator

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, emulator::Where where = emulator::Where::current()) {
  const unsigned lane = emulator::lane_id(), first = lane & ~static_cast<unsigned>(width - 1);
  return emulator::shuffle(mask, value, first | (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1)), where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, emulator::Where where = emulator::Where::current()) {
  const unsigned lane = emulator::lane_id(), last = lane | static_cast<unsigned>(width - 1);
  const unsigned source = lane ^ static_cast<unsigned>(bits);
  return emulator::shuffle(mask, value, source <= last && source < 32 ? source : lane, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 emulator::Where where = emulator::Where::current()) {
  const unsigned lane = emulator::lane_id(), first = lane & ~static_cast<unsigned>(width - 1);
  return emulator::shuffle(mask, value, lane - first >= delta ? lane - delta : lane, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emulator::Where where = emulator::Where::current()) {
  const unsigned lane = emulator::lane_id(), last = lane | static_cast<unsigned>(width - 1);
  return emulator::shuffle(mask, value, last - lane >= delta ? lane + delta : lane, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::ballot(mask, predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::ballot(mask, predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, emulator::Where where = emulator::Where::current()) {
  return emulator::ballot(mask, predicate == 0, where) == 0;
}
// All lanes that have not ended. A device may give fewer: code that relies on it is wrong here and there.
inline unsigned __activemask() { return emulator::active_lanes(); }

#define EMULATOR_REDUCE(name, T, Combine)                                                      \
  inline T name(unsigned mask, T value, emulator::Where where = emulator::Where::current()) {  \
    return emulator::reduce<emulator::Combine>(mask, value, where);                            \
  }
EMULATOR_REDUCE(__reduce_add_sync, unsigned, Sum)
EMULATOR_REDUCE(__reduce_add_sync, int, Sum)
EMULATOR_REDUCE(__reduce_max_sync, unsigned, Most)
EMULATOR_REDUCE(__reduce_max_sync, int, Most)
EMULATOR_REDUCE(__reduce_min_sync, unsigned, Least)
EMULATOR_REDUCE(__reduce_min_sync, int, Least)
EMULATOR_REDUCE(__reduce_or_sync, unsigned, Or)
EMULATOR_REDUCE(__reduce_and_sync, unsigned, And)
#undef EMULATOR_REDUCE

// ---- atomics: one thread runs at a time ----------------------------------------------------------------------------
#define EMULATOR_ATOMIC(name, T, expression)   \
  inline T name(T* place, T value) {           \
    const T old = *place;                      \
    *place = expression;                       \
    return old;                                \
  }
EMULATOR_ATOMIC(atomicAdd, int, old + value)
EMULATOR_ATOMIC(atomicAdd, unsigned, old + value)
EMULATOR_ATOMIC(atomicAdd, unsigned long long, old + value)
EMULATOR_ATOMIC(atomicAdd, float, old + value)
EMULATOR_ATOMIC(atomicAdd, double, old + value)
EMULATOR_ATOMIC(atomicSub, int, old - value)
EMULATOR_ATOMIC(atomicSub, unsigned, old - value)
EMULATOR_ATOMIC(atomicMax, int, old > value ? old : value)
EMULATOR_ATOMIC(atomicMax, unsigned, old > value ? old : value)
EMULATOR_ATOMIC(atomicMax, unsigned long long, old > value ? old : value)
EMULATOR_ATOMIC(atomicMin, int, old < value ? old : value)
EMULATOR_ATOMIC(atomicMin, unsigned, old < value ? old : value)
EMULATOR_ATOMIC(atomicMin, unsigned long long, old < value ? old : value)
EMULATOR_ATOMIC(atomicExch, int, value)
EMULATOR_ATOMIC(atomicExch, unsigned, value)
EMULATOR_ATOMIC(atomicExch, unsigned long long, value)
EMULATOR_ATOMIC(atomicExch, float, value)
EMULATOR_ATOMIC(atomicOr, int, old | value)
EMULATOR_ATOMIC(atomicOr, unsigned, old | value)
EMULATOR_ATOMIC(atomicAnd, int, old & value)
EMULATOR_ATOMIC(atomicAnd, unsigned, old & value)
EMULATOR_ATOMIC(atomicXor, unsigned, old ^ value)
#undef EMULATOR_ATOMIC
#define EMULATOR_CAS(T)                                   \
  inline T atomicCAS(T* place, T expected, T value) {     \
    const T old = *place;                                 \
    if (old == expected) *place = value;                  \
    return old;                                           \
  }
EMULATOR_CAS(int)
EMULATOR_CAS(unsigned)
EMULATOR_CAS(unsigned long long)
#undef EMULATOR_CAS
inline unsigned atomicInc(unsigned* place, unsigned most) {
  const unsigned old = *place;
  *place = old >= most ? 0 : old + 1;
  return old;
}

// ---- memory --------------------------------------------------------------------------------------------------------
template <class T>
T __ldg(const T* place) {
  return *place;
}
template <class T>
T __ldcg(const T* place) {
  return *place;
}
template <class T>
T __ldcs(const T* place) {
  return *place;
}
template <class T>
void __stcs(T* place, T value) {
  *place = value;
}
template <class T>
void __stcg(T* place, T value) {
  *place = value;
}

// ---- arithmetic ----------------------------------------------------------------------------------------------------
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1.f / x; }
inline float __frsqrt_rn(float x) { return 1.f / sqrtf(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.f) : 0.f; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
inline float rsqrt(float x) { return 1.f / sqrtf(x); }
inline double rsqrt(double x) { return 1. / ::sqrt(x); }
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = static_cast<float>(::sin(x * 3.14159265358979323846));
  *cosine = static_cast<float>(::cos(x * 3.14159265358979323846));
}

inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32); }
inline int __mulhi(int a, int b) { return static_cast<int>((static_cast<std::int64_t>(a) * b) >> 32); }
inline unsigned __brev(unsigned x) {
  unsigned out = 0;
  for (int i = 0; i < 32; ++i) out |= (x >> i & 1) << (31 - i);
  return out;
}

// The integer and floating overloads of CUDA, mixed ones as there: unsigned and double win. NaN loses, as in fmin.
#define EMULATOR_MIN_MAX(A, B, R)                                                                                        \
  inline R min(A a, B b) { return static_cast<R>(a) < static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b); }       \
  inline R max(A a, B b) { return static_cast<R>(a) > static_cast<R>(b) ? static_cast<R>(a) : static_cast<R>(b); }
EMULATOR_MIN_MAX(int, int, int)
EMULATOR_MIN_MAX(unsigned, unsigned, unsigned)
EMULATOR_MIN_MAX(int, unsigned, unsigned)
EMULATOR_MIN_MAX(unsigned, int, unsigned)
EMULATOR_MIN_MAX(long, long, long)
EMULATOR_MIN_MAX(unsigned long, unsigned long, unsigned long)
EMULATOR_MIN_MAX(long, unsigned long, unsigned long)
EMULATOR_MIN_MAX(unsigned long, long, unsigned long)
EMULATOR_MIN_MAX(long long, long long, long long)
EMULATOR_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
EMULATOR_MIN_MAX(long long, unsigned long long, unsigned long long)
EMULATOR_MIN_MAX(unsigned long long, long long, unsigned long long)
#undef EMULATOR_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return ::fmin(a, b); }
inline double max(double a, double b) { return ::fmax(a, b); }
inline double min(float a, double b) { return ::fmin(static_cast<double>(a), b); }
inline double min(double a, float b) { return ::fmin(a, static_cast<double>(b)); }
inline double max(float a, double b) { return ::fmax(static_cast<double>(a), b); }
inline double max(double a, float b) { return ::fmax(a, static_cast<double>(b)); }
