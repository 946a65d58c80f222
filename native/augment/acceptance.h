// Selection: drops what the data could not hold. To be put after smearing, so that no view is told from the data by an
// object below threshold.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct Acceptance : ByObject<Acceptance, Drawn::kNothing, 0> {
  static constexpr AugmentationInfo info{
      "acceptance", Role::kSelection, "drop objects below the pt threshold or outside the eta range of their kind",
      "selection of the ADC2021 sample, arXiv:2107.02157", 5,
      {{"lepton_pt", 3, 0, 1000, "GeV", "threshold of electrons and muons"},
       {"jet_pt", 15, 0, 1000, "GeV", "threshold of jets"},
       {"electron_eta", 3.0, 0, 10, "", "largest |eta| of electrons"},
       {"muon_eta", 2.1, 0, 10, "", "largest |eta| of muons"},
       {"jet_eta", 4.0, 0, 10, "", "largest |eta| of jets"}}};

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind != Kind::kMet && kind != Kind::kConstituent; }
  template <class T>
  ACLR_LANE static bool each(Object<T>& o, const double* p) {
    const T threshold = o.kind == Kind::kJet ? T(p[1]) : T(p[0]);
    const T limit = o.kind == Kind::kElectron ? T(p[2]) : o.kind == Kind::kMuon ? T(p[3]) : T(p[4]);
    const bool soft = o.pt < threshold, outside = math::abs(o.eta) > limit;
    return !(soft || outside);
  }
};

}  // namespace aclr
