// anomclr: clr, and every anchor pushed from its own anomaly, which is in no denominator.
//   clr + 1/(N temperature) sum_i u_i.w_i
#pragma once
#include "loss/clr.h"

namespace aclr {

struct AnomClr {
  static constexpr LossInfo info{"anomclr", "clr with repulsion from the anomalous view", "arXiv:2301.04660 eq. 5", true,
                                 Denominator::kWithoutPositive};

  template <class T>
  ACLR_HD static LossRow<T> row(T uv, T uw, T lse_u, T lse_v, T inverse_temperature, const LossWeights& w) {
    LossRow<T> r = Clr::row(uv, uw, lse_u, lse_v, inverse_temperature, w);
    r.d_uw = T(w.anomaly) * inverse_temperature;
    r.value += r.d_uw * uw;
    return r;
  }
};

}  // namespace aclr
