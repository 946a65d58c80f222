// Events to anomaly scores on the device (model/scorer.h): two sets of events, so that one goes up and becomes rows while
// the other is computed on.
#pragma once
#include <memory>

#include "kernels/device.h"

namespace aclr::cuda {

class AnyScorer {
 public:
  virtual ~AnyScorer() = default;
  virtual void score(const device::Events& events, void* score) = 0;
  virtual void embed(const device::Events& events, void* out) = 0;
  virtual void score_rows(const void* x, int rows, void* score) = 0;
};

std::unique_ptr<AnyScorer> make_scorer(const device::ScorerConfig& config);

}  // namespace aclr::cuda
