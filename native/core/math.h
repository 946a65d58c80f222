// Elementary functions that loops can be vectorised over. float: polynomials without branches or library calls (Cephes'
// coefficients), built from single IEEE operations alone, so that, compiled without fusing, every CPU and every vector
// width gives the same bits. double: the standard library's.
//
// Errors of float against exact values, as test/native/math_test.cc measures them:
//   log         1.0e-7 relative            2^-126 <= x, infinity and NaN as they are
//   log1p       2.0e-7 relative            0 <= x
//   exp         1.5e-7 relative            -87 <= x <= 88; 0 below, infinity above
//   sin_cos     1.0e-7 absolute            |x| <= 8192; within [-1.01, 1.01] beyond
//   atan2       3.0e-7 absolute            0 at the origin; -0 counts as 0
//   wrap_angle  4.0e-7 absolute up to one turn off, 1e-7 |x| up to 1e4; within [-pi, pi] beyond
#pragma once
#include <cmath>
#include <cstdint>

#include "core/host_device.h"

namespace aclr {

inline constexpr double kPi = 3.14159265358979323846;

namespace math {

ACLR_LANE constexpr std::uint32_t bits(float x) { return __builtin_bit_cast(std::uint32_t, x); }
ACLR_LANE constexpr float from_bits(std::uint32_t x) { return __builtin_bit_cast(float, x); }

// yes ? a : b without a branch: one that nobody can predict costs a scalar loop more than the arithmetic, and several
// in a row keep a loop from becoming vector code.
ACLR_LANE constexpr float select(bool yes, float a, float b) {
  const std::uint32_t mask = 0u - static_cast<std::uint32_t>(yes);
  return from_bits((bits(a) & mask) | (bits(b) & ~mask));
}
ACLR_LANE constexpr double select(bool yes, double a, double b) { return yes ? a : b; }

// Added to a float below 2^22 in size, it leaves the nearest whole number in the low bits.
inline constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23

ACLR_LANE float sqrt(float x) { return __builtin_sqrtf(x); }
ACLR_LANE double sqrt(double x) { return __builtin_sqrt(x); }
ACLR_LANE float abs(float x) { return __builtin_fabsf(x); }
ACLR_LANE double abs(double x) { return __builtin_fabs(x); }

// x = m 2^e with m on [sqrt(1/2), sqrt(2)); log x = e log 2 + log m.
ACLR_LANE float log(float x) {
  constexpr std::uint32_t kHalfRoot = 0x3f3504f3;  // sqrt(1/2)
  const std::uint32_t shifted = bits(x) - kHalfRoot;
  const float e = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float r = from_bits((shifted & 0x7fffff) + kHalfRoot) - 1.0f;
  float p = 7.0376836292e-2f;
  p = p * r - 1.1514610310e-1f;
  p = p * r + 1.1676998740e-1f;
  p = p * r - 1.2420140846e-1f;
  p = p * r + 1.4249322787e-1f;
  p = p * r - 1.6668057665e-1f;
  p = p * r + 2.0000714765e-1f;
  p = p * r - 2.4999993993e-1f;
  p = p * r + 3.3333331174e-1f;
  const float square = r * r;
  const float tail = p * (r * square) + (e * -2.12194440e-4f - 0.5f * square);
  const float result = (r + tail) + e * 0.693359375f;
  return x <= 3.40282347e38f ? result : x;
}
ACLR_LANE double log(double x) { return std::log(x); }

// log(u) of u = 1 + x, mended by what the sum lost.
ACLR_LANE float log1p(float x) {
  const float u = 1.0f + x;
  return u <= 3.40282347e38f ? log(u) + (x - (u - 1.0f)) / u : u;
}
ACLR_LANE double log1p(double x) { return std::log1p(x); }

// 2^n times exp of a rest on [-log(2)/2, log(2)/2].
ACLR_LANE float exp(float x) {
  const float low = x < -87.0f ? -87.0f : x;  // keeps NaN
  const float bounded = low > 88.0f ? 88.0f : low;
  const float shifted = bounded * 1.44269504f + kRounder;
  const float n = shifted - kRounder;
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float power = (p * (r * r) + r + 1.0f) * from_bits((bits(shifted) << 23) + 0x3f800000);
  return x < -87.0f ? 0.0f : x > 88.0f ? __builtin_huge_valf() : power;
}
ACLR_LANE double exp(double x) { return std::exp(x); }

// x = n pi/2 + r; the two polynomials in r serve both functions in turn.
ACLR_LANE void sin_cos(float x, float& sine, float& cosine) {
  const float shifted = x * 0.636619772f + kRounder;
  const std::uint32_t n = bits(shifted);
  const float turns = shifted - kRounder;
  float r = ((x - turns * 1.5703125f) - turns * 4.83751297e-4f) - turns * 7.54978995e-8f;
  r = r > 0.8f ? 0.8f : r < -0.8f ? -0.8f : r;  // only where x is too large
  const float z = r * r;
  const float s = ((-1.9515295891e-4f * z + 8.3321608736e-3f) * z - 1.6666654611e-1f) * (z * r) + r;
  const float c = ((2.443315711809948e-5f * z - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) * (z * z) + (1.0f - 0.5f * z);
  const bool swap = (n & 1) != 0;
  sine = from_bits(bits(select(swap, c, s)) ^ ((n & 2) << 30));
  cosine = from_bits(bits(select(swap, s, c)) ^ (((n + 1) & 2) << 30));
}
ACLR_LANE void sin_cos(double x, double& sine, double& cosine) {
  sine = std::sin(x);
  cosine = std::cos(x);
}

// The octant by symmetry, then atan on [0, tan(pi/8)].
ACLR_LANE float atan2(float y, float x) {
  const float a = abs(x), b = abs(y);
  const bool steep = a < b;
  const float small = select(steep, a, b), large = select(steep, b, a);
  const bool upper = small > 0.414213562f * large;
  const float bottom = select(upper, large + small, large);
  const float t = select(upper, small - large, small) / (bottom > 0.0f ? bottom : 1.0f);
  const float z = t * t;
  float r = (((8.05374449538e-2f * z - 1.38776856032e-1f) * z + 1.99777106478e-1f) * z - 3.33329491539e-1f) * (z * t) + t;
  r += select(upper, 0.785398163f, 0.0f);
  r = select(steep, 1.57079633f - r, r);
  r = select(x < 0.0f, 3.14159265f - r, r);
  return select(y < 0.0f, -r, r);
}
ACLR_LANE double atan2(double y, double x) { return std::atan2(y, x); }

// Back into [-pi, pi].
ACLR_LANE float wrap_angle(float x) {
  const float turns = (x * 0.159154943f + kRounder) - kRounder;
  const float r = (x - turns * 6.28125f) - turns * 1.93530718e-3f;
  constexpr float pi = static_cast<float>(kPi);
  return r > pi ? pi : r < -pi ? -pi : r;
}
ACLR_LANE double wrap_angle(double x) {  // one turn is enough but for the widest smearing
  const double r = x > kPi ? x - 2 * kPi : x < -kPi ? x + 2 * kPi : x;
  return std::abs(r) <= kPi ? r : std::remainder(r, 2 * kPi);
}

}  // namespace math
}  // namespace aclr
