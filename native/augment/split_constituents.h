// Physical: collinear splittings, which no measurement resolves. Constituents split in two along their own direction,
// fractions r and 1 - r with r uniform, each at most once. Scalar and vector sum of the jet are kept exactly.
//
// Taken from JetCLR: which ones is drawn, without repetition, r is uniform on (0, 1), and all that there is room for split
// (`fill`). Chosen here: without `fill` their number is uniform on 0 .. most, so that a view is not told by being full.
#pragma once
#include "augment/augmentation.h"
#include "augment/jet.h"

namespace aclr {

struct SplitConstituents {
  static constexpr AugmentationInfo info{
      "split_constituents", Role::kPhysical, "split constituents in two along their direction",
      "JetCLR, arXiv:2108.04253", 4,
      {{"most", 16, 0, kMaxObjects, "objects", "most constituents split"},
       {"fill", 0, 0, 1, "", "1: as many as that and the room allow, 0: a number drawn up to it"},
       {"leading", 0, 0, 1, "", "1: the first split, which are the hardest as files hold them, 0: random ones"},
       {"min_fraction", 0, 0, 0.5, "", "smallest share of the parent's pt that either half gets"}}, DataKind::kJet};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    int member[kMaxObjects];
    const int n = constituents(event, member), room = event.room(Kind::kConstituent);
    int most = static_cast<int>(p[0]);
    if (most > n) most = n;
    if (most > room) most = room;
    if (p[1] < 1) most = random.integer(most);
    for (int k = 0; k < most; ++k) {
      if (p[2] < 1) {
        const int other = k + random.integer(n - 1 - k), chosen = member[other];
        member[other] = member[k];
        member[k] = chosen;
      }
      const T r = random.uniform(T(p[3]), T(1) - T(p[3]));
      Object<T>& parent = event[member[k]];
      Object<T> child = parent;
      child.pt = (T(1) - r) * parent.pt;
      parent.pt *= r;
      event.add(child);
    }
  }
};

}  // namespace aclr
