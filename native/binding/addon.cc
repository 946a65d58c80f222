// What the addon exports. Meaning (names, defaults, units) is TypeScript's; see src/addon.ts.
#include <napi.h>

#include <chrono>
#include <mutex>

#include "binding/classes.h"
#include "binding/model_args.h"
#include "binding/recipe_args.h"
#include "binding/worker.h"
#include "core/thread_pool.h"
#include "kernels/augment.h"
#include "kernels/ops.h"
#include "model/contrast.h"

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

Napi::Value augmentations(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Array out = Napi::Array::New(env);
  AugmentationList::each([&](int i, auto item) {
    const AugmentationInfo& a = decltype(item)::info;
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", a.name);
    entry.Set("role", a.role == Role::kPhysical ? "physical" : a.role == Role::kAnomalous ? "anomalous" : "selection");
    entry.Set("help", a.help);
    entry.Set("source", a.source);
    Napi::Array parameters = Napi::Array::New(env);
    for (int p = 0; p < a.parameters; ++p) {
      const ParameterInfo& info = a.parameter[p];
      Napi::Object one = Napi::Object::New(env);
      one.Set("name", info.name);
      one.Set("default", info.standard);
      one.Set("min", info.low);
      one.Set("max", info.high);
      one.Set("unit", info.unit);
      one.Set("help", info.help);
      parameters.Set(static_cast<std::uint32_t>(p), one);
    }
    entry.Set("params", parameters);
    out.Set(static_cast<std::uint32_t>(i), entry);
  });
  return out;
}

Napi::Value losses(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Array out = Napi::Array::New(env);
  std::uint32_t i = 0;
  for (const LossEntry<float>& loss : kLosses<float>) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", loss.info.name);
    entry.Set("help", loss.info.help);
    entry.Set("source", loss.info.source);
    entry.Set("usesAnomalous", loss.info.uses_anomalous);
    out.Set(i++, entry);
  }
  return out;
}

Napi::Value random_words(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  Draws<float> draws(seed_of(from), word_of(from, "epoch"), word_of(from, "event"), word_of(from, "stream"));
  std::vector<std::uint32_t> words(static_cast<std::size_t>(integer_of(from, "count", 0, 1 << 24)));
  for (std::uint32_t& w : words) w = draws.word();
  return array_from(call.Env(), words);
}

// One view of events by a recipe, on the pool.
Napi::Value augment(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  auto ids = std::make_shared<std::vector<std::int32_t>>();
  auto events = std::make_shared<EventColumns<float>>(events_of<float>(from, ids.get()));
  auto recipe = std::make_shared<Recipe<float>>(recipe_of<float>(from.Get("recipe")));
  const ViewKey key{integer_of(from, "view", 0, kViews - 1), seed_of(from), word_of(from, "epoch")};
  constexpr int kTask = 1024;
  const int total = events->events();
  auto parts = std::make_shared<std::vector<EventColumns<float>>>((total + kTask - 1) / kTask);
  return Worker::start(
      call.Env(),
      [=] {
        const auto* keys = reinterpret_cast<const std::uint32_t*>(ids->data());
        ThreadPool::global().run(static_cast<int>(parts->size()), [&](int task) {
          const int first = task * kTask;
          aclr::augment(*recipe, key, *events, keys, first, std::min(kTask, total - first), (*parts)[task]);
        });
        return Status();
      },
      [parts](Napi::Env env) { return columns_to_js(env, *parts); });
}

template <class Item, class T>
void apply_scripted(Event<T>& event, const double* parameters, ScriptedDraws<T>& draws) {
  Item::apply(event, parameters, draws);
}

