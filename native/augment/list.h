// Every augmentation there is. Names, parameters and ranges reach TypeScript from here.
#pragma once
#include "augment/acceptance.h"
#include "augment/add_objects.h"
#include "augment/drop_constituents.h"
#include "augment/redistribute.h"
#include "augment/reweight_pt.h"
#include "augment/rotate_jet.h"
#include "augment/rotate_phi.h"
#include "augment/shift_all.h"
#include "augment/shift_met.h"
#include "augment/shift_pt.h"
#include "augment/shift_subjet.h"
#include "augment/smear_direction.h"
#include "augment/smear_jets.h"
#include "augment/soft_distort.h"
#include "augment/split_collinear.h"
#include "augment/split_constituents.h"
#include "augment/translate_jet.h"

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
                                  SplitConstituents, DropConstituents, ShiftSubjet, ReweightPt>;

}  // namespace aclr
