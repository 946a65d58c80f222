// Node-API without Node.js: the functions that the addon imports, on values of our own, so that a fuzzer can be all of
// JavaScript. Memory is the strictest there can be: every buffer is a heap block of exactly its size, a value that no open
// handle scope, reference or caller holds is freed at the next collection, finalizers run late.
#pragma once
#include <node_api.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace aclr::fuzz {

enum class Kind { kPlain, kArray, kBuffer, kShared, kTyped, kView, kPromise, kError };

// A getter returns null with an exception pending.
using Getter = std::function<napi_value()>;
struct Property {
  std::string key;
  napi_value value = nullptr;
  Getter getter = nullptr;
};
struct Finalizer {
  napi_finalize run = nullptr;
  void *data = nullptr, *hint = nullptr;
};

}  // namespace aclr::fuzz

struct napi_value__ {
  napi_valuetype type = napi_undefined;
  aclr::fuzz::Kind kind = aclr::fuzz::Kind::kPlain;
  double number = 0;  // and of booleans
  std::string text;   // of strings, and of symbols
  std::vector<aclr::fuzz::Property> properties, elements;
  aclr::fuzz::Getter trap;  // of proxies: in place of every property
  napi_value prototype = nullptr;
  napi_callback code = nullptr;  // of functions
  bool is_class = false;
  void* data = nullptr;
  std::uint8_t* bytes = nullptr;  // of buffers
  std::size_t size = 0;
  bool detached = false;
  napi_typedarray_type array = napi_uint8_array;  // of typed arrays, whose `offset` is in bytes
  napi_value buffer = nullptr;
  std::size_t offset = 0, length = 0;
  aclr::fuzz::Finalizer wrapped;
  bool is_wrapped = false;
  std::vector<aclr::fuzz::Finalizer> finalizers;
  std::optional<napi_type_tag> tag;
  int settled = 0;  // of promises: 1 resolved, 2 rejected, with `value`
  napi_value value = nullptr;
  bool marked = false;
  bool fixed = false;  // of the addon itself: no input changes it
};
struct napi_ref__ {
  napi_value value;
  std::uint32_t count;
};
struct napi_deferred__ {
  napi_value promise;
};
struct napi_callback_info__ {
  napi_value self, new_target;
  std::vector<napi_value> arguments;
  void* data;
};
struct napi_async_work__ {
  napi_async_execute_callback execute;
  napi_async_complete_callback complete;
  void* data;
  bool queued = false, done = false;
  std::thread thread;
};

struct napi_env__ {
  std::vector<napi_value> heap, handles;
  std::vector<std::size_t> scopes;  // where in `handles` each open one begins
  std::vector<napi_value> roots;    // what JavaScript itself holds
  std::set<napi_ref> references;
  std::set<napi_deferred> deferred;
  std::vector<aclr::fuzz::Finalizer> late;
  std::vector<napi_async_work> queue;
  napi_value exception = nullptr;  // pending
  napi_extended_error_info last{};
  napi_value undefined, null, yes, no;
  bool threads_at_once = false;  // queued work begins at once on a thread, or waits for settle()
  long fail_in_work = 0;         // the allocation of the next work that fails
  long collect_at = 0;           // so many values from here there is a collection
};

namespace aclr::fuzz {

napi_env env();
// The exports of the addon.
napi_value addon();

std::size_t size_of(napi_typedarray_type type);
napi_value make(napi_valuetype type, Kind kind = Kind::kPlain);
napi_value make_number(double number);
napi_value make_text(std::string text);
napi_value make_buffer(std::size_t size, bool shared = false);
napi_value make_typed(napi_typedarray_type type, napi_value buffer, std::size_t offset, std::size_t length);
napi_value make_error(std::string message);

// Reads as JavaScript does; null where a getter threw.
napi_value get(napi_value from, const std::string& key);
void set(napi_value to, const std::string& key, napi_value value);
// Own properties only, without getters; null where there is none.
napi_value own(napi_value from, const std::string& key);

// Null where it threw: the exception is pending.
napi_value call(napi_value function, napi_value self, std::vector<napi_value> arguments, napi_value new_target = nullptr);
napi_value construct(napi_value function, std::vector<napi_value> arguments, napi_value new_target = nullptr);
napi_value take_exception();

void detach(napi_value buffer);
// A resizable buffer made smaller.
void shrink(napi_value buffer, std::size_t size);

void collect();
void run_finalizers();
// Runs the oldest queued work to its end, and its completion; false where there is none.
bool settle();
// After an input: all work, everything collected, all of it accounted for.
void finish();

[[noreturn]] void broken(const char* what);

}  // namespace aclr::fuzz
