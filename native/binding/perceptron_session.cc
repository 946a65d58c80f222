// The Perceptron as JavaScript sees it: class Perceptron(config), float or double by config.precision. What learns classes
// is on the CPU, wherever the rest is.
#include "binding/classes.h"
#include "binding/device_args.h"
#include "binding/model_args.h"
#include "binding/on_cpu.h"
#include "binding/session.h"
#include "device/autoencoder.h"

namespace aclr::binding {
namespace {

class AnyPerceptron {
 public:
  virtual ~AnyPerceptron() = default;
  virtual Napi::Value layout(Napi::Env) = 0;
  virtual Napi::Value weights(Napi::Env) = 0;
  virtual void set_weights(Napi::Object) = 0;
  virtual Call step(Napi::Object) = 0;
  virtual Call score(Napi::Object) = 0;
  virtual Call gradients(Napi::Object) = 0;
};

// Model: CpuPerceptron or DeviceAutoencoder, which learns rows alone.
template <class Model>
class TypedPerceptron : public AnyPerceptron, public std::enable_shared_from_this<TypedPerceptron<Model>> {
 public:
  using T = typename Model::Number;
  explicit TypedPerceptron(std::unique_ptr<Model> model) : model_(std::move(model)) {}

  Napi::Value layout(Napi::Env env) override { return layout_to_js(env, model_->layout()); }
  Napi::Value weights(Napi::Env env) override { return weights_to_js(env, *model_); }
  void set_weights(Napi::Object from) override { weights_from_js(from, *model_); }

  Call step(Napi::Object from) override {
    auto x = rows_of<T>(from, model_->features());
    auto y = classes_of(from, rows(*x));
    const double rate = number_of(from, "rate", 0, 1e6);
    auto loss = std::make_shared<double>(0);
    return {[self = this->shared_from_this(), x, y, rate, loss] {
              return self->model_->step(x->data(), y->data(), self->rows(*x), rate, loss.get());
            },
            [loss](Napi::Env env) { return Napi::Value(Napi::Number::New(env, *loss)); }};
  }

  Call score(Napi::Object from) override {
    auto x = rows_of<T>(from, model_->features());
    auto score = std::make_shared<std::vector<T>>(rows(*x));
    return {[self = this->shared_from_this(), x, score] {
              return self->model_->score(x->data(), self->rows(*x), score->data());
            },
            [score](Napi::Env env) { return Napi::Value(array_from(env, *score)); }};
  }

  Call gradients(Napi::Object from) override {
    auto x = rows_of<T>(from, model_->features());
    auto y = classes_of(from, rows(*x));
    auto loss = std::make_shared<double>(0);
    auto dweights = std::make_shared<std::vector<T>>(model_->weight_count());
    return {[self = this->shared_from_this(), x, y, loss, dweights] {
              return self->model_->gradients(x->data(), y->data(), self->rows(*x), dweights->data(), loss.get());
            },
            [loss, dweights](Napi::Env env) {
              Napi::Object out = Napi::Object::New(env);
              out.Set("loss", *loss);
              out.Set("weights", array_from(env, *dweights));
              return Napi::Value(out);
            }};
  }

 private:
  int rows(const std::vector<T>& x) const { return static_cast<int>(x.size() / model_->features()); }
  // A class, 0 or 1, for each row; none where the rows themselves are learned.
  std::shared_ptr<std::vector<std::uint8_t>> classes_of(Napi::Object from, int rows) const {
    auto classes = std::make_shared<std::vector<std::uint8_t>>();
    const Napi::Value given = from.Get("classes");
    if (!model_->learns_class()) {
      if (!given.IsUndefined()) fail(from.Env(), "classes are for a Perceptron that learns them");
      return classes;
    }
    const auto span = span_of<std::uint8_t>(given, "classes");
    classes->assign(span.data, span.data + span.size);
    if (classes->size() != static_cast<std::size_t>(rows))
      fail(from.Env(), "classes has " + std::to_string(classes->size()) + " entries for " + std::to_string(rows) + " rows");
    for (const std::uint8_t c : *classes)
      if (c > 1) fail(from.Env(), "a class is " + std::to_string(c) + ", must be 0 or 1");
    return classes;
  }

  std::unique_ptr<Model> model_;
};

template <class T>
std::shared_ptr<AnyPerceptron> make(const PerceptronConfig& config, const OptimiserConfig& optimiser, Napi::Object from) {
  const auto place = place_of(from);
  if (place && config.learns == Learns::kRow)
    return std::make_shared<TypedPerceptron<DeviceAutoencoder<T>>>(made_by<DeviceAutoencoder<T>>(
        from.Env(), [&](auto& out) { return DeviceAutoencoder<T>::make(*place, config, optimiser, out); }));
  return std::make_shared<TypedPerceptron<CpuPerceptron<T>>>(std::make_unique<CpuPerceptron<T>>(config, optimiser));
}

class PerceptronSession : public Session<PerceptronSession, AnyPerceptron> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c524165e8a11002};
  static constexpr const char* kName = "Perceptron";

  explicit PerceptronSession(const Napi::CallbackInfo& info) : Session(info) {
    const Napi::Object from = argument(info);
    const PerceptronConfig config = perceptron_config(from);
    const OptimiserConfig optimiser = optimiser_of(object_of(from.Get("optimiser"), "optimiser"));
    const bool is_double = is_second(from, "precision", "f32", "f64");
    impl_ = is_double ? make<double>(config, optimiser, from) : make<float>(config, optimiser, from);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Perceptron",
                       {InstanceMethod<&PerceptronSession::layout>("layout"),
                        InstanceMethod<&PerceptronSession::weights>("weights"),
                        InstanceMethod<&PerceptronSession::set_weights>("setWeights"),
                        InstanceMethod<&PerceptronSession::call<&AnyPerceptron::step>>("step"),
                        InstanceMethod<&PerceptronSession::call<&AnyPerceptron::score>>("score"),
                        InstanceMethod<&PerceptronSession::call<&AnyPerceptron::gradients>>("gradients"),
                        InstanceMethod<&PerceptronSession::dispose>("dispose")});
  }

 private:
  Napi::Value layout(const Napi::CallbackInfo& info) { return use(info)->layout(info.Env()); }
  Napi::Value dispose(const Napi::CallbackInfo& info) { return let_go(info); }
  Napi::Value weights(const Napi::CallbackInfo& info) { return use(info)->weights(info.Env()); }
  Napi::Value set_weights(const Napi::CallbackInfo& info) {
    use(info)->set_weights(argument(info));
    return info.Env().Undefined();
  }
  template <Call (AnyPerceptron::*METHOD)(Napi::Object)>
  Napi::Value call(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    Call made = ((*impl).*METHOD)(argument(info));
    return run(info.Env(), impl.hold, std::move(made.work), std::move(made.done));
  }
};

}  // namespace

Napi::Function perceptron_class(Napi::Env env) { return PerceptronSession::define(env); }

}  // namespace aclr::binding
