// The values of the fake Node-API, their collection, calls and work on threads.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "allocation.h"
#include "fake_napi.h"

extern "C" napi_value napi_register_module_v1(napi_env env, napi_value exports);

namespace aclr::fuzz {
namespace {

void mark(std::vector<napi_value>& grey) {
  const auto reach = [&](napi_value value) {
    if (value == nullptr || value->marked) return;
    value->marked = true;
    grey.push_back(value);
  };
  const std::vector<napi_value> from = std::exchange(grey, {});
  for (napi_value value : from) reach(value);
  while (!grey.empty()) {
    const napi_value value = grey.back();
    grey.pop_back();
    for (napi_value next : {value->prototype, value->buffer, value->value}) reach(next);
    for (const auto* list : {&value->properties, &value->elements})
      for (const Property& property : *list) reach(property.value);
  }
}

void later(const Finalizer& finalizer) {
  if (finalizer.run != nullptr) env()->late.push_back(finalizer);
}

void let_go_of_bytes(napi_value buffer) {
  std::free(buffer->bytes);
  buffer->bytes = nullptr;
  buffer->size = 0;
}

void destroy(napi_value value) {
  if (value->is_wrapped) later(value->wrapped);
  for (const Finalizer& finalizer : value->finalizers) later(finalizer);
  if (value->bytes != nullptr) let_go_of_bytes(value);
  for (napi_ref reference : env()->references)
    if (reference->value == value) reference->value = nullptr;
  delete value;
}

const Property* find(napi_value from, const std::string& key) {
  for (napi_value at = from; at != nullptr; at = at->prototype) {
    for (const Property& property : at->properties)
      if (property.key == key) return &property;
    if (at->elements.empty() || key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != key.npos) continue;
    const std::size_t i = std::strtoul(key.c_str(), nullptr, 10);
    if (i < at->elements.size()) return &at->elements[i];
  }
  return nullptr;
}

}  // namespace

void broken(const char* what) {
  std::fprintf(stderr, "BROKEN: %s\n", what);
  std::abort();
}

napi_env env() {
  static napi_env__* const one = [] {
    auto* made = new napi_env__;
    for (napi_value* value : {&made->undefined, &made->null, &made->yes, &made->no}) *value = new napi_value__;
    made->null->type = napi_null;
    made->yes->type = made->no->type = napi_boolean;
    made->yes->number = 1;
    return made;
  }();
  return one;
}

napi_value addon() {
  static napi_value const exports = [] {
    const napi_value empty = make(napi_object);
    env()->roots.push_back(empty);
    env()->scopes.push_back(env()->handles.size());
    napi_register_module_v1(env(), empty);
    if (env()->exception != nullptr) broken("the addon does not load");
    env()->scopes.pop_back();
    env()->handles.clear();
    return empty;
  }();
  return exports;
}

std::size_t size_of(napi_typedarray_type type) {
  static constexpr std::size_t kSizes[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
  return kSizes[type];
}

napi_value make(napi_valuetype type, Kind kind) {
  napi_env const e = env();
  if (e->collect_at > 0 && --e->collect_at == 0) collect();
  auto* value = new napi_value__;
  value->type = type;
  value->kind = kind;
  e->heap.push_back(value);
  e->handles.push_back(value);
  return value;
}
napi_value make_number(double number) {
  const napi_value value = make(napi_number);
  value->number = number;
  return value;
}
napi_value make_text(std::string text) {
  const napi_value value = make(napi_string);
  value->text = std::move(text);
  return value;
}
napi_value make_buffer(std::size_t size, bool shared) {
  const napi_value value = make(napi_object, shared ? Kind::kShared : Kind::kBuffer);
  if (size > 0) {
    value->bytes = static_cast<std::uint8_t*>(std::calloc(size, 1));
    if (value->bytes == nullptr) broken("an ArrayBuffer that Node.js would end for");
  }
  value->size = size;
  return value;
}
napi_value make_typed(napi_typedarray_type type, napi_value buffer, std::size_t offset, std::size_t length) {
  const napi_value value = make(napi_object, Kind::kTyped);
  value->array = type;
  value->buffer = buffer;
  value->offset = offset;
  value->length = length;
  return value;
}
napi_value make_error(std::string message) {
  const napi_value value = make(napi_object, Kind::kError);
  set(value, "message", make_text(std::move(message)));
  return value;
}

napi_value get(napi_value from, const std::string& key) {
  if (from->trap) return from->trap();
  const Property* const property = find(from, key);
  if (property == nullptr) return env()->undefined;
  const Getter getter = property->getter;  // may change the object
  return getter ? getter() : property->value;
}

void set(napi_value to, const std::string& key, napi_value value) {
  for (Property& property : to->properties)
    if (property.key == key) return void(property = {key, value, nullptr});
  to->properties.push_back({key, value, nullptr});
}

napi_value own(napi_value from, const std::string& key) {
  const Property* const property = find(from, key);
  return property == nullptr ? nullptr : property->value;
}

napi_value call(napi_value function, napi_value self, std::vector<napi_value> arguments, napi_value new_target) {
  napi_env const e = env();
  if (e->exception != nullptr) broken("called with an exception pending");
  const std::size_t handles = e->handles.size(), scopes = e->scopes.size();
  for (napi_value one : arguments) e->handles.push_back(one);
  for (napi_value one : {self, function, new_target}) e->handles.push_back(one);
  napi_callback_info__ info{self, new_target, std::move(arguments), function->data};
  napi_value result;
  {
    const Inside inside(true);
    result = function->code(e, &info);
  }
  if (e->scopes.size() != scopes) broken("a handle scope was left open");
  if (result == nullptr) result = e->undefined;
  e->handles.resize(handles);
  if (e->exception != nullptr) return nullptr;
  e->handles.push_back(result);
  return result;
}

napi_value construct(napi_value function, std::vector<napi_value> arguments, napi_value new_target) {
  const napi_value self = make(napi_object);
  if (new_target == nullptr) new_target = function;
  self->prototype = own(new_target, "prototype");
  // what it returns is the object where no exception is pending
  return call(function, self, std::move(arguments), new_target) == nullptr ? nullptr : self;
}

napi_value take_exception() { return std::exchange(env()->exception, nullptr); }

void detach(napi_value buffer) {
  if (buffer->kind != Kind::kBuffer) return;
  let_go_of_bytes(buffer);
  buffer->detached = true;
}

void shrink(napi_value buffer, std::size_t size) {
  if (size >= buffer->size) return;
  std::uint8_t* const fewer = size == 0 ? nullptr : static_cast<std::uint8_t*>(std::malloc(size));
  if (size > 0) std::memcpy(fewer, buffer->bytes, size);
  std::free(buffer->bytes);
  buffer->bytes = fewer;
  buffer->size = size;
}

void collect() {
  napi_env const e = env();
  std::vector<napi_value> grey = e->roots;
  grey.insert(grey.end(), e->handles.begin(), e->handles.end());
  grey.push_back(e->exception);
  for (napi_ref reference : e->references)
    if (reference->count > 0) grey.push_back(reference->value);
  for (napi_deferred one : e->deferred) grey.push_back(one->promise);
  mark(grey);
  std::vector<napi_value> kept;
  for (napi_value value : std::exchange(e->heap, {}))
    if (value->marked) kept.push_back(value);
    else destroy(value);
  for (napi_value value : kept) value->marked = false;
  for (napi_value value : {e->undefined, e->null, e->yes, e->no}) value->marked = false;
  e->heap = std::move(kept);
}

void run_finalizers() {
  for (const Finalizer& one : std::exchange(env()->late, {})) {
    const std::size_t handles = env()->handles.size();
    one.run(env(), one.data, one.hint);
    env()->handles.resize(handles);
    if (env()->exception != nullptr) broken("a finalizer left an exception");
  }
}

bool settle() {
  napi_env const e = env();
  if (e->queue.empty()) return false;
  const napi_async_work work = e->queue.front();
  e->queue.erase(e->queue.begin());
  if (work->thread.joinable()) {
    work->thread.join();
  } else {
    fail_allocation(std::exchange(e->fail_in_work, 0));
    const Inside inside(true);
    work->execute(e, work->data);
  }
  work->done = true;
  const std::size_t handles = e->handles.size();
  {
    const Inside inside(true);
    work->complete(e, napi_ok, work->data);
  }
  fail_allocation(0);
  e->handles.resize(handles);
  if (e->exception != nullptr) broken("a completion left an exception, which would end Node.js");
  return true;
}

void finish() {
  napi_env const e = env();
  while (settle()) {}
  e->handles.clear();
  e->exception = nullptr;
  e->roots.resize(1);  // the exports
  for (int round = 0; round < 2; ++round) {  // what finalizers let go of
    collect();
    run_finalizers();
  }
  if (!e->deferred.empty()) broken("a promise was never settled");
  for (napi_value value : e->heap)
    if (value->is_wrapped) broken("a session was never let go of");
}

}  // namespace aclr::fuzz
