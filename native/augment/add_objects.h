// Anomalous: further electrons, muons and jets, as decays of something unknown would leave them. Per kind a number
// uniform on 0 .. min(room, max); pt uniform on [threshold, max(threshold, largest pt of the event, MET included)];
// eta and phi uniform in the acceptance. MET is recomputed as MET - sum of the new transverse momenta.
#pragma once
#include "augment/augmentation.h"

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
    int count[3], most[3], total = 0, possible = 0;
    // places left in the event, one kept for a MET where there is none yet
    int left = kMaxObjects - event.size() - (event.met() == nullptr ? 1 : 0);
    for (int k = 0; k < 3; ++k) {
      const int room = event.room(kVisibleKinds[k]);
      most[k] = room < static_cast<int>(p[k]) ? room : static_cast<int>(p[k]);
      if (most[k] > left) most[k] = left > 0 ? left : 0;
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
    T px = 0, py = 0;
    for (int k = 0; k < 3; ++k) {
      const Kind kind = kVisibleKinds[k];
      const T threshold = T(min_pt(kind)), eta_limit = T(max_abs_eta(kind));
      for (int i = 0; i < count[k]; ++i) {
        Object<T> o;
        o.kind = kind;
        o.pt = random.uniform(threshold, largest > threshold ? largest : threshold);
        o.eta = random.uniform(-eta_limit, eta_limit);
        o.phi = random.uniform(T(-kPi), T(kPi));
        event.add(o);
        px += o.pt * std::cos(o.phi);
        py += o.pt * std::sin(o.phi);
      }
    }
    Object<T>* met = event.met();
    if (met == nullptr) {  // an event stored without MET has MET 0
      event.add({0, 0, 0, Kind::kMet});
      met = event.met();
    }
    const T met_x = met->pt * std::cos(met->phi) - px;
    const T met_y = met->pt * std::sin(met->phi) - py;
    met->pt = std::sqrt(met_x * met_x + met_y * met_y);
    met->phi = std::atan2(met_y, met_x);
  }
};

}  // namespace aclr
