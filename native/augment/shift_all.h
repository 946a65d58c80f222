// Anomalous: a harder event of the same shape. One factor, uniform on [low, high], multiplies every pt, MET included.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct ShiftAll {
  static constexpr AugmentationInfo info{
      "shift_all", Role::kAnomalous, "multiply MET and the pt of every object by one factor", "arXiv:2301.04660 sec. 3", 2,
      {{"low", 1, 0.01, 100, "", "smallest factor"}, {"high", 5, 0.01, 100, "", "largest factor"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const T factor = random.uniform(T(p[0]), T(p[1]));
    for (Object<T>& o : event) o.pt *= factor;
  }
};

}  // namespace aclr
