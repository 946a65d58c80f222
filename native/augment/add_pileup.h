// Physical: jets of pile-up. A Poisson number of them, pt = threshold + Exp(slope), flat in eta and phi. MET stays, as it
// does in the generator, whose pile-up tells in MET by further noise: met_sigma on each component.
#pragma once
#include "augment/augmentation.h"
#include "augment/momentum.h"

namespace aclr {

struct AddPileup {
  static constexpr AugmentationInfo info{
      "add_pileup", Role::kPhysical, "add soft jets of pile-up", "tools/pythia_adc2021.py --pu 2, which adds as many again", 5,
      {{"mean", 0.5, 0, 10, "jets", "mean number of jets"},
       {"threshold", 15, 0.1, 1000, "GeV", "least pt"},
       {"slope", 5, 0, 1000, "GeV", "mean pt above it"},
       {"eta", 4, 0, 10, "", "largest |eta|"},
       {"met_sigma", 0, 0, 1000, "GeV", "noise on each component of MET; 12.5 as much as doubled pile-up adds"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event)) return;  // a jet's own constituents have no such company
    // the least n whose cumulative probability reaches the draw
    const T draw = random.unit(), mean = T(p[0]);
    const int most = event.room(Kind::kJet);
    T term = math::exp(-mean), cumulative = term;
    int n = 0;
    while (n < most && draw > cumulative) {
      ++n;
      term = term * mean / T(n);
      cumulative += term;
    }
    for (int i = 0; i < n; ++i) {
      Object<T> o;
      o.kind = Kind::kJet;
      o.pt = T(p[1]) + T(p[2]) * random.exponential();
      o.eta = random.uniform(-T(p[3]), T(p[3]));
      o.phi = random.uniform(T(-kPi), T(kPi));
      event.add(o);
    }
    const T sigma = T(p[4]);
    if (!(sigma > T(0)) || event.met() == nullptr) return;
    T x, y;
    random.normals(x, y);
    balance_met(event, sigma * x, sigma * y);
  }
};

}  // namespace aclr
