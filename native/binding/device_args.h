// Where a call or a session is to compute: {device: 'cpu' | 'cuda', library, deviceIndex?}; left out is the CPU. `library`
// is the file of the device library; src/addon.ts knows where it lies.
#pragma once
#include <optional>

#include "binding/args.h"
#include "device/library.h"

namespace aclr::binding {

inline const device::Api& library_of(Napi::Object from) {
  const std::string path = text_of(from, "library");
  std::string why;
  const device::Api* const api = device::open(path, why);
  if (api == nullptr) throw to_error(from.Env(), {Code::kUnavailable, why});
  return *api;
}

inline int device_index_of(Napi::Object from) {
  return from.Get("deviceIndex").IsUndefined() ? 0 : integer_of(from, "deviceIndex", 0, 1023);
}

// Nothing for the CPU.
inline std::optional<device::Place> place_of(Napi::Object from) {
  if (from.Get("device").IsUndefined() || !is_second(from, "device", "cpu", "cuda")) return std::nullopt;
  const int index = device_index_of(from);
  return device::Place{&library_of(from), index};
}

// {rank, ranks, group?} at `ranks`, left out for a training of one process.
inline device::Ranks ranks_of(Napi::Object from) {
  const Napi::Value value = from.Get("ranks");
  if (value.IsUndefined()) return {};
  const Napi::Object given = object_of(value, "ranks");
  device::Ranks ranks;
  ranks.ranks = integer_of(given, "ranks", 1, 65536);
  ranks.rank = integer_of(given, "rank", 0, ranks.ranks - 1);
  if (!given.Get("group").IsUndefined()) {
    const auto group = copy_of<std::uint8_t>(given, "group", device::kGroupBytes);
    ranks.group.assign(group.begin(), group.end());
  }
  if (ranks.ranks > 1 && ranks.group.empty()) fail(from.Env(), "ranks need a group");
  return ranks;
}

// What make(out) leaves in `out`, or its error.
template <class Made, class Make>
std::unique_ptr<Made> made_by(Napi::Env env, const Make& make) {
  std::unique_ptr<Made> out;
  check(env, make(out));
  return out;
}

}  // namespace aclr::binding
