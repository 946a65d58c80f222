// Anomalous: MET where the visible objects do not explain it. A vector of uniform direction, the logarithm of its size
// uniform, is added to MET; visible objects stay.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct DisplaceMet {
  static constexpr AugmentationInfo info{
      "displace_met", Role::kAnomalous, "add a vector of random direction and size to MET",
      "invisible particles that nothing visible recoils against", 2,
      {{"low", 10, 0.01, 10000, "GeV", "smallest size"}, {"high", 200, 0.01, 10000, "GeV", "largest size"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event) || places_beside_met(event) < 0) return;
    const T size = log_uniform(T(p[0]), T(p[1]), random);
    Transverse<T> more;
    more.add(size, random.uniform(T(-kPi), T(kPi)));
    balance_met(event, -more.x, -more.y);
  }
};

}  // namespace aclr
