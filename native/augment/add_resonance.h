// Anomalous: two objects from the decay of one particle. Its mass M is uniform in the logarithm, its transverse momentum
// exponential, its azimuth and its rapidity y (within 2) uniform; the decay is isotropic in its rest frame, products are
// massless. There k = M/2 (sin t cos f, sin t sin f, cos t) and -k; in the frame of rapidity 0, x along the particle,
//   E' = (mT E + pT k_x)/M,  k_x' = (mT k_x + pT E)/M,  mT^2 = M^2 + pT^2,
// then eta = asinh(k_z/k_T) + y. A product below threshold, outside the acceptance or without room is not added. With
// `balanced` MET is recomputed as MET - sum of the new transverse momenta.
#pragma once
#include "augment/momentum.h"

namespace aclr {

struct AddResonance {
  static constexpr AugmentationInfo info{
      "add_resonance", Role::kAnomalous, "add the two products of the decay of one particle",
      "isotropic two-body decay into massless products", 6,
      {{"first", 2, 2, 4, "", "kind of one product: 2 electron, 3 muon, 4 jet"},
       {"second", 2, 2, 4, "", "kind of the other"},
       {"mass_low", 10, 0.1, 10000, "GeV", "smallest mass"},
       {"mass_high", 200, 0.1, 10000, "GeV", "largest mass"},
       {"pt", 20, 0, 1000, "GeV", "mean transverse momentum of the particle"},
       {"balanced", 1, 0, 1, "", "1: MET balances what was added, 0: it stays"}}};

  template <class T, class Random>
  ACLR_HD static void apply(Event<T>& event, const double* p, Random& random) {
    if (is_jet(event)) return;
    const T mass = log_uniform(T(p[2]), T(p[3]), random), pt = T(p[4]) * random.exponential();
    const T phi = random.uniform(T(-kPi), T(kPi)), rapidity = random.uniform(T(-2), T(2));
    const T cos_t = random.uniform(T(-1), T(1)), sin_t = math::sqrt(T(1) - cos_t * cos_t), half = T(0.5) * mass;
    T sin_f, cos_f;
    math::sin_cos(random.uniform(T(-kPi), T(kPi)), sin_f, cos_f);
    const T kx = half * sin_t * cos_f, ky = half * sin_t * sin_f, kz = half * cos_t;
    const T gamma = math::sqrt(mass * mass + pt * pt) / mass, gamma_beta = pt / mass;

    Transverse<T> sum;
    bool any = false;
    for (int product = 0; product < 2; ++product) {
      const T sign = product == 0 ? T(1) : T(-1);
      const T energy = gamma * half + gamma_beta * (sign * kx), x = gamma * (sign * kx) + gamma_beta * half, y = sign * ky;
      Object<T> o;
      o.kind = static_cast<Kind>(static_cast<int>(p[product]));
      o.pt = math::sqrt(x * x + y * y);
      const T eta = math::log((energy + math::abs(kz)) / o.pt);  // without the difference of large numbers
      o.eta = (sign * kz < T(0) ? -eta : eta) + rapidity;
      o.phi = math::wrap_angle(math::atan2(y, x) + phi);
      const bool accepted = o.pt >= T(min_pt(o.kind)) && math::abs(o.eta) <= max_abs_eta<T>(o.kind);
      if (!accepted || event.room(o.kind) < 1 || places_beside_met(event) < 1) continue;
      event.add(o);
      sum.add(o.pt, o.phi);
      any = true;
    }
    if (any && p[5] >= 1) balance_met(event, sum.x, sum.y);
  }
};

}  // namespace aclr
