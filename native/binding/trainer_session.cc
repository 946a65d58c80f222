#include "binding/classes.h"

#include "binding/device_args.h"
#include "binding/group.h"
#include "binding/model_args.h"
#include "binding/on_cpu.h"
#include "binding/recipe_args.h"
#include "binding/session.h"
#include "device/trainer.h"

namespace aclr::binding {
namespace {

RowScaling row_scaling(Napi::Object from, const char* name) {
  if (from.Get(name).IsUndefined()) return RowScaling::kNone;
  const std::string how = text_of(from, name);
  if (how == "none") return RowScaling::kNone;
  if (how == "standardise") return RowScaling::kStandardise;
  if (how == "whiten") return RowScaling::kWhiten;
  fail(from.Env(), std::string(name) + " must be none, standardise or whiten");
}

TrainerConfig trainer_config(Napi::Object from) {
  TrainerConfig config;
  config.encoder = encoder_config(from);
  config.loss = text_of(from, "loss");
  config.temperature = number_of(from, "temperature", 1e-6, 1e6);
  config.loss_weights.invariance = number_or(from, "invarianceWeight", 1, 0, 1e6);
  config.loss_weights.anomaly = number_or(from, "anomalyWeight", 1, 0, 1e6);
  config.pivot_weight = number_or(from, "pivotWeight", 0, 0, 1e6);
  config.pivot_level = from.Get("pivotLevel").IsUndefined() ? 0 : integer_of(from, "pivotLevel", 0, config.encoder.head_layers);
  config.pivot_scaling = row_scaling(from, "pivotScaling");
  config.optimiser = optimiser_of(object_of(from.Get("optimiser"), "optimiser"));
  if (find_loss<float>(config.loss.c_str()) == nullptr) fail(from.Env(), "there is no loss " + config.loss);
  return config;
}

// Rows of features {x, offsets}, every offset checked.
template <class T>
TokenRows<T> tokens_of(Napi::Object from, int features) {
  TokenRows<T> block;
  block.x = copy_of<T>(from, "x");
  block.offsets = copy_of<std::int32_t>(from, "offsets");
  const std::vector<std::int32_t>& o = block.offsets;
  if (o.empty() || o[0] != 0 || static_cast<std::size_t>(o.back()) * features != block.x.size())
    fail(from.Env(), "offsets must begin at 0 and end at the number of rows of x");
  for (std::size_t i = 1; i < o.size(); ++i)
    if (o[i] < o[i - 1] || o[i] - o[i - 1] > kMaxObjects)
      fail(from.Env(), "offsets of event " + std::to_string(i - 1) + " fall, or it has too many objects");
  block.ids.assign(o.size() - 1, 0);
  return block;
}

// What a session does, for float and for double.
class AnyTrainer {
 public:
  virtual ~AnyTrainer() = default;
  virtual Napi::Value layout(Napi::Env) = 0;
  virtual Napi::Value weights(Napi::Env) = 0;
  virtual void set_weights(Napi::Object) = 0;
  virtual Napi::Value state(Napi::Env) = 0;
  virtual void set_state(Napi::Object) = 0;
  virtual void set_recipe(Napi::Value) = 0;
  virtual Call step(Napi::Object) = 0;
  virtual Call step_on_views(Napi::Object) = 0;
  virtual Call embed(Napi::Object) = 0;
  virtual Call reps(Napi::Object) = 0;
  virtual Call gradients(Napi::Object) = 0;
};

Napi::Value result_to_js(Napi::Env env, const StepResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("loss", result.loss);
  out.Set("gradientNorm", result.gradient_norm);
  if (result.pivot != 0) out.Set("pivot", result.pivot);
  return out;
}

// Calls keep the session alive through `self`. Model: CpuTrainer or DeviceTrainer.
template <class Model>
class TypedTrainer : public AnyTrainer, public std::enable_shared_from_this<TypedTrainer<Model>> {
 public:
  using T = typename Model::Number;
  TypedTrainer(std::unique_ptr<Model> trainer, int features) : trainer_(std::move(trainer)), features_(features) {}

