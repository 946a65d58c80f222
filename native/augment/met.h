// MET where visible momentum changes.
#pragma once
#include "core/event.h"

namespace aclr {

// MET - (px, py): what the visible objects gained, GeV. An event stored without MET has MET 0; one without MET and
// without a place left for it keeps none.
template <class T>
ACLR_HD void balance_met(Event<T>& event, T px, T py) {
  Object<T>* met = event.met();
  if (met == nullptr) {
    if (!event.add({0, 0, 0, Kind::kMet})) return;
    met = event.met();
  }
  T sine, cosine;
  math::sin_cos(met->phi, sine, cosine);
  const T x = met->pt * cosine - px;
  const T y = met->pt * sine - py;
  met->pt = math::sqrt(x * x + y * y);
  met->phi = math::atan2(y, x);
}

}  // namespace aclr
