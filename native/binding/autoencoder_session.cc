// The Autoencoder as JavaScript sees it: class Autoencoder(config), float or double by config.precision.
#include "binding/classes.h"
#include "binding/model_args.h"
#include "binding/session.h"

namespace aclr::binding {
namespace {

class AnyAutoencoder {
 public:
  virtual ~AnyAutoencoder() = default;
  virtual Napi::Value layout(Napi::Env) = 0;
  virtual Napi::Value weights(Napi::Env) = 0;
  virtual void set_weights(Napi::Object) = 0;
  virtual Call step(Napi::Object) = 0;
  virtual Call score(Napi::Object) = 0;
  virtual Call gradients(Napi::Object) = 0;
};

template <class T>
class TypedAutoencoder : public AnyAutoencoder, public std::enable_shared_from_this<TypedAutoencoder<T>> {
 public:
  TypedAutoencoder(const AutoencoderConfig& config, const OptimiserConfig& optimiser)
      : model_(config), optimiser_(optimiser), weights_(model_.weight_count(), T(0)) {}

  Napi::Value layout(Napi::Env env) override { return layout_to_js(env, model_.layout()); }
  Napi::Value weights(Napi::Env env) override { return array_from(env, weights_); }
  void set_weights(Napi::Object from) override {
    weights_ = copy_of<T>(from, "weights", weights_.size());
    packed_ = false;
  }

  Call step(Napi::Object from) override {
    auto x = rows_of<T>(from, model_.features());
    const double rate = number_of(from, "rate", 0, 1e6);
    auto loss = std::make_shared<double>(0);
    return {[self = this->shared_from_this(), x, rate, loss] {
              const T* gradient = nullptr;
              *loss = self->loss(*x, &gradient);
              update(ThreadPool::global(), self->optimiser_, rate, gradient, self->weights_.data(), self->weights_.size(),
                     self->state_);
              self->packed_ = false;
              return Status();
            },
            [loss](Napi::Env env) { return Napi::Value(Napi::Number::New(env, *loss)); }};
  }

  Call score(Napi::Object from) override {
    auto x = rows_of<T>(from, model_.features());
    const int rows = static_cast<int>(x->size() / model_.features());
    auto score = std::make_shared<std::vector<T>>(rows);
    return {[self = this->shared_from_this(), x, rows, score] {
              self->ensure_packed();
              self->model_.score(ThreadPool::global(), self->weights_.data(), x->data(), rows, score->data());
              return Status();
            },
            [score](Napi::Env env) { return Napi::Value(array_from(env, *score)); }};
  }

  Call gradients(Napi::Object from) override {
    auto x = rows_of<T>(from, model_.features());
    auto loss = std::make_shared<double>(0);
    auto dweights = std::make_shared<std::vector<T>>();
    return {[self = this->shared_from_this(), x, loss, dweights] {
              const T* gradient = nullptr;
              *loss = self->loss(*x, &gradient);
              dweights->assign(gradient, gradient + self->weights_.size());
              return Status();
            },
            [loss, dweights](Napi::Env env) {
              Napi::Object out = Napi::Object::New(env);
              out.Set("loss", *loss);
              out.Set("weights", array_from(env, *dweights));
              return Napi::Value(out);
            }};
  }

 private:
  void ensure_packed() {
    if (!packed_) model_.pack(weights_.data(), true);
    packed_ = true;
  }
  double loss(const std::vector<T>& x, const T** gradient) {
    ensure_packed();
    return model_.loss(ThreadPool::global(), weights_.data(), x.data(), static_cast<int>(x.size() / model_.features()),
                       gradient);
  }

  Autoencoder<T> model_;
  OptimiserConfig optimiser_;
  std::vector<T> weights_;
  OptimiserState<T> state_;
  bool packed_ = false;
};

class AutoencoderSession : public Session<AutoencoderSession, AnyAutoencoder> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c524165e8a11002};
  static constexpr const char* kName = "Autoencoder";

  explicit AutoencoderSession(const Napi::CallbackInfo& info) : Session(info) {
    const Napi::Object from = argument(info);
    const AutoencoderConfig config = autoencoder_config(from);
    const OptimiserConfig optimiser = optimiser_of(object_of(from.Get("optimiser"), "optimiser"));
    if (is_second(from, "precision", "f32", "f64"))
      impl_ = std::make_shared<TypedAutoencoder<double>>(config, optimiser);
    else
      impl_ = std::make_shared<TypedAutoencoder<float>>(config, optimiser);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Autoencoder",
                       {InstanceMethod<&AutoencoderSession::layout>("layout"),
                        InstanceMethod<&AutoencoderSession::weights>("weights"),
                        InstanceMethod<&AutoencoderSession::set_weights>("setWeights"),
                        InstanceMethod<&AutoencoderSession::call<&AnyAutoencoder::step>>("step"),
                        InstanceMethod<&AutoencoderSession::call<&AnyAutoencoder::score>>("score"),
                        InstanceMethod<&AutoencoderSession::call<&AnyAutoencoder::gradients>>("gradients"),
                        InstanceMethod<&AutoencoderSession::dispose>("dispose")});
  }

 private:
  Napi::Value layout(const Napi::CallbackInfo& info) { return use(info)->layout(info.Env()); }
  Napi::Value dispose(const Napi::CallbackInfo& info) { return let_go(info); }
  Napi::Value weights(const Napi::CallbackInfo& info) { return use(info)->weights(info.Env()); }
  Napi::Value set_weights(const Napi::CallbackInfo& info) {
    use(info)->set_weights(argument(info));
    return info.Env().Undefined();
  }
  template <Call (AnyAutoencoder::*METHOD)(Napi::Object)>
  Napi::Value call(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    Call made = ((*impl).*METHOD)(argument(info));
    return run(info.Env(), impl.hold, std::move(made.work), std::move(made.done));
  }
};

}  // namespace

Napi::Function autoencoder_class(Napi::Env env) { return AutoencoderSession::define(env); }

}  // namespace aclr::binding
