// Physical, a fault: MET is stuck at one value, whatever the event.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct StickMet : ByObject<StickMet, Drawn::kNothing, 0> {
  static constexpr AugmentationInfo info{
      "stick_met", Role::kPhysical, "set MET to one value", "a detector fault", 2,
      {{"pt", 30, 0, 10000, "GeV", "its size"}, {"phi", 0, -kPi, kPi, "rad", "its direction"}}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind == Kind::kMet; }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double* p) {
    o.pt = T(p[0]);
    o.phi = T(p[1]);
  }
};

}  // namespace aclr
