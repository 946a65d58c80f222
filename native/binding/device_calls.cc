// What devices there are.
#include "binding/calls.h"
#include "binding/device_args.h"

namespace aclr::binding {

// {library, deviceIndex?} -> {available: true, name, ..} or {available: false, why}, one line that says what to do.
Napi::Value device_info(const Napi::CallbackInfo& call) {
  const Napi::Env env = call.Env();
  const Napi::Object from = object_of(call[0], "the argument");
  const std::string path = text_of(from, "library");
  const int index = device_index_of(from);
  Napi::Object out = Napi::Object::New(env);
  out.Set("library", path);
  std::string why;
  device::Device found{};
  if (const device::Api* const api = device::open(path, why)) {
    const Status status = device::ask([&](device::Outcome* o) { api->probe(index, &found, o); });
    why = status.message();
    out.Set("version", api->version);
  }
  out.Set("available", why.empty());
  if (!why.empty()) {
    out.Set("why", one_line(why));
    return out;
  }
  const auto number = [&](double value) { return Napi::Number::New(env, value); };
  out.Set("name", device::text_in(found.name));
  out.Set("capability", number(found.capability));
  out.Set("processors", number(found.processors));
  out.Set("driver", number(found.driver));
  out.Set("runtime", number(found.runtime));
  out.Set("emulated", found.emulated != 0);
  out.Set("memory", number(static_cast<double>(found.memory)));
  out.Set("memoryFree", number(static_cast<double>(found.memory_free)));
  out.Set("dense", device::text_in(found.dense));
  return out;
}

// {library} -> what the ranks of a training share, made on one of them.
Napi::Value device_group(const Napi::CallbackInfo& call) {
  const device::Api& api = library_of(object_of(call[0], "the argument"));
  std::uint8_t id[device::kGroupBytes] = {};
  check(call.Env(), device::ask([&](device::Outcome* o) { api.group_id(id, o); }));
  return array_from(call.Env(), id, device::kGroupBytes);
}

}  // namespace aclr::binding
