// The models with the calls of native/device, on the pool: a session serves either.
#pragma once
#include <algorithm>
#include <memory>

#include "core/thread_pool.h"
#include "model/perceptron.h"
#include "model/scorer.h"
#include "model/trainer.h"

namespace aclr::binding {

template <class T>
class CpuTrainer {
 public:
  using Number = T;
  explicit CpuTrainer(const TrainerConfig& config) : trainer_(config) {}

  const std::vector<WeightInfo>& layout() const { return trainer_.encoder().layout(); }
  std::size_t weight_count() const { return trainer_.encoder().weight_count(); }
  int rep_row() const { return trainer_.encoder().rep_row(); }

  Status weights(T* out) {
    std::copy(trainer_.weights().begin(), trainer_.weights().end(), out);
    return {};
  }
  Status set_weights(const T* weights) {
    trainer_.weights().assign(weights, weights + weight_count());
    trainer_.weights_changed();
    return {};
  }
  // Before the first step the moments are empty: zeros.
  Status state(OptimiserState<T>& out) {
    out = trainer_.state();
    out.m.resize(weight_count());
    out.v.resize(weight_count());
    return {};
  }
  Status set_state(OptimiserState<T> state) {
    trainer_.state() = std::move(state);
    return {};
  }
  Status set_recipe(Recipe<T> recipe) {
    trainer_.set_recipe(std::move(recipe));
    return {};
  }
  void set_group(std::shared_ptr<Group> group) { trainer_.set_group(std::move(group)); }
  Status step(const TrainBatch<T>& batch, double rate, bool update, StepResult* result, std::unique_ptr<TrainBatch<T>> next) {
    return trainer_.step(ThreadPool::global(), batch, rate, update, result, std::move(next));
  }
  Status step_on_views(const ViewRows<T>& views, double rate, bool update, StepResult* result) {
    return trainer_.step_on_views(ThreadPool::global(), views, rate, update, result);
  }
  Status embed(const EventColumns<T>& events, T* out) {
    trainer_.embed(ThreadPool::global(), events, out);
    return {};
  }
  Status reps_of(const TokenRows<T>& rows, T* out) {
    trainer_.reps_of(ThreadPool::global(), rows, out);
    return {};
  }
  Status gradients_of(const TokenRows<T>& rows, T* dreps, T* dweights, T* dx) {
    trainer_.gradients_of(ThreadPool::global(), rows, dreps, dweights, dx);
    return {};
  }

 private:
  Trainer<T> trainer_;
};

template <class T>
class CpuPerceptron {
 public:
  using Number = T;
  CpuPerceptron(const PerceptronConfig& config, const OptimiserConfig& optimiser)
      : model_(config), optimiser_(optimiser), weights_(model_.weight_count(), T(0)) {}

  const std::vector<WeightInfo>& layout() const { return model_.layout(); }
  std::size_t weight_count() const { return weights_.size(); }
  int features() const { return model_.features(); }
  bool learns_class() const { return model_.learns_class(); }

  Status weights(T* out) const {
    std::copy(weights_.begin(), weights_.end(), out);
    return {};
  }
  Status set_weights(const T* weights) {
    weights_.assign(weights, weights + weights_.size());
    packed_ = false;
    return {};
  }
  // y [rows]: classes, where it learns these.
  Status step(const T* x, const std::uint8_t* y, int rows, double rate, double* loss) {
    const T* gradient = loss_of(x, y, rows, loss);
    update(ThreadPool::global(), optimiser_, rate, gradient, weights_.data(), weights_.size(), state_);
    packed_ = false;
    return {};
  }
  Status gradients(const T* x, const std::uint8_t* y, int rows, T* dweights, double* loss) {
    const T* gradient = loss_of(x, y, rows, loss);
    std::copy(gradient, gradient + weights_.size(), dweights);
    return {};
  }
  Status score(const T* x, int rows, T* score) {
    ensure_packed();
    model_.score(ThreadPool::global(), weights_.data(), x, rows, score);
    return {};
  }

 private:
  void ensure_packed() {
    if (!packed_) model_.pack(weights_.data(), true);
    packed_ = true;
  }
  const T* loss_of(const T* x, const std::uint8_t* y, int rows, double* loss) {
    ensure_packed();
    const T* gradient = nullptr;
    *loss = model_.loss(ThreadPool::global(), weights_.data(), x, y, rows, &gradient);
    return gradient;
  }

  Perceptron<T> model_;
  OptimiserConfig optimiser_;
  std::vector<T> weights_;
  OptimiserState<T> state_;
  bool packed_ = false;
};

template <class T>
class CpuScorer {
 public:
  using Number = T;
  CpuScorer(const ScorerConfig& config, std::vector<T> encoder_weights, std::vector<std::vector<T>> member_weights)
      : scorer_(config, std::move(encoder_weights), std::move(member_weights)) {}

  int inputs() const { return scorer_.inputs(); }
  // `alone`: on the calling thread.
  Status score(const EventColumns<T>& events, T* score, bool alone) {
    scorer_.score(pool(alone), events, score);
    return {};
  }
  Status embed(const EventColumns<T>& events, T* out) {
    scorer_.embed(pool(false), events, out);
    return {};
  }
  Status score_rows(const T* x, int rows, T* score, bool alone) {
    scorer_.score_rows(pool(alone), x, rows, score);
    return {};
  }

 private:
  static ThreadPool* pool(bool alone) { return alone ? nullptr : &ThreadPool::global(); }
  Scorer<T> scorer_;
};

}  // namespace aclr::binding
