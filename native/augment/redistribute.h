// Anomalous: the published second version of "multiplicity at constant pt and MET", mended. In each kind the scalar pt
// sum S is kept and dealt out anew among n old and `add` new objects; new ones copy the directions of the leading ones.
// The vector sum is NOT kept (split_collinear keeps it).
//   add   = min(drawn, n, room),  drawn uniform on 0 .. trunc(max(0, (S - L)/pmin - n))
//   avail = S - (lead - pmin) - pmin (n + add); below 0 the kind is left alone
//   pt_j  = pmin + avail w_j / sum(w)  (+ lead - pmin for the first),  w ~ Exp(1)
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct Redistribute {
  static constexpr AugmentationInfo info{
      "redistribute", Role::kAnomalous, "deal out the pt sum of each kind among more objects of that kind",
      "arXiv:2301.04660 sec. 3 as published in 2024, mended (test/golden/bugs.json A12-A18)", 0, {}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double*, Random& random) {
    for (int k = 0; k < 3; ++k) {
      const Kind kind = visible_kind(k);
      int member[kMaxObjects], n = 0;
      T sum = 0;
      for (int i = 0; i < event.size(); ++i)
        if (event[i].kind == kind) {
          member[n++] = i;
          sum += event[i].pt;
        }
      const bool jets = kind == Kind::kJet;
      const T pmin = T(min_pt(kind)), lead = jets ? pmin : T(23), reserve = jets ? T(0) : T(23);
      const T most = (sum - reserve) / pmin - static_cast<T>(n);
      const int drawn = random.integer(most > T(0) ? static_cast<int>(most < T(1e9) ? most : T(1e9)) : 0);
      int add = drawn < n ? drawn : n;
      if (add > event.room(kind)) add = event.room(kind);
      const T available = sum - (lead - pmin) - pmin * static_cast<T>(n + add);
      if (n == 0 || available < T(0)) continue;

      T weight[kMaxObjects], total = 0;
      for (int j = 0; j < n + add; ++j) total += weight[j] = random.exponential();
      for (int j = 0; j < n + add; ++j) {
        const T pt = pmin + available * weight[j] / total + (j == 0 ? lead - pmin : T(0));
        if (j < n) {
          event[member[j]].pt = pt;
        } else {
          const Object<T>& twin = event[member[j - n]];
          event.add({pt, twin.eta, twin.phi, kind});
        }
      }
    }
  }
};

}  // namespace aclr
