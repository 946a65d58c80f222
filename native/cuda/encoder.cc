#include "cuda/encoder.h"

#include <algorithm>

namespace aclr::cuda {

Workbench::Workbench(std::size_t widest) : scratch_memory(moves) {
  const std::size_t bytes = std::max(Dense::kScratch, partial_bytes(widest));
  scratch = {scratch_memory.need(bytes), bytes};
}

template <class S>
Encoder<S>::Encoder(const device::Encoder& shape, Workbench& bench)
    : shape_(shape), layers_(shape.layer, shape.layer + shape.layers), heads_(shape.head, shape.head + shape.head_layers),
      bench_(bench), embedded_(bench.moves), branch_(bench.moves), dtoken_(bench.moves), masked_(bench.moves),
      dhidden_(bench.moves), dqkv_(bench.moves), head_dy_(bench.moves), head_dx_(bench.moves), key_bias_(bench.moves),
      dkey_bias_(bench.moves) {
  shape_.layer = layers_.data();
  shape_.head = heads_.data();
  for (int l = 0; l < shape.layers; ++l) tapes_.emplace_back(bench.moves);
  for (int l = 0; l < shape.head_layers; ++l) head_tapes_.emplace_back(bench.moves);
}

std::size_t widest_sums(const device::Encoder& e) {
  return std::max<std::size_t>({std::size_t{3} * e.width, std::size_t(e.width) * (e.features + 1),
                                std::size_t(e.feed_forward), std::size_t{2} * e.output});
}

template <class S>
void Encoder<S>::reserve(int capacity, int events, bool keep, bool dx) {
  const std::size_t n = capacity, d = shape_.width, f = shape_.feed_forward, rows = events;
  const std::size_t out = shape_.output, widest = std::max<std::size_t>(d, out);
  embedded_.need(n * d);
  branch_.need(n * d);
  if (continuous()) key_bias_.need(n);
  // without a backward all layers use the first one's memory, and `out` in turn with `embedded`
  for (std::size_t l = 0; l < (keep ? tapes_.size() : std::min<std::size_t>(tapes_.size(), 1)); ++l) {
    Tape& t = tapes_[l];
    t.qkv.need(n * 3 * d);
    for (DeviceBuffer<S>* part : {&t.mixed, &t.mid, &t.out}) part->need(n * d);
    t.hidden.need(n * f);
    if (!keep) continue;
    for (DeviceBuffer<S>* part : {&t.normal1, &t.normal2}) part->need(n * d);
    t.rstd1.need(n);
    t.rstd2.need(n);
  }
  for (std::size_t l = 0; l < head_tapes_.size(); ++l) {
    HeadTape& t = head_tapes_[l];
    t.in.need(rows * widest);
    t.normal.need(rows * widest);
    t.rstd.need(rows);
  }
  if (!keep) return;
  dtoken_.need(n * d);
  masked_.need(n * d);
  dhidden_.need(n * std::max(d, f));
  dqkv_.need(n * 3 * d);
  head_dy_.need(rows * out);
  head_dx_.need(rows * widest);
  if (dx && continuous()) dkey_bias_.need(n * shape_.heads);
}

template <class S>
Dropout Encoder<S>::dropped(int layer, int place, const StepInput* input, const std::uint32_t* ids) const {
  if (input == nullptr || shape_.keep_threshold == 0) return {};
  return {shape_.keep_threshold, layer * 4 + place, input, ids};
}

template <class S>
template <class C>
void Encoder<S>::apply(const Weights<S>& w, const device::Linear& l, int rows, const S* x, C* y, int y_row, bool relu,
                       cudaStream_t stream) {
  Product<S, C> p{rows, l.out, l.in, x, l.in, false, w.stored + l.weight, l.in, true, y, y_row};
  p.bias = w.real + l.bias;
  p.bias_stored = w.stored + l.bias;
  p.relu = relu;
  bench_.dense.multiply(p, bench_.scratch, stream);
}

template <class S>
void Encoder<S>::input_gradient(const Weights<S>& w, const device::Linear& l, int rows, const S* dy, S* dx, bool accumulate,
                                cudaStream_t stream) {
  Product<S, S> p{rows, l.in, l.out, dy, l.out, false, w.stored + l.weight, l.in, false, dx, l.in};
  p.accumulate = accumulate;
  bench_.dense.multiply(p, bench_.scratch, stream);
}

template <class S>
void Encoder<S>::weight_gradient(const device::Linear& l, Rows rows, const S* dy, const S* x, R* dweights,
                                 cudaStream_t stream) {
  bench_.dense.multiply(
      Product<S, R>{l.out, l.in, rows.capacity, dy, l.out, true, x, l.in, false, dweights + l.weight, l.in}, bench_.scratch,
      stream);
  column_sums<S>(rows, l.out, dy, dweights + l.bias, bench_.scratch, stream);
}

template <class S>
void Encoder<S>::forward(const Weights<S>& w, const TokenRows<R>& rows, int levels, bool keep, const StepInput* input,
                         const std::uint32_t* ids, R* reps, cudaStream_t stream) {
  const Tokens& tokens = rows.tokens;
  const int n = tokens.rows.capacity, d = shape_.width, f = shape_.feed_forward, features = shape_.features;
  R* bias = continuous() ? key_bias_.data() : nullptr;
  if (bias) key_bias<R>(tokens.rows, features, rows.x, bias, stream);
  embedding<S>({tokens.rows, features, d, rows.x, w.real + shape_.embedding.weight, w.real + shape_.embedding.bias,
                embedded_.data()},
               stream);
  S* x = embedded_.data();
  for (int l = 0; l < shape_.layers; ++l) {
    const device::EncoderLayer& layer = layers_[l];
    Tape& t = tapes_[keep ? l : 0];
    apply(w, layer.in_proj, n, x, t.qkv.data(), 3 * d, false, stream);
    attention<S>({tokens, shape_.heads, d, t.qkv.data(), bias, t.mixed.data(), dropped(l, 0, input, ids)}, stream);
    apply(w, layer.out_proj, n, t.mixed.data(), branch_.data(), d, false, stream);
    layer_norm<S>({tokens, d, x, branch_.data(), w.real + layer.norm1.gain, w.real + layer.norm1.offset, t.mid.data(),
                   keep ? t.normal1.data() : nullptr, keep ? t.rstd1.data() : nullptr, dropped(l, 1, input, ids)},
                  stream);
    apply(w, layer.linear1, n, t.mid.data(), t.hidden.data(), f, true, stream);
    if (const Dropout drop = dropped(l, 2, input, ids); drop.threshold > 0)
      dropout<S>(tokens, f, t.hidden.data(), drop, stream);
    apply(w, layer.linear2, n, t.hidden.data(), branch_.data(), d, false, stream);
    S* out = keep || x != t.out.data() ? t.out.data() : embedded_.data();
    layer_norm<S>({tokens, d, t.mid.data(), branch_.data(), w.real + layer.norm2.gain, w.real + layer.norm2.offset, out,
                   keep ? t.normal2.data() : nullptr, keep ? t.rstd2.data() : nullptr, dropped(l, 3, input, ids)},
                  stream);
    x = out;
  }
  pool<S>({tokens, d, rep_row(), x, continuous() ? rows.x : nullptr, features, reps}, stream);
  head_forward(w, tokens.events, levels, reps, stream);
}

template <class S>
void Encoder<S>::head_forward(const Weights<S>& w, int events, int levels, R* reps, cudaStream_t stream) {
  for (int l = 0; l < levels; ++l) {
    const device::HeadLayer& head = heads_[l];
    HeadTape& t = head_tapes_[l];
    head_input<S>(
        {events, rep_width(l), rep_row(), reps + rep_offset(l), shape_.head_norm ? w.real + head.norm.gain : nullptr,
         shape_.head_norm ? w.real + head.norm.offset : nullptr, t.in.data(), t.normal.data(), t.rstd.data()},
        stream);
    apply(w, head.linear, events, t.in.data(), reps + rep_offset(l + 1), rep_row(), false, stream);
  }
}

template <class S>
void Encoder<S>::head_backward(const Weights<S>& w, int events, R* dreps, R* dweights, cudaStream_t stream) {
  for (int l = shape_.head_layers - 1; l >= 0; --l) {
    const device::HeadLayer& head = heads_[l];
    HeadTape& t = head_tapes_[l];
    store_rows<S>(events, shape_.output, dreps + rep_offset(l + 1), rep_row(), head_dy_.data(), stream);
    weight_gradient(head.linear, {events, nullptr}, head_dy_.data(), t.in.data(), dweights, stream);
    input_gradient(w, head.linear, events, head_dy_.data(), head_dx_.data(), false, stream);
    head_input_backward<S>({events, rep_width(l), rep_row(), head_dx_.data(), t.in.data(), t.normal.data(), t.rstd.data(),
                            shape_.head_norm ? w.real + head.norm.gain : nullptr, dreps + rep_offset(l),
                            dweights + head.norm.gain, dweights + head.norm.offset, bench_.scratch},
                           stream);
  }
}

template <class S>
void Encoder<S>::backward(const Weights<S>& w, const TokenRows<R>& rows, const StepInput* input, const std::uint32_t* ids,
                          R* dreps, R* dweights, R* dx, cudaStream_t stream) {
  const Tokens& tokens = rows.tokens;
  const int n = tokens.rows.capacity, d = shape_.width, f = shape_.feed_forward, features = shape_.features;
  const bool drops = dropped(0, 0, input, ids).threshold > 0;
  const R* bias = continuous() ? key_bias_.data() : nullptr;
  S *dtoken = dtoken_.data(), *masked = drops ? masked_.data() : nullptr, *dhidden = dhidden_.data();
  R* dkey_bias = dx && bias ? dkey_bias_.data() : nullptr;
  head_backward(w, tokens.events, dreps, dweights, stream);
  const S* last = shape_.layers > 0 ? tapes_.back().out.data() : embedded_.data();
  pool_backward<S>({tokens, d, rep_row(), dreps, last, bias ? rows.x : nullptr, features, dtoken, dx}, stream);

  for (int l = shape_.layers - 1; l >= 0; --l) {
    const device::EncoderLayer& layer = layers_[l];
    Tape& t = tapes_[l];
    const S *in = l > 0 ? tapes_[l - 1].out.data() : embedded_.data(), *dbranch = drops ? masked : dtoken;
    // feed-forward: dtoken becomes the gradient of the sum before the norm, which both branches share
    layer_norm_backward<S>({tokens, d, dtoken, t.normal2.data(), t.rstd2.data(), w.real + layer.norm2.gain, dtoken, masked,
                            dweights + layer.norm2.gain, dweights + layer.norm2.offset, dropped(l, 3, input, ids),
                            bench_.scratch},
                           stream);
    weight_gradient(layer.linear2, tokens.rows, dbranch, t.hidden.data(), dweights, stream);
    input_gradient(w, layer.linear2, n, dbranch, dhidden, false, stream);
    relu_backward<S>(tokens.rows, f, dhidden, t.hidden.data(), drops ? keep_scale(shape_.keep_threshold) : 1, stream);
    weight_gradient(layer.linear1, tokens.rows, dhidden, t.mid.data(), dweights, stream);
    input_gradient(w, layer.linear1, n, dhidden, dtoken, true, stream);

    layer_norm_backward<S>({tokens, d, dtoken, t.normal1.data(), t.rstd1.data(), w.real + layer.norm1.gain, dtoken, masked,
                            dweights + layer.norm1.gain, dweights + layer.norm1.offset, dropped(l, 1, input, ids),
                            bench_.scratch},
                           stream);
    weight_gradient(layer.out_proj, tokens.rows, dbranch, t.mixed.data(), dweights, stream);
    input_gradient(w, layer.out_proj, n, dbranch, dhidden, false, stream);
    attention_backward<S>({tokens, shape_.heads, d, t.qkv.data(), dhidden, bias, dqkv_.data(), dkey_bias,
                           dropped(l, 0, input, ids)},
                          stream);
    if (dkey_bias) key_bias_backward<R>(tokens.rows, shape_.heads, features, rows.x, dkey_bias, dx, stream);
    weight_gradient(layer.in_proj, tokens.rows, dqkv_.data(), in, dweights, stream);
    input_gradient(w, layer.in_proj, n, dqkv_.data(), dtoken, true, stream);
  }
  embedding_backward<S>({tokens.rows, features, d, rows.x, w.real + shape_.embedding.weight, dtoken,
                         dweights + shape_.embedding.weight, dweights + shape_.embedding.bias, dx, bench_.scratch},
                        stream);
}

template class Encoder<float>;
template class Encoder<double>;
template class Encoder<bf16>;

}  // namespace aclr::cuda
