// Models as the plain structs that a device library takes; what a struct points at lives here.
#pragma once
#include <vector>

#include "augment/recipe.h"
#include "kernels/device.h"
#include "model/encoder.h"
#include "model/optimiser.h"
#include "model/perceptron.h"
#include "model/views.h"

namespace aclr::device {

class EncoderShape {
 public:
  template <class T>
  explicit EncoderShape(const aclr::Encoder<T>& encoder) : EncoderShape(encoder.config(), encoder.layout(),
                                                                       encoder.keep_threshold()) {}
  EncoderShape(const EncoderShape&) = delete;
  EncoderShape& operator=(const EncoderShape&) = delete;
  const Encoder& plain() const { return plain_; }

 private:
  EncoderShape(const EncoderConfig& config, const std::vector<WeightInfo>& layout, int keep_threshold);

  Encoder plain_{};
  std::vector<EncoderLayer> layers_;
  std::vector<HeadLayer> head_;
};

class AutoencoderShape {
 public:
  template <class T>
  AutoencoderShape(const aclr::Perceptron<T>& model, Activation activation) {
    const std::size_t layers = model.layout().size() / 2;
    for (std::size_t l = 0; l < layers; ++l) add(model.layout(), l, model.activated(l), activation);
    features_ = model.features();
    weights_ = model.weight_count();
  }
  AutoencoderShape(const AutoencoderShape&) = delete;
  AutoencoderShape& operator=(const AutoencoderShape&) = delete;
  AutoencoderConfig plain(int device, Precision precision, const OptimiserConfig& optimiser) const;

 private:
  void add(const std::vector<WeightInfo>& layout, std::size_t layer, bool activated, Activation activation);

  std::vector<Linear> layers_;
  std::vector<std::int32_t> activations_;
  int features_;
  std::size_t weights_;
};

class RecipeShape {
 public:
  template <class T>
  explicit RecipeShape(const aclr::Recipe<T>& recipe) {
    for (int v = 0; v < kViews; ++v) {
      plain_.first_scenario[v] = static_cast<std::int32_t>(scenarios_.size());
      for (const auto& scenario : recipe.views[v]) {
        scenarios_.push_back({scenario.weight, static_cast<std::int32_t>(steps_.size()),
                              static_cast<std::int32_t>(scenario.steps.size())});
        for (const auto& step : scenario.steps) add(step.augmentation, step.parameters);
      }
    }
    close();
  }
  RecipeShape(const RecipeShape&) = delete;
  RecipeShape& operator=(const RecipeShape&) = delete;
  const Recipe& plain() const { return plain_; }

 private:
  void add(int augmentation, const std::array<double, kMaxParameters>& parameters);
  void close();

  Recipe plain_{};
  std::vector<Scenario> scenarios_;
  std::vector<RecipeStep> steps_;
};

Optimiser plain(const OptimiserConfig& config);

template <class T>
Events plain(const EventColumns<T>& events) {
  return {events.events(), events.pt.data(), events.eta.data(), events.phi.data(), events.kind.data(), events.offsets.data()};
}
template <class T>
Tokens plain(const TokenRows<T>& rows) {
  return {rows.events(), rows.x.data(), rows.offsets.data()};
}

}  // namespace aclr::device
