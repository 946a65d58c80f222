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

template <class... Losses>
struct LossTypes {
  template <class T>
  static constexpr LossEntry<T> entries[] = {{Losses::info, &Losses::template row<T>}...};

  // What entries[place].row gives, for a GPU, which cannot call functions of the host.
  template <class T>
  ACLR_HD static LossRow<T> row(int place, T uv, T uw, T lse_u, T lse_v, T inverse_temperature, const LossWeights& weights) {
    LossRow<T> row;
    int i = 0;
    ((i++ == place ? void(row = Losses::template row<T>(uv, uw, lse_u, lse_v, inverse_temperature, weights)) : void()), ...);
    return row;
  }
};

using LossList = LossTypes<Clr, NtXent, AnomClr, AnomClrPlus>;

template <class T>
inline constexpr const auto& kLosses = LossList::entries<T>;

}  // namespace aclr