// One augmentation with given numbers in place of drawn ones, in float64, event columns too: {events, augmentation, parameters, numbers,
// numberOffsets [events + 1]}. An event whose numbers do not come out even is an error.
Napi::Value augment_with_numbers(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const Napi::Object from = object_of(call[0], "the argument");
  const EventColumns<double> events = events_of<double, double>(from);
  const int index = integer_of(from, "augmentation", 0, AugmentationList::count - 1);
  const auto parameters = parameters_of(from, augmentation_info(index));
  const auto numbers = copy_of<double>(from, "numbers");
  const auto offsets = copy_of<std::int32_t>(from, "numberOffsets", static_cast<std::size_t>(events.events()) + 1);
  EventColumns<double> out;
  for (int i = 0; i < events.events(); ++i) {
    if (offsets[i] < 0 || offsets[i + 1] < offsets[i] || static_cast<std::size_t>(offsets[i + 1]) > numbers.size())
      fail(env, "numberOffsets of event " + std::to_string(i) + " do not lie within numbers");
    Event<double> event;
    events.load(i, event);
    ScriptedDraws<double> draws(numbers.data() + offsets[i], offsets[i + 1] - offsets[i]);
    AugmentationList::each([&](int k, auto item) {
      if (k == index) apply_scripted<decltype(item), double>(event, parameters.data(), draws);
    });
    if (draws.unused() != 0)
      fail(env, "event " + std::to_string(i) + " was given " + std::to_string(offsets[i + 1] - offsets[i]) +
                    " numbers and asked for " + std::to_string(offsets[i + 1] - offsets[i] - draws.unused()));
    out.append(event);
  }
  return columns_to_js<double>(env, {std::move(out)});
}

template <class T>
Napi::Value loss_of(Napi::Object from) {
  struct Job {
    std::vector<T> z[3];  // and then the gradients
    double loss = 0;
  };
  const Napi::Env env = from.Env();
  const std::string name = text_of(from, "loss");
  const LossEntry<T>* loss = find_loss<T>(name.c_str());
  if (loss == nullptr) fail(env, "there is no loss " + name);
  const int n = integer_of(from, "events", 1, 1 << 28), d = integer_of(from, "dim", 1, 1 << 20);
  const double temperature = number_of(from, "temperature", 1e-9, 1e9);
  const LossWeights weights{number_or(from, "invarianceWeight", 1, 0, 1e6), number_or(from, "anomalyWeight", 1, 0, 1e6)};
  auto job = std::make_shared<Job>();
  static const char* const kNames[] = {"z", "zPhysical", "zAnomalous"};
  const int views = loss->info.uses_anomalous ? 3 : 2;
  for (int v = 0; v < views; ++v) job->z[v] = copy_of<T>(from, kNames[v], std::size_t(n) * d);
  return Worker::start(
      env,
      [=] {
        ContrastBatch<T> batch{n, d, {}, {}};
        ContrastScratch<T> scratch;
        for (int v = 0; v < views; ++v) batch.z[v] = batch.dz[v] = job->z[v].data();
        return contrast<T>(ThreadPool::global(), ops<T>(), *loss, weights, temperature, batch, scratch, &job->loss);
      },
      [=](Napi::Env e) {
        Napi::Object out = Napi::Object::New(e);
        out.Set("loss", job->loss);
        Napi::Array gradients = Napi::Array::New(e);
        for (int v = 0; v < views; ++v) {
          gradients.Set(static_cast<std::uint32_t>(v), array_from(e, job->z[v]));
          job->z[v] = {};  // as large batches come near what memory there is
        }
        out.Set("gradients", gradients);
        return Napi::Value(out);
      });
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

Napi::Value contrastive_loss(const Napi::CallbackInfo& call) {
  const Napi::Object from = object_of(call[0], "the argument");
  const Napi::Value z = from.Get("z");
  if (z.IsTypedArray() && z.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array) return loss_of<double>(from);
  return loss_of<float>(from);
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
  const Napi::Object from = object_of(call[0], "the argument");
  const Napi::Value x = from.Get("x");
  if (x.IsTypedArray() && x.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array) return prepare_of<double>(from);
  return prepare_of<float>(from);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("info", Napi::Function::New<info>(env));
  exports.Set("setThreads", Napi::Function::New<set_threads>(env));
  exports.Set("augmentations", Napi::Function::New<augmentations>(env));
  exports.Set("losses", Napi::Function::New<losses>(env));
  exports.Set("randomWords", Napi::Function::New<random_words>(env));
  exports.Set("augment", Napi::Function::New<augment>(env));
  exports.Set("augmentWithNumbers", Napi::Function::New<augment_with_numbers>(env));
  exports.Set("peak", Napi::Function::New<peak>(env));
  exports.Set("contrastiveLoss", Napi::Function::New<contrastive_loss>(env));
  exports.Set("prepare", Napi::Function::New<prepare>(env));
  exports.Set("Trainer", trainer_class(env));
  exports.Set("Autoencoder", autoencoder_class(env));
  exports.Set("Scorer", scorer_class(env));
  return exports;
}

}  // namespace
}  // namespace aclr::binding

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return aclr::binding::init(env, exports); }
NODE_API_MODULE(anomalyclr, Init)
