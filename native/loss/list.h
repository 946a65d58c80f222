// Every contrastive loss there is.
#pragma once
#include "loss/anomclr.h"
#include "loss/anomclr_plus.h"
#include "loss/clr.h"
#include "loss/ntxent.h"

namespace aclr {

template <class T>
struct LossEntry {
  LossInfo info;
  LossRow<T> (*row)(T uv, T uw, T lse_u, T lse_v, T inverse_temperature, const LossWeights& weights);
};

template <class T>
inline constexpr LossEntry<T> kLosses[] = {{Clr::info, &Clr::row<T>},
                                           {NtXent::info, &NtXent::row<T>},
                                           {AnomClr::info, &AnomClr::row<T>},
                                           {AnomClrPlus::info, &AnomClrPlus::row<T>}};

}  // namespace aclr
