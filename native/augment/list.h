// Every augmentation there is. Names, parameters and ranges reach TypeScript from here.
#pragma once
#include "augment/acceptance.h"
#include "augment/add_objects.h"
#include "augment/add_pileup.h"
#include "augment/add_resonance.h"
#include "augment/add_spectrum.h"
#include "augment/convert_jets.h"
#include "augment/dead_region.h"
#include "augment/displace_met.h"
#include "augment/drop_constituents.h"
#include "augment/hot_region.h"
#include "augment/jitter_pt.h"
#include "augment/lose_leptons.h"
#include "augment/lose_momentum.h"
#include "augment/redistribute.h"
#include "augment/rescale.h"
#include "augment/reweight_pt.h"
#include "augment/rotate_jet.h"
#include "augment/rotate_phi.h"
#include "augment/scale_jets.h"
#include "augment/scale_pt.h"
#include "augment/shift_all.h"
#include "augment/shift_met.h"
#include "augment/shift_pt.h"
#include "augment/shift_subjet.h"
#include "augment/smear_direction.h"
#include "augment/smear_jets.h"
#include "augment/smear_met.h"
#include "augment/soft_distort.h"
#include "augment/split_collinear.h"
#include "augment/split_constituents.h"
#include "augment/stick_met.h"
#include "augment/translate_jet.h"
#include "augment/turn_kinds.h"

namespace aclr {

template <class... Items>
struct TypeList {
  static constexpr int count = sizeof...(Items);
  // Calls visit(index, Item{}) for each.
  template <class Visit>
  ACLR_HD static void each(Visit&& visit) {
    int i = 0;
    (visit(i++, Items{}), ...);
  }
};

using AugmentationList = TypeList<RotatePhi, SmearDirection, SmearJets, Acceptance, AddObjects, SplitCollinear,
                                  Redistribute, ShiftMet, ShiftPt, ShiftAll, RotateJet, TranslateJet, SoftDistort,
                                  SplitConstituents, DropConstituents, ShiftSubjet, ReweightPt, ScaleJets, SmearMet,
                                  LoseLeptons, AddPileup, DeadRegion, HotRegion, ScalePt, StickMet,
                                  AddSpectrum, Rescale, LoseMomentum, TurnKinds, DisplaceMet, AddResonance, JitterPt,
                                  ConvertJets>;

}  // namespace aclr
