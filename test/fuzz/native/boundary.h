// The boundary's target: what its parts share. An input is a row of records; each is one thing that JavaScript does.
#pragma once
#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"
#include "fake_napi.h"

namespace aclr::fuzz {

struct Change {
  std::uint8_t place, kind, a, b;
};
struct Record {
  std::uint8_t what, which, receiver, odd;
  std::array<Change, 4> changes;
};
static_assert(sizeof(Record) == 20);

// ---- values (boundary_values.cc) ------------------------------------------------------------------------------------

using Entries = std::initializer_list<std::pair<const char*, napi_value>>;
napi_value object(Entries entries);
napi_value array(std::vector<napi_value> values);
napi_value typed(napi_typedarray_type type, const std::vector<double>& numbers);
double number_at(napi_value typed, std::size_t i);
void set_number_at(napi_value typed, std::size_t i, double number);
double odd_number(std::uint8_t which);
std::string odd_text(std::uint8_t which);

struct Good {
  const char* name;
  napi_value (*argument)();
};
const std::vector<Good>& goods();
// The good argument of that name; undefined where a call takes none.
napi_value good_argument(const std::string& name);

// ---- what is done to arguments (boundary_changes.cc) ----------------------------------------------------------------

// What changes need of the rest.
struct World {
  // does the next record of the input, for getters
  virtual void nested() = 0;
  // a session of the class, by its name; null where none can be made
  virtual napi_value session(const std::string& name) = 0;
  // calls a method of what the argument is for; null where it threw
  virtual napi_value ask(const char* method) = 0;

 protected:
  ~World() = default;
};

// `holder` is an object whose property "argument" is what the call will be given.
void change(napi_value holder, const Change& change, World& world);
// No call may wait or start more threads than a fuzzer has time for.
void make_short(napi_value argument);
std::vector<napi_value> typed_arrays(napi_value argument);

}  // namespace aclr::fuzz
