// The sums of an event that stand behind its representation: the number of objects of each kind but MET, the largest pt of
// each kind, the sum of pt of the others of each kind but MET. The twin of src/events/event-sums.ts, to the bit.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/event.h"

namespace aclr {

// GeV; pt counts in it.
inline constexpr double kSumUnit = 100;

// How many numbers the sums of these kinds are.
inline int sum_count(const std::vector<Kind>& kinds) {
  int count = 0;
  for (const Kind kind : kinds) count += kind == Kind::kMet ? 1 : 3;
  return count;
}

template <class T>
void write_sums(const std::vector<Kind>& kinds, const EventColumns<T>& events, int i, T* out) {
  double number[kKinds + 1] = {}, others[kKinds + 1] = {}, largest[kKinds + 1] = {};
  for (int o = events.offsets[i]; o < events.offsets[i + 1]; ++o) {
    const double pt = events.pt[o];
    if (!(pt > 0)) continue;  // a MET that balances
    const int code = events.kind[o];
    ++number[code];
    others[code] += pt;
    if (pt > largest[code]) largest[code] = pt;
  }
  for (int code = 1; code <= kKinds; ++code) others[code] -= largest[code];
  const auto write = [&](const double* of, double unit, bool met) {
    for (const Kind kind : kinds)
      if (met || kind != Kind::kMet) *out++ = static_cast<T>(of[static_cast<int>(kind)] / unit);
  };
  write(number, 1, false);
  write(largest, kSumUnit, true);
  write(others, kSumUnit, false);
}

// rows [count, width], `row` apart, of events first .. first + count - 1 -> out [count, width + sum_count(kinds)]
template <class T>
void join_sums(const std::vector<Kind>& kinds, const EventColumns<T>& events, int first, int count, const T* rows,
               std::ptrdiff_t row, int width, T* out) {
  const std::size_t length = std::size_t(width) + sum_count(kinds);
  for (int i = 0; i < count; ++i, rows += row, out += length) {
    std::copy(rows, rows + width, out);
    write_sums(kinds, events, first + i, out + width);
  }
}

}  // namespace aclr
