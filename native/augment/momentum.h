// What augmentations share that move momentum between visible objects and MET. The sum over MET and all visible objects is
// kept by them: what an object loses MET gains.
#pragma once
#include "augment/augmentation.h"
#include "augment/met.h"

namespace aclr {

// A vector in the transverse plane, GeV.
template <class T>
struct Transverse {
  T x = 0, y = 0;
  ACLR_HD void add(T pt, T phi) {
    T sine, cosine;
    math::sin_cos(phi, sine, cosine);
    x += pt * cosine;
    y += pt * sine;
  }
};

template <class T>
ACLR_HD bool is_jet(const Event<T>& event) {
  return event.counts()[Kind::kConstituent] > 0;
}
template <class T>
ACLR_HD bool is_lepton(const Object<T>& o) {
  return o.kind == Kind::kElectron || o.kind == Kind::kMuon;
}
template <class T>
ACLR_HD bool is_visible(const Object<T>& o) {
  return is_lepton(o) || o.kind == Kind::kJet;
}

// Places left in the event, one kept for a MET where there is none yet; below 0 that one has no place.
template <class T>
ACLR_HD int places_beside_met(Event<T>& event) {
  return kMaxObjects - event.size() - (event.met() == nullptr ? 1 : 0);
}

// The place of the hardest electron or muon, -1 without one.
template <class T>
ACLR_HD int leading_lepton(Event<T>& event) {
  int found = -1;
  for (int i = 0; i < event.size(); ++i)
    if (is_lepton(event[i]) && (found < 0 || event[i].pt > event[found].pt)) found = i;
  return found;
}

// The logarithm uniform between those of low and high, both above 0.
template <class T, class Random>
ACLR_HD T log_uniform(T low, T high, Random& random) {
  return low * math::exp(random.unit() * math::log(high / low));
}

// Drops visible objects that have given away all they had.
template <class T>
ACLR_HD void drop_spent(Event<T>& event) {
  event.keep_if([](const Object<T>& o) { return !is_visible(o) || o.pt > T(0); });
}

}  // namespace aclr
