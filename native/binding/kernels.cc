// Kernels as plain calls on arrays, at once: attention, dense layers, the optimiser, the bytes of dropout. Work is cut by
// its sizes alone, so results are the same for any count of threads.
#include <algorithm>
#include <functional>

#include "binding/at_once.h"
#include "binding/calls.h"
#include "binding/session.h"
#include "core/leases.h"
#include "model/gradient_slots.h"
#include "model/linear.h"

namespace aclr::binding {
namespace {

// ---- attention ------------------------------------------------------------------------------------------------------

// What both ways through the layer are told, checked, and their cut into tasks of whole events.
template <class T>
class AttentionLayer {
 public:
  explicit AttentionLayer(Napi::Object from) : env_(from.Env()) {
    heads_ = integer_of(from, "heads", 1, 4096);
    keep_scale_ = static_cast<T>(number_or(from, "keepScale", 1, 0, 1e6));
    const Napi::Value qkv = from.Get("qkv"), offsets = from.Get("offsets"), keep = from.Get("keep");
    qkv_ = Input<T>(qkv, "qkv");
    offsets_ = Input<std::int32_t>(offsets, "offsets");
    check_offsets();
    const std::size_t d = tokens_ == 0 ? 0 : qkv_.size() / 3 / tokens_;
    if (qkv_.size() != 3 * tokens_ * d || (tokens_ > 0 && d == 0) || d > kWidest)
      fail(env_, "qkv has " + std::to_string(qkv_.size()) + " entries, must have three times dim, 1.." +
                     std::to_string(kWidest) + ", for each of " + std::to_string(tokens_) + " tokens");
    if (d % heads_ != 0)
      fail(env_, "dim is " + std::to_string(d) + ", not a multiple of " + std::to_string(heads_) + " heads");
    d_ = static_cast<int>(d);
    cut();
    keep_ = Input<std::uint8_t>::optional(keep, "keep", pairs_);
  }

  // work(task's events, first of them, first of their tokens, first of their probabilities)
  template <class Work>
  void run(const Work& work) const {
    ThreadPool::global().run(static_cast<int>(tasks_.size()) - 1, [&](int t) {
      const std::size_t first = tasks_[t].event, token = offsets_[first];
      work(static_cast<int>(tasks_[t + 1].event - first), offsets_.data() + first, token, tasks_[t].pair);
    });
  }

  int heads() const { return heads_; }
  int d() const { return d_; }
  std::size_t tokens() const { return tokens_; }
  std::size_t numbers() const { return tokens_ * d_; }  // of out
  std::size_t pairs() const { return pairs_; }
  const T* qkv(std::size_t token) const { return qkv_.data() + token * 3 * d_; }
  const std::uint8_t* keep(std::size_t pair) const { return keep_.data() == nullptr ? nullptr : keep_.data() + pair; }
  T keep_scale() const { return keep_scale_; }

 private:
  static constexpr std::size_t kWidest = 65536;
  // Some tens of microseconds of work, which its start is little beside.
  static constexpr int kTaskTokens = 128, kTaskEvents = 1024;
  struct Start {
    std::size_t event, pair;
  };

  void check_offsets() {
    if (offsets_.size() < 1 || offsets_[0] != 0)
      fail(env_, "offsets must begin at 0 and have one entry more than there are events");
    const std::size_t events = offsets_.size() - 1;
    if (events > std::size_t{INT32_MAX}) fail(env_, "there are more than 2^31 events");
    for (std::size_t e = 0; e < events; ++e) {
      if (offsets_[e + 1] < offsets_[e]) fail(env_, "offsets of event " + std::to_string(e) + " fall");
      if (offsets_[e + 1] - offsets_[e] > kMostKeys)
        fail(env_, "event " + std::to_string(e) + " has " + std::to_string(offsets_[e + 1] - offsets_[e]) +
                       " tokens, the most is " + std::to_string(kMostKeys));
    }
    tokens_ = static_cast<std::size_t>(offsets_[events]);
  }
  void cut() {
    std::size_t event = 0;
    tasks_.push_back({0, 0});
    for (std::size_t e = 0; e + 1 < offsets_.size(); ++e) {
      const int n = offsets_[e + 1] - offsets_[e];
      pairs_ += static_cast<std::size_t>(heads_) * n * padded_keys(n);
      const bool full = offsets_[e + 1] - offsets_[event] >= kTaskTokens || e + 1 - event >= kTaskEvents;
      if (!full && e + 2 < offsets_.size()) continue;
      event = e + 1;
      tasks_.push_back({event, pairs_});
    }
  }

