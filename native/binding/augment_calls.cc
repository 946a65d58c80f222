// Augmentations by the addon: the list of them, and views of events.
#include <memory>

#include "binding/calls.h"
#include "binding/device_args.h"
#include "binding/recipe_args.h"
#include "binding/worker.h"
#include "core/thread_pool.h"
#include "device/augment.h"
#include "kernels/augment.h"

namespace aclr::binding {
namespace {

// One view of events by a recipe.
class ViewJob {
 public:
  explicit ViewJob(Napi::Object from)
      : place_(place_of(from)), events_(events_of<float>(from, &ids_)), recipe_(recipe_of<float>(from.Get("recipe"))),
        key_{integer_of(from, "view", 0, kViews - 1), seed_of(from), word_of(from, "epoch")} {}

  Status run() {
    const int total = events_.events();
    const auto* keys = reinterpret_cast<const std::uint32_t*>(ids_.data());
    if (place_) return augment_on(*place_, recipe_, key_, events_, keys, parts_.emplace_back());
    constexpr int kTask = 1024;
    parts_.resize((total + kTask - 1) / kTask);
    ThreadPool::global().run(static_cast<int>(parts_.size()), [&](int task) {
      const int first = task * kTask;
      aclr::augment(recipe_, key_, events_, keys, first, std::min(kTask, total - first), parts_[task]);
    });
    return {};
  }
  Napi::Value result(Napi::Env env) const { return columns_to_js(env, parts_); }

 private:
  std::optional<device::Place> place_;
  std::vector<std::int32_t> ids_;
  EventColumns<float> events_;
  Recipe<float> recipe_;
  ViewKey key_;
  std::vector<EventColumns<float>> parts_;
};

template <class Item, class T>
void apply_scripted(Event<T>& event, const double* parameters, ScriptedDraws<T>& draws) {
  Item::apply(event, parameters, draws);
}

}  // namespace

Napi::Value augmentations(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  Napi::Array out = Napi::Array::New(env);
  AugmentationList::each([&](int i, auto item) {
    const AugmentationInfo& a = decltype(item)::info;
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", a.name);
    entry.Set("role", a.role == Role::kPhysical ? "physical" : a.role == Role::kAnomalous ? "anomalous" : "selection");
    entry.Set("data", a.data == DataKind::kJet ? "jet" : "event");
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

Napi::Value augment(const Napi::CallbackInfo& call) {
  auto job = std::make_shared<ViewJob>(object_of(call[0], "the argument"));
  return Worker::start(
      call.Env(),
      [job] { return job->run(); },
      [job](Napi::Env env) { return job->result(env); });
}

Napi::Value augment_now(const Napi::CallbackInfo& call) {
  ViewJob job(object_of(call[0], "the argument"));
  check(call.Env(), job.run());
  return job.result(call.Env());
}

// One augmentation with given numbers in place of drawn ones, in float64, event columns too: {events, augmentation,
// parameters, numbers, numberOffsets [events + 1]}. An event whose numbers do not come out even is an error.
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

}  // namespace aclr::binding
