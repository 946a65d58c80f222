// Anomalous: visible momenta out of scale. One factor, uniform on [low, high], multiplies the pt of every visible
// object; MET stays.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct ShiftPt {
  static constexpr AugmentationInfo info{
      "shift_pt", Role::kAnomalous, "multiply the pt of every visible object by one factor", "arXiv:2301.04660 sec. 3", 2,
      {{"low", 1, 0.01, 100, "", "smallest factor"}, {"high", 5, 0.01, 100, "", "largest factor"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const T factor = random.uniform(T(p[0]), T(p[1]));
    for (Object<T>& o : event)
      if (o.kind != Kind::kMet) o.pt *= factor;
  }
};

}  // namespace aclr