  Napi::Env env_;
  int heads_, d_ = 0;
  T keep_scale_;
  std::size_t tokens_ = 0, pairs_ = 0;
  Input<T> qkv_;
  Input<std::int32_t> offsets_;
  Input<std::uint8_t> keep_;
  std::vector<Start> tasks_;  // and the end
};

template <class T>
Napi::Value attention_of(Napi::Object from) {
  const Napi::Env env = from.Env();
  const Napi::Value bias_value = from.Get("keyBias");
  const AttentionLayer<T> layer(from);
  const auto bias = Input<T>::optional(bias_value, "keyBias", layer.tokens());
  auto out = new_array<T>(env, layer.numbers()), probs = new_array<T>(env, layer.pairs());
  T *const out_data = out.Data(), *const probs_data = probs.Data();
  layer.run([&](int events, const std::int32_t* offsets, std::size_t token, std::size_t pair) {
    ops<T>().attention({events, layer.heads(), layer.d(), offsets, layer.qkv(token),
                        bias.data() == nullptr ? nullptr : bias.data() + token, layer.keep(pair), layer.keep_scale(),
                        probs_data + pair, out_data + token * layer.d()});
  });
  Napi::Object result = Napi::Object::New(env);
  result.Set("out", out);
  result.Set("probs", probs);
  return result;
}

template <class T>
Napi::Value attention_backward_of(Napi::Object from) {
  const Napi::Env env = from.Env();
  const Napi::Value probs_value = from.Get("probs"), dout_value = from.Get("dout");
  const AttentionLayer<T> layer(from);
  const Input<T> probs(probs_value, "probs", layer.pairs()), dout(dout_value, "dout", layer.numbers());
  auto dqkv = new_array<T>(env, 3 * layer.numbers()), dbias = new_array<T>(env, layer.tokens());
  T *const dqkv_data = dqkv.Data(), *const dbias_data = dbias.Data();
  layer.run([&](int events, const std::int32_t* offsets, std::size_t token, std::size_t pair) {
    ops<T>().attention_backward({events, layer.heads(), layer.d(), offsets, layer.qkv(token), probs.data() + pair,
                                 dout.data() + token * layer.d(), layer.keep(pair), layer.keep_scale(),
                                 dqkv_data + token * 3 * layer.d(), dbias_data + token});
  });
  Napi::Object result = Napi::Object::New(env);
  result.Set("dqkv", dqkv);
  result.Set("dkeyBias", dbias);
  return result;
}

// ---- dense layer ----------------------------------------------------------------------------------------------------

// x [rows, in] and weight [out, in], and a cut into blocks of rows as the trainer's of tokens.
template <class T>
struct DenseLayer {
  explicit DenseLayer(Napi::Object from)
      : in(integer_of(from, "inputs", 1, 65536)), out(integer_of(from, "outputs", 1, 65536)),
        op(ops<T>(products_of<T>(from))) {
    const Napi::Value x_value = from.Get("x"), weight_value = from.Get("weight");
    x = Input<T>(x_value, "x");
    weight = Input<T>(weight_value, "weight", std::size_t(out) * in);
    if (x.size() % in != 0)
      fail(from.Env(), "x has " + std::to_string(x.size()) + " numbers, not a multiple of " + std::to_string(in));
    if (x.size() / in > std::size_t{1} << 30) fail(from.Env(), "x has more than 2^30 rows");
    rows = x.size() / in;
    most = std::clamp<std::size_t>(rows / 24, 96, 320);
  }
  int blocks() const { return static_cast<int>((rows + most - 1) / most); }
  std::size_t first(int block) const { return block * most; }
  int rows_of(int block) const { return static_cast<int>(std::min(most, rows - first(block))); }

