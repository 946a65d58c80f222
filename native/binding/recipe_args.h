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
      fail(step.Env(), std::string(info.name) + ": " + range.name + " is " + std::to_string(given[p]) + ", must lie in " +
                           std::to_string(range.low) + ".." + std::to_string(range.high));
    parameters[p] = given[p];
  }
  return parameters;
}

template <class T>
Recipe<T> recipe_of(Napi::Value value) {
  const Napi::Env env = value.Env();
  if (!value.IsArray() || value.As<Napi::Array>().Length() != kViews) fail(env, "a recipe is an array of three views");
  Recipe<T> recipe;
  for (std::uint32_t v = 0; v < kViews; ++v) {
    const Napi::Value view = value.As<Napi::Array>().Get(v);
    if (!view.IsArray()) fail(env, "a view is an array of scenarios");
    const auto scenarios = view.As<Napi::Array>();
    if (scenarios.Length() > 100000) fail(env, "a view has too many scenarios");
    for (std::uint32_t s = 0; s < scenarios.Length(); ++s) {
      const Napi::Object scenario = object_of(scenarios.Get(s), "a scenario");
      Scenario<T> made{number_of(scenario, "weight", 1e-12, 1e12), {}};
      if (!scenario.Get("steps").IsArray()) fail(env, "a scenario has an array of steps");
      const auto steps = scenario.Get("steps").As<Napi::Array>();
      for (std::uint32_t k = 0; k < steps.Length(); ++k) {
        const Napi::Object step = object_of(steps.Get(k), "a step");
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
