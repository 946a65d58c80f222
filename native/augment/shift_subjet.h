// Anomalous: a second prong, as a heavy particle that decays within the jet leaves it. One of the hardest constituents
// beside the leading one is drawn; those nearer to it than to the leading one, or within a radius of it, move together by
// one shift: its size uniform on [low, high], its direction on the circle. What then lies past `edge` from the axis is lost,
// but for the leading one; the jet keeps its pt and its centre.
//
// Taken from AnomalyCLR-jets: one shift for a part of the jet, up to about 0.6 in eta and in phi, the loss beyond the jet's
// radius 0.8, pt scaled, the centre kept. Its part of a jet is each constituent with probability 1/2, wherever it lies; here
// it is a subjet, so that the prong is one.
#pragma once
#include "augment/augmentation.h"
#include "augment/jet.h"

namespace aclr {

struct ShiftSubjet {
  static constexpr AugmentationInfo info{
      "shift_subjet", Role::kAnomalous, "move one subjet away from the rest, at constant pt of the jet",
      "github.com/bmdillon/AnomalyCLR-jets, after arXiv:2301.04660; mended: the part that moves is one subjet", 5,
      {{"low", 0.1, 0, 10, "", "smallest shift, in eta and phi"},
       {"high", 0.6, 0, 10, "", "largest shift"},
       {"hardest", 5, 1, kMaxObjects, "objects", "among how many of the hardest after the leading one it is drawn"},
       {"radius", 0, 0, 10, "", "0: what is nearer to it than to the leading one moves, else what is within this"},
       {"edge", 0.8, 0, 10, "", "distance from the axis past which constituents are lost; 0: none is"}}, DataKind::kJet};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    int member[kMaxObjects];
    const int n = constituents(event, member), among = static_cast<int>(p[2]) < n - 1 ? static_cast<int>(p[2]) : n - 1;
    if (among < 1) return;
    const JetSum<T> before = jet_sum(event);
    const T size = random.uniform(T(p[0]), T(p[1]));
    T sine, cosine;
    math::sin_cos(random.uniform(T(-kPi), T(kPi)), sine, cosine);
    const int leading = hardest_after(event, -1);
    int chosen = hardest_after(event, leading);
    for (int skip = random.integer(among - 1); skip > 0 && chosen >= 0; --skip) chosen = hardest_after(event, chosen);
    if (chosen < 0) return;  // a pt that is no number

    const Object<T> first = event[leading], second = event[chosen];
    const T eta = size * cosine, phi = size * sine, radius = T(p[3]), edge = T(p[4]);
    for (int k = 0; k < n; ++k) {
      Object<T>& o = event[member[k]];
      const T apart = squared_distance(o, second);
      const bool nearer = radius > T(0) ? apart <= radius * radius : apart < squared_distance(o, first);
      if (member[k] == leading || !(nearer || member[k] == chosen)) continue;
      o.eta += eta;
      o.phi = math::wrap_angle(o.phi + phi);
    }
    restore_jet(event, before, false);
    int i = 0;
    event.keep_if([&](const Object<T>& o) {
      const bool stays = i == leading || o.kind != Kind::kConstituent || !(edge > T(0)) ||
                         !(o.eta * o.eta + o.phi * o.phi > edge * edge);
      ++i;
      return stays;
    });
    restore_jet(event, before, true);
  }
};

}  // namespace aclr
