#include "model/encoder.h"

#include <algorithm>
#include <cmath>

namespace aclr {

Status EncoderConfig::check() const {
  if (features.count != 7 && features.count != 8) return Status::invalid("features must be 7 or 8");
  if (!(features.pt_scale > 0) || !std::isfinite(features.pt_scale)) return Status::invalid("ptScale must be above 0");
  for (const int size : {width, heads, feed_forward, output})
    if (size < 1 || size > 4096) return Status::invalid("width, heads, feedForward and output must lie in 1..4096");
  if (width % heads != 0) return Status::invalid("width must be a multiple of heads");
  if (layers < 0 || layers > 64 || head_layers < 0 || head_layers > 16)
    return Status::invalid("layers must lie in 0..64, headLayers in 0..16");
  if (!(dropout >= 0 && dropout < 1)) return Status::invalid("dropout must lie in [0, 1)");
  if (Encoder<float>(*this).weight_count() > kMaxWeights) return Status::invalid("the encoder has more than 2^28 weights");
  return {};
}

template <class T>
std::size_t Encoder<T>::add_weight(const std::string& name, std::vector<int> shape) {
  std::size_t count = 1;
  for (const int s : shape) count *= static_cast<std::size_t>(s);
  layout_.push_back({name, std::move(shape), weight_count_, count});
  weight_count_ += count;
  return layout_.back().offset;
}

template <class T>
Linear<T> Encoder<T>::add_linear(const std::string& weight, const std::string& bias, int in, int out) {
  Linear<T> linear;
  linear.in = in;
  linear.out = out;
  linear.weight = add_weight(weight, {out, in});
  linear.bias = add_weight(bias, {out});
  return linear;
}

// The names are those of the published PyTorch model, so that its checkpoints load.
template <class T>
Encoder<T>::Encoder(const EncoderConfig& config) : config_(config) {
  const int d = config.width;
  embedding_ = add_linear("embedding.weight", "embedding.bias", config.features.count, d);
  for (int l = 0; l < config.layers; ++l) {
    const std::string at = "transformer.layers." + std::to_string(l) + ".";
    Layer layer;
    layer.in_proj = add_linear(at + "self_attn.in_proj_weight", at + "self_attn.in_proj_bias", d, 3 * d);
    layer.out_proj = add_linear(at + "self_attn.out_proj.weight", at + "self_attn.out_proj.bias", d, d);
    layer.linear1 = add_linear(at + "linear1.weight", at + "linear1.bias", d, config.feed_forward);
    layer.linear2 = add_linear(at + "linear2.weight", at + "linear2.bias", config.feed_forward, d);
    layer.gain1 = add_weight(at + "norm1.weight", {d});
    layer.offset1 = add_weight(at + "norm1.bias", {d});
    layer.gain2 = add_weight(at + "norm2.weight", {d});
    layer.offset2 = add_weight(at + "norm2.bias", {d});
    layers_.push_back(std::move(layer));
  }
  for (int l = 0; l < config.head_layers; ++l) {
    const std::string number = std::to_string(l);
    HeadLayer head;
    const int in = rep_width(l);
    head.linear = add_linear("head_layers." + number + ".weight", "head_layers." + number + ".bias", in, config.output);
    if (config.head_norm) {
      head.gain = add_weight("norm_layers." + number + ".weight", {in});
      head.offset = add_weight("norm_layers." + number + ".bias", {in});
    }
    head_.push_back(std::move(head));
  }
}

template <class T>
void Encoder<T>::pack(const T* weights, bool backward) {
  embedding_.pack(weights, backward);
  for (Layer& l : layers_)
    for (Linear<T>* linear : {&l.in_proj, &l.out_proj, &l.linear1, &l.linear2}) linear->pack(weights, backward);
  for (HeadLayer& h : head_) h.linear.pack(weights, backward);
}

// Dropout in steps of 1/256: one random byte decides; the scale is exact for the share that really goes.
template <class T>
int Encoder<T>::keep_threshold() const {
  return std::min(255, static_cast<int>(std::lround(config_.dropout * 256)));
}
template <class T>
T Encoder<T>::keep_scale() const {
  return T(256.0 / (256 - keep_threshold()));
}

// Four sites a layer, each with a stream of its own per event: probabilities, attention output, hidden, output. That of
// the hidden units is drawn where it is used; its zeros are then known from the activations themselves.
template <class T>
void Encoder<T>::draw_keeps(const TokenBlock<T>& block, const DropoutKey& key, int layer,
                            typename EncoderTape<T>::Layer& tape) const {
  const std::size_t d = config_.width, f = config_.feed_forward;
  std::size_t pairs = 0;
  for (int e = 0; e < block.events(); ++e) {
    const std::size_t n = block.offsets[e + 1] - block.offsets[e];
    pairs += config_.heads * n * n;
  }
  ensure(tape.keep_probs, pairs);
  ensure(tape.keep_attention, block.tokens() * std::max(d, f));
  ensure(tape.keep_output, block.tokens() * (d + f));
  std::uint8_t* hidden = tape.keep_output.data() + block.tokens() * d;
  std::size_t at_pair = 0;
  for (int e = 0; e < block.events(); ++e) {
    const std::size_t first = block.offsets[e], n = block.offsets[e + 1] - block.offsets[e];
    if (n == 0) continue;
    DropoutKeep draw{static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32), key.epoch,
                     block.ids[e], 0, 0, keep_threshold(), nullptr};
    const auto site = [&](int number, std::uint8_t* keep, std::size_t count) {
      draw.stream = stream_id(Purpose::kDropout, key.view, static_cast<std::uint32_t>(layer * 4 + number));
      draw.keep = keep;
      draw.count = static_cast<int>(count);
      ops<T>().dropout_keep(draw);
    };
    site(0, tape.keep_probs.data() + at_pair, config_.heads * n * n);
    site(1, tape.keep_attention.data() + first * d, n * d);
    site(2, hidden + first * f, n * f);
    site(3, tape.keep_output.data() + first * d, n * d);
    at_pair += config_.heads * n * n;
  }
}