  int in, out;
  const Ops<T>& op;
  std::size_t rows, most;
  Input<T> x, weight;
};

template <class T>
Napi::Value dense_of(Napi::Object from) {
  const bool relu = !from.Get("relu").IsUndefined() && flag_of(from, "relu");
  const Napi::Value bias_value = from.Get("bias");
  const DenseLayer<T> layer(from);
  const auto bias = Input<T>::optional(bias_value, "bias", layer.out);
  const int in = layer.in, out = layer.out;
  auto y = new_array<T>(from.Env(), layer.rows * out);
  T* const to = y.Data();
  Buffer<T> packed;
  layer.op.pack(layer.weight.data(), 1, in, in, out, packed.need(layer.op.packed_size(in, out)));
  ThreadPool::global().run(layer.blocks(), [&](int b) {
    const std::size_t first = layer.first(b);
    layer.op.gemm({layer.rows_of(b), out, in, layer.x.data() + first * in, in, 1, packed.data(), bias.data(),
                   to + first * out, out, false, relu});
  });
  return y;
}

template <class T>
Napi::Value dense_backward_of(Napi::Object from) {
  const Napi::Env env = from.Env();
  const Napi::Value dy_value = from.Get("dy");
  const DenseLayer<T> layer(from);
  const int in = layer.in, out = layer.out;
  const std::size_t weights = std::size_t(out) * in;
  const Input<T> dy(dy_value, "dy", layer.rows * out);
  auto dx = new_array<T>(env, layer.rows * in), dweight = new_array<T>(env, weights), dbias = new_array<T>(env, out);
  T* const dx_data = dx.Data();
  if (layer.rows > 0) {
    Linear<T> linear;
    linear.in = in;
    linear.out = out;
    linear.bias = weights;
    linear.pack_backward(layer.op, layer.weight.data());
    Leases<Buffer<T>> scratch;
    GradientSlots<T> slots;
    const T* sum = slots.accumulate(ThreadPool::global(), layer.blocks(), weights + out, [&](int b, T* gradient) {
      typename Leases<Buffer<T>>::Lease pack(scratch);
      const std::size_t first = layer.first(b);
      const T* d = dy.data() + first * out;
      linear.backward_input(layer.op, d, out, layer.rows_of(b), dx_data + first * in, in, false);
      linear.backward_weights(layer.op, d, layer.x.data() + first * in, in, layer.rows_of(b), gradient, *pack);
    });
    std::copy(sum, sum + weights, dweight.Data());
    std::copy(sum + weights, sum + weights + out, dbias.Data());
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("dx", dx);
  result.Set("dweight", dweight);
  result.Set("dbias", dbias);
  return result;
}

// ---- optimiser ------------------------------------------------------------------------------------------------------

template <class T>
Napi::Value adam_of(Napi::Object from) {
  const Napi::Env env = from.Env();
  const OptimiserConfig config = optimiser_of(object_of(from.Get("optimiser"), "optimiser"));
  const double rate = number_of(from, "rate", 0, 1e6);
  auto steps = static_cast<std::int64_t>(whole_of(from, "steps", 0, kMaxSafeInteger));
  static const char* const kNames[] = {"weights", "m", "v", "gradient"};
  Napi::Value values[4];
  for (int i = 0; i < 4; ++i) values[i] = from.Get(kNames[i]);
  Input<T> array[4];
  for (int i = 0; i < 4; ++i) {
    array[i] = i == 0 ? Input<T>(values[i], kNames[i]) : Input<T>(values[i], kNames[i], array[0].size());
    if (i < 3 && array[i].copied()) fail(env, std::string(kNames[i]) + " must not be shared memory");
    for (int other = 0; other < i; ++other)
      if (std::less<>()(array[i].data(), array[other].data() + array[other].size()) &&
          std::less<>()(array[other].data(), array[i].data() + array[i].size()))
        fail(env, std::string(kNames[other]) + " and " + kNames[i] + " must not overlap");
  }
  const auto written = [&](int i) { return values[i].As<Napi::TypedArrayOf<T>>().Data(); };
  return Napi::Number::New(env, update(ThreadPool::global(), config, rate, array[3].data(), array[0].size(), written(0),
                                       written(1), written(2), steps));
}

}  // namespace

Napi::Value attention(const Napi::CallbackInfo& call) {
  return by_type(call, "qkv", [](auto t, Napi::Object from) { return attention_of<decltype(t)>(from); });
}
Napi::Value attention_backward(const Napi::CallbackInfo& call) {
  return by_type(call, "qkv", [](auto t, Napi::Object from) { return attention_backward_of<decltype(t)>(from); });
}
Napi::Value dense(const Napi::CallbackInfo& call) {
  return by_type(call, "x", [](auto t, Napi::Object from) { return dense_of<decltype(t)>(from); });
}
Napi::Value dense_backward(const Napi::CallbackInfo& call) {
  return by_type(call, "x", [](auto t, Napi::Object from) { return dense_backward_of<decltype(t)>(from); });
}
Napi::Value adam(const Napi::CallbackInfo& call) {
  return by_type(call, "weights", [](auto t, Napi::Object from) { return adam_of<decltype(t)>(from); });
}

Napi::Value dropout_keep(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  const Napi::Env env = from.Env();
  const std::uint64_t seed = seed_of(from);
  const std::uint32_t epoch = word_of(from, "epoch"), stream = word_of(from, "stream");
  const int threshold = integer_of(from, "threshold", 0, 256);
  const Napi::Value ids_value = from.Get("ids"), counts_value = from.Get("counts");
  const Input<std::uint32_t> ids(ids_value, "ids");
  const Input<std::int32_t> counts(counts_value, "counts", ids.size());
  constexpr std::size_t kMost = std::size_t{1} << 28;
  std::vector<std::size_t> first(ids.size() + 1, 0);
  for (std::size_t e = 0; e < ids.size(); ++e) {
    if (counts[e] < 0) fail(env, "counts of event " + std::to_string(e) + " is " + std::to_string(counts[e]));
    first[e + 1] = first[e] + static_cast<std::size_t>(counts[e]);
    if (first[e + 1] > kMost) fail(env, "counts add up to more than 2^28");
  }
  auto keep = new_array<std::uint8_t>(env, first.back());
  std::uint8_t* const to = keep.Data();
  constexpr std::size_t kTask = 32;
  ThreadPool::global().run(static_cast<int>((ids.size() + kTask - 1) / kTask), [&](int task) {
    for (std::size_t e = task * kTask; e < std::min(ids.size(), (task + 1) * kTask); ++e)
      ops<float>().dropout_keep({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), epoch, ids[e],
                                 stream, counts[e], threshold, to + first[e]});
  });
  return keep;
}

}  // namespace aclr::binding
