// The functions of Node-API that the addon imports, as node 20's js_native_api_v8.cc has them: what they check, and which
// refuse to run with an exception pending.
#include "fake_napi.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "allocation.h"

using namespace aclr::fuzz;

struct napi_handle_scope__ {
  std::size_t depth;
};
struct napi_escapable_handle_scope__ {
  std::size_t depth;
  bool escaped;
};

namespace {

napi_status said(napi_status status) {
  static constexpr const char* kWords[] = {nullptr, "Invalid argument", "An object was expected", "A string was expected",
                                           "A string or symbol was expected", "A function was expected", "A number was expected",
                                           "A boolean was expected", "An array was expected", "Unknown failure",
                                           "An exception is pending"};
  env()->last.error_code = status;
  env()->last.error_message = status <= napi_pending_exception ? kWords[status] : "another failure";
  return status;
}

napi_value held(napi_value value) {
  env()->handles.push_back(value);
  return value;
}
napi_status give(napi_value* to, napi_value value) {
  if (value == nullptr) return said(napi_pending_exception);
  *to = held(value);
  return said(napi_ok);
}
bool is_object(napi_value value) { return value->type == napi_object || value->type == napi_function; }
bool has_properties(napi_value value) { return value->type != napi_undefined && value->type != napi_null; }
std::string text_of(const char* text, std::size_t length) {
  return length == NAPI_AUTO_LENGTH ? std::string(text) : std::string(text, length);
}
std::string key_of(napi_value key) {
  return key->type == napi_number ? std::to_string(static_cast<long>(key->number)) : key->text;
}
napi_status read(napi_value from, const std::string& key, napi_value* to) {
  if (!has_properties(from)) return said(napi_object_expected);
  return give(to, get(from, key));
}
napi_value function_of(napi_callback code, void* data) {
  const napi_value made = make(napi_function);
  made->code = code;
  made->data = data;
  return made;
}
napi_ref reference_to(napi_value value, std::uint32_t count) {
  const napi_ref made = new napi_ref__{value, count};
  env()->references.insert(made);
  return made;
}
void define(napi_value on, const napi_property_descriptor& property) {
  const std::string name = property.utf8name != nullptr ? property.utf8name : property.name->text;
  set(on, name, property.method != nullptr ? function_of(property.method, property.data) : property.value);
}
napi_status error_of(napi_value code, napi_value message, napi_value* to) {
  if (message->type != napi_string) return said(napi_string_expected);
  const napi_value made = make(napi_object, Kind::kError);
  set(made, "message", message);
  if (code != nullptr) set(made, "code", code);
  return give(to, made);
}

}  // namespace

#define OUTSIDE const Inside outside(false)
#define PREAMBLE \
  OUTSIDE;       \
  if (env()->exception != nullptr) return said(napi_pending_exception)
#define EXPECT(condition, status) \
  if (!(condition)) return said(status)

