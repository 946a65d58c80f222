// Reading what JavaScript hands over. Types, lengths, offsets and ranges are checked here, and everything is copied: a
// job never looks at memory that JavaScript can change, shrink or detach meanwhile. at_once.h is for calls without a job.
#pragma once
#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "core/event.h"
#include "kernels/ops.h"
#include "core/status.h"

namespace aclr::binding {

// One line of bearable length, whatever names and paths a message repeats.
inline std::string one_line(std::string message) {
  constexpr std::size_t kMost = 480;
  for (char& c : message)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  if (message.size() > kMost) message.replace(kMost / 2, message.size() - kMost, " ... ");
  return message;
}

[[noreturn]] inline void fail(Napi::Env env, const std::string& message) {
  throw Napi::TypeError::New(env, one_line(message));
}

// A Status as a JavaScript error with `code`.
inline Napi::Error to_error(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, one_line(status.message()));
  error.Set("code", Napi::String::New(env, status.code_name()));
  return error;
}
inline void check(Napi::Env env, const Status& status) {
  if (!status.ok()) throw to_error(env, status);
}

inline Napi::Object object_of(Napi::Value value, const char* what) {
  if (!value.IsObject() || value.IsNull()) fail(value.Env(), std::string(what) + " must be an object");
  return value.As<Napi::Object>();
}

// As short as tells it: 1e+308 has 309 digits before its point.
inline std::string told(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", number);
  return text;
}

inline double number_of(Napi::Object from, const char* name, double low, double high) {
  const Napi::Value value = from.Get(name);
  if (!value.IsNumber()) fail(from.Env(), std::string(name) + " must be a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= low && number <= high))
    fail(from.Env(), std::string(name) + " is " + told(number) + ", must lie in " + told(low) + ".." + told(high));
  return number;
}

inline double number_or(Napi::Object from, const char* name, double standard, double low, double high) {
  return from.Get(name).IsUndefined() ? standard : number_of(from, name, low, high);
}

inline double whole_of(Napi::Object from, const char* name, double low, double high) {
  const double number = number_of(from, name, low, high);
  if (number != std::floor(number)) fail(from.Env(), std::string(name) + " must be a whole number");
  return number;
}

inline int integer_of(Napi::Object from, const char* name, double low, double high) {
  return static_cast<int>(whole_of(from, name, low, high));
}

inline std::uint32_t word_of(Napi::Object from, const char* name) {
  return static_cast<std::uint32_t>(whole_of(from, name, 0, 4294967295.0));
}

inline constexpr double kMaxSafeInteger = 9007199254740991.0;
inline std::uint64_t seed_of(Napi::Object from) {
  return static_cast<std::uint64_t>(whole_of(from, "seed", 0, kMaxSafeInteger));
}

inline bool flag_of(Napi::Object from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsBoolean()) fail(from.Env(), std::string(name) + " must be true or false");
  return value.As<Napi::Boolean>().Value();
}

inline std::string text_of(Napi::Object from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsString()) fail(from.Env(), std::string(name) + " must be a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) fail(from.Env(), std::string(name) + " has a NUL character");
  return text;
}

// Whether `name` holds `second` rather than `first`; nothing else may stand there.
inline bool is_second(Napi::Object from, const char* name, const char* first, const char* second) {
  const std::string text = text_of(from, name);
  if (text != first && text != second) fail(from.Env(), std::string(name) + " must be " + first + " or " + second);
  return text == second;
}

// How a session computes: in float or double, and what matrix products take their factors in.
struct Precision {
  bool is_double;
  Products products;
};
inline Precision precision_of(Napi::Object from) {
  const std::string text = text_of(from, "precision");
  if (text != "f32" && text != "f64" && text != "bf16") fail(from.Env(), "precision must be f32, f64 or bf16");
  return {text == "f64", text == "bf16" ? Products::kBf16 : Products::kExact};
}

// The optional `precision` of calls whose arrays say the rest: nothing else than bf16, and that for float only.
template <class T>
Products products_of(Napi::Object from) {
  const Napi::Value value = from.Get("precision");
  if (value.IsUndefined()) return Products::kExact;
  if (!value.IsString() || value.As<Napi::String>().Utf8Value() != "bf16" || !std::is_same_v<T, float>)
    fail(from.Env(), "precision can be bf16 with arrays of float32, or left out");
  return Products::kBf16;
}

