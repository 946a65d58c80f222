// Anomalous: higher multiplicity at fixed momentum. The leading objects of a kind split in two along their own
// direction, fractions r and 1 - r. Vector sum, scalar sums per kind and MET are kept exactly.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct SplitCollinear {
  static constexpr AugmentationInfo info{
      "split_collinear", Role::kAnomalous, "split the leading objects of each kind in two along their direction",
      "arXiv:2301.04660 sec. 3 (multiplicity at constant pt and MET)", 4,
      {{"max_electrons", 4, 0, 4, "objects", "most electrons split"},
       {"max_muons", 4, 0, 4, "objects", "most muons split"},
       {"max_jets", 10, 0, 10, "objects", "most jets split"},
       {"min_fraction", 0, 0, 0.5, "", "smallest share of the parent's pt that either half gets"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    const int size = event.size();  // children are not split again
    for (int k = 0; k < 3; ++k) {
      const Kind kind = visible_kind(k);
      int parents = event.room(kind) < static_cast<int>(p[k]) ? event.room(kind) : static_cast<int>(p[k]);
      for (int i = 0; i < size && parents > 0; ++i) {
        if (event[i].kind != kind) continue;
        --parents;
        const T r = random.uniform(T(p[3]), T(1) - T(p[3]));
        Object<T> child = event[i];
        child.pt = (T(1) - r) * event[i].pt;
        event[i].pt *= r;
        event.add(child);
      }
    }
  }
};

}  // namespace aclr
