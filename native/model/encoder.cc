#include "model/encoder.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace aclr {

Status EncoderConfig::check() const {
  if (features.count != 7 && features.count != 8) return Status::invalid("features must be 7 or 8");
  const std::pair<const char*, double> scales[] = {
      {"ptScale", features.pt_scale}, {"etaScale", features.eta_scale}, {"phiScale", features.phi_scale}};
  for (const auto& [name, scale] : scales)
    if (!(scale > 0) || !std::isfinite(scale)) return Status::invalid(std::string(name) + " must be above 0");
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
Encoder<T>::Encoder(const EncoderConfig& config, Products products) : config_(config), op_(ops<T>(products)) {
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
void Encoder<T>::pack(ThreadPool& pool, const T* weights, bool backward) {
  std::vector<Linear<T>*> all{&embedding_};
  for (Layer& l : layers_)
    for (Linear<T>* linear : {&l.in_proj, &l.out_proj, &l.linear1, &l.linear2}) all.push_back(linear);
  for (HeadLayer& h : head_) all.push_back(&h.linear);
  pool.run(static_cast<int>(all.size()), [&](int i) { all[i]->pack(op_, weights, backward); });
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

template <class T>
std::size_t Encoder<T>::pairs_of(const TokenBlock<T>& block) const {
  std::size_t pairs = 0;
  for (int e = 0; e < block.events; ++e)
    pairs += static_cast<std::size_t>(config_.heads) * block.tokens(e) * padded_keys(block.tokens(e));
  return pairs;
}

// A layer's share: qkv 3d, mixed, normal1, normal2 d, hidden f numbers and two rstd a token, and the probabilities; two
// bytes of dropout for each of d, and one for each probability.
template <class T>
void Encoder<T>::reserve(const TokenBlock<T>& block, int layers, bool drop, EncoderTape<T>& tape) const {
  const std::size_t n = block.tokens(), pairs = pairs_of(block), d = config_.width, f = config_.feed_forward;
  tape.saved.need(layers * (n * (6 * d + f + 2) + pairs));
  if (drop) tape.keeps.need(layers * (2 * n * d + pairs));
}

template <class T>
typename Encoder<T>::LayerTape Encoder<T>::layer_tape(const TokenBlock<T>& block, int layer, EncoderTape<T>& tape) const {
  const std::size_t n = block.tokens(), pairs = pairs_of(block), d = config_.width, f = config_.feed_forward;
  LayerTape t{};
  T* at = tape.saved.data() + layer * (n * (6 * d + f + 2) + pairs);
  const auto next = [&](std::size_t count) { return std::exchange(at, at + count); };
  t.qkv = next(n * 3 * d);
  t.mixed = next(n * d);
  t.normal1 = next(n * d);
  t.normal2 = next(n * d);
  t.hidden = next(n * f);
  t.probs = next(pairs);
  t.rstd1 = next(n);
  t.rstd2 = next(n);
  if (tape.keeps.data() == nullptr) return t;  // without dropout
  t.keep_attention = tape.keeps.data() + layer * (2 * n * d + pairs);
  t.keep_output = t.keep_attention + n * d;
  t.keep_probs = t.keep_output + n * d;
  return t;
}

// Four sites a layer, each with a stream of its own per event: probabilities, attention output, hidden, output. That of
// the hidden units is not kept: its zeros are known from the activations themselves.
template <class T>
void Encoder<T>::draw_keeps(const TokenBlock<T>& block, const DropoutKey& key, int layer, const LayerTape& tape,
                            std::uint8_t* keep_hidden) const {
  const std::size_t d = config_.width, f = config_.feed_forward;
  std::size_t at_pair = 0;
  for (int e = 0; e < block.events; ++e) {
    const std::size_t first = block.offsets[e] - block.offsets[0], n = block.tokens(e);
    const std::size_t pairs = config_.heads * n * padded_keys(block.tokens(e));
    if (n == 0) continue;
    DropoutKeep draw{static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32), key.epoch,
                     block.ids[e], 0, 0, keep_threshold(), nullptr};
    const auto site = [&](int number, std::uint8_t* keep, std::size_t count) {
      draw.stream = stream_id(Purpose::kDropout, key.view, static_cast<std::uint32_t>(layer * 4 + number));
      draw.keep = keep;
      draw.count = static_cast<int>(count);
      op_.dropout_keep(draw);
    };
    site(0, tape.keep_probs + at_pair, pairs);
    site(1, tape.keep_attention + first * d, n * d);
    site(2, keep_hidden + first * f, n * f);
    site(3, tape.keep_output + first * d, n * d);
    at_pair += pairs;
  }
}

template <class T>
void Encoder<T>::forward(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, EncoderTape<T>& tape,
                         EncoderScratch<T>& scratch) const {
  run(weights, block, dropout, true, config_.head_layers, tape, scratch);
}

template <class T>
void Encoder<T>::infer(const T* weights, const TokenBlock<T>& block, int levels, EncoderTape<T>& tape,
                       EncoderScratch<T>& scratch) const {
  run(weights, block, {}, false, levels, tape, scratch);
}

template <class T>
void Encoder<T>::run(const T* weights, const TokenBlock<T>& block, const DropoutKey& dropout, bool keep, int levels,
                     EncoderTape<T>& tape, EncoderScratch<T>& scratch) const {
  const int tokens = block.tokens(), d = config_.width, f = config_.feed_forward, features = config_.features.count;
  const std::size_t n = tokens;
  const bool drop = drops(dropout), continuous = config_.mask == Mask::kContinuous;
  T* x = scratch.x.need(n * d);
  T* mid = scratch.mid.need(n * d);
  T* branch = scratch.branch.need(n * std::max(d, f));
  std::uint8_t* keep_hidden = drop ? scratch.keep_hidden.need(n * f) : nullptr;
  reserve(block, keep ? config_.layers : std::min(config_.layers, 1), drop, tape);

  T* bias = continuous ? tape.key_bias.need(n) : nullptr;
  for (std::size_t t = 0; continuous && t < n; ++t) bias[t] = T(0.5) * std::log(block.x[t * features]);

  embedding_.forward(op_, weights, block.x, features, tokens, x, d, false);
  for (int l = 0; l < config_.layers; ++l) {
    const Layer& layer = layers_[l];
    const LayerTape t = layer_tape(block, keep ? l : 0, tape);
    if (drop) draw_keeps(block, dropout, l, t, keep_hidden);
    layer.in_proj.forward(op_, weights, x, d, tokens, t.qkv, 3 * d, false);
    op_.attention({block.events, config_.heads, d, block.offsets, t.qkv, bias, drop ? t.keep_probs : nullptr,
                   keep_scale(), t.probs, t.mixed});
    layer.out_proj.forward(op_, weights, t.mixed, d, tokens, branch, d, false);
    op_.layer_norm({tokens, d, x, branch, weights + layer.gain1, weights + layer.offset1, mid, t.normal1, t.rstd1,
                    drop ? t.keep_attention : nullptr, keep_scale()});
    layer.linear1.forward(op_, weights, mid, d, tokens, t.hidden, f, true);
    if (drop) op_.dropout(t.hidden, keep_hidden, keep_scale(), n * f);
    layer.linear2.forward(op_, weights, t.hidden, f, tokens, branch, d, false);
    op_.layer_norm({tokens, d, mid, branch, weights + layer.gain2, weights + layer.offset2, x, t.normal2, t.rstd2,
                    drop ? t.keep_output : nullptr, keep_scale()});
  }

  T* reps = tape.reps.need(static_cast<std::size_t>(block.events) * rep_row());
  const T* token = x;
  for (int e = 0; e < block.events; ++e) {
    T* pooled = reps + static_cast<std::size_t>(e) * rep_row();
    std::fill(pooled, pooled + d, T(0));
    for (int s = block.offsets[e] - block.offsets[0]; s < block.offsets[e + 1] - block.offsets[0]; ++s, token += d) {
      const T weight = continuous ? block.x[static_cast<std::size_t>(s) * features] : T(1);
      for (int c = 0; c < d; ++c) pooled[c] += weight * token[c];
    }
  }
  head_forward(weights, block.events, levels, tape);
}

template <class T>
const T* Encoder<T>::layer_input(const T* weights, const TokenBlock<T>& block, int layer, EncoderTape<T>& tape,
                                 EncoderScratch<T>& scratch) const {
  const int tokens = block.tokens(), d = config_.width, features = config_.features.count;
  T* x = scratch.x.need(std::size_t(tokens) * d);
  if (layer == 0) {
    embedding_.forward(op_, weights, block.x, features, tokens, x, d, false);
  } else {
    const Layer& before = layers_[layer - 1];
    op_.affine(layer_tape(block, layer - 1, tape).normal2, weights + before.gain2, weights + before.offset2, tokens, d, x);
  }
  return x;
}

template <class T>
void Encoder<T>::head_forward(const T* weights, int events, int levels, EncoderTape<T>& tape) const {
  const std::size_t row = rep_row(), rows = events;
  // the inputs of all head layers stand side by side, as the representations do
  T* ins = tape.head_in.need(rows * row);
  T* normals = config_.head_norm ? tape.head_normal.need(rows * row) : nullptr;
  T* rstds = config_.head_norm ? tape.head_rstd.need(rows * (head_.size() + 1)) : nullptr;
  T* reps = tape.reps.data();
  for (int l = 0; l < levels; ++l) {
    const HeadLayer& head = head_[l];
    const int in = rep_width(l);
    T* x = ins + rows * rep_offset(l);  // [events, in], dense
    for (std::size_t e = 0; e < rows; ++e) {
      const T* r = reps + e * row + rep_offset(l);
      std::copy(r, r + in, x + e * in);
    }
    if (config_.head_norm)
      op_.layer_norm({events, in, x, nullptr, weights + head.gain, weights + head.offset, x,
                      normals + rows * rep_offset(l), rstds + rows * l});
    for (std::size_t i = 0; i < rows * in; ++i) x[i] = x[i] > T(0) ? x[i] : T(0);
    head.linear.forward(op_, weights, x, in, events, reps + rep_offset(l + 1), static_cast<std::ptrdiff_t>(row), false);
  }
}

template <class T>
void Encoder<T>::head_backward(const T* weights, int events, EncoderTape<T>& tape, EncoderScratch<T>& scratch, T* dreps,
                               T* dweights) const {
  const std::size_t row = rep_row(), rows = events;
  const std::size_t widest = std::max(config_.width, config_.output);
  T* dy = scratch.branch.need(rows * widest);
  T* dx = scratch.hidden.need(rows * widest);
  for (int l = config_.head_layers - 1; l >= 0; --l) {
    const HeadLayer& head = head_[l];
    const int in = rep_width(l), out = config_.output;
    const T* x = tape.head_in.data() + rows * rep_offset(l);
    for (std::size_t e = 0; e < rows; ++e) {
      const T* from = dreps + e * row + rep_offset(l + 1);
      std::copy(from, from + out, dy + e * out);
    }
    head.linear.backward_weights(op_, dy, x, in, events, dweights, scratch.pack);
    head.linear.backward_input(op_, dy, out, events, dx, in, false);
    op_.relu_backward(dx, x, T(1), rows * in);
    if (config_.head_norm)
      op_.layer_norm_backward({events, in, dx, tape.head_normal.data() + rows * rep_offset(l),
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
                          EncoderScratch<T>& scratch, T* dreps, T* dweights, T* dx) const {
  const int tokens = block.tokens(), d = config_.width, f = config_.feed_forward, features = config_.features.count;
  const std::size_t n = tokens;
  const bool drop = drops(dropout), continuous = config_.mask == Mask::kContinuous;
  head_backward(weights, block.events, tape, scratch, dreps, dweights);

  // pool: every token gets the gradient of its event
  T* dtoken = scratch.dtoken.need(n * d);
  T* dqkv = scratch.dqkv.need(n * (3 * static_cast<std::size_t>(d) + 1));
  T* dkey_bias = continuous ? dqkv + n * 3 * d : nullptr;
  if (continuous) std::fill(dkey_bias, dkey_bias + n, T(0));
  if (dx != nullptr) std::fill(dx, dx + n * features, T(0));
  const T* out = dx != nullptr && continuous ? layer_input(weights, block, config_.layers, tape, scratch) : nullptr;
  for (int e = 0; e < block.events; ++e) {
    const T* dpooled = dreps + static_cast<std::size_t>(e) * rep_row();
    for (std::size_t s = block.offsets[e] - block.offsets[0]; s < std::size_t(block.offsets[e + 1] - block.offsets[0]); ++s) {
      const T weight = continuous ? block.x[s * features] : T(1);
      for (int c = 0; c < d; ++c) dtoken[s * d + c] = weight * dpooled[c];
      for (int c = 0; out != nullptr && c < d; ++c) dx[s * features] += dpooled[c] * out[s * d + c];
    }
  }

  T* masked = scratch.branch.need(n * std::max(d, f));
  T* hidden = scratch.hidden.need(n * std::max(d, f));
  T* mid = scratch.mid.need(n * d);
  for (int l = config_.layers - 1; l >= 0; --l) {
    const Layer& layer = layers_[l];
    const LayerTape t = layer_tape(block, l, tape);
    const T* dbranch = drop ? masked : dtoken;
    // feed-forward: dtoken becomes the gradient of the sum before the norm, which both branches share
    op_.layer_norm_backward({tokens, d, dtoken, t.normal2, t.rstd2, weights + layer.gain2, dtoken,
                             dweights + layer.gain2, dweights + layer.offset2, drop ? t.keep_output : nullptr,
                             keep_scale(), masked});
    layer.linear2.backward_weights(op_, dbranch, t.hidden, f, tokens, dweights, scratch.pack);
    layer.linear2.backward_input(op_, dbranch, d, tokens, hidden, f, false);
    op_.relu_backward(hidden, t.hidden, drop ? keep_scale() : T(1), n * f);
    op_.affine(t.normal1, weights + layer.gain1, weights + layer.offset1, tokens, d, mid);
    layer.linear1.backward_weights(op_, hidden, mid, d, tokens, dweights, scratch.pack);
    layer.linear1.backward_input(op_, hidden, f, tokens, dtoken, d, true);

    op_.layer_norm_backward({tokens, d, dtoken, t.normal1, t.rstd1, weights + layer.gain1, dtoken,
                             dweights + layer.gain1, dweights + layer.offset1, drop ? t.keep_attention : nullptr,
                             keep_scale(), masked});
    layer.out_proj.backward_weights(op_, dbranch, t.mixed, d, tokens, dweights, scratch.pack);
    layer.out_proj.backward_input(op_, dbranch, d, tokens, hidden, d, false);
    op_.attention_backward({block.events, config_.heads, d, block.offsets, t.qkv, t.probs, hidden,
                            drop ? t.keep_probs : nullptr, keep_scale(), dqkv, dkey_bias});
    layer.in_proj.backward_weights(op_, dqkv, layer_input(weights, block, l, tape, scratch), d, tokens, dweights,
                                   scratch.pack);
    layer.in_proj.backward_input(op_, dqkv, 3 * d, tokens, dtoken, d, true);
  }
  embedding_.backward_weights(op_, dtoken, block.x, features, tokens, dweights, scratch.pack);
  if (dx != nullptr) {
    embedding_.backward_input(op_, dtoken, d, tokens, dx, features, true);
    if (continuous)
      for (std::size_t s = 0; s < n; ++s) dx[s * features] += T(0.5) * dkey_bias[s] / block.x[s * features];
  }
}

template class Encoder<float>;
template class Encoder<double>;

}  // namespace aclr