extern "C" {

// ---- values ---------------------------------------------------------------------------------------------------------

napi_status napi_get_undefined(napi_env e, napi_value* to) { OUTSIDE; return give(to, e->undefined); }
napi_status napi_get_boolean(napi_env e, bool value, napi_value* to) { OUTSIDE; return give(to, value ? e->yes : e->no); }
napi_status napi_create_double(napi_env, double value, napi_value* to) { OUTSIDE; return give(to, make_number(value)); }
napi_status napi_create_object(napi_env, napi_value* to) { OUTSIDE; return give(to, make(napi_object)); }
napi_status napi_create_array(napi_env, napi_value* to) { OUTSIDE; return give(to, make(napi_object, Kind::kArray)); }
napi_status napi_create_array_with_length(napi_env, size_t length, napi_value* to) {
  OUTSIDE;
  const napi_value made = make(napi_object, Kind::kArray);
  made->elements.resize(length, {"", env()->undefined, nullptr});
  return give(to, made);
}
napi_status napi_create_string_utf8(napi_env, const char* text, size_t length, napi_value* to) {
  OUTSIDE;
  return give(to, make_text(text_of(text, length)));
}
napi_status napi_create_string_latin1(napi_env, const char* text, size_t length, napi_value* to) {
  OUTSIDE;
  return give(to, make_text(text_of(text, length)));
}
napi_status napi_create_function(napi_env, const char*, size_t, napi_callback code, void* data, napi_value* to) {
  PREAMBLE;
  return give(to, function_of(code, data));
}
napi_status napi_create_error(napi_env, napi_value code, napi_value message, napi_value* to) {
  OUTSIDE;
  return error_of(code, message, to);
}
napi_status napi_create_type_error(napi_env, napi_value code, napi_value message, napi_value* to) {
  OUTSIDE;
  return error_of(code, message, to);
}
napi_status napi_typeof(napi_env, napi_value value, napi_valuetype* to) {
  OUTSIDE;
  *to = value->type;
  return said(napi_ok);
}
napi_status napi_get_value_double(napi_env, napi_value value, double* to) {
  OUTSIDE;
  EXPECT(value->type == napi_number, napi_number_expected);
  *to = value->number;
  return said(napi_ok);
}
napi_status napi_get_value_bool(napi_env, napi_value value, bool* to) {
  OUTSIDE;
  EXPECT(value->type == napi_boolean, napi_boolean_expected);
  *to = value->number != 0;
  return said(napi_ok);
}
napi_status napi_get_value_string_utf8(napi_env, napi_value value, char* buffer, size_t room, size_t* length) {
  OUTSIDE;
  EXPECT(value->type == napi_string, napi_string_expected);
  if (buffer == nullptr) return *length = value->text.size(), said(napi_ok);
  const std::size_t count = std::min(room == 0 ? 0 : room - 1, value->text.size());
  std::memcpy(buffer, value->text.data(), count);
  if (room > 0) buffer[count] = 0;
  if (length != nullptr) *length = count;
  return said(napi_ok);
}

// ---- objects --------------------------------------------------------------------------------------------------------

napi_status napi_get_property(napi_env, napi_value from, napi_value key, napi_value* to) {
  PREAMBLE;
  return read(from, key_of(key), to);
}
napi_status napi_get_named_property(napi_env, napi_value from, const char* name, napi_value* to) {
  PREAMBLE;
  return read(from, name, to);
}
napi_status napi_has_property(napi_env, napi_value from, napi_value key, bool* to) {
  PREAMBLE;
  EXPECT(has_properties(from), napi_object_expected);
  *to = own(from, key_of(key)) != nullptr;
  return said(napi_ok);
}
napi_status napi_set_named_property(napi_env, napi_value on, const char* name, napi_value value) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  set(on, name, value);
  return said(napi_ok);
}
napi_status napi_define_properties(napi_env, napi_value on, size_t count, const napi_property_descriptor* properties) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  for (size_t i = 0; i < count; ++i) define(on, properties[i]);
  return said(napi_ok);
}
napi_status napi_define_class(napi_env, const char*, size_t, napi_callback code, void* data, size_t count,
                              const napi_property_descriptor* properties, napi_value* to) {
  PREAMBLE;
  const napi_value made = function_of(code, data), prototype = make(napi_object);
  made->is_class = true;
  set(made, "prototype", prototype);
  set(prototype, "constructor", made);
  for (size_t i = 0; i < count; ++i) define((properties[i].attributes & napi_static) != 0 ? made : prototype, properties[i]);
  return give(to, made);
}
napi_status napi_is_array(napi_env, napi_value value, bool* to) {
  OUTSIDE;
  *to = value->kind == Kind::kArray;
  return said(napi_ok);
}
napi_status napi_get_array_length(napi_env, napi_value value, uint32_t* to) {
  OUTSIDE;
  EXPECT(value->kind == Kind::kArray, napi_array_expected);
  *to = static_cast<uint32_t>(value->elements.size());
  return said(napi_ok);
}
napi_status napi_get_element(napi_env, napi_value from, uint32_t i, napi_value* to) {
  PREAMBLE;
  return read(from, std::to_string(i), to);
}
napi_status napi_set_element(napi_env, napi_value on, uint32_t i, napi_value value) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  if (on->elements.size() <= i) on->elements.resize(i + 1, {"", env()->undefined, nullptr});
  on->elements[i] = {"", value, nullptr};
  return said(napi_ok);
}

