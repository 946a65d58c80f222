// Values for arguments: good ones, and numbers and words near what the checks look at.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "boundary.h"

namespace aclr::fuzz {
namespace {

// One of the names that good_arguments.inc is written in for each type of array.
#define ACLR_TYPED(NAME, TYPE)                                                                            \
  [[maybe_unused]] napi_value NAME(std::initializer_list<double> numbers) { return typed(TYPE, numbers); } \
  [[maybe_unused]] napi_value NAME(std::size_t n, double x) { return typed(TYPE, std::vector<double>(n, x)); }
ACLR_TYPED(f32, napi_float32_array)
ACLR_TYPED(f64, napi_float64_array)
ACLR_TYPED(i32, napi_int32_array)
ACLR_TYPED(u32, napi_uint32_array)
ACLR_TYPED(u8, napi_uint8_array)

napi_value waves(napi_typedarray_type type, std::size_t n) {
  std::vector<double> numbers(n);
  for (std::size_t i = 0; i < n; ++i) numbers[i] = std::sin(static_cast<double>(i) * 12.9898) * 0.4;
  return typed(type, numbers);
}
[[maybe_unused]] napi_value waves_f32(std::size_t n) { return waves(napi_float32_array, n); }
[[maybe_unused]] napi_value waves_f64(std::size_t n) { return waves(napi_float64_array, n); }
napi_value number(double x) { return make_number(x); }
napi_value text(const char* words) { return make_text(words); }
napi_value yes() { return env()->yes; }
napi_value no() { return env()->no; }

template <class T>
void put(std::uint8_t* at, double number) {
  // as JavaScript does it, which has no undefined conversion
  T value;
  if constexpr (std::is_floating_point_v<T>) {
    value = std::abs(number) > std::numeric_limits<T>::max() && std::isfinite(number)
                ? std::copysign(std::numeric_limits<T>::infinity(), static_cast<T>(std::copysign(1.0, number)))
                : static_cast<T>(number);
  } else {
    value = std::isfinite(number) ? static_cast<T>(static_cast<std::uint64_t>(static_cast<std::int64_t>(std::fmod(number, 4294967296.0))))
                                  : T(0);
  }
  std::memcpy(at, &value, sizeof value);
}
template <class T>
double value_at(const std::uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<double>(value);
}

}  // namespace

napi_value object(Entries entries) {
  const napi_value made = make(napi_object);
  for (const auto& [key, value] : entries) set(made, key, value);
  return made;
}
napi_value array(std::vector<napi_value> values) {
  const napi_value made = make(napi_object, Kind::kArray);
  for (napi_value value : values) made->elements.push_back({"", value, nullptr});
  return made;
}
napi_value typed(napi_typedarray_type type, const std::vector<double>& numbers) {
  const napi_value made = make_typed(type, make_buffer(numbers.size() * size_of(type)), 0, numbers.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) set_number_at(made, i, numbers[i]);
  return made;
}

void set_number_at(napi_value array, std::size_t i, double number) {
  const std::size_t at = array->offset + i * size_of(array->array);
  if (at + size_of(array->array) > array->buffer->size) return;
  std::uint8_t* const to = array->buffer->bytes + at;
  switch (array->array) {
    case napi_float32_array: return put<float>(to, number);
    case napi_float64_array: return put<double>(to, number);
    case napi_int32_array: case napi_uint32_array: return put<std::uint32_t>(to, number);
    case napi_int16_array: case napi_uint16_array: return put<std::uint16_t>(to, number);
    case napi_bigint64_array: case napi_biguint64_array: return put<std::uint64_t>(to, number);
    default: return put<std::uint8_t>(to, number);
  }
}
double number_at(napi_value array, std::size_t i) {
  const std::size_t at = array->offset + i * size_of(array->array);
  if (at + size_of(array->array) > array->buffer->size) return 0;
  const std::uint8_t* const from = array->buffer->bytes + at;
  switch (array->array) {
    case napi_float32_array: return value_at<float>(from);
    case napi_float64_array: return value_at<double>(from);
    case napi_int32_array: return value_at<std::int32_t>(from);
    case napi_uint32_array: return value_at<std::uint32_t>(from);
    default: return *from;
  }
}

double odd_number(std::uint8_t which) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  static const double kNumbers[] = {
      0, -0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 18, 19, 20, 32, 33, 63, 64, 65, 100, 127, 128, 255, 256, 257,
      1000, 1023, 1024, 4095, 4096, 4097, 65535, 65536, 65537, 1 << 20, 1 << 24, 1 << 28, 1 << 30, 2147483647.0, 2147483648.0,
      4294967295.0, 4294967296.0, 9007199254740991.0, 9007199254740992.0, 1e15, 1e18, 1.8446744073709552e19, 1e38, 3.4e38,
      3.5e38, 1e300, 1.7e308, kInf, -kInf, std::nan(""), -1, -2, -128, -129, -2147483648.0, -2147483649.0, -1e18, -1e300,
      0.5, 0.99, 1.5, 1e-3, 1e-6, 1e-9, 1e-12, 1e-38, 1e-40, 1e-45, 5e-324, -1e-40, 3.1415927410125732, -3.5, 1e6, 1e9};
  return kNumbers[which % std::size(kNumbers)];
}

std::string odd_text(std::uint8_t which) {
  static const std::string kTexts[] = {
      "f32", "f64", "bf16", "adam", "sgd", "clr", "anomclr", "anomclr+", "relu", "leaky_relu", "elu", "linear", "log", "hard",
      "continuous", "cpu", "cuda", ACLR_FUZZ_DEVICE, ACLR_FUZZ_DEVICE "\n", "/nowhere", "", "x", "127.0.0.1", "::1", "::ffff:127.0.0.1",
      "localhost", "256.0.0.1", "a b", std::string("f32\0", 4), std::string(5000, 'y'), "\xff\xfe", "%s%n", "/", "/dev/null",
      "/dev/zero", "/proc/self/mem"};
  return kTexts[which % std::size(kTexts)];
}

const std::vector<Good>& goods() {
  static const std::vector<Good> all{
#include "good_arguments.inc"
      {"group.leave", [] { return object({{"reason", text("no reason")}}); }},
      {"setThreads", [] { return number(2); }},
      {"device", [] { return object({{"library", text(ACLR_FUZZ_DEVICE)}, {"deviceIndex", number(1)}}); }},
      {"deviceGroup", [] { return object({{"library", text(ACLR_FUZZ_DEVICE)}}); }},
  };
  return all;
}

napi_value good_argument(const std::string& name) {
  for (const Good& good : goods())
    if (good.name == name) return good.argument();
  return env()->undefined;
}

}  // namespace aclr::fuzz
