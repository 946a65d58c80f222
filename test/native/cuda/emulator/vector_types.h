// dim3 and the short vectors of CUDA with their alignment.
#pragma once

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define EMULATOR_VECTORS(T, name)                                                   \
  struct alignas(2 * sizeof(T)) name##2 {                                           \
    T x, y;                                                                         \
  };                                                                                \
  struct name##3 {                                                                  \
    T x, y, z;                                                                      \
  };                                                                                \
  struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) name##4 {                 \
    T x, y, z, w;                                                                   \
  };                                                                                \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                        \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }

EMULATOR_VECTORS(float, float)
EMULATOR_VECTORS(double, double)
EMULATOR_VECTORS(int, int)
EMULATOR_VECTORS(short, short)
EMULATOR_VECTORS(unsigned char, uchar)
EMULATOR_VECTORS(unsigned short, ushort)
EMULATOR_VECTORS(long long, longlong)
EMULATOR_VECTORS(unsigned long long, ulonglong)
#undef EMULATOR_VECTORS

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
