// One training step: views, encoder, contrastive loss, gradients, optimiser. And the encoder's pass for scoring.
#pragma once
#include <array>
#include <functional>
#include <memory>

#include "core/leases.h"
#include "model/contrast.h"
#include "model/encoder.h"
#include "model/gradient_slots.h"
#include "model/optimiser.h"
#include "model/pivot.h"
#include "model/views.h"

namespace aclr {

struct TrainerConfig {
  EncoderConfig encoder;
  Products products = Products::kExact;
  OptimiserConfig optimiser;
  std::string loss = "anomclr+";
  LossWeights loss_weights;
  double temperature = 0.1;
  // Weight of the distance correlation between rows and the view they come from, anchor or physical, and where rows are
  // read: 0 the pooled vector, l the output of layer l of the head. Of one rank alone.
  double pivot_weight = 0;
  int pivot_level = 0;
  RowScaling pivot_scaling = RowScaling::kNone;
};

struct StepResult {
  double loss = 0, gradient_norm = 0;  // the loss with all its terms
  double pivot = 0;                    // the distance correlation alone, without its weight
};

template <class T>
class Trainer {
 public:
  explicit Trainer(const TrainerConfig& config);

  const Encoder<T>& encoder() const { return encoder_; }
  std::vector<T>& weights() { return weights_; }
  OptimiserState<T>& state() { return state_; }
  void set_recipe(Recipe<T> recipe) {
    recipe_ = std::move(recipe);
    ahead_ = {};
  }
  void weights_changed() { packed_ = Packed::kNo; }
  // From now on a step's batch is this rank's share of one that all ranks work on. All take the same steps, and make the
  // same update from the gradient of all.
  void set_group(std::shared_ptr<Group> group) {
    group_ = std::move(group);
    ahead_ = {};
  }

  // Augments the batch and takes one optimiser step with that learning rate; update = false gives the loss alone,
  // without dropout (validation). Where `next` is given, its views are made on the side, for the step that asks for them.
  Status step(ThreadPool& pool, const TrainBatch<T>& batch, double rate, bool update, StepResult* result,
              std::unique_ptr<TrainBatch<T>> next = {});
  // The same on views made elsewhere: golden trajectories, and engines that share views. Without dropout or group.
  Status step_on_views(ThreadPool& pool, const ViewRows<T>& views, double rate, bool update, StepResult* result);

  // Representations of events, every level side by side: out [events, encoder().rep_row()].
  void embed(ThreadPool& pool, const EventColumns<T>& events, T* out);
  // Representations from rows of features; and, given dreps, gradients of sum(reps * dreps): dweights is overwritten,
  // dx [tokens, features] overwritten. test/golden/README "encoder/".
  void reps_of(ThreadPool& pool, const TokenRows<T>& rows, T* out);
  void gradients_of(ThreadPool& pool, const TokenRows<T>& rows, T* dreps, T* dweights, T* dx);

 private:
  enum class Packed { kNo, kForward, kBoth };
  // Some events of one view that go through the encoder together.
  struct Block {
    int view, first, last;
  };
  struct Workspace {
    EncoderScratch<T> encoder;
    EncoderTape<T> tape;  // of passes without a backward
    Buffer<T> dreps;
    TokenRows<T> rows;
  };
  // Views made before they are asked for.
  struct Ahead {
    std::unique_ptr<TrainBatch<T>> batch;
    ViewRows<T> rows;
  };

  void ensure_packed(ThreadPool& pool, bool backward);
  int views() const { return loss_->info.uses_anomalous ? 3 : 2; }
  TokenBlock<T> tokens_of(const ViewRows<T>& views, const Block& block) const {
    return {views[block.view], config_.encoder.features.count, block.first, block.last};
  }
  bool is_share(const TrainBatch<T>& batch) const {
    const int r = group_->rank(), ranks = group_->ranks(), first = share_begin(batch.total, r, ranks);
    return batch.total > 0 && batch.first == first &&
           batch.events.events() == share_begin(batch.total, r + 1, ranks) - first;
  }
  void cut_into_blocks(const ViewRows<T>& views);
  bool pivots() const { return config_.pivot_weight > 0; }
  // How many views are read at the level of the pivot.
  int pivot_views() const { return pivots() ? 2 : 0; }
  Status run(ThreadPool& pool, const ViewRows<T>& views, int total, const DropoutKey& dropout, double rate, bool update,
             StepResult* result, int others, const std::function<void(int)>& meanwhile);

  TrainerConfig config_;
  Encoder<T> encoder_;
  const LossEntry<T>* loss_;
  std::shared_ptr<Group> group_;
  Recipe<T> recipe_;
  std::vector<T> weights_;
  OptimiserState<T> state_;
  Packed packed_ = Packed::kNo;
  ViewMaker<T> maker_, maker_ahead_;
  ViewRows<T> views_rows_;
  Ahead ahead_;
  std::vector<Block> blocks_;
  std::vector<EncoderTape<T>> tapes_;  // of the blocks
  Leases<Workspace> workspaces_;
  GradientSlots<T> slots_;
  ContrastScratch<T> contrast_;
  PivotScratch<T> pivot_;
  std::array<Buffer<T>, kViews> z_, dz_;
  std::array<Buffer<T>, 2> rows_, drows_;  // of the pivot
};

}  // namespace aclr
