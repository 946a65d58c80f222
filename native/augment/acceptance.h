// Selection: drops what the data could not hold. To be put after smearing, so that no view is told from the data by an
// object below threshold.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct Acceptance {
  static constexpr AugmentationInfo info{
      "acceptance", Role::kSelection, "drop objects below the pt threshold or outside the eta range of their kind",
      "selection of the ADC2021 sample, arXiv:2107.02157", 5,
      {{"lepton_pt", 3, 0, 1000, "GeV", "threshold of electrons and muons"},
       {"jet_pt", 15, 0, 1000, "GeV", "threshold of jets"},
       {"electron_eta", 3.0, 0, 10, "", "largest |eta| of electrons"},
       {"muon_eta", 2.1, 0, 10, "", "largest |eta| of muons"},
       {"jet_eta", 4.0, 0, 10, "", "largest |eta| of jets"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random&) {
    event.remove_if([p](const Object<T>& o) {
      switch (o.kind) {
        case Kind::kElectron: return o.pt < T(p[0]) || std::abs(o.eta) > T(p[2]);
        case Kind::kMuon: return o.pt < T(p[0]) || std::abs(o.eta) > T(p[3]);
        case Kind::kJet: return o.pt < T(p[1]) || std::abs(o.eta) > T(p[4]);
        default: return false;
      }
    });
  }
};

}  // namespace aclr