  Napi::Value layout(Napi::Env env) override { return layout_to_js(env, trainer_->layout()); }
  Napi::Value weights(Napi::Env env) override { return weights_to_js(env, *trainer_); }
  void set_weights(Napi::Object from) override { weights_from_js(from, *trainer_); }
  Napi::Value state(Napi::Env env) override {
    OptimiserState<T> state;
    check(env, trainer_->state(state));
    return state_to_js(env, state);
  }
  void set_state(Napi::Object from) override {
    check(from.Env(), trainer_->set_state(state_of<T>(from, trainer_->weight_count())));
  }
  void set_recipe(Napi::Value recipe) override { check(recipe.Env(), trainer_->set_recipe(recipe_of<T>(recipe))); }

  // The key of an event is its id or its place in the sample, so that the order of a batch changes no draw.
  static TrainBatch<T> batch_of(Napi::Object from) {
    TrainBatch<T> batch;
    std::vector<std::int32_t> keys;
    batch.events = events_of<T>(from, &keys);
    batch.ids.assign(keys.begin(), keys.end());
    batch.seed = seed_of(from);
    batch.epoch = word_of(from, "epoch");
    const bool share = !from.Get("total").IsUndefined();
    if (keys.empty() && !share) fail(from.Env(), "a step needs at least one event");
    if (share) {  // of a rank, which may have no event
      batch.total = integer_of(from, "total", std::max(1.0, static_cast<double>(keys.size())), 1 << 30);
      batch.first = integer_of(from, "first", 0, batch.total - static_cast<double>(keys.size()));
    }
    return batch;
  }

  Call step(Napi::Object from) override {
    auto batch = std::make_shared<TrainBatch<T>>(batch_of(from));
    const double rate = number_of(from, "rate", 0, 1e6);
    const bool update = flag_of(from, "update");
    // made now, while the arrays are there
    auto next = std::make_shared<std::unique_ptr<TrainBatch<T>>>();
    if (const Napi::Value given = from.Get("next"); !given.IsUndefined())
      *next = std::make_unique<TrainBatch<T>>(batch_of(object_of(given, "next")));
    auto result = std::make_shared<StepResult>();
    return {[self = this->shared_from_this(), batch, rate, update, result, next] {
              return self->trainer_->step(*batch, rate, update, result.get(), std::move(*next));
            },
            [result](Napi::Env env) { return result_to_js(env, *result); }};
  }

  Call step_on_views(Napi::Object from) override {
    const Napi::Value given = from.Get("views");
    if (!given.IsArray() || given.As<Napi::Array>().Length() < 2) fail(from.Env(), "views must be an array of two or three");
    auto views = std::make_shared<ViewRows<T>>();
    const auto array = given.As<Napi::Array>();
    for (std::uint32_t v = 0; v < std::min<std::uint32_t>(array.Length(), kViews); ++v)
      (*views)[v] = tokens_of<T>(object_of(array.Get(v), "a view"), features_);
    if ((*views)[0].events() < 1) fail(from.Env(), "a step needs at least one event");
    const double rate = number_of(from, "rate", 0, 1e6);
    const bool update = flag_of(from, "update");
    auto result = std::make_shared<StepResult>();
    return {[self = this->shared_from_this(), views, rate, update, result] {
              return self->trainer_->step_on_views(*views, rate, update, result.get());
            },
            [result](Napi::Env env) { return result_to_js(env, *result); }};
  }

  Call embed(Napi::Object from) override {
    auto events = std::make_shared<EventColumns<T>>(events_of<T>(from));
    auto out = std::make_shared<std::vector<T>>(std::size_t(events->events()) * trainer_->rep_row());
    return {[self = this->shared_from_this(), events, out] {
              return self->trainer_->embed(*events, out->data());
            },
            [out](Napi::Env env) { return array_from(env, *out); }};
  }

  Call reps(Napi::Object from) override {
    auto block = std::make_shared<TokenRows<T>>(tokens_of<T>(from, features_));
    auto out = std::make_shared<std::vector<T>>(std::size_t(block->events()) * trainer_->rep_row());
    return {[self = this->shared_from_this(), block, out] {
              return self->trainer_->reps_of(*block, out->data());
            },
            [out](Napi::Env env) { return array_from(env, *out); }};
  }

