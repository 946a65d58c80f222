// Physical, a fault: a region of the detector is dead. What is in it is not seen; its momentum is missing and so goes to
// MET. The box may pass phi = pi: then phi_low is above phi_high.
#pragma once
#include "augment/augmentation.h"
#include "augment/met.h"

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
    T px = 0, py = 0;
    int lost = 0;
    event.keep_if([&](Object<T>& o) {
      if (o.kind == Kind::kMet || o.kind == Kind::kConstituent) return true;
      if (o.eta < T(p[0]) || o.eta > T(p[1])) return true;
      const bool within = low <= high ? o.phi >= low && o.phi <= high : o.phi >= low || o.phi <= high;
      if (!within) return true;
      T sine, cosine;
      math::sin_cos(o.phi, sine, cosine);
      px -= o.pt * cosine;
      py -= o.pt * sine;
      ++lost;
      return false;
    });
    if (lost > 0) balance_met(event, px, py);
  }
};

}  // namespace aclr
