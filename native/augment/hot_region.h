// Physical, a fault: a region of the detector is hot. In a share of events a jet that was not there appears in it, pt
// uniform on [low, high], eta and phi uniform in a square about its centre; MET balances it.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

namespace aclr {

struct HotRegion {
  static constexpr AugmentationInfo info{
      "hot_region", Role::kPhysical, "add a jet in a hot region and let MET balance it", "a detector fault", 6,
      {{"probability", 0.05, 0, 1, "", "of a jet in an event"},
       {"low", 20, 0.1, 10000, "GeV", "least pt"},
       {"high", 100, 0.1, 10000, "GeV", "largest pt"},
       {"eta", 1.5, -10, 10, "", "centre of the region"},
       {"phi", 1, -kPi, kPi, "rad", "centre of the region"},
       {"half_width", 0.2, 0, 3, "", "half its width, in eta and in phi"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event)) return;  // no event of the detector as a whole
    if (!(random.unit() < T(p[0]))) return;
    if (event.room(Kind::kJet) < 1 || places_beside_met(event) < 1) return;
    const T width = T(p[5]);
    Object<T> o;
    o.kind = Kind::kJet;
    o.pt = random.uniform(T(p[1]), T(p[2]));
    o.eta = random.uniform(T(p[3]) - width, T(p[3]) + width);
    o.phi = math::wrap_angle(random.uniform(T(p[4]) - width, T(p[4]) + width));
    event.add(o);
    Transverse<T> gained;
    gained.add(o.pt, o.phi);
    balance_met(event, gained.x, gained.y);
  }
};

}  // namespace aclr
