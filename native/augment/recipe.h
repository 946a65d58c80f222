// A recipe: what makes the views of a training step. View 0 is the anchor, 1 the physical partner, 2 the anomaly. Each
// view has one or more weighted scenarios, a scenario is a chain of augmentations.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "augment/list.h"

namespace aclr {

inline constexpr int kViews = 3;

template <class T>
struct RecipeStep {
  int augmentation;  // its place in AugmentationList
  void (*apply)(Event<T>&, const double*, Draws<T>&);
  std::array<double, kMaxParameters> parameters;
};

template <class T>
struct Scenario {
  double weight;  // made cumulative, ending at 1, by seal()
  std::vector<RecipeStep<T>> steps;
};

// The step with the default parameters of the augmentation at a place of AugmentationList.
template <class T>
RecipeStep<T> recipe_step(int augmentation) {
  RecipeStep<T> step{augmentation, nullptr, {}};
  AugmentationList::each([&](int i, auto item) {
    using Item = decltype(item);
    if (i != augmentation) return;
    step.apply = &Item::template apply<T, Draws<T>>;
    for (int p = 0; p < Item::info.parameters; ++p) step.parameters[p] = Item::info.parameter[p].standard;
  });
  return step;
}

// Where the draws of a view begin. Step 0 of its stream chooses the scenario, step k+1 drives its k-th augmentation:
// what one step draws never moves the numbers of the next.
struct ViewKey {
  int view;
  std::uint64_t seed;
  std::uint32_t epoch;
  std::uint32_t stream(std::size_t step) const {
    return stream_id(Purpose::kAugment, static_cast<std::uint32_t>(view), static_cast<std::uint32_t>(step));
  }
};

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

  // Which scenario of the view a number on (0, 1) chooses. Few as they are, counting is faster than a search, whose
  // branches nobody can predict.
  int choose(int view, double unit) const {
    int chosen = 0;
    for (const Scenario<T>& s : views[view]) chosen += s.weight < unit;
    return chosen;
  }

  // One event. For many, augment() of kernels/augment.h gives the same bits sooner.
  void apply(Event<T>& event, int view, std::uint64_t seed, std::uint32_t epoch, std::uint32_t id) const {
    const auto& scenarios = views[view];
    if (scenarios.empty()) return;
    const ViewKey key{view, seed, epoch};
    const int chosen = scenarios.size() == 1 ? 0 : choose(view, Draws<double>(seed, epoch, id, key.stream(0)).unit());
    std::size_t k = 0;
    for (const RecipeStep<T>& step : scenarios[chosen].steps) {
      Draws<T> draws(seed, epoch, id, key.stream(++k));
      step.apply(event, step.parameters.data(), draws);
    }
  }
};

}  // namespace aclr
