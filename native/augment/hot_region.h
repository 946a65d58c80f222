// Physical, a fault: a region of the detector is hot. In a share of events a jet that was not there appears in it, pt
// uniform on [low, high], eta and phi uniform in a square about its centre; MET balances it.
#pragma once
#include "augment/augmentation.h"
#include "augment/met.h"

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
    if (event.counts()[Kind::kConstituent] > 0) return;  // no event of the detector as a whole
    if (!(random.unit() < T(p[0]))) return;
    // one place kept for a MET where there is none yet
    if (event.room(Kind::kJet) < (event.met() == nullptr && event.size() + 1 >= kMaxObjects ? 2 : 1)) return;
    const T width = T(p[5]);
    Object<T> o;
    o.kind = Kind::kJet;
    o.pt = random.uniform(T(p[1]), T(p[2]));
    o.eta = random.uniform(T(p[3]) - width, T(p[3]) + width);
    o.phi = math::wrap_angle(random.uniform(T(p[4]) - width, T(p[4]) + width));
    event.add(o);
    T sine, cosine;
    math::sin_cos(o.phi, sine, cosine);
    balance_met(event, o.pt * cosine, o.pt * sine);
  }
};

}  // namespace aclr
