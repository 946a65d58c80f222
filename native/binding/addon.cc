// What the addon exports. Meaning (names, defaults, units) is TypeScript's; see src/addon.ts.
#include <napi.h>

#include <chrono>
#include <mutex>

#include "binding/at_once.h"
#include "binding/calls.h"
#include "binding/classes.h"
#include "binding/model_args.h"
#include "binding/worker.h"
#include "core/rng.h"
#include "core/thread_pool.h"
#include "kernels/ops.h"

namespace aclr::binding {
namespace {

Napi::Value info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  if (target_error() != nullptr) throw Napi::Error::New(env, target_error());
  Napi::Object out = Napi::Object::New(env);
  out.Set("version", ACLR_VERSION);
  out.Set("target", target_name());
  out.Set("targets", available_targets());
  out.Set("features", cpu_features());
  out.Set("threads", Napi::Number::New(env, ThreadPool::global().threads()));
  return out;
}

Napi::Value set_threads(const Napi::CallbackInfo& call) {
  if (!call[0].IsNumber()) fail(call.Env(), "threads must be a number");
  const double threads = call[0].As<Napi::Number>().DoubleValue();
  if (!(threads >= 0 && threads <= 1024 && threads == std::floor(threads)))
    fail(call.Env(), "threads must be a whole number in 0..1024");
  ThreadPool::global().resize(static_cast<int>(threads));
  return Napi::Number::New(call.Env(), ThreadPool::global().threads());
}

Napi::Value random_words(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  Draws<float> draws(seed_of(from), word_of(from, "epoch"), word_of(from, "event"), word_of(from, "stream"));
  std::vector<std::uint32_t> words(static_cast<std::size_t>(integer_of(from, "count", 0, 1 << 24)));
  for (std::uint32_t& w : words) w = draws.word();
  return array_from(call.Env(), words);
}

// FLOP/s of multiply-adds out of registers, on every thread of the pool at once: what gemm can be held against.
Napi::Value peak(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  const Precision precision = precision_of(from);
  const double seconds = number_of(from, "seconds", 1e-3, 10);
  auto rate = std::make_shared<double>(0);
  return Worker::start(
      call.Env(),
      [=] {
        using Clock = std::chrono::steady_clock;
        std::mutex mutex;
        ThreadPool& pool = ThreadPool::global();
        const auto start = Clock::now();
        pool.run(pool.threads(), [&](int) {
          double done = 0, passed = 0;
          const auto begin = Clock::now();
          do {
            done += precision.is_double ? ops<double>().peak(100000) : ops<float>(precision.products).peak(100000);
            passed = std::chrono::duration<double>(Clock::now() - begin).count();
          } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
          std::lock_guard lock(mutex);
          *rate += done / passed;
        });
        return Status();
      },
      [=](Napi::Env env) { return Napi::Value(Napi::Number::New(env, *rate)); });
}

template <class T>
Napi::Value prepare_of(Napi::Object from) {
  auto preparation = std::make_shared<Preparation<T>>(preparation_config(object_of(from.Get("preparation"), "preparation")));
  auto x = rows_of<T>(from, preparation->inputs());
  auto y = std::make_shared<std::vector<T>>();
  return Worker::start(
      from.Env(),
      [=] {
        const std::size_t rows = x->size() / preparation->inputs();
        y->resize(rows * preparation->outputs());
        preparation->apply(ThreadPool::global(), x->data(), static_cast<int>(rows), y->data());
        return Status();
      },
      [=](Napi::Env env) { return array_from(env, *y); });
}

// Rows brought to the scale that a detector reads: {preparation, x} -> y.
Napi::Value prepare(const Napi::CallbackInfo& call) {
  return by_type(call, "x", [](auto t, Napi::Object from) { return prepare_of<decltype(t)>(from); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("info", Napi::Function::New<info>(env));
  exports.Set("setThreads", Napi::Function::New<set_threads>(env));
  exports.Set("device", Napi::Function::New<device_info>(env));
  exports.Set("deviceGroup", Napi::Function::New<device_group>(env));
  exports.Set("augmentations", Napi::Function::New<augmentations>(env));
  exports.Set("losses", Napi::Function::New<losses>(env));
  exports.Set("randomWords", Napi::Function::New<random_words>(env));
  exports.Set("augment", Napi::Function::New<augment>(env));
  exports.Set("augmentNow", Napi::Function::New<at_once<augment_now>>(env));
  exports.Set("augmentWithNumbers", Napi::Function::New<augment_with_numbers>(env));
  exports.Set("peak", Napi::Function::New<peak>(env));
  exports.Set("contrastiveLoss", Napi::Function::New<contrastive_loss>(env));
  exports.Set("contrastiveLossNow", Napi::Function::New<at_once<contrastive_loss_now>>(env));
  exports.Set("attention", Napi::Function::New<at_once<attention>>(env));
  exports.Set("attentionBackward", Napi::Function::New<at_once<attention_backward>>(env));
  exports.Set("dense", Napi::Function::New<at_once<dense>>(env));
  exports.Set("denseBackward", Napi::Function::New<at_once<dense_backward>>(env));
  exports.Set("adam", Napi::Function::New<at_once<adam>>(env));
  exports.Set("dropoutKeep", Napi::Function::New<at_once<dropout_keep>>(env));
  exports.Set("prepare", Napi::Function::New<prepare>(env));
  exports.Set("Trainer", trainer_class(env));
  exports.Set("Perceptron", perceptron_class(env));
  exports.Set("Scorer", scorer_class(env));
  exports.Set("Group", group_class(env));
  return exports;
}

}  // namespace
}  // namespace aclr::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return aclr::binding::init(env, exports); }
NODE_API_MODULE(anomalyclr, Init)
