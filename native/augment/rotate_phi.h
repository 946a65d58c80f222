// Physical: one azimuthal shift for the whole event, MET included. pt, eta and all angles between objects stay.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct RotatePhi : ByObject<RotatePhi, Drawn::kPerEvent, 1> {
  static constexpr AugmentationInfo info{
      "rotate_phi", Role::kPhysical, "turn the event about the beam by one uniform angle",
      "arXiv:2301.04660 sec. 3; the beams have no preferred azimuth", 0, {}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind != Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static T draw(const double*, Random& random) {
    return random.uniform(T(-kPi), T(kPi));
  }
  template <class T>
  ACLR_LANE static void each(Object<T>& o, const double*, T shift) {
    o.phi = math::wrap_angle(o.phi + shift);
  }
};

}  // namespace aclr
