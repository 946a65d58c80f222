// Physical, a fault: momentum scales that are off, a fixed factor for each kind. MET loses what the objects gain.
#pragma once
#include "augment/augmentation.h"
#include "augment/met.h"

namespace aclr {

struct ScalePt {
  static constexpr AugmentationInfo info{
      "scale_pt", Role::kPhysical, "multiply the pt of each kind by a fixed factor and let MET balance it",
      "a detector fault", 3,
      {{"electrons", 1, 0.01, 100, "", "factor of electrons"},
       {"muons", 1, 0.01, 100, "", "factor of muons"},
       {"jets", 1.1, 0.01, 100, "", "factor of jets"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random&) {
    T px = 0, py = 0;
    int scaled = 0;
    for (Object<T>& o : event) {
      if (o.kind == Kind::kMet || o.kind == Kind::kConstituent) continue;
      const T factor = T(o.kind == Kind::kElectron ? p[0] : o.kind == Kind::kMuon ? p[1] : p[2]);
      if (factor == T(1)) continue;
      ++scaled;
      const T pt = o.pt * factor, gain = pt - o.pt;
      T sine, cosine;
      math::sin_cos(o.phi, sine, cosine);
      px += gain * cosine;
      py += gain * sine;
      o.pt = pt;
    }
    if (scaled > 0) balance_met(event, px, py);
  }
};

}  // namespace aclr
