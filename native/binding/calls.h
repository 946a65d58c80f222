// Functions of the addon that live outside addon.cc, each in the file of its group.
#pragma once
#include <napi.h>

namespace aclr::binding {

// augment_calls.cc
Napi::Value augmentations(const Napi::CallbackInfo& call);
Napi::Value augment(const Napi::CallbackInfo& call);
Napi::Value augment_now(const Napi::CallbackInfo& call);
Napi::Value augment_with_numbers(const Napi::CallbackInfo& call);
// loss_calls.cc
Napi::Value losses(const Napi::CallbackInfo& call);
Napi::Value contrastive_loss(const Napi::CallbackInfo& call);
Napi::Value contrastive_loss_now(const Napi::CallbackInfo& call);
// device_calls.cc
Napi::Value device_info(const Napi::CallbackInfo& call);
Napi::Value device_group(const Napi::CallbackInfo& call);
// kernels.cc
Napi::Value attention(const Napi::CallbackInfo& call);
Napi::Value attention_backward(const Napi::CallbackInfo& call);
Napi::Value dense(const Napi::CallbackInfo& call);
Napi::Value dense_backward(const Napi::CallbackInfo& call);
Napi::Value adam(const Napi::CallbackInfo& call);
Napi::Value dropout_keep(const Napi::CallbackInfo& call);

}  // namespace aclr::binding
