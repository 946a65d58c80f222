// Anomalous: momentum shared out otherwise. The pt of each electron, muon or jet is multiplied by exp(sigma n) with a normal
// number n of its own, and MET balances. Where the leading lepton would fall from above `trigger` to below it, its factor
// is exp(-sigma n). Objects below their thresholds afterwards are the affair of `acceptance`.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct JitterPt {
  static constexpr AugmentationInfo info{
      "jitter_pt", Role::kAnomalous, "multiply the pt of each visible object by a factor of its own, balanced by MET",
      "sharing of energy among objects; vector sum of MET and visible objects kept", 4,
      {{"sigma", 0.5, 0, 1, "", "width of the factor's logarithm"},
       {"leptons", 1, 0, 1, "", "1: electrons and muons change"},
       {"jets", 1, 0, 1, "", "1: jets change"},
       {"trigger", 23, 0, 1000, "GeV", "pt that the leading lepton keeps; 0: none"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event) || places_beside_met(event) < 0) return;
    const T trigger = T(p[3]);
    const int lead = trigger > T(0) ? leading_lepton(event) : -1;
    Transverse<T> lost;
    bool any = false;
    for (int i = 0; i < event.size(); ++i) {
      Object<T>& o = event[i];
      if (!is_visible(o) || p[is_lepton(o) ? 1 : 2] < 1) continue;
      const T before = o.pt, power = T(p[0]) * random.normal();
      o.pt = before * math::exp(power);
      if (i == lead && before >= trigger && o.pt < trigger) o.pt = before * math::exp(-power);
      lost.add(before - o.pt, o.phi);
      any = true;
    }
    if (any) balance_met(event, -lost.x, -lost.y);
  }
};

}  // namespace aclr
