// Views of events made on a device.
#pragma once
#include <algorithm>

#include "core/event.h"
#include "device/library.h"
#include "device/shapes.h"

namespace aclr {

// Appends to `out` what view key.view of the recipe makes of each event; keys[i] is the key of event i's draws.
template <class T>
Status augment_on(device::Place place, const Recipe<T>& recipe, const ViewKey& key, const EventColumns<T>& events,
                  const std::uint32_t* keys, EventColumns<T>& out) {
  constexpr int kEvents = 16384;  // at a time: a library writes into room for kMaxObjects of each
  const device::RecipeShape shape(recipe);
  const std::size_t room = std::size_t(std::min(kEvents, events.events())) * kMaxObjects;
  std::vector<T> pt(room), eta(room), phi(room);
  std::vector<std::uint8_t> kind(room);
  for (int first = 0; first < events.events(); first += kEvents) {
    const int count = std::min(kEvents, events.events() - first);
    EventColumns<T> some;
    some.append(events, first, first + count);
    std::vector<std::int32_t> offsets(count + 1);
    const device::Batch batch{device::plain(some), keys + first, key.seed, key.epoch, 0, count};
    Status status = device::ask([&](device::Outcome* o) {
      place.api->augment(device::precision_of<T>(false), place.index, &shape.plain(), key.view, &batch, pt.data(), eta.data(),
                         phi.data(), kind.data(), offsets.data(), o);
    });
    if (!status.ok()) return status;
    const std::int32_t made = offsets[count], before = out.offsets.back();
    if (made < 0 || static_cast<std::size_t>(made) > room) return {Code::kFailed, "the device made more objects than there is room"};
    out.pt.insert(out.pt.end(), pt.begin(), pt.begin() + made);
    out.eta.insert(out.eta.end(), eta.begin(), eta.begin() + made);
    out.phi.insert(out.phi.end(), phi.begin(), phi.begin() + made);
    out.kind.insert(out.kind.end(), kind.begin(), kind.begin() + made);
    for (int i = 1; i <= count; ++i) out.offsets.push_back(before + offsets[i]);
  }
  return {};
}

}  // namespace aclr
