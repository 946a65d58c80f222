#include "device/trainer.h"

namespace aclr {
namespace {

template <class T>
device::Batch plain(const TrainBatch<T>& batch) {
  const int count = batch.events.events();
  return {device::plain(batch.events), batch.ids.data(), batch.seed, batch.epoch, batch.first,
          batch.total > 0 ? batch.total : count};
}

StepResult result_of(const device::StepResult& result) { return {result.loss, result.gradient_norm}; }

}  // namespace

template <class T>
Status DeviceTrainer<T>::make(device::Place place, const TrainerConfig& config, const device::Ranks& ranks,
                              std::unique_ptr<DeviceTrainer>& out) {
  const Encoder<T> encoder(config.encoder);
  const device::EncoderShape shape(encoder);
  const LossEntry<T>* loss = find_loss<T>(config.loss.c_str());
  if (loss == nullptr) return Status::invalid("there is no loss " + config.loss);
  if (config.pivot_weight > 0) return Status::invalid("the pivot is computed on the CPU alone");
  if (ranks.ranks > 1 && ranks.group.size() != device::kGroupBytes)
    return Status::invalid("a group of ranks has an id of " + std::to_string(device::kGroupBytes) + " bytes");
  const device::TrainerConfig plain{
      place.index,
      device::precision_of<T>(config.products == Products::kBf16),
      shape.plain(),
      device::plain(config.optimiser),
      config.loss.c_str(),
      config.loss_weights.invariance,
      config.loss_weights.anomaly,
      config.temperature,
      ranks.rank,
      ranks.ranks,
      ranks.group.empty() ? nullptr : reinterpret_cast<const std::uint8_t*>(ranks.group.data()),
  };
  device::Trainer* made = nullptr;
  Status status = device::ask([&](device::Outcome* o) { made = place.api->trainer(&plain, o); });
  if (!status.ok()) return status;
  if (made == nullptr) return {Code::kFailed, "the device made no trainer"};
  out.reset(new DeviceTrainer(*place.api, made, encoder, loss->info.uses_anomalous ? 3 : 2));
  return {};
}

template <class T>
Status DeviceTrainer<T>::weights(T* out) const {
  return device::ask([&](device::Outcome* o) { api_.trainer_weights(trainer_, out, o); });
}
template <class T>
Status DeviceTrainer<T>::set_weights(const T* weights) {
  return device::ask([&](device::Outcome* o) { api_.trainer_set_weights(trainer_, weights, o); });
}
template <class T>
Status DeviceTrainer<T>::state(OptimiserState<T>& out) const {
  out.m.resize(weight_count_);
  out.v.resize(weight_count_);
  return device::ask([&](device::Outcome* o) { api_.trainer_state(trainer_, out.m.data(), out.v.data(), &out.steps, o); });
}
template <class T>
Status DeviceTrainer<T>::set_state(const OptimiserState<T>& state) {
  return device::ask(
      [&](device::Outcome* o) { api_.trainer_set_state(trainer_, state.m.data(), state.v.data(), state.steps, o); });
}
template <class T>
Status DeviceTrainer<T>::set_recipe(const Recipe<T>& recipe) {
  const device::RecipeShape shape(recipe);
  return device::ask([&](device::Outcome* o) { api_.trainer_set_recipe(trainer_, &shape.plain(), o); });
}

template <class T>
Status DeviceTrainer<T>::step(const TrainBatch<T>& batch, double rate, bool update, StepResult* result,
                              std::unique_ptr<TrainBatch<T>> next) {
  const device::Batch now = plain(batch), then = next ? plain(*next) : device::Batch{};
  device::StepResult got{};
  Status status = device::ask(
      [&](device::Outcome* o) { api_.trainer_step(trainer_, &now, rate, update, next ? &then : nullptr, &got, o); });
  *result = result_of(got);
  return status;
}

template <class T>
Status DeviceTrainer<T>::step_on_views(const ViewRows<T>& views, double rate, bool update, StepResult* result) {
  device::Tokens tokens[kViews];
  for (int v = 0; v < views_; ++v) {
    if (views[v].events() != views[0].events()) return Status::invalid("all views must hold the same number of events");
    tokens[v] = device::plain(views[v]);
  }
  device::StepResult got{};
  Status status = device::ask(
      [&](device::Outcome* o) { api_.trainer_step_on_views(trainer_, tokens, views_, rate, update, &got, o); });
  *result = result_of(got);
  return status;
}

template <class T>
Status DeviceTrainer<T>::embed(const EventColumns<T>& events, T* out) {
  const device::Events plain = device::plain(events);
  return device::ask([&](device::Outcome* o) { api_.trainer_embed(trainer_, &plain, out, o); });
}
template <class T>
Status DeviceTrainer<T>::reps_of(const TokenRows<T>& rows, T* out) {
  const device::Tokens plain = device::plain(rows);
  return device::ask([&](device::Outcome* o) { api_.trainer_reps(trainer_, &plain, out, o); });
}
template <class T>
Status DeviceTrainer<T>::gradients_of(const TokenRows<T>& rows, const T* dreps, T* dweights, T* dx) {
  const device::Tokens plain = device::plain(rows);
  return device::ask([&](device::Outcome* o) { api_.trainer_gradients(trainer_, &plain, dreps, dweights, dx, o); });
}

template class DeviceTrainer<float>;
template class DeviceTrainer<double>;

}  // namespace aclr
