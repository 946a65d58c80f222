// From an event in GeV and radians to the rows that the encoder reads:
//   [pt', eta/eta_scale, phi/phi_scale, isMET, isElectron, isMuon, isJet]     7 features
//   [pt', eta/eta_scale, sin phi, cos phi, isMET, isElectron, isMuon, isJet]  8 features
// pt' = pt/scale, or log(1 + pt)/log(1 + scale): both are 0 exactly where pt is, which the masks rest on. An object
// with pt = 0 (a MET that balances) is an empty slot to the mask and makes no row. Constituents of jets, the one kind of
// their events, have four zeros for a class.
#pragma once
#include "core/event.h"
#include "core/host_device.h"
#include "core/math.h"

namespace aclr {

enum class PtFeature { kLinear, kLog };

struct FeatureConfig {
  int count = 7;  // 7 or 8
  PtFeature pt = PtFeature::kLinear;
  double pt_scale = 40;    // GeV
  double eta_scale = 4;
  double phi_scale = kPi;  // rad; sin and cos take phi as it is
};

// Makes rows of single objects.
template <class T>
class FeatureRow {
 public:
  ACLR_HD explicit FeatureRow(const FeatureConfig& config)
      : count_(config.count), log_(config.pt == PtFeature::kLog),
        scale_(T(1) / (log_ ? math::log1p(T(config.pt_scale)) : T(config.pt_scale))),
        eta_scale_(T(config.eta_scale)), phi_scale_(T(config.phi_scale)) {}

  ACLR_HD int count() const { return count_; }
  ACLR_HD static bool has(const Object<T>& o) { return o.pt > T(0); }
  ACLR_HD void write(const Object<T>& o, T* x) const {
    *x++ = (log_ ? math::log1p(o.pt) : o.pt) * scale_;
    *x++ = o.eta / eta_scale_;
    if (count_ == 8) {
      math::sin_cos(o.phi, x[0], x[1]);
      x += 2;
    } else {
      *x++ = o.phi / phi_scale_;
    }
    for (const Kind kind : {Kind::kMet, Kind::kElectron, Kind::kMuon, Kind::kJet}) *x++ = o.kind == kind ? T(1) : T(0);
  }

 private:
  int count_;
  bool log_;
  T scale_, eta_scale_, phi_scale_;
};

// Appends rows for `event` at `rows`; returns how many.
template <class T>
int write_features(const FeatureConfig& config, const Event<T>& event, T* rows) {
  const FeatureRow<T> row(config);
  int written = 0;
  for (const Object<T>& o : event)
    if (row.has(o)) row.write(o, rows + written++ * config.count);
  return written;
}

}  // namespace aclr
