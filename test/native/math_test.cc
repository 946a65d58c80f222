// The stated errors of core/math.h in float, against the standard library in double.
#include "core/math.h"

#include <algorithm>
#include <limits>

#include "check.h"

namespace aclr {
namespace {

// Calls visit for every `step`-th float of [low, high], 0 < low.
template <class Visit>
void each_float(float low, float high, std::uint32_t step, Visit&& visit) {
  for (std::uint32_t b = math::bits(low); b <= math::bits(high); b += step) visit(math::from_bits(b));
}

double relative(double got, double wanted) { return wanted == 0 ? std::abs(got) : std::abs(got / wanted - 1); }

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kLeast = std::numeric_limits<float>::min(), kMost = std::numeric_limits<float>::max();

}  // namespace

TEST(log_is_near) {
  double error = 0;
  const auto visit = [&](float x) { error = std::max(error, relative(math::log(x), std::log(double(x)))); };
  each_float(kLeast, kMost, 509, visit);
  each_float(0.9f, 1.1f, 1, visit);
  for (int i = 0; i < 1 << 23; i += 3) visit((i + 0.5f) / 8388608.0f);  // what the generator gives
  CHECK_NEAR(error, 0, 1.0e-7);
  CHECK(math::log(1.0f) == 0);
  CHECK(math::log(kInfinity) == kInfinity && std::isnan(math::log(kNan)));
}

TEST(log1p_is_near) {
  double error = 0;
  each_float(kLeast, kMost, 509, [&](float x) { error = std::max(error, relative(math::log1p(x), std::log1p(double(x)))); });
  CHECK_NEAR(error, 0, 2.0e-7);
  CHECK(math::log1p(0.0f) == 0);
  CHECK(math::log1p(kInfinity) == kInfinity && std::isnan(math::log1p(kNan)));
}

TEST(exp_is_near) {
  double error = 0;
  each_float(kLeast, 88.0f, 509, [&](float x) {
    error = std::max(error, relative(math::exp(x), std::exp(double(x))));
    if (x <= 87) error = std::max(error, relative(math::exp(-x), std::exp(-double(x))));
  });
  CHECK_NEAR(error, 0, 1.5e-7);
  CHECK(math::exp(0.0f) == 1);
  CHECK(math::exp(88.1f) == kInfinity && math::exp(kInfinity) == kInfinity);
  CHECK(math::exp(-87.1f) == 0 && math::exp(-kInfinity) == 0);
  CHECK(std::isnan(math::exp(kNan)));
}

TEST(sin_cos_is_near) {
  double error = 0;
  int odd = 0;
  each_float(1e-6f, 8192.0f, 97, [&](float x) {
    float sine, cosine, mirrored, same;
    math::sin_cos(x, sine, cosine);
    math::sin_cos(-x, mirrored, same);
    odd += mirrored != -sine || same != cosine;
    error = std::max({error, std::abs(sine - std::sin(double(x))), std::abs(cosine - std::cos(double(x)))});
  });
  CHECK_NEAR(error, 0, 1.0e-7);
  CHECK(odd == 0);
  each_float(8192.0f, kMost, 10007, [&](float x) {
    float sine, cosine;
    math::sin_cos(x, sine, cosine);
    odd += !(std::abs(sine) <= 1.01f && std::abs(cosine) <= 1.01f);
  });
  CHECK(odd == 0);
  float sine, cosine;
  math::sin_cos(kNan, sine, cosine);
  CHECK(std::isnan(sine) && std::isnan(cosine));
}

TEST(atan2_is_near) {
  double error = 0;
  for (int i = -1000000; i <= 1000000; ++i) {
    const double angle = kPi * i / 1e6;
    for (const double radius : {1.0, 37.5, 1e-30, 1e30}) {
      const float y = float(radius * std::sin(angle)), x = float(radius * std::cos(angle));
      const double apart = std::abs(math::atan2(y, x) - std::atan2(double(y), double(x)));
      error = std::max(error, std::min(apart, 2 * kPi - apart));  // y = -0 counts as 0
    }
  }
  CHECK_NEAR(error, 0, 3.0e-7);
  CHECK(math::atan2(0.0f, 0.0f) == 0 && math::atan2(0.0f, 2.0f) == 0);
  CHECK_NEAR(math::atan2(0.0f, -2.0f), kPi, 3e-7);
  CHECK_NEAR(math::atan2(-2.0f, 0.0f), -kPi / 2, 3e-7);
}

TEST(wrap_angle_is_near) {
  double one_turn = 0, more = 0;
  int outside = 0;
  const float pi = float(kPi);
  each_float(1e-6f, 1e4f, 97, [&](float x) {
    const double got = math::wrap_angle(x), apart = std::abs(got - std::remainder(double(x), 2 * kPi));
    const double error = std::min(apart, 2 * kPi - apart);  // either side of pi
    if (x <= 3 * kPi) one_turn = std::max(one_turn, error);
    else more = std::max(more, error / x);
    outside += math::wrap_angle(-x) != -got;
  });
  CHECK_NEAR(one_turn, 0, 4.0e-7);
  CHECK_NEAR(more, 0, 1.0e-7);
  each_float(1.0f, kMost, 10007, [&](float x) { outside += !(std::abs(math::wrap_angle(x)) <= pi); });
  CHECK(outside == 0);
  CHECK(math::wrap_angle(3.0f) == 3.0f && math::wrap_angle(-pi) == -pi);  // what is inside stays as it is
  CHECK(std::isnan(math::wrap_angle(kNan)));
}

TEST(double_is_the_standard_library) {
  for (const double x : {1e-300, 0.1, 0.5, 3.0, 700.0}) {
    double sine, cosine;
    math::sin_cos(x, sine, cosine);
    CHECK(sine == std::sin(x) && cosine == std::cos(x));
    CHECK(math::log(x) == std::log(x) && math::log1p(x) == std::log1p(x) && math::exp(x) == std::exp(x));
    CHECK(math::atan2(x, -2.0) == std::atan2(x, -2.0) && math::sqrt(x) == std::sqrt(x));
    CHECK_NEAR(math::wrap_angle(x), std::remainder(x, 2 * kPi), 1e-12);
  }
}

TEST(select_chooses) {
  CHECK(math::select(true, 1.5f, kNan) == 1.5f && std::isnan(math::select(false, 1.5f, kNan)));
  CHECK(math::select(true, 1.5, 2.5) == 1.5 && math::select(false, 1.5, 2.5) == 2.5);
}

}  // namespace aclr
