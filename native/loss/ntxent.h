// ntxent: the textbook form, the positive pair in the denominator.
//   1/(2N) sum_a [ lse_a - s_{a p(a)}/temperature ],  D(a) without a alone
#pragma once
#include "loss/clr.h"

namespace aclr {

struct NtXent {
  static constexpr LossInfo info{"ntxent", "normalised temperature-scaled cross entropy", "SimCLR, arXiv:2002.05709",
                                 false, Denominator::kWithPositive};

  template <class T>
  ACLR_HD static LossRow<T> row(T uv, T uw, T lse_u, T lse_v, T inverse_temperature, const LossWeights& w) {
    return Clr::row(uv, uw, lse_u, lse_v, inverse_temperature, w);
  }
};

}  // namespace aclr
