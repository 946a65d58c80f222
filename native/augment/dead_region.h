// Physical, a fault: a region of the detector is dead. What is in it is not seen; its momentum is missing and so goes to
// MET. The box may pass phi = pi: then phi_low is above phi_high.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

namespace aclr {

struct DeadRegion {
  static constexpr AugmentationInfo info{
      "dead_region", Role::kPhysical, "lose what lies in a box of eta and phi; MET takes its momentum",
      "a detector fault; the default is the box of CMS's hadron endcap modules 15 and 16, lost in 2018", 4,
      {{"eta_low", -3.0, -10, 10, "", "least eta"},
       {"eta_high", -1.3, -10, 10, "", "largest eta"},
       {"phi_low", -1.57, -kPi, kPi, "rad", "where it begins in phi"},
       {"phi_high", -0.87, -kPi, kPi, "rad", "where it ends"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random&) {
    const T low = T(p[2]), high = T(p[3]);
    Transverse<T> missing;
    int lost = 0;
    event.keep_if([&](Object<T>& o) {
      if (!is_visible(o) || o.eta < T(p[0]) || o.eta > T(p[1])) return true;
      const bool within = low <= high ? o.phi >= low && o.phi <= high : o.phi >= low || o.phi <= high;
      if (!within) return true;
      missing.add(o.pt, o.phi);
      ++lost;
      return false;
    });
    if (lost > 0) balance_met(event, -missing.x, -missing.y);
  }
};

}  // namespace aclr