template <class T>
void Encoder<T>::forward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout,
                         EncoderTape<T>& tape) const {
  const Ops<T>& op = ops<T>();
  const int tokens = block.tokens(), d = config_.width, f = config_.feed_forward, features = config_.features.count;
  const std::size_t n = tokens;
  const bool drop = dropout.on && keep_threshold() > 0;
  tape.layers.resize(config_.layers);
  T* branch = ensure(tape.scratch, n * std::max(d, f));

  T* bias = nullptr;
  if (config_.mask == Mask::kContinuous) {
    bias = ensure(tape.key_bias, n);
    for (std::size_t t = 0; t < n; ++t) bias[t] = T(0.5) * std::log(block.x[t * features]);
  }
  std::size_t pairs = 0;
  for (int e = 0; e < block.events(); ++e) {
    const std::size_t k = block.offsets[e + 1] - block.offsets[e];
    pairs += config_.heads * k * k;
  }

  T* x = config_.layers > 0 ? ensure(tape.layers[0].in, n * d) : ensure(tape.out, n * d);
  embedding_.forward(weights, block.x.data(), features, tokens, x, d, false);
  for (int l = 0; l < config_.layers; ++l) {
    const Layer& layer = layers_[l];
    auto& t = tape.layers[l];
    if (drop) draw_keeps(block, dropout, l, t);
    T* qkv = ensure(t.qkv, n * 3 * d);
    layer.in_proj.forward(weights, x, d, tokens, qkv, 3 * d, false);
    T* mixed = ensure(t.mixed, n * d);
    op.attention({block.events(), config_.heads, d, block.offsets.data(), qkv, bias, drop ? t.keep_probs.data() : nullptr,
                  keep_scale(), ensure(t.probs, pairs), mixed});
    layer.out_proj.forward(weights, mixed, d, tokens, branch, d, false);
    if (drop) op.dropout(branch, t.keep_attention.data(), keep_scale(), n * d);
    T* mid = ensure(t.mid, n * d);
    op.layer_norm({tokens, d, x, branch, weights + layer.gain1, weights + layer.offset1, mid, ensure(t.normal1, n * d),
                   ensure(t.rstd1, n)});

    T* hidden = ensure(t.hidden, n * f);
    layer.linear1.forward(weights, mid, d, tokens, hidden, f, true);
    if (drop) op.dropout(hidden, t.keep_output.data() + n * d, keep_scale(), n * f);
    layer.linear2.forward(weights, hidden, f, tokens, branch, d, false);
    if (drop) op.dropout(branch, t.keep_output.data(), keep_scale(), n * d);
    T* out = l + 1 < config_.layers ? ensure(tape.layers[l + 1].in, n * d) : ensure(tape.out, n * d);
    op.layer_norm({tokens, d, mid, branch, weights + layer.gain2, weights + layer.offset2, out, ensure(t.normal2, n * d),
                   ensure(t.rstd2, n)});
    x = out;
  }

  T* reps = ensure(tape.reps, static_cast<std::size_t>(block.events()) * rep_row());
  for (int e = 0; e < block.events(); ++e) {
    T* pooled = reps + static_cast<std::size_t>(e) * rep_row();
    std::fill(pooled, pooled + d, T(0));
    for (int s = block.offsets[e]; s < block.offsets[e + 1]; ++s) {
      const T weight = config_.mask == Mask::kContinuous ? block.x[static_cast<std::size_t>(s) * features] : T(1);
      const T* token = tape.out.data() + static_cast<std::size_t>(s) * d;
      for (int c = 0; c < d; ++c) pooled[c] += weight * token[c];
    }
  }
  head_forward(weights, block.events(), tape);
}

