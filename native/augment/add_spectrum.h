// Anomalous: further electrons, muons and jets in falling numbers and with a falling spectrum, as most new physics would add
// them. Per kind P(n+1 or more | n or more) is constant, so far as room allows; log pt uniform from the threshold to `top`
// times the largest pt of the event, MET included (at least 1.2 thresholds); eta and phi uniform in the acceptance.
// With probability `balanced` MET is recomputed as MET - sum of the new transverse momenta, else it stays.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct AddSpectrum {
  static constexpr AugmentationInfo info{
      "add_spectrum", Role::kAnomalous, "add electrons, muons and jets in falling numbers with a falling spectrum",
      "geometric numbers and a spectrum flat in log pt, in place of the flat ones of arXiv:2301.04660 sec. 3", 6,
      {{"electrons", 0.5, 0, 1, "", "probability of one electron, and of each further one"},
       {"muons", 0.5, 0, 1, "", "probability of one muon, and of each further one"},
       {"jets", 0.6, 0, 1, "", "probability of one jet, and of each further one"},
       {"top", 1, 0.1, 20, "", "largest pt over the largest pt of the event"},
       {"balanced", 0.5, 0, 1, "", "probability that MET balances what was added"},
       {"at_least", 0, 0, 1, "objects", "1: where none was drawn, one of a permitted kind is added all the same"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const auto present = event.counts();
    if (present[Kind::kConstituent] > 0) return;
    int count[3], total = 0, possible = 0, left = places_beside_met(event);
    bool may[3];
    for (int k = 0; k < 3; ++k) {
      const int free = capacity(visible_kind(k)) - present[visible_kind(k)], most = free < left ? free : left;
      may[k] = most > 0 && p[k] > 0;
      possible += may[k];
      count[k] = 0;
      while (count[k] < most && random.unit() < T(p[k])) ++count[k];
      left -= count[k];
      total += count[k];
    }
    if (total == 0 && p[5] >= 1 && possible > 0) {
      int skip = random.integer(possible - 1);
      for (int k = 0; k < 3; ++k)
        if (may[k] && skip-- == 0) count[k] = total = 1;
    }
    if (total == 0) return;

    const bool balanced = random.unit() < T(p[4]);
    const T high = T(p[3]) * event.largest_pt();
    Transverse<T> sum;
    for (int i = 0; i < total; ++i) {
      Object<T> o;
      o.kind = visible_kind((i >= count[0]) + (i >= count[0] + count[1]));
      const T threshold = T(min_pt(o.kind)), least = T(1.2) * threshold, limit = max_abs_eta<T>(o.kind);
      o.pt = log_uniform(threshold, high > least ? high : least, random);
      o.eta = random.uniform(-limit, limit);
      o.phi = random.uniform(T(-kPi), T(kPi));
      event.add(o);
      sum.add(o.pt, o.phi);
    }
    if (balanced) balance_met(event, sum.x, sum.y);
  }
};

}  // namespace aclr
