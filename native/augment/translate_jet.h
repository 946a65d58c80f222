// Physical: the whole jet moved in eta and in phi, each by one shift uniform within +-width times the jet's own extent,
// which is the difference of the largest and the least value of its constituents. pt and all distances stay.
//
// Taken from JetCLR: the extent, the width 1, and that the shift of phi is cut so that no constituent passes +-pi. Its zeros
// in empty slots, which count to its extent, do not here.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct TranslateJet {
  static constexpr AugmentationInfo info{
      "translate_jet", Role::kPhysical, "move the jet by one shift in eta and one in phi",
      "JetCLR, arXiv:2108.04253", 1,
      {{"width", 1, 0, 10, "", "largest shift over the extent of the jet"}}, DataKind::kJet};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    constexpr T pi = T(kPi);
    T eta_least = 0, eta_most = 0, phi_least = 0, phi_most = 0;
    bool any = false;
    for (const Object<T>& o : event) {
      if (o.kind != Kind::kConstituent) continue;
      eta_least = !any || o.eta < eta_least ? o.eta : eta_least;
      eta_most = !any || o.eta > eta_most ? o.eta : eta_most;
      phi_least = !any || o.phi < phi_least ? o.phi : phi_least;
      phi_most = !any || o.phi > phi_most ? o.phi : phi_most;
      any = true;
    }
    if (!any) return;
    const T width = T(p[0]), eta_reach = width * (eta_most - eta_least), phi_reach = width * (phi_most - phi_least);
    const T left = -pi - phi_least, right = pi - phi_most;
    const T eta = random.uniform(-eta_reach, eta_reach);
    const T phi = random.uniform(-phi_reach > left ? -phi_reach : left, phi_reach < right ? phi_reach : right);
    for (Object<T>& o : event) {
      if (o.kind != Kind::kConstituent) continue;
      o.eta += eta;
      o.phi = math::wrap_angle(o.phi + phi);
    }
  }
};

}  // namespace aclr
