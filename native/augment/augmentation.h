// What every augmentation states about itself. Adding one: a header like rotate_phi.h and its name in list.h.
#pragma once
#include <type_traits>

#include "core/event.h"
#include "core/host_device.h"
#include "core/math.h"
#include "core/rng.h"

namespace aclr {

// kPhysical keeps what the detector would call the same event; kAnomalous makes one that the background would not
// hold; kSelection applies the acceptance of the data.
enum class Role { kPhysical, kAnomalous, kSelection };

// What it is for: collisions, or jets as sets of constituents. It leaves the objects of the other kind as they are.
enum class DataKind { kEvent, kJet };

struct ParameterInfo {
  const char* name;
  double standard, low, high;  // default and permitted range
  const char* unit;
  const char* help;
};

inline constexpr int kMaxParameters = 6;

struct AugmentationInfo {
  const char* name;
  Role role;
  const char* help;
  const char* source;
  int parameters;
  ParameterInfo parameter[kMaxParameters];
  DataKind data = DataKind::kEvent;
};

// An augmentation is a struct with
//   static constexpr AugmentationInfo info;
//   template <class T, class Random> ACLR_HD static void apply(Event<T>& event, const double* p, Random& random);
// where p holds the parameters in the order of info, and every number comes from `random` in a fixed order.
//
// One that treats its objects alike says how for a single object and takes `apply` from ByObject. Loops over the objects
// of many events are then made of it for each vector width (kernels/augment_loops.h), so it calls math.h alone, without
// branches (math::select):
//   struct RotatePhi : ByObject<RotatePhi, Drawn::kPerEvent, 1>
//     takes(kind)               which objects take part
//     draw<T>(p, random)        the numbers for one object, or for all of an event: always that many words of the stream
//     each(object, p, numbers)  changes the object; where it gives a bool, false means that the object is lost
// With Drawn::kNothing there is no draw(), and each(object, p).
enum class Drawn { kNothing, kPerEvent, kPerObject };

template <class Item, Drawn how, int words>
struct ByObject {
  static constexpr Drawn kDrawn = how;
  static constexpr int kWords = words;

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if constexpr (how == Drawn::kPerEvent) {
      const auto numbers = Item::template draw<T>(p, random);
      event.keep_if([&](Object<T>& o) { return !Item::takes(o.kind) || stays(o, p, numbers); });
    } else if constexpr (how == Drawn::kPerObject) {
      event.keep_if([&](Object<T>& o) { return !Item::takes(o.kind) || stays(o, p, Item::template draw<T>(p, random)); });
    } else {
      event.keep_if([&](Object<T>& o) { return !Item::takes(o.kind) || stays(o, p); });
    }
  }

  // each(), true where it gives nothing.
  template <class T, class... Drawing>
  ACLR_LANE static bool stays(Object<T>& o, const double* p, Drawing... numbers) {
    if constexpr (std::is_void_v<decltype(Item::each(o, p, numbers...))>) {
      Item::each(o, p, numbers...);
      return true;
    } else {
      return Item::each(o, p, numbers...);
    }
  }
};

}  // namespace aclr
