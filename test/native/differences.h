// Central finite differences in double.
#pragma once
#include "support.h"

namespace aclr {

// Holds derivatives of a function against differences. A kink of relu within the step shows as two step sizes that
// disagree; such a place is passed over, and report() sees to it that they stay rare.
class Differences {
 public:
  template <class Function>
  void meet(double analytic, double* at, const Function& value, const std::string& what, double tolerance = 1e-6) {
    ++met_;
    const auto slope = [&](double h) {
      const double here = *at;
      *at = here + h;
      const double up = value();
      *at = here - h;
      const double down = value();
      *at = here;
      return (up - down) / (2 * h);
    };
    const double h = 2e-5 * std::max(1.0, std::abs(*at)), wide = slope(h), narrow = slope(h / 4);
    const double room = tolerance * (1 + std::abs(narrow));
    if (std::abs(analytic - narrow) <= room) return;
    if (std::abs(wide - narrow) > room) ++kinks_;
    else CHECK_FOR(false, what + ": " + std::to_string(analytic) + " against " + std::to_string(narrow));
  }
  void report() const {
    CHECK(met_ > 0);
    CHECK_FOR(kinks_ <= met_ / 25, std::to_string(kinks_) + " kinks in " + std::to_string(met_));
  }

 private:
  int met_ = 0, kinks_ = 0;
};

}  // namespace aclr
