// Changes at one place of an argument: what JavaScript can put there, or do while it is read.
#include <cmath>
#include <cstring>
#include <memory>

#include "boundary.h"

namespace aclr::fuzz {
namespace {

// A value within an argument, by what holds it.
struct Place {
  napi_value holder;
  std::string key;  // of an array's entry: its number

  Property* slot() const {
    if (holder->kind == Kind::kArray && !key.empty() && key.find_first_not_of("0123456789") == key.npos)
      return &holder->elements[std::strtoul(key.c_str(), nullptr, 10)];
    for (Property& property : holder->properties)
      if (property.key == key) return &property;
    return nullptr;
  }
  napi_value value() const { return slot()->value == nullptr ? env()->undefined : slot()->value; }
  void put(napi_value value) const {
    slot()->value = value;
    slot()->getter = nullptr;
  }
};

void walk(napi_value from, std::vector<Place>& places, int depth = 0) {
  const auto into = [&](const Property& property, std::string key) {
    places.push_back({from, std::move(key)});
    if (property.value != nullptr && !property.value->trap && depth < 6) walk(property.value, places, depth + 1);
  };
  if (from->type != napi_object || from->fixed || from->is_wrapped || from->kind == Kind::kTyped) return;
  // copies, as places are found while properties stay
  for (std::size_t i = 0; i < from->properties.size(); ++i) into(from->properties[i], from->properties[i].key);
  for (std::size_t i = 0; i < from->elements.size() && i < 8; ++i) into(from->elements[i], std::to_string(i));
}

std::vector<double> numbers_of(napi_value array) {
  std::vector<double> numbers(std::min<std::size_t>(array->length, 1 << 16));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = number_at(array, i);
  return numbers;
}

// The same numbers in another type, count, or within a longer or shared buffer.
napi_value retyped(napi_value array, napi_typedarray_type type) { return typed(type, numbers_of(array)); }
napi_value relength(napi_value array, std::size_t count) {
  std::vector<double> numbers = numbers_of(array);
  const std::vector<double> old = numbers;
  numbers.resize(count);
  for (std::size_t i = old.size(); i < count && !old.empty(); ++i) numbers[i] = old[i % old.size()];
  return typed(array->array, numbers);
}
napi_value within(napi_value array, std::size_t before, std::size_t after, bool shared) {
  const std::size_t size = size_of(array->array);
  const std::vector<double> numbers = numbers_of(array);
  const napi_value made =
      make_typed(array->array, make_buffer((before + numbers.size() + after) * size, shared), before * size, numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) set_number_at(made, i, numbers[i]);
  return made;
}

napi_value trapped(Getter getter) {
  const napi_value made = make(napi_object);
  made->trap = std::move(getter);
  return made;
}

napi_value throw_something(std::uint8_t which) {
  env()->exception = which % 4 == 0 ? make_number(which) : which % 4 == 1 ? env()->undefined : make_error("thrown by a getter");
  return nullptr;
}

napi_value sundry(std::uint8_t which, World& world) {
  static constexpr const char* kClasses[] = {"Trainer", "Perceptron", "Scorer", "Group"};
  switch (which % 26) {
    case 0: return env()->undefined;
    case 1: return env()->null;
    case 2: return env()->yes;
    case 3: return env()->no;
    case 4: return make(napi_bigint);
    case 5: return make(napi_symbol);
    case 6: return make(napi_function);
    case 7: return object({});
    case 8: return array({});
    case 9: return array({make_number(0), make_number(1)});
    case 10: return array({array({}), array({}), array({})});
    case 11: return make_buffer(16);
    case 12: return make_buffer(16, true);
    case 13: return make(napi_object, Kind::kView);
    case 14: return make(napi_external);
    case 15: return make(napi_object, Kind::kPromise);
    case 16: return make_error("given");
    case 17: return trapped([] { return throw_something(2); });
    case 18: return trapped([] { return env()->undefined; });
    case 19: return own(addon(), kClasses[which / 26 % std::size(kClasses)]);
    case 20: return own(own(addon(), kClasses[which / 26 % std::size(kClasses)]), "prototype");
    case 21: return typed(napi_float64_array, {1, 2, 3});
    case 22: return addon();
    case 23: return make_text("text");
    default: {
      const napi_value session = world.session(kClasses[which / 26 % std::size(kClasses)]);
      return session == nullptr ? env()->undefined : session;
    }
  }
}

// Keys that are left out of good arguments, with something in them.
void add_key(napi_value to, const Change& c, World& world) {
  static constexpr const char* kKeys[] = {"precision", "device", "library", "deviceIndex", "ranks", "group", "total", "first",
                                          "ids", "index", "next", "keyBias", "bias", "relu", "keep", "keepScale", "gradients",
                                          "etaScale", "phiScale", "matrix", "invarianceWeight", "anomalyWeight", "length", "encoder"};
  if (to->type != napi_object || to->fixed || to->kind != Kind::kPlain || to->trap) return;
  const char* const key = kKeys[c.a % std::size(kKeys)];
  switch (c.b % 6) {
    case 0: return set(to, key, make_number(odd_number(c.b / 6)));
    case 1: return set(to, key, make_text(odd_text(c.b / 6)));
    case 2: return set(to, key, typed(napi_int32_array, {static_cast<double>(c.b / 6 % 8), 1, 0}));
    case 3: return set(to, key, sundry(c.b / 6, world));
    case 4:
      set(to, "library", make_text(ACLR_FUZZ_DEVICE));
      set(to, "deviceIndex", make_number(c.b / 6 % 4 == 3 ? 10 + c.b / 6 : c.b / 6 % 4));
      return set(to, "device", make_text("cuda"));
    default: {
      const napi_value group = world.session("Group");
      if (group != nullptr) set(to, "group", group);
    }
  }
}

// What getters do before they hand over what stood there.
Getter mischief(const Change& c, napi_value value, napi_value other, World& world) {
  switch (c.a % 6) {
    case 0: return [value, b = c.b] { return b % 8 == 0 ? value : throw_something(b); };
    case 1: return [value, &world] { return world.nested(), value; };
    case 2: return [value, other, b = c.b] {
      if (other->kind == Kind::kTyped) {
        if (b % 2 == 0) detach(other->buffer);
        else shrink(other->buffer, b / 2 % (other->buffer->size + 1));
      }
      return value;
    };
    case 3: return [value] { return collect(), run_finalizers(), value; };
    case 4: return [value, n = std::make_shared<int>(0), &world, b = c.b] {  // another one each time
      return (*n)++ % 2 == 0 ? value : sundry(b, world);
    };
    default: return [value, &world] {
      world.ask("dispose");
      if (env()->exception != nullptr) take_exception();
      return value;
    };
  }
}

napi_value changed_array(napi_value array, napi_value other, const Change& c) {
  switch (c.kind % 10) {
    case 0: set_number_at(array, array->length == 0 ? 0 : c.a % array->length, odd_number(c.b)); return array;
    case 1: set_number_at(array, array->length == 0 ? 0 : c.a % array->length, static_cast<std::int8_t>(c.b)); return array;
    case 2: return relength(array, c.a);
    case 3: return relength(array, static_cast<std::size_t>(c.a) * (c.b + 1));
    case 4: return retyped(array, static_cast<napi_typedarray_type>(c.a % 11));
    case 5: return within(array, c.a % 9, c.b % 9, (c.b & 16) != 0);
    case 6: detach(array->buffer); return array;
    case 7: shrink(array->buffer, c.a % (array->buffer->size + 1)); return array;
    case 8:  // the other's own, or its memory from some entry on
      if (other->kind != Kind::kTyped || (c.b & 1) == 0) return other;
      if (const std::size_t size = size_of(array->array), room = other->buffer->size / size; room > 0) {
        const std::size_t from = c.a % room;
        return make_typed(array->array, other->buffer, from * size, std::min(array->length, room - from));
      }
      return other;
    default: {
      std::vector<double> numbers = numbers_of(array);
      for (double& x : numbers) x = odd_number(static_cast<std::uint8_t>(c.a + c.b * (&x - numbers.data())));
      return typed(array->array, numbers);
    }
  }
}

napi_value changed(napi_value value, napi_value other, const Change& c, World& world) {
  if (value->kind == Kind::kTyped) return changed_array(value, other, c);
  if (value->type == napi_number) {
    if (c.kind % 10 < 5) return make_number(odd_number(c.a));
    return make_number(c.kind % 10 < 8 ? c.a : c.a * 256 + c.b + (c.kind % 10 == 9 ? 0.5 : 0));
  }
  if (value->type == napi_string) return make_text(odd_text(c.a));
  if (value->type == napi_boolean) return value == env()->yes ? env()->no : env()->yes;
  if (value->kind == Kind::kArray) {
    if (c.kind % 2 == 0) value->elements.resize(c.a % 6, {"", env()->undefined, nullptr});
    else if (!value->elements.empty()) value->elements.push_back(value->elements[c.a % value->elements.size()]);
    return value;
  }
  add_key(value, c, world);
  return value;
}

void to_doubles(napi_value holder) {
  std::vector<Place> places;
  walk(holder, places);
  for (const Place& place : places)
    if (const napi_value value = place.value(); value->kind == Kind::kTyped && value->array == napi_float32_array)
      place.put(retyped(value, napi_float64_array));
}

}  // namespace

void change(napi_value holder, const Change& c, World& world) {
  if (c.kind == 0) return;
  std::vector<Place> places;
  walk(holder, places);
  const Place& place = places[c.place % places.size()];
  const napi_value value = place.value(), other = places[c.b % places.size()].value();
  switch (c.kind % 16) {
    case 0: return place.put(sundry(c.a, world));
    case 1: return place.put(env()->undefined);
    case 2: {
      place.slot()->getter = mischief(c, value, other, world);
      return;
    }
    case 3: return place.put(make_number(odd_number(c.a)));
    case 4: return place.put(other);
    case 5: {  // what the session itself says: weights, or its whole state
      const napi_value said = world.ask(c.a % 2 == 0 ? "weights" : "state");
      if (env()->exception != nullptr) take_exception();
      if (said != nullptr) place.put(said);
      return;
    }
    case 6: return to_doubles(holder);
    default: return place.put(changed(value, other, c, world));
  }
}

void make_short(napi_value argument) {
  std::vector<Place> places;
  const napi_value holder = object({{"argument", argument}});
  walk(holder, places);
  for (const Place& place : places)
    if (const napi_value value = place.value(); value->type == napi_number && (place.key == "seconds" || place.key == "patience"))
      if (value->number > 0.01) place.put(make_number(value->number > 1e6 ? value->number : 0.01));
}

std::vector<napi_value> typed_arrays(napi_value argument) {
  std::vector<Place> places;
  const napi_value holder = object({{"argument", argument}});
  walk(holder, places);
  std::vector<napi_value> found;
  for (const Place& place : places)
    if (place.value()->kind == Kind::kTyped) found.push_back(place.value());
  return found;
}

}  // namespace aclr::fuzz
