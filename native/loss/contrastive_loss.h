// What a contrastive loss states about itself. With u, v, w the unit rows of anchor, physical and anomalous view, U the
// 2N rows u_1..u_N, v_1..v_N, and s_ab = U_a . U_b:
//   L = 1/N sum_i row(u_i.v_i, u_i.w_i, lse_i, lse_{i+N}),   lse_a = log sum_{b in D(a)} exp(s_ab / temperature)
// A loss is a header with `info` and `row`; model/contrast.cc does the rest in tiles. Formulas: test/golden/README.md "loss/".
#pragma once
#include "core/host_device.h"

namespace aclr {

// Which b stand in the denominator D(a): none at all, all but a and its partner, all but a.
enum class Denominator { kNone, kWithoutPositive, kWithPositive };

struct LossInfo {
  const char* name;
  const char* help;
  const char* source;
  bool uses_anomalous;  // needs the third view
  Denominator denominator;
};

// Factors on the attraction of the physical pair and the repulsion of the anomaly; 1 and 1 is the published loss.
struct LossWeights {
  double invariance = 1, anomaly = 1;
};

// One event's share of the loss and its derivatives.
template <class T>
struct LossRow {
  T value = 0, d_uv = 0, d_uw = 0, d_lse = 0;  // d_lse is the same for lse_u and lse_v
};

}  // namespace aclr
