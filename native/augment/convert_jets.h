// Anomalous: jets that are leptons, as decays of taus leave them. Each jet becomes with one probability an electron or a
// muon that has a share of its momentum, uniform on [low, high]; the rest goes to MET. It stays a jet where the kind drawn
// has no room or does not reach its |eta|. A lepton below its threshold is the affair of `acceptance`.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct ConvertJets {
  static constexpr AugmentationInfo info{
      "convert_jets", Role::kAnomalous, "turn jets into leptons with a share of their momentum, the rest into MET",
      "leptonic decays of taus; vector sum of MET and visible objects kept", 4,
      {{"probability", 0.5, 0, 1, "", "probability that a jet becomes a lepton"},
       {"electrons", 0.5, 0, 1, "", "share of electrons among these leptons"},
       {"low", 0, 0, 1, "", "smallest share of the jet's momentum"},
       {"high", 1, 0, 1, "", "largest share of the jet's momentum"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event) || places_beside_met(event) < 0) return;
    const auto present = event.counts();
    int room[2] = {capacity(Kind::kElectron) - present[Kind::kElectron], capacity(Kind::kMuon) - present[Kind::kMuon]};
    Transverse<T> lost;
    bool any = false;
    for (int i = 0; i < event.size(); ++i) {
      Object<T>& o = event[i];
      if (o.kind != Kind::kJet || !(random.unit() < T(p[0]))) continue;
      const int k = random.unit() < T(p[1]) ? 0 : 1;
      const T share = random.uniform(T(p[2]), T(p[3]));
      if (room[k] < 1 || math::abs(o.eta) > max_abs_eta<T>(visible_kind(k))) continue;
      --room[k];
      const T kept = share * o.pt;
      lost.add(o.pt - kept, o.phi);
      o.pt = kept;
      o.kind = visible_kind(k);
      any = true;
    }
    if (!any) return;
    balance_met(event, -lost.x, -lost.y);
    drop_spent(event);
  }
};

}  // namespace aclr
