// A recipe as it comes from JavaScript: views -> scenarios {weight, steps: [{augmentation: place in the list,
// parameters}]}. src/config/recipe.ts knows the names.
#pragma once
#include "augment/recipe.h"
#include "binding/args.h"

namespace aclr::binding {

inline AugmentationInfo augmentation_info(int index) {
  AugmentationInfo info{};
  AugmentationList::each([&](int i, auto item) {
    if (i == index) info = decltype(item)::info;
  });
  return info;
}

inline std::array<double, kMaxParameters> parameters_of(Napi::Object step, const AugmentationInfo& info) {
  const auto given = copy_of<double>(step, "parameters", static_cast<std::size_t>(info.parameters));
  std::array<double, kMaxParameters> parameters{};
  for (int p = 0; p < info.parameters; ++p) {
    const ParameterInfo& range = info.parameter[p];
    if (!(given[p] >= range.low && given[p] <= range.high))
      fail(step.Env(), std::string(info.name) + ": " + range.name + " is " + told(given[p]) + ", must lie in " +
                           told(range.low) + ".." + told(range.high));
    parameters[p] = given[p];
  }
  return parameters;
}

// The array at hand, with the length that it has now: a getter within could make it longer and longer.
struct List {
  List(Napi::Value value, std::uint32_t most, const char* what) : array(value.As<Napi::Array>()) {
    if (!value.IsArray()) fail(value.Env(), what);
    length = array.Length();
    if (length > most) fail(value.Env(), std::string(what) + ", at most " + std::to_string(most));
  }
  Napi::Array array;
  std::uint32_t length;
};

template <class T>
Recipe<T> recipe_of(Napi::Value value) {
  const Napi::Env env = value.Env();
  const List views(value, kViews, "a recipe is an array of three views");
  if (views.length != kViews) fail(env, "a recipe is an array of three views");
  Recipe<T> recipe;
  for (std::uint32_t v = 0; v < kViews; ++v) {
    const List scenarios(views.array.Get(v), 100000, "a view is an array of scenarios");
    for (std::uint32_t s = 0; s < scenarios.length; ++s) {
      const Napi::Object scenario = object_of(scenarios.array.Get(s), "a scenario");
      Scenario<T> made{number_of(scenario, "weight", 1e-12, 1e12), {}};
      const List steps(scenario.Get("steps"), 1000, "a scenario has an array of steps");
      for (std::uint32_t k = 0; k < steps.length; ++k) {
        const Napi::Object step = object_of(steps.array.Get(k), "a step");
        const int index = integer_of(step, "augmentation", 0, AugmentationList::count - 1);
        made.steps.push_back(recipe_step<T>(index));
        made.steps.back().parameters = parameters_of(step, augmentation_info(index));
      }
      recipe.views[v].push_back(std::move(made));
    }
  }
  recipe.seal();
  return recipe;
}

}  // namespace aclr::binding
