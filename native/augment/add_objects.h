// Anomalous: further electrons, muons and jets, as decays of something unknown would leave them. Per kind a number
// uniform on 0 .. min(room, max); pt uniform on [threshold, max(threshold, largest pt of the event, MET included)];
// eta and phi uniform in the acceptance. MET is recomputed as MET - sum of the new transverse momenta.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct AddObjects {
  static constexpr AugmentationInfo info{
      "add_objects", Role::kAnomalous, "add random electrons, muons and jets and let MET balance them",
      "arXiv:2301.04660 sec. 3, mended: free slots, MET pt and phi both updated, thresholds respected", 4,
      {{"max_electrons", 4, 0, 4, "objects", "most electrons added"},
       {"max_muons", 4, 0, 4, "objects", "most muons added"},
       {"max_jets", 10, 0, 10, "objects", "most jets added"},
       {"at_least", 0, 0, 1, "objects", "1: where none was drawn, one of a permitted kind is added all the same"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const auto present = event.counts();
    if (present[Kind::kConstituent] > 0) return;  // a jet's own constituents have no such company
    int count[3], most[3], total = 0, possible = 0, left = places_beside_met(event);
    for (int k = 0; k < 3; ++k) {
      most[k] = static_cast<int>(p[k]);
      for (const int bound : {capacity(visible_kind(k)) - present[visible_kind(k)], left})
        most[k] = bound < 0 ? 0 : bound < most[k] ? bound : most[k];
      count[k] = random.integer(most[k]);
      left -= count[k];
      total += count[k];
      possible += most[k] > 0;
    }
    if (total == 0 && p[3] >= 1 && possible > 0) {
      int skip = random.integer(possible - 1);
      for (int k = 0; k < 3; ++k)
        if (most[k] > 0 && skip-- == 0) count[k] = total = 1;
    }
    if (total == 0) return;

    const T largest = event.largest_pt();
    Transverse<T> sum;
    for (int i = 0; i < total; ++i) {
      Object<T> o;
      o.kind = visible_kind((i >= count[0]) + (i >= count[0] + count[1]));
      const T threshold = T(min_pt(o.kind)), eta_limit = max_abs_eta<T>(o.kind);
      o.pt = random.uniform(threshold, largest > threshold ? largest : threshold);
      o.eta = random.uniform(-eta_limit, eta_limit);
      o.phi = random.uniform(T(-kPi), T(kPi));
      event.add(o);
      sum.add(o.pt, o.phi);
    }
    balance_met(event, sum.x, sum.y);
  }
};

}  // namespace aclr