// ---- arrays of bytes ------------------------------------------------------------------------------------------------

napi_status napi_create_arraybuffer(napi_env, size_t size, void** data, napi_value* to) {
  PREAMBLE;
  const napi_value made = make_buffer(size);
  if (data != nullptr) *data = made->bytes;
  return give(to, made);
}
napi_status napi_is_arraybuffer(napi_env, napi_value value, bool* to) {
  OUTSIDE;
  *to = value->kind == Kind::kBuffer;
  return said(napi_ok);
}
napi_status napi_is_detached_arraybuffer(napi_env, napi_value value, bool* to) {
  OUTSIDE;
  *to = value->kind == Kind::kBuffer && value->detached;
  return said(napi_ok);
}
napi_status napi_get_arraybuffer_info(napi_env, napi_value value, void** data, size_t* size) {
  OUTSIDE;
  EXPECT(value->kind == Kind::kBuffer, napi_invalid_arg);
  if (data != nullptr) *data = value->bytes;
  if (size != nullptr) *size = value->size;
  return said(napi_ok);
}
napi_status napi_create_typedarray(napi_env, napi_typedarray_type type, size_t length, napi_value buffer, size_t offset,
                                   napi_value* to) {
  PREAMBLE;
  EXPECT(buffer->kind == Kind::kBuffer, napi_invalid_arg);
  if (offset % size_of(type) != 0 || length * size_of(type) + offset > buffer->size) {
    env()->exception = make_error("Invalid typed array length");
    return said(napi_pending_exception);
  }
  return give(to, make_typed(type, buffer, offset, length));
}
napi_status napi_is_typedarray(napi_env, napi_value value, bool* to) {
  OUTSIDE;
  *to = value->kind == Kind::kTyped;
  return said(napi_ok);
}
napi_status napi_get_typedarray_info(napi_env, napi_value value, napi_typedarray_type* type, size_t* length, void** data,
                                     napi_value* buffer, size_t* offset) {
  OUTSIDE;
  EXPECT(value->kind == Kind::kTyped, napi_invalid_arg);
  // one whose buffer was detached or is now too short has no entries
  const bool out = value->offset + value->length * size_of(value->array) > value->buffer->size;
  if (type != nullptr) *type = value->array;
  if (length != nullptr) *length = out ? 0 : value->length;
  if (data != nullptr) *data = out || value->buffer->bytes == nullptr ? nullptr : value->buffer->bytes + value->offset;
  if (buffer != nullptr) *buffer = held(value->buffer);
  if (offset != nullptr) *offset = out ? 0 : value->offset;
  return said(napi_ok);
}

// ---- calls, errors --------------------------------------------------------------------------------------------------

