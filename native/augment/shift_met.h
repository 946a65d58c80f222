// Anomalous: MET out of scale. One factor, uniform on [low, high], multiplies it.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct ShiftMet {
  static constexpr AugmentationInfo info{
      "shift_met", Role::kAnomalous, "multiply MET by one factor", "arXiv:2301.04660 sec. 3", 2,
      {{"low", 0.5, 0.01, 100, "", "smallest factor"}, {"high", 5, 0.01, 100, "", "largest factor"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const T factor = random.uniform(T(p[0]), T(p[1]));
    for (Object<T>& o : event)
      if (o.kind == Kind::kMet) o.pt *= factor;
  }
};

}  // namespace aclr
