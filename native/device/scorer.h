// A Scorer (model/scorer.h) on a device. Of detectors it knows the plain autoencoder on representations alone: for others
// it makes these, and the pool sums and scores.
#pragma once
#include <memory>

#include "device/library.h"
#include "model/scorer.h"

namespace aclr {

template <class T>
class DeviceScorer {
 public:
  using Number = T;

  static Status make(device::Place place, const ScorerConfig& config, const std::vector<T>& encoder_weights,
                     const std::vector<std::vector<T>>& member_weights, std::unique_ptr<DeviceScorer>& out);
  ~DeviceScorer() { api_.scorer_free(scorer_); }
  DeviceScorer(const DeviceScorer&) = delete;
  DeviceScorer& operator=(const DeviceScorer&) = delete;

  int inputs() const { return inputs_; }
  // As Scorer<T> says. `alone`, on the calling thread, is how a device is used anyway.
  Status score(const EventColumns<T>& events, T* score, bool alone = false);
  Status embed(const EventColumns<T>& events, T* out);
  Status score_rows(const T* x, int rows, T* score, bool alone = false);

 private:
  DeviceScorer(const device::Api& api, device::Scorer* scorer, int inputs) : api_(api), scorer_(scorer), inputs_(inputs) {}

  static Status made(device::Place place, const ScorerConfig& config, const std::vector<T>& encoder_weights,
                     const std::vector<T>& member_weights, std::unique_ptr<DeviceScorer>& out);

  const device::Api& api_;
  device::Scorer* scorer_;
  int inputs_;
  std::vector<Kind> sums_;
  std::unique_ptr<Scorer<T>> detector_;  // on rows, where the device has only the encoder
};

}  // namespace aclr