napi_status napi_get_cb_info(napi_env e, napi_callback_info info, size_t* count, napi_value* arguments, napi_value* self,
                             void** data) {
  OUTSIDE;
  if (count != nullptr) {
    for (size_t i = 0; arguments != nullptr && i < *count; ++i)
      arguments[i] = i < info->arguments.size() ? info->arguments[i] : e->undefined;
    *count = info->arguments.size();
  }
  if (self != nullptr) *self = info->self;
  if (data != nullptr) *data = info->data;
  return said(napi_ok);
}
napi_status napi_get_new_target(napi_env, napi_callback_info info, napi_value* to) {
  OUTSIDE;
  *to = info->new_target;
  return said(napi_ok);
}
napi_status napi_call_function(napi_env, napi_value self, napi_value function, size_t count, const napi_value* arguments,
                               napi_value* to) {
  PREAMBLE;
  EXPECT(function->type == napi_function, napi_invalid_arg);
  const napi_value result = call(function, self, {arguments, arguments + count});
  if (result == nullptr) return said(napi_pending_exception);
  if (to != nullptr) *to = result;
  return said(napi_ok);
}
napi_status napi_throw(napi_env e, napi_value error) {
  PREAMBLE;
  e->exception = error;
  return said(napi_ok);
}
napi_status napi_is_exception_pending(napi_env e, bool* to) {
  OUTSIDE;
  *to = e->exception != nullptr;
  return said(napi_ok);
}
napi_status napi_get_and_clear_last_exception(napi_env e, napi_value* to) {
  OUTSIDE;
  return give(to, e->exception == nullptr ? e->undefined : take_exception());
}
napi_status napi_get_last_error_info(napi_env e, const napi_extended_error_info** to) {
  *to = &e->last;
  return napi_ok;
}
void napi_fatal_error(const char* where, size_t, const char* what, size_t) {
  std::fprintf(stderr, "%s: %s\n", where, what);
  broken("the addon ends the process");
}

// ---- what lives how long --------------------------------------------------------------------------------------------

napi_status napi_open_handle_scope(napi_env e, napi_handle_scope* to) {
  OUTSIDE;
  e->scopes.push_back(e->handles.size());
  *to = new napi_handle_scope__{e->scopes.size()};
  return said(napi_ok);
}
napi_status napi_close_handle_scope(napi_env e, napi_handle_scope scope) {
  OUTSIDE;
  if (scope->depth != e->scopes.size()) broken("handle scopes closed in another order");
  e->handles.resize(e->scopes.back());
  e->scopes.pop_back();
  delete scope;
  return said(napi_ok);
}
napi_status napi_open_escapable_handle_scope(napi_env e, napi_escapable_handle_scope* to) {
  OUTSIDE;
  e->scopes.push_back(e->handles.size());
  *to = new napi_escapable_handle_scope__{e->scopes.size(), false};
  return said(napi_ok);
}
napi_status napi_close_escapable_handle_scope(napi_env e, napi_escapable_handle_scope scope) {
  OUTSIDE;
  if (scope->depth != e->scopes.size()) broken("handle scopes closed in another order");
  e->handles.resize(e->scopes.back());
  e->scopes.pop_back();
  delete scope;
  return said(napi_ok);
}
napi_status napi_escape_handle(napi_env e, napi_escapable_handle_scope scope, napi_value value, napi_value* to) {
  OUTSIDE;
  EXPECT(!scope->escaped, napi_escape_called_twice);
  if (scope->depth != e->scopes.size()) broken("a handle escapes from a scope that is not the innermost");
  scope->escaped = true;
  e->handles.insert(e->handles.begin() + static_cast<std::ptrdiff_t>(e->scopes.back()++), value);
  *to = value;
  return said(napi_ok);
}
napi_status napi_create_reference(napi_env, napi_value value, uint32_t count, napi_ref* to) {
  OUTSIDE;
  EXPECT(is_object(value) || value->type == napi_symbol, napi_invalid_arg);
  *to = reference_to(value, count);
  return said(napi_ok);
}
napi_status napi_delete_reference(napi_env e, napi_ref reference) {
  OUTSIDE;
  if (e->references.erase(reference) == 0) broken("a reference is deleted twice");
  delete reference;
  return said(napi_ok);
}
napi_status napi_get_reference_value(napi_env, napi_ref reference, napi_value* to) {
  OUTSIDE;
  *to = reference->value == nullptr ? nullptr : held(reference->value);
  return said(napi_ok);
}
napi_status napi_wrap(napi_env, napi_value on, void* data, napi_finalize run, void* hint, napi_ref* to) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  EXPECT(!on->is_wrapped, napi_invalid_arg);
  on->is_wrapped = true;
  on->wrapped = {run, data, hint};
  if (to != nullptr) *to = reference_to(on, 0);
  return said(napi_ok);
}
napi_status napi_unwrap(napi_env, napi_value from, void** to) {
  PREAMBLE;
  EXPECT(is_object(from), napi_object_expected);
  EXPECT(from->is_wrapped, napi_invalid_arg);
  *to = from->wrapped.data;
  return said(napi_ok);
}
napi_status napi_remove_wrap(napi_env, napi_value from, void** to) {
  PREAMBLE;
  EXPECT(is_object(from), napi_object_expected);
  EXPECT(from->is_wrapped, napi_invalid_arg);
  from->is_wrapped = false;
  if (to != nullptr) *to = from->wrapped.data;
  return said(napi_ok);
}
napi_status napi_add_finalizer(napi_env, napi_value on, void* data, napi_finalize run, void* hint, napi_ref* to) {
  OUTSIDE;
  EXPECT(is_object(on), napi_invalid_arg);
  on->finalizers.push_back({run, data, hint});
  if (to != nullptr) *to = reference_to(on, 0);
  return said(napi_ok);
}
napi_status napi_type_tag_object(napi_env, napi_value on, const napi_type_tag* tag) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  EXPECT(!on->tag, napi_invalid_arg);
  on->tag = *tag;
  return said(napi_ok);
}
napi_status napi_check_object_type_tag(napi_env, napi_value on, const napi_type_tag* tag, bool* to) {
  PREAMBLE;
  EXPECT(is_object(on), napi_object_expected);
  *to = on->tag && on->tag->lower == tag->lower && on->tag->upper == tag->upper;
  return said(napi_ok);
}

