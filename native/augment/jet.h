// What the augmentations of jets share. They act on constituents (Kind::kConstituent) alone, whose eta and phi are relative
// to the jet's axis. Relative azimuths are small and are summed as plain numbers. The order of constituents means nothing to
// the encoder, so none of these sorts them.
#pragma once
#include "core/event.h"
#include "core/host_device.h"
#include "core/math.h"

namespace aclr {

// Over the constituents: pt, pt eta and pt phi. The last two over the first are the jet's centre, its axis to first order
// in the angles.
template <class T>
struct JetSum {
  T pt, eta, phi;
};

template <class T>
ACLR_HD JetSum<T> jet_sum(const Event<T>& event) {
  JetSum<T> sum{0, 0, 0};
  for (const Object<T>& o : event)
    if (o.kind == Kind::kConstituent) {
      sum.pt += o.pt;
      sum.eta += o.pt * o.eta;
      sum.phi += o.pt * o.phi;
    }
  return sum;
}

// Moves the jet so that its centre is again what it was, and scales its pt to the sum that it had if asked for.
template <class T>
ACLR_HD void restore_jet(Event<T>& event, const JetSum<T>& before, bool scale) {
  const JetSum<T> now = jet_sum(event);
  if (!(before.pt > T(0) && now.pt > T(0))) return;
  const T factor = scale ? before.pt / now.pt : T(1);
  const T eta = before.eta / before.pt - now.eta / now.pt, phi = before.phi / before.pt - now.phi / now.pt;
  for (Object<T>& o : event)
    if (o.kind == Kind::kConstituent) {
      o.pt *= factor;
      o.eta += eta;
      o.phi = math::wrap_angle(o.phi + phi);
    }
}

// The places of the constituents in the event; returns how many there are.
template <class T>
ACLR_HD int constituents(Event<T>& event, int* member) {
  int n = 0;
  for (int i = 0; i < event.size(); ++i)
    if (event[i].kind == Kind::kConstituent) member[n++] = i;
  return n;
}

// The place of the hardest constituent that is softer than the one at `after`, or as hard and behind it; of the hardest of
// all for -1. -1 where there is none.
template <class T>
ACLR_HD int hardest_after(Event<T>& event, int after) {
  int found = -1;
  for (int i = 0; i < event.size(); ++i) {
    if (event[i].kind != Kind::kConstituent) continue;
    const T pt = event[i].pt;
    const bool follows = after < 0 || pt < event[after].pt || (pt == event[after].pt && i > after);
    if (follows && (found < 0 || pt > event[found].pt)) found = i;
  }
  return found;
}

template <class T>
ACLR_HD T squared_distance(const Object<T>& a, const Object<T>& b) {
  const T eta = a.eta - b.eta, phi = a.phi - b.phi;
  return eta * eta + phi * phi;
}

}  // namespace aclr
