// Anomalous: partly or wholly missing objects. Each electron, muon or jet loses with one probability a share of its
// momentum, uniform on [low, high], to MET; the leading lepton loses that share of what it has above `trigger` GeV, so that
// it is still selected and nothing piles up there. Objects below their thresholds afterwards are the affair of `acceptance`.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct LoseMomentum {
  static constexpr AugmentationInfo info{
      "lose_momentum", Role::kAnomalous, "let visible objects lose a share of their momentum to MET",
      "invisible decay products: vector sum of MET and visible objects kept", 6,
      {{"probability", 0.5, 0, 1, "", "probability of a loss, for each object"},
       {"low", 0, 0, 1, "", "smallest share lost"},
       {"high", 1, 0, 1, "", "largest share lost"},
       {"leptons", 1, 0, 1, "", "1: electrons and muons lose"},
       {"jets", 1, 0, 1, "", "1: jets lose"},
       {"trigger", 23, 0, 1000, "GeV", "pt that the leading lepton keeps; 0: none"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event) || places_beside_met(event) < 0) return;
    const T trigger = T(p[5]);
    const int lead = trigger > T(0) ? leading_lepton(event) : -1;
    Transverse<T> lost;
    bool any = false;
    for (int i = 0; i < event.size(); ++i) {
      Object<T>& o = event[i];
      if (!is_visible(o) || p[is_lepton(o) ? 3 : 4] < 1) continue;
      if (!(random.unit() < T(p[0]))) continue;
      const T above = o.pt > trigger ? o.pt - trigger : T(0);
      const T gone = random.uniform(T(p[1]), T(p[2])) * (i == lead ? above : o.pt);
      o.pt -= gone;
      lost.add(gone, o.phi);
      any = true;
    }
    if (!any) return;
    balance_met(event, -lost.x, -lost.y);
    drop_spent(event);
  }
};

}  // namespace aclr
