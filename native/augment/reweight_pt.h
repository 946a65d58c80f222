// Anomalous: another fragmentation. The pt of a jet is dealt out anew among its constituents by a power of what they had,
//   pt' = sum(pt) pt^a / sum(pt^a),   a uniform on [low, high],
// harder for a > 1, softer for a < 1; the jet keeps its pt and its centre.
//
// Taken from AnomalyCLR-jets and DarkCLR: the formula with a = 1.5, and that the centre is kept. The range is ours.
#pragma once
#include "augment/augmentation.h"
#include "augment/jet.h"

namespace aclr {

struct ReweightPt {
  static constexpr AugmentationInfo info{
      "reweight_pt", Role::kAnomalous, "raise the pt of constituents to a power, at constant pt of the jet",
      "github.com/bmdillon/AnomalyCLR-jets; DarkCLR, arXiv:2312.03067", 2,
      {{"low", 1.5, 0, 10, "", "smallest power: above 1 harder fragmentation, below softer"},
       {"high", 1.5, 0, 10, "", "largest power"}}, DataKind::kJet};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    constexpr T least = T(-60);  // of the logarithm: so that nothing becomes 0
    const T power = random.uniform(T(p[0]), T(p[1]));
    const JetSum<T> before = jet_sum(event);
    const int leading = hardest_after(event, -1);
    if (leading < 0 || !(event[leading].pt > T(0))) return;
    const T largest = event[leading].pt;
    for (Object<T>& o : event) {
      if (o.kind != Kind::kConstituent || !(o.pt > T(0))) continue;
      const T logarithm = power * math::log(o.pt / largest);
      o.pt = math::exp(logarithm > least ? logarithm : least);
    }
    restore_jet(event, before, true);
  }
};

}  // namespace aclr
