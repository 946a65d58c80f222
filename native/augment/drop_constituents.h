// Anomalous: constituents that nobody sees, as where a part of a dark shower stays invisible. Each is lost with one
// probability, uniform on [low, high] and drawn once a jet; with a radius only those within it of one constituent, drawn
// among all, so that a cone of the jet is thinned. The hardest stays where nothing else would.
//
// Taken from AnomalyCLR-jets and DarkCLR: the loss, pt scaled so that the jet keeps its own, and the
// jet moved so that its centre stays. Their probabilities are 0.3 and 0.5, which are the range here. The cone is ours.
#pragma once
#include "augment/augmentation.h"
#include "augment/jet.h"

namespace aclr {

struct DropConstituents {
  static constexpr AugmentationInfo info{
      "drop_constituents", Role::kAnomalous, "lose constituents at random, at constant pt of the jet",
      "DarkCLR, arXiv:2312.03067; github.com/bmdillon/AnomalyCLR-jets", 4,
      {{"low", 0.3, 0, 1, "", "smallest probability of a constituent's loss"},
       {"high", 0.5, 0, 1, "", "largest probability"},
       {"radius", 0, 0, 10, "", "0: of any constituent, else of those within it of a random one"},
       {"rescale", 1, 0, 1, "", "1: pt of the rest is scaled so that the jet keeps its own"}}, DataKind::kJet};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    int member[kMaxObjects];
    const int n = constituents(event, member);
    if (n == 0) return;
    const JetSum<T> before = jet_sum(event);
    const T probability = random.uniform(T(p[0]), T(p[1])), radius = T(p[2]);
    const Object<T> centre = event[member[random.integer(n - 1)]];
    bool lost[kMaxObjects] = {};
    int left = n;
    for (int k = 0; k < n; ++k) {
      const bool within = !(radius > T(0)) || squared_distance(event[member[k]], centre) <= radius * radius;
      lost[member[k]] = (random.unit() < probability) & within;
      left -= lost[member[k]];
    }
    if (left == 0) lost[hardest_after(event, -1)] = false;
    int i = 0;
    event.keep_if([&](const Object<T>&) { return !lost[i++]; });
    restore_jet(event, before, p[3] >= 1);
  }
};

}  // namespace aclr
