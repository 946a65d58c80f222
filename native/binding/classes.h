// The classes that JavaScript gets; each lives in the file of its name.
#pragma once
#include <napi.h>

namespace aclr::binding {
Napi::Function trainer_class(Napi::Env env);
Napi::Function perceptron_class(Napi::Env env);
Napi::Function scorer_class(Napi::Env env);
Napi::Function group_class(Napi::Env env);
}  // namespace aclr::binding
