// anomclr+: attraction and repulsion per event, no denominator; linear in the batch. Range [-2, 2]/temperature.
//   1/(N temperature) sum_i ( u_i.w_i - u_i.v_i )
#pragma once
#include "loss/contrastive_loss.h"

namespace aclr {

struct AnomClrPlus {
  static constexpr LossInfo info{"anomclr+", "physical view attracted, anomalous view repelled, event by event",
                                 "arXiv:2301.04660 eq. 7", true, Denominator::kNone};

  template <class T>
  ACLR_HD static LossRow<T> row(T uv, T uw, T, T, T inverse_temperature, const LossWeights& w) {
    const T attract = T(w.invariance) * inverse_temperature, repel = T(w.anomaly) * inverse_temperature;
    return {repel * uw - attract * uv, -attract, repel, 0};
  }
};

}  // namespace aclr