template <class T>
void Encoder<T>::head_forward(const T* weights, int events, EncoderTape<T>& tape) const {
  const std::size_t row = rep_row(), rows = events;
  // the inputs of all head layers stand side by side, as the representations do
  T* ins = ensure(tape.head_in, rows * row);
  T* normals = config_.head_norm ? ensure(tape.head_normal, rows * row) : nullptr;
  T* rstds = config_.head_norm ? ensure(tape.head_rstd, rows * (head_.size() + 1)) : nullptr;
  T* reps = tape.reps.data();
  for (std::size_t l = 0; l < head_.size(); ++l) {
    const HeadLayer& head = head_[l];
    const int in = rep_width(static_cast<int>(l));
    T* x = ins + rows * rep_offset(static_cast<int>(l));  // [events, in], dense
    for (std::size_t e = 0; e < rows; ++e) {
      const T* r = reps + e * row + rep_offset(static_cast<int>(l));
      std::copy(r, r + in, x + e * in);
    }
    if (config_.head_norm)
      ops<T>().layer_norm({events, in, x, nullptr, weights + head.gain, weights + head.offset, x,
                           normals + rows * rep_offset(static_cast<int>(l)), rstds + rows * l});
    for (std::size_t i = 0; i < rows * in; ++i) x[i] = x[i] > T(0) ? x[i] : T(0);
    head.linear.forward(weights, x, in, events, reps + rep_offset(static_cast<int>(l) + 1), static_cast<std::ptrdiff_t>(row),
                        false);
  }
}

template <class T>
void Encoder<T>::head_backward(const T* weights, int events, EncoderTape<T>& tape, T* dreps, T* dweights) const {
  const Ops<T>& op = ops<T>();
  const std::size_t row = rep_row(), rows = events;
  const std::size_t widest = std::max(config_.width, config_.output);
  T* dy = ensure(tape.scratch, rows * widest);
  T* dx = ensure(tape.scratch2, rows * widest);
  for (int l = config_.head_layers - 1; l >= 0; --l) {
    const HeadLayer& head = head_[l];
    const int in = rep_width(l), out = config_.output;
    const T* x = tape.head_in.data() + rows * rep_offset(l);
    for (std::size_t e = 0; e < rows; ++e) {
      const T* from = dreps + e * row + rep_offset(l + 1);
      std::copy(from, from + out, dy + e * out);
    }
    head.linear.backward_weights(dy, x, in, events, dweights, tape.pack);
    head.linear.backward_input(dy, out, events, dx, in, false);
    op.relu_backward(dx, x, T(1), rows * in);
    if (config_.head_norm)
      op.layer_norm_backward({events, in, dx, tape.head_normal.data() + rows * rep_offset(l),
                              tape.head_rstd.data() + rows * l, weights + head.gain, dx, dweights + head.gain,
                              dweights + head.offset});
    for (std::size_t e = 0; e < rows; ++e) {
      T* to = dreps + e * row + rep_offset(l);
      for (int c = 0; c < in; ++c) to[c] += dx[e * in + c];
    }
  }
}

