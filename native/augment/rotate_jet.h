// Physical: the jet turned about its axis, all constituents by one angle. QCD has no preferred direction in the plane across
// a jet. pt and all distances stay; with the small angles of a jet, so does its mass.
//   eta' = cos a eta - sin a phi,   phi' = sin a eta + cos a phi
// As published: about the origin of eta and phi, which is the jet's axis.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct RotateJet : ByObject<RotateJet, Drawn::kPerEvent, 1> {
  static constexpr AugmentationInfo info{
      "rotate_jet", Role::kPhysical, "turn the constituents about the axis of the jet by one uniform angle",
      "JetCLR, arXiv:2108.04253", 0, {}, DataKind::kJet};

  template <class T>
  struct Turn {
    T sine, cosine;
  };

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind == Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static Turn<T> draw(const double*, Random& random) {
    Turn<T> turn;
    math::sin_cos(random.uniform(T(-kPi), T(kPi)), turn.sine, turn.cosine);
    return turn;
  }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double*, Turn<T> turn) {
    const T eta = turn.cosine * o.eta - turn.sine * o.phi, phi = turn.sine * o.eta + turn.cosine * o.phi;
    o.eta = eta;
    o.phi = math::wrap_angle(phi);
  }
};

}  // namespace aclr
