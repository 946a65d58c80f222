// Anomalous: angles between kinds of objects that background would not have. All objects of the chosen kinds turn together
// about the beam, relative to the rest; the angle is uniform on [low, high], its sign random.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct TurnKinds : ByObject<TurnKinds, Drawn::kPerEvent, 2> {
  static constexpr AugmentationInfo info{
      "turn_kinds", Role::kAnomalous, "turn all objects of some kinds about the beam relative to the rest",
      "angular correlations between MET, leptons and jets; every pt and eta kept", 6,
      {{"met", 1, 0, 1, "", "1: MET turns"},
       {"electrons", 0, 0, 1, "", "1: electrons turn"},
       {"muons", 0, 0, 1, "", "1: muons turn"},
       {"jets", 0, 0, 1, "", "1: jets turn"},
       {"low", 0.5, 0, kPi, "rad", "smallest angle"},
       {"high", kPi, 0, kPi, "rad", "largest angle"}}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind != Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static T draw(const double* p, Random& random) {
    const T angle = random.uniform(T(p[4]), T(p[5]));
    return math::select(random.unit() < T(0.5), -angle, angle);
  }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double* p, T angle) {
    const bool turns = (p[0] >= 1 && o.kind == Kind::kMet) || (p[1] >= 1 && o.kind == Kind::kElectron) ||
                       (p[2] >= 1 && o.kind == Kind::kMuon) || (p[3] >= 1 && o.kind == Kind::kJet);
    o.phi = math::select(turns, math::wrap_angle(o.phi + angle), o.phi);
  }
};

}  // namespace aclr
