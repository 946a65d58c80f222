// clr: the positive pair stands in no denominator, so the value may be negative.
//   1/(2N) sum_a [ lse_a - s_{a p(a)}/temperature ],  D(a) without a and its partner
#pragma once
#include "loss/contrastive_loss.h"

namespace aclr {

struct Clr {
  static constexpr LossInfo info{"clr", "contrast of physical pairs against all other events of the batch",
                                 "arXiv:2301.04660 eq. 2; arXiv:2108.04253", false, Denominator::kWithoutPositive};

  template <class T>
  ACLR_HD static LossRow<T> row(T uv, T, T lse_u, T lse_v, T inverse_temperature, const LossWeights& w) {
    const T attract = T(w.invariance) * inverse_temperature;
    return {T(0.5) * (lse_u + lse_v) - attract * uv, -attract, 0, T(0.5)};
  }
};

}  // namespace aclr
