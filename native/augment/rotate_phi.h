// Physical: one azimuthal shift for the whole event, MET included. pt, eta and all angles between objects stay.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct RotatePhi {
  static constexpr AugmentationInfo info{
      "rotate_phi", Role::kPhysical, "turn the event about the beam by one uniform angle",
      "arXiv:2301.04660 sec. 3; the beams have no preferred azimuth", 0, {}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double*, Random& random) {
    const T shift = random.uniform(T(-kPi), T(kPi));
    for (Object<T>& o : event) o.phi = wrap_phi(o.phi + shift);
  }
};

}  // namespace aclr
