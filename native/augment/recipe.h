// A recipe: what makes the views of a training step. View 0 is the anchor, 1 the physical partner, 2 the anomaly. Each
// view has one or more weighted scenarios, a scenario is a chain of augmentations. Running it costs one table look-up
// per step however many scenarios there are.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "augment/list.h"

namespace aclr {

inline constexpr int kViews = 3;

template <class T>
struct RecipeStep {
  void (*apply)(Event<T>&, const double*, Draws<T>&);
  std::array<double, kMaxParameters> parameters;
};

template <class T>
struct Scenario {
  double weight;  // made cumulative, ending at 1, by seal()
  std::vector<RecipeStep<T>> steps;
};

// The entry of an augmentation by its place in AugmentationList; nullptr out of range.
template <class T>
auto augmentation_entry(int index) {
  void (*entry)(Event<T>&, const double*, Draws<T>&) = nullptr;
  AugmentationList::each([&](int i, auto item) {
    if (i == index) entry = &decltype(item)::template apply<T, Draws<T>>;
  });
  return entry;
}

template <class T>
class Recipe {
 public:
  std::array<std::vector<Scenario<T>>, kViews> views;

  // Turns weights into cumulative ones; call once, after filling `views`.
  void seal() {
    for (auto& scenarios : views) {
      double total = 0, run = 0;
      for (const auto& s : scenarios) total += s.weight;
      for (auto& s : scenarios) s.weight = (run += s.weight) / total;
      if (!scenarios.empty()) scenarios.back().weight = 1;
    }
  }

  // Step 0 of a view's stream chooses the scenario, step k+1 drives its k-th augmentation: what one step draws never
  // moves the numbers of the next.
  void apply(Event<T>& event, int view, std::uint64_t seed, std::uint32_t epoch, std::uint32_t id) const {
    const auto& scenarios = views[view];
    if (scenarios.empty()) return;
    const Scenario<T>* chosen = &scenarios[0];
    if (scenarios.size() > 1) {
      Draws<double> draws(seed, epoch, id, stream_id(Purpose::kAugment, view, 0));
      const double u = draws.unit();
      chosen = &*std::lower_bound(scenarios.begin(), scenarios.end(), u,
                                  [](const Scenario<T>& s, double value) { return s.weight < value; });
    }
    for (std::size_t k = 0; k < chosen->steps.size(); ++k) {
      Draws<T> draws(seed, epoch, id, stream_id(Purpose::kAugment, view, static_cast<std::uint32_t>(k) + 1));
      chosen->steps[k].apply(event, chosen->steps[k].parameters.data(), draws);
    }
  }
};

}  // namespace aclr
