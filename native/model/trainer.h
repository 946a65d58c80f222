// One training step: views, encoder, contrastive loss, gradients, optimiser. And the encoder's pass for scoring.
#pragma once
#include <array>
#include <memory>

#include "augment/recipe.h"
#include "model/contrast.h"
#include "model/encoder.h"
#include "model/gradient_slots.h"
#include "model/optimiser.h"

namespace aclr {

struct TrainerConfig {
  EncoderConfig encoder;
  OptimiserConfig optimiser;
  std::string loss = "anomclr+";
  LossWeights loss_weights;
  double temperature = 0.1;
};

// The events of one batch, and the key of each: its place in the training sample.
template <class T>
struct TrainBatch {
  EventColumns<T> events;
  std::vector<std::uint32_t> ids;
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
};

struct StepResult {
  double loss = 0, gradient_norm = 0;
};

template <class T>
class Trainer {
 public:
  explicit Trainer(const TrainerConfig& config);

  const Encoder<T>& encoder() const { return encoder_; }
  std::vector<T>& weights() { return weights_; }
  OptimiserState<T>& state() { return state_; }
  void set_recipe(Recipe<T> recipe) { recipe_ = std::move(recipe); }
  void weights_changed() { packed_ = Packed::kNo; }

  // Augments the batch and takes one optimiser step with that learning rate; update = false gives the loss alone,
  // without dropout (validation).
  Status step(ThreadPool& pool, const TrainBatch<T>& batch, double rate, bool update, StepResult* result);
  // The same on views made elsewhere: golden trajectories, and engines that share views.
  Status step_on_views(ThreadPool& pool, std::array<TokenBlock<T>, kViews>& views, double rate, bool update,
                       StepResult* result);

  // Representations of events, every level side by side: out [events, encoder().rep_row()].
  void embed(ThreadPool& pool, const EventColumns<T>& events, T* out);
  // Representations from rows of features; and, given dreps, gradients of sum(reps * dreps): dweights is overwritten,
  // dx [tokens, features] overwritten. test/golden/README "encoder/".
  void reps_of(const TokenBlock<T>& block, T* out);
  void gradients_of(const TokenBlock<T>& block, T* dreps, T* dweights, T* dx);

 private:
  enum class Packed { kNo, kForward, kBoth };
  struct Block {
    TokenBlock<T> tokens;
    EncoderTape<T> tape;
    std::vector<T> dreps;
    int view = 0, first = 0;  // which rows of the batch
  };
  void ensure_packed(bool backward);
  int views() const { return loss_->info.uses_anomalous ? 3 : 2; }
  Status finish(ThreadPool& pool, int events, const DropoutKey& dropout, double rate, bool update, StepResult* result);

  TrainerConfig config_;
  Encoder<T> encoder_;
  const LossEntry<T>* loss_;
  Recipe<T> recipe_;
  std::vector<T> weights_;
  OptimiserState<T> state_;
  Packed packed_ = Packed::kNo;
  std::vector<std::unique_ptr<Block>> blocks_;
  GradientSlots<T> slots_;
  std::array<std::vector<T>, kViews> z_, dz_;
};

}  // namespace aclr