// run(T(), argument) in double where the array of that name is of float64. What is no array is refused later.
template <class Run>
Napi::Value by_type(const Napi::CallbackInfo& call, const char* name, const Run& run) {
  const Napi::Object from = object_of(call[0], "the argument");
  const Napi::Value value = from.Get(name);
  const bool is_double = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array;
  return is_double ? run(double(), from) : run(float(), from);
}

template <class T>
constexpr napi_typedarray_type array_type() {
  if constexpr (std::is_same_v<T, float>) return napi_float32_array;
  if constexpr (std::is_same_v<T, double>) return napi_float64_array;
  if constexpr (std::is_same_v<T, std::int32_t>) return napi_int32_array;
  if constexpr (std::is_same_v<T, std::uint8_t>) return napi_uint8_array;
  if constexpr (std::is_same_v<T, std::uint32_t>) return napi_uint32_array;
}

template <class T>
struct Span {
  const T* data = nullptr;
  std::size_t size = 0;
};

// A view of a typed array, good until control returns to JavaScript, be it to a getter: values are fetched first, then
// looked into.
template <class T>
Span<T> span_of(Napi::Value value, const char* name) {
  static const char* const kNames[] = {"Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array",
                                       "Int32Array", "Uint32Array", "Float32Array", "Float64Array"};
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != array_type<T>())
    fail(value.Env(), std::string(name) + " must be a " + kNames[array_type<T>()]);
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.ElementLength()};  // a detached array has length 0
}

template <class T>
std::vector<T> copy_of(Napi::Object from, const char* name) {
  const Span<T> span = span_of<T>(from.Get(name), name);
  return std::vector<T>(span.data, span.data + span.size);
}

template <class T>
std::vector<T> copy_of(Napi::Object from, const char* name, std::size_t count) {
  const Span<T> span = span_of<T>(from.Get(name), name);
  if (span.size != count)
    fail(from.Env(), std::string(name) + " has " + std::to_string(span.size) + " entries, must have " + std::to_string(count));
  return std::vector<T>(span.data, span.data + span.size);
}

template <class T>
Napi::TypedArrayOf<T> array_from(Napi::Env env, const T* data, std::size_t count) {
  auto array = Napi::TypedArrayOf<T>::New(env, count, array_type<T>());
  std::copy(data, data + count, array.Data());
  return array;
}
template <class T>
Napi::TypedArrayOf<T> array_from(Napi::Env env, const std::vector<T>& data) {
  return array_from(env, data.data(), data.size());
}

// What the random numbers of events are keyed by: `ids`, one for each, or their places.
inline std::vector<std::int32_t> keys_of(Napi::Object from, std::vector<std::int32_t> places) {
  const Napi::Value value = from.Get("ids");
  if (value.IsUndefined()) return places;
  const auto ids = span_of<std::int32_t>(value, "ids");
  if (ids.size != places.size())
    fail(from.Env(), "ids has " + std::to_string(ids.size) + " entries for " + std::to_string(places.size()) + " events");
  return {ids.data, ids.data + ids.size};
}