// ---- work off the event loop ----------------------------------------------------------------------------------------

napi_status napi_create_promise(napi_env e, napi_deferred* deferred, napi_value* to) {
  PREAMBLE;
  const napi_value promise = make(napi_object, Kind::kPromise);
  *deferred = new napi_deferred__{promise};
  e->deferred.insert(*deferred);
  return give(to, promise);
}
static napi_status settled(napi_env e, napi_deferred deferred, int how, napi_value with) {
  if (e->deferred.erase(deferred) == 0) broken("a promise is settled twice");
  deferred->promise->settled = how;
  deferred->promise->value = with;
  delete deferred;
  return said(napi_ok);
}
napi_status napi_resolve_deferred(napi_env e, napi_deferred deferred, napi_value with) {
  PREAMBLE;
  return settled(e, deferred, 1, with);
}
napi_status napi_reject_deferred(napi_env e, napi_deferred deferred, napi_value with) {
  PREAMBLE;
  return settled(e, deferred, 2, with);
}
napi_status napi_create_async_work(napi_env, napi_value, napi_value, napi_async_execute_callback execute,
                                   napi_async_complete_callback complete, void* data, napi_async_work* to) {
  OUTSIDE;
  *to = new napi_async_work__{execute, complete, data, false, false, {}};
  return said(napi_ok);
}
napi_status napi_delete_async_work(napi_env, napi_async_work work) {
  OUTSIDE;
  if (work->queued && !work->done) broken("work is deleted before its end");
  delete work;
  return said(napi_ok);
}
napi_status napi_queue_async_work(napi_env e, napi_async_work work) {
  OUTSIDE;
  work->queued = true;
  e->queue.push_back(work);
  if (e->threads_at_once) work->thread = std::thread([e, work] { work->execute(e, work->data); });
  return said(napi_ok);
}
napi_status napi_async_destroy(napi_env, napi_async_context) { return said(napi_ok); }
napi_status napi_close_callback_scope(napi_env, napi_callback_scope) { return said(napi_ok); }

}  // extern "C"
