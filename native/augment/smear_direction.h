// Physical: finite angular resolution for soft objects,
//   sigma(pt) = strength * width / (1 + exp((pt - edge) / softness)),   eta += sigma n1, phi += sigma n2.
// An object pushed past its acceptance in |eta| is lost. MET stays: it is a sum over the calorimeter, not an object.
#pragma once
#include "augment/augmentation.h"

namespace aclr {

struct SmearDirection : ByObject<SmearDirection, Drawn::kPerObject, 2> {
  static constexpr AugmentationInfo info{
      "smear_direction", Role::kPhysical, "Gaussian smearing of eta and phi of soft objects",
      "arXiv:2301.04660 sec. 3, mended: azimuth wraps by 2 pi, widths in real eta and phi", 4,
      {{"strength", 1, 0, 100, "", "factor on the width"},
       {"width", 0.028, 0, 1, "rad", "width far below the edge, in eta and in phi"},
       {"edge", 25, 0, 1000, "GeV", "pt at which the width has halved"},
       {"softness", 0.1, 0.001, 100, "GeV", "how gradually the width falls at the edge"}}};

  template <class T>
  struct Normals {
    T eta, phi;
  };

  ACLR_LANE static constexpr bool takes(Kind kind) { return kind != Kind::kMet && kind != Kind::kConstituent; }
  template <class T, class Random>
  ACLR_LANE static Normals<T> draw(const double*, Random& random) {
    Normals<T> normals;
    random.normals(normals.eta, normals.phi);
    return normals;
  }
  template <class T>
  ACLR_LANE static bool each(Object<T>& o, const double* p, Normals<T> normals) {
    const T steepness = (o.pt - T(p[2])) / T(p[3]);
    // exp overflows to infinity far above the edge, where the width is rightly 0
    const T sigma = T(p[0] * p[1]) / (T(1) + math::exp(steepness));
    o.eta += sigma * normals.eta;
    o.phi = math::wrap_angle(o.phi + sigma * normals.phi);
    return !(math::abs(o.eta) > max_abs_eta<T>(o.kind));
  }
};

}  // namespace aclr
