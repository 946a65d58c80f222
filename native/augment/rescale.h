// Anomalous: what is soft but still selected. One factor, its logarithm uniform, multiplies MET and every pt; its lower end
// is raised so far that the leading lepton keeps `trigger` GeV. An event that no permitted factor keeps above it, one
// without leptons among them, stays as it is. Objects below their thresholds afterwards are the affair of `acceptance`.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct Rescale {
  static constexpr AugmentationInfo info{
      "rescale", Role::kAnomalous, "multiply MET and every pt by one factor that keeps the leading lepton on its trigger",
      "momentum scale of arXiv:2301.04660 sec. 3, downwards, within the selection of arXiv:2107.02157", 3,
      {{"low", 0.4, 0.01, 100, "", "smallest factor"},
       {"high", 1, 0.01, 100, "", "largest factor"},
       {"trigger", 23, 0, 1000, "GeV", "pt that the leading lepton keeps; 0: none"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event)) return;
    T low = T(p[0] < p[1] ? p[0] : p[1]);
    const T high = T(p[0] < p[1] ? p[1] : p[0]), trigger = T(p[2]);
    if (trigger > T(0)) {
      const int lead = leading_lepton(event);
      if (lead < 0 || !(event[lead].pt >= trigger)) return;
      const T least = trigger / event[lead].pt;
      if (least > high) return;
      low = least > low ? least : low;
    }
    const T factor = log_uniform(low, high, random);
    for (Object<T>& o : event) o.pt *= factor;
  }
};

}  // namespace aclr
