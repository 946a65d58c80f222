// Physical: lepton efficiency. Each electron and muon is lost with a probability, but never the last one above the
// trigger's threshold: such an event would not have been recorded. MET stays, as the generator's does.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

namespace aclr {

struct LoseLeptons {
  static constexpr AugmentationInfo info{
      "lose_leptons", Role::kPhysical, "lose electrons and muons, but the last one that triggers",
      "lepton efficiency of -5 %, as tools/pythia_adc2021.py --lep-eff 0.95", 2,
      {{"probability", 0.05, 0, 1, "", "of each lepton's loss"},
       {"trigger", 23, 0, 1000, "GeV", "pt above which a lepton triggers"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const T probability = T(p[0]), trigger = T(p[1]);
    int triggering = 0;
    for (const Object<T>& o : event) triggering += is_lepton(o) && o.pt > trigger;
    event.keep_if([&](Object<T>& o) {
      if (!is_lepton(o) || !(random.unit() < probability)) return true;
      if (!(o.pt > trigger)) return false;
      if (triggering == 1) return true;
      --triggering;
      return false;
    });
  }
};

}  // namespace aclr