// The events {pt, eta, phi, kind, offsets} of a batch, or those at `index`, in that order. Every offset and kind that is
// read is checked first. Column is the type of pt, eta and phi.
template <class T, class Column = float>
EventColumns<T> events_of(Napi::Object from, std::vector<std::int32_t>* keys_out = nullptr) {
  const Napi::Env env = from.Env();
  const Napi::Object events = object_of(from.Get("events"), "events");
  const Napi::Value pt_value = events.Get("pt"), eta_value = events.Get("eta"), phi_value = events.Get("phi"),
                    kind_value = events.Get("kind"), offsets_value = events.Get("offsets"), index_value = from.Get("index");
  const auto pt = span_of<Column>(pt_value, "pt"), eta = span_of<Column>(eta_value, "eta"),
             phi = span_of<Column>(phi_value, "phi");
  const auto kind = span_of<std::uint8_t>(kind_value, "kind");
  const auto given_offsets = span_of<std::int32_t>(offsets_value, "offsets");
  // looked at twice, and another thread may write to shared memory
  const std::vector<std::int32_t> offsets(given_offsets.data, given_offsets.data + given_offsets.size);
  if (eta.size != pt.size || phi.size != pt.size || kind.size != pt.size)
    fail(env, "pt, eta, phi and kind must have the same length");
  if (offsets.empty()) fail(env, "offsets must have one entry more than there are events");
  const std::size_t total = offsets.size() - 1;

  std::vector<std::int32_t> index;
  if (index_value.IsUndefined()) {
    index.resize(total);
    for (std::size_t i = 0; i < total; ++i) index[i] = static_cast<std::int32_t>(i);
  } else {
    const auto given = span_of<std::int32_t>(index_value, "index");
    index.assign(given.data, given.data + given.size);
  }
  EventColumns<T> out;
  out.offsets.resize(index.size() + 1);
  std::size_t objects = 0;
  for (std::size_t e = 0; e < index.size(); ++e) {
    const std::int32_t i = index[e];
    if (i < 0 || static_cast<std::size_t>(i) >= total)
      fail(env, "index names event " + std::to_string(i) + " of " + std::to_string(total));
    const std::int32_t first = offsets[i], last = offsets[i + 1];
    if (first < 0 || last < first || static_cast<std::size_t>(last) > pt.size)
      fail(env, "offsets of event " + std::to_string(i) + " do not lie within its columns");
    if (last - first > kMaxObjects)
      fail(env, "event " + std::to_string(i) + " has " + std::to_string(last - first) + " objects, the most is " +
                    std::to_string(kMaxObjects));
    objects += static_cast<std::size_t>(last - first);
    if (objects > INT32_MAX) fail(env, "the events have more than 2^31 objects");
    out.offsets[e + 1] = static_cast<std::int32_t>(objects);
  }
  for (std::vector<T>* column : {&out.pt, &out.eta, &out.phi}) column->resize(objects);
  out.kind.resize(objects);
  for (std::size_t e = 0; e < index.size();) {
    const std::size_t start = e;
    std::int32_t last = offsets[index[e] + 1];  // events that are neighbours go together
    while (++e < index.size() && offsets[index[e]] == last) last = offsets[index[e] + 1];
    const std::int32_t first = offsets[index[start]], to = out.offsets[start];
    std::copy(pt.data + first, pt.data + last, out.pt.begin() + to);
    std::copy(eta.data + first, eta.data + last, out.eta.begin() + to);
    std::copy(phi.data + first, phi.data + last, out.phi.begin() + to);
    std::copy(kind.data + first, kind.data + last, out.kind.begin() + to);
  }
  const auto wrong = std::find_if(out.kind.begin(), out.kind.end(), [](int kind) { return kind < 1 || kind > kKinds; });
  if (wrong != out.kind.end()) {
    const auto after = std::upper_bound(out.offsets.begin(), out.offsets.end(), wrong - out.kind.begin());
    fail(env, "event " + std::to_string(index[after - out.offsets.begin() - 1]) + " has an object of class " +
                  std::to_string(*wrong));
  }
  if (keys_out != nullptr) *keys_out = keys_of(from, std::move(index));
  return out;
}

// The events of all parts, one after another.
template <class T>
Napi::Object columns_to_js(Napi::Env env, const std::vector<EventColumns<T>>& parts) {
  const auto joined = [&](auto column, std::size_t total) {
    using Item = typename std::decay_t<decltype((EventColumns<T>{}).*column)>::value_type;
    auto array = Napi::TypedArrayOf<Item>::New(env, total, array_type<Item>());
    Item* to = array.Data();
    for (const EventColumns<T>& part : parts) to = std::copy((part.*column).begin(), (part.*column).end(), to);
    return array;
  };
  std::size_t objects = 0, events = 0;
  for (const EventColumns<T>& part : parts) {
    objects += part.pt.size();
    events += static_cast<std::size_t>(part.events());
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("pt", joined(&EventColumns<T>::pt, objects));
  out.Set("eta", joined(&EventColumns<T>::eta, objects));
  out.Set("phi", joined(&EventColumns<T>::phi, objects));
  out.Set("kind", joined(&EventColumns<T>::kind, objects));
  auto offsets = Napi::Int32Array::New(env, events + 1);
  std::int32_t* to = offsets.Data();
  *to = 0;
  for (const EventColumns<T>& part : parts) {
    const std::int32_t before = *to;
    for (int i = 1; i <= part.events(); ++i) *++to = before + part.offsets[i];
  }
  out.Set("offsets", offsets);
  return out;
}

}  // namespace aclr::binding
