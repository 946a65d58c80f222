// Physical, a fault: momentum scales that are off, a fixed factor for each kind. MET loses what the objects gain.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

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
    Transverse<T> gained;
    int scaled = 0;
    for (Object<T>& o : event) {
      if (!is_visible(o)) continue;
      const T factor = T(o.kind == Kind::kElectron ? p[0] : o.kind == Kind::kMuon ? p[1] : p[2]);
      if (factor == T(1)) continue;
      ++scaled;
      const T pt = o.pt * factor;
      gained.add(pt - o.pt, o.phi);
      o.pt = pt;
    }
    if (scaled > 0) balance_met(event, gained.x, gained.y);
  }
};

}  // namespace aclr
