// What every augmentation states about itself. Adding one: a header like rotate_phi.h and its name in list.h.
#pragma once
#include <cmath>
#include <cstdint>

#include "core/event.h"
#include "core/host_device.h"
#include "core/rng.h"

namespace aclr {

// kPhysical keeps what the detector would call the same event; kAnomalous makes one that the background would not
// hold; kSelection applies the acceptance of the data.
enum class Role { kPhysical, kAnomalous, kSelection };

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
};

// An augmentation is a struct with
//   static constexpr AugmentationInfo info;
//   template <class T, class Random> ACLR_HD static void apply(Event<T>& event, const double* p, Random& random);
// where p holds the parameters in the order of info, and every number comes from `random` in a fixed order.

}  // namespace aclr
