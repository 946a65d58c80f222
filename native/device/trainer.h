// A Trainer (model/trainer.h) whose weights, moments and work are on a device; they cross the bus when they are asked for.
#pragma once
#include <memory>

#include "device/library.h"
#include "device/shapes.h"
#include "model/trainer.h"

namespace aclr {

template <class T>
class DeviceTrainer {
 public:
  using Number = T;

  static Status make(device::Place place, const TrainerConfig& config, const device::Ranks& ranks,
                     std::unique_ptr<DeviceTrainer>& out);
  ~DeviceTrainer() { api_.trainer_free(trainer_); }
  DeviceTrainer(const DeviceTrainer&) = delete;
  DeviceTrainer& operator=(const DeviceTrainer&) = delete;

  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  int rep_row() const { return rep_row_; }

  Status weights(T* out) const;
  Status set_weights(const T* weights);
  Status state(OptimiserState<T>& out) const;
  Status set_state(const OptimiserState<T>& state);
  Status set_recipe(const Recipe<T>& recipe);

  // As Trainer<T> says; with several ranks the batch is this rank's share.
  Status step(const TrainBatch<T>& batch, double rate, bool update, StepResult* result,
              std::unique_ptr<TrainBatch<T>> next = {});
  Status step_on_views(const ViewRows<T>& views, double rate, bool update, StepResult* result);
  Status embed(const EventColumns<T>& events, T* out);
  Status reps_of(const TokenRows<T>& rows, T* out);
  Status gradients_of(const TokenRows<T>& rows, const T* dreps, T* dweights, T* dx);

 private:
  DeviceTrainer(const device::Api& api, device::Trainer* trainer, const Encoder<T>& encoder, int views)
      : api_(api), trainer_(trainer), layout_(encoder.layout()), weight_count_(encoder.weight_count()),
        rep_row_(encoder.rep_row()), views_(views) {}

  const device::Api& api_;
  device::Trainer* trainer_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_;
  int rep_row_, views_;
};

}  // namespace aclr
