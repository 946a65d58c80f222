#include "device/shapes.h"

#include <algorithm>

namespace aclr::device {
namespace {

// Places by name; Encoder and Perceptron lay them out.
class Places {
 public:
  explicit Places(const std::vector<WeightInfo>& layout) : layout_(layout) {}

  Linear linear(const std::string& weight, const std::string& bias) const {
    const WeightInfo& w = find(weight);
    return {w.shape[1], w.shape[0], w.offset, find(bias).offset};
  }
  Linear linear(const std::string& name) const { return linear(name + ".weight", name + ".bias"); }
  Norm norm(const std::string& name) const { return {find(name + ".weight").offset, find(name + ".bias").offset}; }

 private:
  const WeightInfo& find(const std::string& name) const {
    return *std::find_if(layout_.begin(), layout_.end(), [&](const WeightInfo& w) { return w.name == name; });
  }
  const std::vector<WeightInfo>& layout_;
};

}  // namespace

EncoderShape::EncoderShape(const EncoderConfig& config, const std::vector<WeightInfo>& layout, int keep_threshold) {
  const Places places(layout);
  for (int l = 0; l < config.layers; ++l) {
    const std::string at = "transformer.layers." + std::to_string(l) + ".";
    layers_.push_back({places.linear(at + "self_attn.in_proj_weight", at + "self_attn.in_proj_bias"),
                       places.linear(at + "self_attn.out_proj"), places.linear(at + "linear1"),
                       places.linear(at + "linear2"), places.norm(at + "norm1"), places.norm(at + "norm2")});
  }
  for (int l = 0; l < config.head_layers; ++l) {
    const std::string number = std::to_string(l);
    head_.push_back({places.linear("head_layers." + number),
                     config.head_norm ? places.norm("norm_layers." + number) : Norm{}});
  }
  plain_.features = config.features.count;
  plain_.pt_log = config.features.pt == PtFeature::kLog;
  plain_.pt_scale = config.features.pt_scale;
  plain_.eta_scale = config.features.eta_scale;
  plain_.phi_scale = config.features.phi_scale;
  plain_.continuous = config.mask == Mask::kContinuous;
  plain_.width = config.width;
  plain_.heads = config.heads;
  plain_.layers = config.layers;
  plain_.feed_forward = config.feed_forward;
  plain_.output = config.output;
  plain_.head_layers = config.head_layers;
  plain_.head_norm = config.head_norm;
  plain_.keep_threshold = keep_threshold;
  plain_.embedding = places.linear("embedding");
  plain_.layer = layers_.data();
  plain_.head = head_.data();
  plain_.weights = layout.back().offset + layout.back().count;
}

void AutoencoderShape::add(const std::vector<WeightInfo>& layout, std::size_t layer, bool activated, Activation activation) {
  layers_.push_back(Places(layout).linear("layers." + std::to_string(layer)));
  const int kind = activation == Activation::kRelu ? 1 : activation == Activation::kLeakyRelu ? 2 : 3;
  activations_.push_back(activated ? kind : 0);
}

AutoencoderConfig AutoencoderShape::plain(int device, Precision precision, const OptimiserConfig& optimiser) const {
  return {device, precision, static_cast<std::int32_t>(layers_.size()), features_, layers_.data(), activations_.data(),
          weights_, device::plain(optimiser)};
}

void RecipeShape::add(int augmentation, const std::array<double, kMaxParameters>& parameters) {
  static_assert(kMaxParameters == kMostParameters);
  RecipeStep& step = steps_.emplace_back(RecipeStep{augmentation, {}});
  std::copy(parameters.begin(), parameters.end(), step.parameters);
}

void RecipeShape::close() {
  plain_.first_scenario[kViews] = static_cast<std::int32_t>(scenarios_.size());
  plain_.scenario = scenarios_.data();
  plain_.step = steps_.data();
  plain_.steps = static_cast<std::int32_t>(steps_.size());
}

Optimiser plain(const OptimiserConfig& config) {
  return {config.kind == OptimiserKind::kSgd, config.beta1, config.beta2, config.eps, config.momentum, config.weight_decay,
          config.l2, config.clip};
}

}  // namespace aclr::device