  Call gradients(Napi::Object from) override {
    auto block = std::make_shared<TokenRows<T>>(tokens_of<T>(from, features_));
    auto dreps = std::make_shared<std::vector<T>>(
        copy_of<T>(from, "dreps", std::size_t(block->events()) * trainer_->rep_row()));
    auto dweights = std::make_shared<std::vector<T>>(trainer_->weight_count());
    auto dx = std::make_shared<std::vector<T>>(block->x.size());
    return {[self = this->shared_from_this(), block, dreps, dweights, dx] {
              return self->trainer_->gradients_of(*block, dreps->data(), dweights->data(), dx->data());
            },
            [dweights, dx](Napi::Env env) {
              Napi::Object out = Napi::Object::New(env);
              out.Set("weights", array_from(env, *dweights));
              out.Set("x", array_from(env, *dx));
              return Napi::Value(out);
            }};
  }

 private:
  std::unique_ptr<Model> trainer_;
  int features_;
};

template <class T>
std::shared_ptr<AnyTrainer> make(const TrainerConfig& config, Napi::Object from) {
  const int features = config.encoder.features.count;
  const device::Ranks ranks = ranks_of(from);
  if (const auto place = place_of(from))
    return std::make_shared<TypedTrainer<DeviceTrainer<T>>>(
        made_by<DeviceTrainer<T>>(from.Env(), [&](auto& out) { return DeviceTrainer<T>::make(*place, config, ranks, out); }),
        features);
  auto trainer = std::make_unique<CpuTrainer<T>>(config);
  if (auto group = group_of(from)) trainer->set_group(std::move(group));
  return std::make_shared<TypedTrainer<CpuTrainer<T>>>(std::move(trainer), features);
}

class TrainerSession : public Session<TrainerSession, AnyTrainer> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c525472e8a11001};
  static constexpr const char* kName = "Trainer";

  explicit TrainerSession(const Napi::CallbackInfo& info) : Session(info) {
    const Napi::Object from = argument(info);
    TrainerConfig config = trainer_config(from);
    const Precision precision = precision_of(from);
    config.products = precision.products;
    impl_ = precision.is_double ? make<double>(config, from) : make<float>(config, from);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Trainer",
                       {InstanceMethod<&TrainerSession::layout>("layout"),
                        InstanceMethod<&TrainerSession::weights>("weights"),
                        InstanceMethod<&TrainerSession::set_weights>("setWeights"),
                        InstanceMethod<&TrainerSession::state>("state"),
                        InstanceMethod<&TrainerSession::set_state>("setState"),
                        InstanceMethod<&TrainerSession::set_recipe>("setRecipe"),
                        InstanceMethod<&TrainerSession::call<&AnyTrainer::step>>("step"),
                        InstanceMethod<&TrainerSession::call<&AnyTrainer::step_on_views>>("stepOnViews"),
                        InstanceMethod<&TrainerSession::call<&AnyTrainer::embed>>("embed"),
                        InstanceMethod<&TrainerSession::call<&AnyTrainer::reps>>("reps"),
                        InstanceMethod<&TrainerSession::call<&AnyTrainer::gradients>>("gradients"),
                        InstanceMethod<&TrainerSession::dispose>("dispose")});
  }

 private:
  Napi::Value layout(const Napi::CallbackInfo& info) { return use(info)->layout(info.Env()); }
  Napi::Value dispose(const Napi::CallbackInfo& info) { return let_go(info); }
  Napi::Value weights(const Napi::CallbackInfo& info) { return use(info)->weights(info.Env()); }
  Napi::Value state(const Napi::CallbackInfo& info) { return use(info)->state(info.Env()); }
  Napi::Value set_weights(const Napi::CallbackInfo& info) {
    use(info)->set_weights(argument(info));
    return info.Env().Undefined();
  }
  Napi::Value set_state(const Napi::CallbackInfo& info) {
    use(info)->set_state(argument(info));
    return info.Env().Undefined();
  }
  Napi::Value set_recipe(const Napi::CallbackInfo& info) {
    use(info)->set_recipe(info[0]);
    return info.Env().Undefined();
  }
  template <Call (AnyTrainer::*METHOD)(Napi::Object)>
  Napi::Value call(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    Call made = ((*impl).*METHOD)(argument(info));
    return run(info.Env(), impl.hold, std::move(made.work), std::move(made.done));
  }
};

}  // namespace

Napi::Function trainer_class(Napi::Env env) { return TrainerSession::define(env); }

}  // namespace aclr::binding
