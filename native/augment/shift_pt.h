// Anomalous: visible momenta out of scale. One factor, uniform on [low, high], multiplies the pt of every visible
// object; MET stays.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct ShiftPt : ByObject<ShiftPt, Drawn::kPerEvent, 1> {
  static constexpr AugmentationInfo info{
      "shift_pt", Role::kAnomalous, "multiply the pt of every visible object by one factor", "arXiv:2301.04660 sec. 3", 2,
      {{"low", 1, 0.01, 100, "", "smallest factor"}, {"high", 5, 0.01, 100, "", "largest factor"}}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind != Kind::kMet && kind != Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static T draw(const double* p, Random& random) {
    return random.uniform(T(p[0]), T(p[1]));
  }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double*, T factor) {
    o.pt *= factor;
  }
};

}  // namespace aclr
