// Physical: finite angular resolution for soft objects,
//   sigma(pt) = strength * width / (1 + exp((pt - edge) / softness)),   eta += sigma n1, phi += sigma n2.
// An object pushed past its acceptance in |eta| is lost. MET stays: it is a sum over the calorimeter, not an object.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct SmearDirection {
  static constexpr AugmentationInfo info{
      "smear_direction", Role::kPhysical, "Gaussian smearing of eta and phi of soft objects",
      "arXiv:2301.04660 sec. 3, mended: azimuth wraps by 2 pi, widths in real eta and phi", 4,
      {{"strength", 1, 0, 100, "", "factor on the width"},
       {"width", 0.028, 0, 1, "rad", "width far below the edge, in eta and in phi"},
       {"edge", 25, 0, 1000, "GeV", "pt at which the width has halved"},
       {"softness", 0.1, 0.001, 100, "GeV", "how gradually the width falls at the edge"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    for (Object<T>& o : event) {
      if (o.kind == Kind::kMet) continue;
      const T steepness = (o.pt - T(p[2])) / T(p[3]);
      // exp overflows to infinity far above the edge, where the width is rightly 0
      const T sigma = T(p[0] * p[1]) / (T(1) + std::exp(steepness));
      T n_eta, n_phi;
      random.normals(n_eta, n_phi);
      o.eta += sigma * n_eta;
      o.phi = wrap_phi(o.phi + sigma * n_phi);
    }
    event.remove_if([](const Object<T>& o) {
      return o.kind != Kind::kMet && std::abs(o.eta) > T(max_abs_eta(o.kind));
    });
  }
};

}  // namespace aclr
