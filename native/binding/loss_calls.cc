// Contrastive losses by the addon: the list of them, and values with gradients.
#include <memory>

#include "binding/at_once.h"
#include "binding/calls.h"
#include "binding/device_args.h"
#include "binding/worker.h"
#include "core/leases.h"
#include "model/contrast.h"

namespace aclr::binding {
namespace {

constexpr const char* kViewNames[] = {"z", "zPhysical", "zAnomalous"};

// What a loss is told beside its rows.
template <class T>
struct LossSettings {
  explicit LossSettings(Napi::Object from)
      : place(place_of(from)), loss(find_loss<T>(text_of(from, "loss").c_str())), products(products_of<T>(from)),
        n(integer_of(from, "events", 1, 1 << 28)), d(integer_of(from, "dim", 1, 1 << 20)),
        temperature(number_of(from, "temperature", 1e-9, 1e9)),
        weights{number_or(from, "invarianceWeight", 1, 0, 1e6), number_or(from, "anomalyWeight", 1, 0, 1e6)} {
    if (loss == nullptr) fail(from.Env(), "there is no loss " + text_of(from, "loss"));
  }
  int views() const { return loss->info.uses_anomalous ? 3 : 2; }
  std::size_t numbers() const { return static_cast<std::size_t>(n) * d; }
  Status run(const ContrastBatch<T>& batch, ContrastScratch<T>& scratch, double* value) const {
    if (place) {
      const void* const z[3] = {batch.z[0], batch.z[1], batch.z[2]};
      void* const dz[3] = {batch.dz[0], batch.dz[1], batch.dz[2]};
      return device::ask([&](device::Outcome* o) {
        place->api->contrast(device::precision_of<T>(products == Products::kBf16), place->index, loss->info.name,
                             weights.invariance, weights.anomaly, temperature, n, d, z, dz, value, o);
      });
    }
    return contrast<T>(ThreadPool::global(), ops<T>(products), *loss, weights, temperature, batch, scratch, value);
  }

  std::optional<device::Place> place;
  const LossEntry<T>* loss;
  Products products;
  int n, d;
  double temperature;
  LossWeights weights;
};

Napi::Object loss_to_js(Napi::Env env, double loss, Napi::Array gradients) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", loss);
  out.Set("gradients", gradients);
  return out;
}

template <class T>
Napi::Value loss_of(Napi::Object from) {
  struct Job {
    std::vector<T> z[3];  // and then the gradients
    double loss = 0;
  };
  const LossSettings<T> settings(from);
  auto job = std::make_shared<Job>();
  for (int v = 0; v < settings.views(); ++v) job->z[v] = copy_of<T>(from, kViewNames[v], settings.numbers());
  return Worker::start(
      from.Env(),
      [=] {
        ContrastBatch<T> batch{settings.n, settings.d, {}, {}};
        ContrastScratch<T> scratch;
        for (int v = 0; v < settings.views(); ++v) batch.z[v] = batch.dz[v] = job->z[v].data();
        return settings.run(batch, scratch, &job->loss);
      },
      [=](Napi::Env env) {
        Napi::Array gradients = Napi::Array::New(env);
        for (int v = 0; v < settings.views(); ++v) {
          gradients.Set(static_cast<std::uint32_t>(v), array_from(env, job->z[v]));
          job->z[v] = {};  // as large batches come near what memory there is
        }
        return Napi::Value(loss_to_js(env, job->loss, gradients));
      });
}

// Batches up to this size leave their working memory for the next: some tens of MB.
constexpr std::size_t kKeptNumbers = std::size_t{1} << 21;

template <class T>
Napi::Value loss_now_of(Napi::Object from) {
  const Napi::Env env = from.Env();
  const LossSettings<T> settings(from);
  const bool gradient = from.Get("gradients").IsUndefined() || flag_of(from, "gradients");
  Napi::Value values[3];
  for (int v = 0; v < settings.views(); ++v) values[v] = from.Get(kViewNames[v]);

  ContrastBatch<T> batch{settings.n, settings.d, {}, {}};
  Input<T> z[3];
  Napi::Array gradients = Napi::Array::New(env);
  for (int v = 0; v < settings.views(); ++v) {
    z[v] = Input<T>(values[v], kViewNames[v], settings.numbers());
    batch.z[v] = z[v].data();
  }
  for (int v = 0; gradient && v < settings.views(); ++v) {
    auto dz = new_array<T>(env, settings.numbers());
    gradients.Set(static_cast<std::uint32_t>(v), dz);
    batch.dz[v] = dz.Data();
  }
  static auto* const kept = new Leases<ContrastScratch<T>>;  // never destroyed, as the pool
  double loss = 0;
  if (settings.numbers() <= kKeptNumbers) {
    typename Leases<ContrastScratch<T>>::Lease scratch(*kept);
    check(env, settings.run(batch, *scratch, &loss));
  } else {
    ContrastScratch<T> scratch;
    check(env, settings.run(batch, scratch, &loss));
  }
  return loss_to_js(env, loss, gradients);
}

}  // namespace

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

Napi::Value contrastive_loss(const Napi::CallbackInfo& call) {
  return by_type(call, "z", [](auto t, Napi::Object from) { return loss_of<decltype(t)>(from); });
}

Napi::Value contrastive_loss_now(const Napi::CallbackInfo& call) {
  return by_type(call, "z", [](auto t, Napi::Object from) { return loss_now_of<decltype(t)>(from); });
}

}  // namespace aclr::binding
