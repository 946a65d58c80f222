// Physical: jet energy scale. One factor, uniform on [low, high], multiplies the pt of every jet, and MET loses what the
// jets gain: MET - sum (factor - 1) pt.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

namespace aclr {

struct ScaleJets {
  static constexpr AugmentationInfo info{
      "scale_jets", Role::kPhysical, "multiply the pt of every jet by one factor and let MET balance it",
      "jet energy scale of +-5 %, as tools/pythia_adc2021.py --jes", 2,
      {{"low", 0.95, 0.01, 100, "", "smallest factor"}, {"high", 1.05, 0.01, 100, "", "largest factor"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const T factor = random.uniform(T(p[0]), T(p[1]));
    Transverse<T> gained;
    int jets = 0;
    for (Object<T>& o : event) {
      if (o.kind != Kind::kJet) continue;
      ++jets;
      const T scaled = o.pt * factor;
      gained.add(scaled - o.pt, o.phi);
      o.pt = scaled;
    }
    if (jets > 0) balance_met(event, gained.x, gained.y);
  }
};

}  // namespace aclr
