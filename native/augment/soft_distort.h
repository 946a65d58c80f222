// Physical: soft constituents have no well-defined direction, as soft gluons are radiated at any angle,
//   sigma = scale / max(pt, least_pt),   eta += sigma n1, phi += sigma n2.
// pt stays, and with it the jet as far as its hard constituents make it. Scale 100 MeV and the bound are JetCLR's.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct SoftDistort : ByObject<SoftDistort, Drawn::kPerObject, 2> {
  static constexpr AugmentationInfo info{
      "soft_distort", Role::kPhysical, "Gaussian smearing of eta and phi of constituents by scale / pt",
      "JetCLR, arXiv:2108.04253", 2,
      {{"scale", 0.1, 0, 100, "GeV", "width times pt: the scale of soft radiation"},
       {"least_pt", 0.1, 0.001, 1000, "GeV", "pt below which the width grows no more"}}, DataKind::kJet};

  template <class T>
  struct Normals {
    T eta, phi;
  };

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind == Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static Normals<T> draw(const double*, Random& random) {
    Normals<T> normals;
    random.normals(normals.eta, normals.phi);
    return normals;
  }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double* p, Normals<T> normals) {
    const T least = T(p[1]);
    const T sigma = T(p[0]) / math::select(o.pt > least, o.pt, least);
    o.eta += sigma * normals.eta;
    o.phi = math::wrap_angle(o.phi + sigma * normals.phi);
  }
};

}  // namespace aclr
