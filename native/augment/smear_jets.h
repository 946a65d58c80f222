// Physical: jet energy resolution, sigma^2(pt) = strength^2 (constant^2 pt^2 + stochastic^2 pt). A jet that falls to
// pt <= 0 is lost. MET stays (a choice of the published code, kept: test/golden/bugs.json A20).
//
// The defaults are those of the Delphes CMS card. The published code has 0.052 pt^2 + 1.502 pt, most likely 0.05^2 and
// 1.50^2 with the superscript lost; constant = sqrt(0.052), stochastic = sqrt(1.502) gives it (recipe "paper").
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct SmearJets : ByObject<SmearJets, Drawn::kPerObject, 2> {
  static constexpr AugmentationInfo info{
      "smear_jets", Role::kPhysical, "Gaussian smearing of jet pt by the calorimeter's resolution",
      "arXiv:2301.04660 sec. 3; Delphes 3 CMS card, arXiv:1307.6346", 3,
      {{"strength", 1, 0, 100, "", "factor on the width"},
       {"constant", 0.05, 0, 10, "", "constant term of sigma/pt"},
       {"stochastic", 1.5, 0, 10, "sqrt(GeV)", "stochastic term"}}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind == Kind::kJet; }
  template <class T, class Random>
  ACLR_LANE static T draw(const double*, Random& random) {
    return random.normal();
  }
  template <class T>
  ACLR_LANE static bool each(Object<T>& o, const double* p, T normal) {
    const T variance = T(p[1] * p[1]) * o.pt * o.pt + T(p[2] * p[2]) * o.pt;
    o.pt += T(p[0]) * math::sqrt(variance) * normal;
    return o.pt > T(0);
  }
};

}  // namespace aclr
