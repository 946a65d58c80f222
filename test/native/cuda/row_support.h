// What the tests of kernels on rows share: numbers of any type from doubles and back, ragged rows on the device, and how
// near results must come.
#pragma once
#include <string>
#include <type_traits>

#include "cuda/kernels/ops.h"
#include "cuda/launch.h"
#include "device_array.h"
#include "kernels/targets.h"
#include "support.h"

namespace aclr::cuda {

// What S makes of x: inputs are numbers of S, so that results differ by arithmetic alone.
template <class S>
double as(double x) {
  return static_cast<double>(real(stored<S>(static_cast<Real<S>>(x))));
}
template <class S>
std::vector<double> random_numbers(Random& random, std::size_t count, double scale = 1) {
  std::vector<double> out(count);
  for (double& x : out) x = as<S>(scale * random.normal());
  return out;
}
template <class S>
std::vector<S> narrow(const std::vector<double>& x) {
  std::vector<S> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if constexpr (std::is_arithmetic_v<S>) out[i] = static_cast<S>(x[i]);
    else out[i] = stored<S>(static_cast<Real<S>>(x[i]));
  }
  return out;
}

template <class S>
const char* name_of() {
  return std::is_same_v<S, double> ? "double" : std::is_same_v<S, float> ? "float" : "bf16";
}
// Of results of order 1, that are of Real<S>; and of S.
template <class S>
double near_real() {
  return std::is_same_v<S, double> ? 1e-12 : 1e-5;
}
template <class S>
double near_stored() {
  return std::is_same_v<S, bf16> ? 1.0 / 256 : near_real<S>();
}

// Every number within tolerance (1 + |wanted|).
template <class T>
void check_near(const std::vector<T>& got, const std::vector<double>& wanted, double tolerance, const std::string& what) {
  CHECK_FOR(got.size() == wanted.size(), what);
  for (std::size_t i = 0; i < got.size() && i < wanted.size(); ++i) {
    const double x = static_cast<double>(real(got[i])), error = std::abs(x - wanted[i]);
    if (error <= tolerance * (1 + std::abs(wanted[i]))) continue;
    CHECK_FOR(false, what + " [" + std::to_string(i) + "]: " + std::to_string(x) + ", not " + std::to_string(wanted[i]));
    return;
  }
}
// `wanted` in the first rows, and nothing but 0 behind them up to the capacity.
template <class T>
void check_rows(std::vector<T> got, const std::vector<double>& wanted, int capacity, int columns, double tolerance,
                const std::string& what) {
  CHECK_FOR(got.size() == static_cast<std::size_t>(capacity) * columns, what);
  for (std::size_t i = wanted.size(); i < got.size(); ++i)
    if (real(got[i]) != 0) {
      CHECK_FOR(false, what + " behind its rows: " + std::to_string(i - wanted.size()));
      return;
    }
  got.resize(wanted.size());
  check_near(got, wanted, tolerance, what);
}
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(static_cast<const void*>(a.data()), b.data(), a.size() * sizeof(T)) == 0;
}

inline constexpr int kSizes[] = {1, 3, 7, 31, 32, 33, 64, 100, 160, 257};
inline constexpr int kCounts[] = {0, 1, 5, 300};

// `count` rows in events of up to 12, empty ones among them, two views of each; five rows of the capacity lie behind them.
struct Ragged {
  int count, capacity, batch, events;
  std::vector<std::int32_t> offsets{0}, event;
  std::vector<std::uint32_t> ids;
  StepInput step{0x12345678u, 0x9abcdef0u, 3, 0};

  Ragged(Random& random, int rows) : count(rows), capacity(rows + 5) {
    offsets.push_back(0);
    while (offsets.back() < rows || (offsets.size() - 1) % 2 != 0)
      offsets.push_back(std::min(rows, offsets.back() + std::max(0, random.integer(-2, 12))));
    events = static_cast<int>(offsets.size()) - 1;
    batch = events / 2;
    for (int e = 0; e < events; ++e) event.insert(event.end(), offsets[e + 1] - offsets[e], e);
    event.resize(capacity, 1 << 20);  // nobody looks there
    for (int e = 0; e < batch; ++e) ids.push_back(static_cast<std::uint32_t>(random.integer(0, 1 << 24)));
  }
  // [count, d], as Encoder::draw_keeps has it
  std::vector<std::uint8_t> keeps(int d, int threshold, int site) const {
    std::vector<std::uint8_t> keep(static_cast<std::size_t>(count) * d);
    for (int e = 0; e < events; ++e)
      portable_f64.dropout_keep({step.key0, step.key1, step.epoch, ids[e % batch],
                                 stream_id(Purpose::kDropout, static_cast<std::uint32_t>(e / batch), site),
                                 (offsets[e + 1] - offsets[e]) * d, threshold, keep.data() + std::size_t(offsets[e]) * d});
    return keep;
  }
};

// The same on the device.
struct DeviceRagged {
  explicit DeviceRagged(const Ragged& r)
      : offsets(r.offsets), event(r.event), count(std::vector<int>{r.count}), ids(r.ids),
        step(std::vector<StepInput>{r.step}), host(r) {}
  Rows rows() { return {host.capacity, count}; }
  Tokens tokens() { return {rows(), host.events, host.batch, 12, offsets, event}; }
  Dropout dropout(int threshold, int site) {
    return threshold > 0 ? Dropout{threshold, site, step, ids} : Dropout{};
  }

  DeviceArray<std::int32_t> offsets, event;
  DeviceArray<int> count;
  DeviceArray<std::uint32_t> ids;
  DeviceArray<StepInput> step;
  const Ragged& host;
};

// Partial sums' memory for so many columns, full of what no sum may see.
class Partials {
 public:
  explicit Partials(std::size_t columns) : all_(partial_bytes(columns)) {}
  Scratch scratch() { return {all_.data(), all_bytes()}; }
  void check() { all_.get(); }

 private:
  std::size_t all_bytes() { return all_.get().size(); }
  DeviceArray<unsigned char> all_;
};

// Rows behind the last one that nobody may use: not numbers.
inline std::vector<double> poisoned(std::vector<double> filled, int capacity, int columns) {
  filled.resize(static_cast<std::size_t>(capacity) * columns, std::nan(""));
  return filled;
}

template <class Body>
void for_all_numbers(const Body& body) {
  body(float{});
  body(double{});
  body(bf16{});
}

}  // namespace aclr::cuda
