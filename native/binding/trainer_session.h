// The Trainer as JavaScript sees it: class Trainer(config), float or double by config.precision.
#pragma once
#include <napi.h>

namespace aclr::binding {
Napi::Function trainer_class(Napi::Env env);
Napi::Function autoencoder_class(Napi::Env env);
}  // namespace aclr::binding
