// From an event in GeV and radians to the rows that the encoder reads:
//   [pt', eta/4, phi/pi, isMET, isElectron, isMuon, isJet]            7 features
//   [pt', eta/4, sin phi, cos phi, isMET, isElectron, isMuon, isJet]  8 features
// pt' = pt/scale, or log(1 + pt)/log(1 + scale): both are 0 exactly where pt is, which the masks rest on. An object
// with pt = 0 (a MET that balances) is an empty slot to the mask and makes no row.
#pragma once
#include "core/event.h"
#include "core/math.h"

namespace aclr {

enum class PtFeature { kLinear, kLog };

struct FeatureConfig {
  int count = 7;  // 7 or 8
  PtFeature pt = PtFeature::kLinear;
  double pt_scale = 40;  // GeV
};

// Appends rows for `event` at `rows`; returns how many.
template <class T>
int write_features(const FeatureConfig& config, const Event<T>& event, T* rows) {
  const T log_scale = T(1) / math::log1p(T(config.pt_scale)), scale = T(1) / T(config.pt_scale);
  int written = 0;
  for (const Object<T>& o : event) {
    if (!(o.pt > T(0))) continue;
    T* x = rows + written++ * config.count;
    *x++ = config.pt == PtFeature::kLog ? math::log1p(o.pt) * log_scale : o.pt * scale;
    *x++ = o.eta * T(0.25);
    if (config.count == 8) {
      math::sin_cos(o.phi, x[0], x[1]);
      x += 2;
    } else {
      *x++ = o.phi / T(kPi);
    }
    for (const Kind kind : {Kind::kMet, Kind::kElectron, Kind::kMuon, Kind::kJet}) *x++ = o.kind == kind ? T(1) : T(0);
  }
  return written;
}

}  // namespace aclr
