// Opens a device library (kernels/device.h) at run time, so that the addon runs where there is none, and says in one line
// why. Once open it stays so for as long as the process lives: sessions and threads of the driver stand in its code.
#pragma once
#include <algorithm>
#include <string>

#include "core/status.h"
#include "kernels/device.h"

namespace aclr::device {

// The library at `path`, or nullptr and in `why` one line on what is missing and what to do. Safe to call from any thread;
// of one path it opens once, and looks again after a failure. A library whose name ends in "_emulated" works without a
// driver; any other is not even loaded where there is none.
const Api* open(const std::string& path, std::string& why);

// What stands in a field of a struct, whether or not it ends in a zero.
template <std::size_t kSize>
std::string text_in(const char (&field)[kSize]) {
  return std::string(field, std::find(field, field + kSize, '\0'));
}

Status status_of(const Outcome& outcome);

// Runs call(&outcome).
template <class Call>
Status ask(const Call& call) {
  Outcome outcome{};
  call(&outcome);
  return status_of(outcome);
}

// Which device of which library a session is on.
struct Place {
  const Api* api;
  int index;
};

// Which share of a data-parallel training a session has: `group` is what group_id() gave on rank 0, empty for one rank.
struct Ranks {
  int rank = 0, ranks = 1;
  std::string group;
};
inline constexpr std::size_t kGroupBytes = 128;

template <class T>
constexpr Precision precision_of(bool bf16) {
  return sizeof(T) == sizeof(double) ? Precision::kF64 : bf16 ? Precision::kBf16 : Precision::kF32;
}

}  // namespace aclr::device