template <class T>
void Encoder<T>::backward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape,
                          T* dreps, T* dweights, T* dx) const {
  const Ops<T>& op = ops<T>();
  const int tokens = block.tokens(), d = config_.width, f = config_.feed_forward, features = config_.features.count;
  const std::size_t n = tokens;
  const bool drop = dropout.on && keep_threshold() > 0, continuous = config_.mask == Mask::kContinuous;
  head_backward(weights, block.events(), tape, dreps, dweights);
  if (dx != nullptr) std::fill(dx, dx + n * features, T(0));

  // pool: every token gets the gradient of its event
  T* dtoken = ensure(tape.scratch3, n * (4 * static_cast<std::size_t>(d) + 1));
  T* dqkv = dtoken + n * d;
  T* dkey_bias = dqkv + n * 3 * d;
  for (int e = 0; e < block.events(); ++e) {
    const T* dpooled = dreps + static_cast<std::size_t>(e) * rep_row();
    for (int s = block.offsets[e]; s < block.offsets[e + 1]; ++s) {
      const T weight = continuous ? block.x[static_cast<std::size_t>(s) * features] : T(1);
      T dweight = 0;
      for (int c = 0; c < d; ++c) {
        dtoken[static_cast<std::size_t>(s) * d + c] = weight * dpooled[c];
        dweight += dpooled[c] * tape.out[static_cast<std::size_t>(s) * d + c];
      }
      if (dx != nullptr && continuous) dx[static_cast<std::size_t>(s) * features] += dweight;
    }
  }
  if (continuous) std::fill(dkey_bias, dkey_bias + n, T(0));

  T* branch = ensure(tape.scratch, n * std::max(d, f));
  T* hidden = ensure(tape.scratch2, n * std::max(d, f));
  for (int l = config_.layers - 1; l >= 0; --l) {
    const Layer& layer = layers_[l];
    auto& t = tape.layers[l];
    // feed-forward: dtoken becomes the gradient of the sum before the norm, which both branches share
    op.layer_norm_backward({tokens, d, dtoken, t.normal2.data(), t.rstd2.data(), weights + layer.gain2, dtoken,
                            dweights + layer.gain2, dweights + layer.offset2});
    const T* dout = dtoken;
    if (drop) {
      std::copy(dtoken, dtoken + n * d, branch);
      op.dropout(branch, t.keep_output.data(), keep_scale(), n * d);
      dout = branch;
    }
    layer.linear2.backward_weights(dout, t.hidden.data(), f, tokens, dweights, tape.pack);
    layer.linear2.backward_input(dout, d, tokens, hidden, f, false);
    op.relu_backward(hidden, t.hidden.data(), drop ? keep_scale() : T(1), n * f);
    layer.linear1.backward_weights(hidden, t.mid.data(), d, tokens, dweights, tape.pack);
    layer.linear1.backward_input(hidden, f, tokens, dtoken, d, true);

    op.layer_norm_backward({tokens, d, dtoken, t.normal1.data(), t.rstd1.data(), weights + layer.gain1, dtoken,
                            dweights + layer.gain1, dweights + layer.offset1});
    dout = dtoken;
    if (drop) {
      std::copy(dtoken, dtoken + n * d, branch);
      op.dropout(branch, t.keep_attention.data(), keep_scale(), n * d);
      dout = branch;
    }
    layer.out_proj.backward_weights(dout, t.mixed.data(), d, tokens, dweights, tape.pack);
    layer.out_proj.backward_input(dout, d, tokens, hidden, d, false);
    op.attention_backward({block.events(), config_.heads, d, block.offsets.data(), t.qkv.data(), t.probs.data(), hidden,
                           drop ? t.keep_probs.data() : nullptr, keep_scale(), dqkv, continuous ? dkey_bias : nullptr});
    layer.in_proj.backward_weights(dqkv, t.in.data(), d, tokens, dweights, tape.pack);
    layer.in_proj.backward_input(dqkv, 3 * d, tokens, dtoken, d, true);
  }
  embedding_.backward_weights(dtoken, block.x.data(), features, tokens, dweights, tape.pack);
  if (dx != nullptr) {
    embedding_.backward_input(dtoken, d, tokens, dx, features, true);
    if (continuous)
      for (std::size_t s = 0; s < n; ++s) dx[s * features] += T(0.5) * dkey_bias[s] / block.x[s * features];
  }
}

template class Encoder<float>;
template class Encoder<double>;

}  // namespace aclr
