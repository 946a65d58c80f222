// What the classes handed to JavaScript share: a type tag, dispose(), one job at a time, weights and optimiser state as
// flat typed arrays.
#pragma once
#include <napi.h>

#include <memory>

#include "binding/worker.h"
#include "model/encoder.h"
#include "model/optimiser.h"

namespace aclr::binding {

inline Napi::Array layout_to_js(Napi::Env env, const std::vector<WeightInfo>& layout) {
  Napi::Array out = Napi::Array::New(env, layout.size());
  for (std::size_t i = 0; i < layout.size(); ++i) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", layout[i].name);
    Napi::Array shape = Napi::Array::New(env, layout[i].shape.size());
    for (std::size_t s = 0; s < layout[i].shape.size(); ++s)
      shape.Set(static_cast<std::uint32_t>(s), Napi::Number::New(env, layout[i].shape[s]));
    entry.Set("shape", shape);
    entry.Set("offset", Napi::Number::New(env, static_cast<double>(layout[i].offset)));
    out.Set(static_cast<std::uint32_t>(i), entry);
  }
  return out;
}

template <class T>
Napi::Object state_to_js(Napi::Env env, const OptimiserState<T>& state) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("m", array_from(env, state.m));
  out.Set("v", array_from(env, state.v));
  out.Set("steps", Napi::Number::New(env, static_cast<double>(state.steps)));
  return out;
}

// The weights of what a session works with.
template <class Model>
Napi::Value weights_to_js(Napi::Env env, Model& model) {
  using T = typename Model::Number;
  auto array = Napi::TypedArrayOf<T>::New(env, model.weight_count(), array_type<T>());
  check(env, model.weights(array.Data()));
  return array;
}
template <class Model>
void weights_from_js(Napi::Object from, Model& model) {
  check(from.Env(), model.set_weights(copy_of<typename Model::Number>(from, "weights", model.weight_count()).data()));
}

template <class T>
OptimiserState<T> state_of(Napi::Object from, std::size_t weights) {
  OptimiserState<T> state;
  state.m = copy_of<T>(from, "m", weights);
  state.v = copy_of<T>(from, "v", weights);
  state.steps = static_cast<std::int64_t>(whole_of(from, "steps", 0, kMaxSafeInteger));
  return state;
}

inline OptimiserConfig optimiser_of(Napi::Object from) {
  OptimiserConfig config;
  config.kind = is_second(from, "kind", "adam", "sgd") ? OptimiserKind::kSgd : OptimiserKind::kAdam;
  config.weight_decay = number_or(from, "weightDecay", 0, 0, 1e6);
  config.l2 = number_or(from, "l2", 0, 0, 1e6);
  config.clip = number_or(from, "clip", 0, 0, 1e30);
  config.beta1 = number_or(from, "beta1", 0.9, 0, 0.999999999);
  config.beta2 = number_or(from, "beta2", 0.999, 0, 0.999999999);
  config.eps = number_or(from, "eps", 1e-8, 0, 1);
  return config;
}

// What one call does off the event loop, and what it hands back.
struct Call {
  Worker::Work work;
  Worker::Done done;
};

// Self is the ObjectWrap class, Impl what does the work (shared with a running job, so that dispose() cannot pull it
// from under one).
template <class Self, class Impl>
class Session : public Napi::ObjectWrap<Self> {
 public:
  explicit Session(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Self>(info) {
    info.This().As<Napi::Object>().TypeTag(&Self::kTag);
  }

 protected:
  // A method, entered with a session of this class alone: node-addon-api's own takes what any wrapped object holds for one.
  template <Napi::Value (Self::*METHOD)(const Napi::CallbackInfo&)>
  static Napi::ClassPropertyDescriptor<Self> InstanceMethod(const char* name) {
    napi_property_descriptor descriptor{};
    descriptor.utf8name = name;
    descriptor.method = [](napi_env env, napi_callback_info info) {
      return Napi::details::WrapCallback(env, [&] {
        const Napi::CallbackInfo call(env, info);
        const Napi::Value self = call.This();
        if (!self.IsObject() || !self.As<Napi::Object>().CheckTypeTag(&Self::kTag))
          fail(env, std::string("this is not a ") + Self::kName);
        return static_cast<napi_value>((Self::Unwrap(self.As<Napi::Object>())->*METHOD)(call));
      });
    };
    descriptor.attributes = napi_default;
    return Napi::ClassPropertyDescriptor<Self>(descriptor);
  }

  // The implementation, held busy for as long as the call reads its arguments (a getter there may call back) and the
  // job that it starts runs.
  struct Held {
    std::shared_ptr<Impl> impl;
    std::shared_ptr<BusyFlag::Hold> hold;
    Impl& operator*() const { return *impl; }
    Impl* operator->() const { return impl.get(); }
  };

  // After the checks that every call makes.
  Held use(const Napi::CallbackInfo& info) {
    if (!impl_) fail(info.Env(), std::string("this ") + Self::kName + " was disposed of");
    if (busy_.busy()) throw to_error(info.Env(), {Code::kBusy, "the last call has not finished; await it first"});
    return {impl_, busy_.hold()};
  }
  Napi::Object argument(const Napi::CallbackInfo& info) { return object_of(info[0], "the argument"); }

  Napi::Value run(Napi::Env env, std::shared_ptr<BusyFlag::Hold> hold, Worker::Work work, Worker::Done done) {
    return Worker::start(env, std::move(work), [hold, done = std::move(done)](Napi::Env e) { return done(e); });
  }

  // A running job keeps what it works on; a second call finds nothing left to do.
  Napi::Value let_go(const Napi::CallbackInfo& info) {
    impl_.reset();
    return info.Env().Undefined();
  }

  std::shared_ptr<Impl> impl_;
  BusyFlag busy_;
};

}  // namespace aclr::binding
