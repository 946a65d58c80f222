// Reading what describes a model.
#pragma once
#include <memory>

#include "binding/args.h"
#include "model/encoder.h"
#include "model/perceptron.h"
#include "model/preparation.h"

namespace aclr::binding {

inline EncoderConfig encoder_config(Napi::Object from) {
  EncoderConfig e;
  e.features.count = integer_of(from, "features", 7, 8);
  e.features.pt = is_second(from, "ptFeature", "linear", "log") ? PtFeature::kLog : PtFeature::kLinear;
  e.features.pt_scale = number_of(from, "ptScale", 1e-9, 1e9);
  e.features.eta_scale = number_or(from, "etaScale", e.features.eta_scale, 1e-6, 1e6);
  e.features.phi_scale = number_or(from, "phiScale", e.features.phi_scale, 1e-6, 1e6);
  e.mask = is_second(from, "mask", "hard", "continuous") ? Mask::kContinuous : Mask::kHard;
  e.width = integer_of(from, "width", 1, 4096);
  e.heads = integer_of(from, "heads", 1, 4096);
  e.layers = integer_of(from, "layers", 0, 64);
  e.feed_forward = integer_of(from, "feedForward", 1, 4096);
  e.output = integer_of(from, "output", 1, 4096);
  e.head_layers = integer_of(from, "headLayers", 0, 16);
  e.head_norm = flag_of(from, "headNorm");
  e.dropout = number_of(from, "dropout", 0, 0.99);
  check(from.Env(), e.check());
  return e;
}

inline PerceptronConfig perceptron_config(Napi::Object from) {
  PerceptronConfig config;
  config.learns = is_second(from, "learns", "row", "class") ? Learns::kClass : Learns::kRow;
  for (const std::int32_t w : copy_of<std::int32_t>(from, "widths")) config.widths.push_back(w);
  const std::string activation = text_of(from, "activation");
  if (activation == "relu")
    config.activation = Activation::kRelu;
  else if (activation == "leaky_relu")
    config.activation = Activation::kLeakyRelu;
  else if (activation == "elu")
    config.activation = Activation::kElu;
  else
    fail(from.Env(), "activation must be relu, leaky_relu or elu");
  config.activate_bottleneck = flag_of(from, "activateBottleneck");
  check(from.Env(), config.check());
  return config;
}

// {inputs, outputs, mean, matrix?}
inline PreparationConfig preparation_config(Napi::Object from) {
  PreparationConfig config;
  config.inputs = integer_of(from, "inputs", 1, 65536);
  config.outputs = integer_of(from, "outputs", 1, 65536);
  config.mean = copy_of<double>(from, "mean", config.inputs);
  const Napi::Value matrix = from.Get("matrix");
  if (!matrix.IsUndefined()) {
    const auto span = span_of<double>(matrix, "matrix");
    config.matrix.assign(span.data, span.data + span.size);
    if (span.size == 0) fail(from.Env(), "matrix is empty");
  }
  check(from.Env(), config.check());
  return config;
}

// All rows of x [n, d], or those at `index`; at least one.
template <class T>
std::shared_ptr<std::vector<T>> rows_of(Napi::Object from, std::size_t d) {
  const Napi::Value x_value = from.Get("x"), index_value = from.Get("index");
  const Span<T> x = span_of<T>(x_value, "x");
  if (x.size % d != 0 || x.size == 0)
    fail(from.Env(), "x has " + std::to_string(x.size) + " numbers, not a multiple of " + std::to_string(d));
  if (x.size / d > std::size_t{1} << 30) fail(from.Env(), "x has more than 2^30 rows");
  if (index_value.IsUndefined()) return std::make_shared<std::vector<T>>(x.data, x.data + x.size);
  const auto index = span_of<std::int32_t>(index_value, "index");
  if (index.size == 0) fail(from.Env(), "index is empty");
  auto rows = std::make_shared<std::vector<T>>();
  rows->reserve(index.size * d);
  for (const std::int32_t i : std::vector<std::int32_t>(index.data, index.data + index.size)) {
    if (i < 0 || static_cast<std::size_t>(i) >= x.size / d)
      fail(from.Env(), "index names row " + std::to_string(i) + " of " + std::to_string(x.size / d));
    rows->insert(rows->end(), x.data + i * d, x.data + (i + 1) * d);
  }
  return rows;
}

}  // namespace aclr::binding
