#include "model/trainer.h"

#include <algorithm>

namespace aclr {
namespace {

// Events of one view that go through the encoder together: some 300 to 600 tokens, whose activations of one layer stay
// in a core's cache. Blocks depend on the batch alone, never on the threads.
constexpr int kBlockEvents = 96;

}  // namespace

template <class T>
Trainer<T>::Trainer(const TrainerConfig& config)
    : config_(config), encoder_(config.encoder), loss_(find_loss<T>(config.loss.c_str())),
      weights_(encoder_.weight_count(), T(0)) {}

template <class T>
void Trainer<T>::ensure_packed(bool backward) {
  if (packed_ == Packed::kBoth || (packed_ == Packed::kForward && !backward)) return;
  encoder_.pack(weights_.data(), backward);
  packed_ = backward ? Packed::kBoth : Packed::kForward;
}

template <class T>
Status Trainer<T>::step(ThreadPool& pool, const TrainBatch<T>& batch, double rate, bool update, StepResult* result) {
  const int events = batch.events.events(), per_view = (events + kBlockEvents - 1) / kBlockEvents;
  ensure_packed(update);
  while (static_cast<int>(blocks_.size()) < per_view * views()) blocks_.push_back(std::make_unique<Block>());
  DropoutKey dropout{batch.seed, batch.epoch, 0, update && config_.encoder.dropout > 0};
  for (int v = 0; v < views(); ++v) ensure(z_[v], static_cast<std::size_t>(events) * encoder_.rep_width(config_.encoder.head_layers));

  pool.run(per_view * views(), [&](int b) {
    Block& block = *blocks_[b];
    block.view = b / per_view;
    block.first = (b % per_view) * kBlockEvents;
    const int count = std::min(kBlockEvents, events - block.first), features = config_.encoder.features.count;
    block.tokens.clear();
    ensure(block.tokens.x, static_cast<std::size_t>(count) * kMaxObjects * features);
    int tokens = 0;
    for (int i = block.first; i < block.first + count; ++i) {
      Event<T> event;
      batch.events.load(i, event);
      recipe_.apply(event, block.view, batch.seed, batch.epoch, batch.ids[i]);
      tokens += write_features(config_.encoder.features, event, block.tokens.x.data() + std::size_t(tokens) * features);
      block.tokens.offsets.push_back(tokens);
      block.tokens.ids.push_back(batch.ids[i]);
    }
    DropoutKey key = dropout;
    key.view = block.view;
    encoder_.forward(weights_.data(), block.tokens, key, block.tape);
  });
  return finish(pool, events, dropout, rate, update, result);
}

template <class T>
Status Trainer<T>::step_on_views(ThreadPool& pool, std::array<TokenBlock<T>, kViews>& views, double rate, bool update,
                                 StepResult* result) {
  const int events = views[0].events(), per_view = (events + kBlockEvents - 1) / kBlockEvents;
  const int features = config_.encoder.features.count, used = this->views();
  for (int v = 1; v < used; ++v)
    if (views[v].events() != events) return Status::invalid("all views must hold the same number of events");
  ensure_packed(update);
  while (static_cast<int>(blocks_.size()) < per_view * used) blocks_.push_back(std::make_unique<Block>());
  for (int v = 0; v < used; ++v) ensure(z_[v], static_cast<std::size_t>(events) * encoder_.rep_width(config_.encoder.head_layers));
  pool.run(per_view * used, [&](int b) {
    Block& block = *blocks_[b];
    block.view = b / per_view;
    block.first = (b % per_view) * kBlockEvents;
    const TokenBlock<T>& all = views[block.view];
    const int last = std::min(events, block.first + kBlockEvents);
    block.tokens.clear();
    for (int i = block.first; i < last; ++i) {
      block.tokens.offsets.push_back(all.offsets[i + 1] - all.offsets[block.first]);
      block.tokens.ids.push_back(static_cast<std::uint32_t>(i));
    }
    block.tokens.x.assign(all.x.begin() + std::ptrdiff_t(all.offsets[block.first]) * features,
                          all.x.begin() + std::ptrdiff_t(all.offsets[last]) * features);
    encoder_.forward(weights_.data(), block.tokens, {}, block.tape);
  });
  return finish(pool, events, {}, rate, update, result);
}

// From the representations in the blocks' tapes to the loss, and to the updated weights.
template <class T>
Status Trainer<T>::finish(ThreadPool& pool, int events, const DropoutKey& dropout, double rate, bool update,
                          StepResult* result) {
  const int per_view = (events + kBlockEvents - 1) / kBlockEvents, blocks = per_view * views();
  const int level = config_.encoder.head_layers, d = encoder_.rep_width(level), at = encoder_.rep_offset(level);
  const std::size_t row = encoder_.rep_row();
  ContrastBatch<T> contrasted{events, d, {}, d, {}};
  for (int v = 0; v < views(); ++v) {
    contrasted.z[v] = z_[v].data();
    if (update) contrasted.dz[v] = ensure(dz_[v], static_cast<std::size_t>(events) * d);
  }
  for (int b = 0; b < blocks; ++b) {
    const Block& block = *blocks_[b];
    for (int i = 0; i < block.tokens.events(); ++i) {
      const T* rep = block.tape.reps.data() + i * row + at;
      std::copy(rep, rep + d, z_[block.view].data() + std::size_t(block.first + i) * d);
    }
  }
  const Status status = contrast<T>(pool, *loss_, config_.loss_weights, config_.temperature, contrasted, &result->loss);
  if (!status.ok() || !update) return status;

  const T* gradient = slots_.accumulate(pool, blocks, weights_.size(), [&](int b, T* dweights) {
    Block& block = *blocks_[b];
    const int count = block.tokens.events();
    block.dreps.assign(count * row, T(0));
    for (int i = 0; i < count; ++i) {
      const T* dz = dz_[block.view].data() + std::size_t(block.first + i) * d;
      std::copy(dz, dz + d, block.dreps.data() + i * row + at);
    }
    DropoutKey key = dropout;
    key.view = block.view;
    encoder_.backward(weights_.data(), block.tokens, key, block.tape, block.dreps.data(), dweights, nullptr);
  });
  result->gradient_norm = aclr::update(pool, config_.optimiser, rate, gradient, weights_.data(), weights_.size(), state_);
  packed_ = Packed::kNo;
  return {};
}

template <class T>
void Trainer<T>::embed(ThreadPool& pool, const EventColumns<T>& events, T* out) {
  ensure_packed(false);
  const int count = events.events(), blocks = (count + kBlockEvents - 1) / kBlockEvents;
  const int tasks = std::min(blocks, 4 * pool.threads()), features = config_.encoder.features.count;
  while (static_cast<int>(blocks_.size()) < tasks) blocks_.push_back(std::make_unique<Block>());
  const std::size_t row = encoder_.rep_row();
  pool.run(tasks, [&](int task) {
    Block& block = *blocks_[task];
    for (int b = task; b < blocks; b += tasks) {
      const int first = b * kBlockEvents, last = std::min(count, first + kBlockEvents);
      block.tokens.clear();
      ensure(block.tokens.x, std::size_t(last - first) * kMaxObjects * features);
      int tokens = 0;
      for (int i = first; i < last; ++i) {
        Event<T> event;
        events.load(i, event);
        tokens += write_features(config_.encoder.features, event, block.tokens.x.data() + std::size_t(tokens) * features);
        block.tokens.offsets.push_back(tokens);
      }
      encoder_.forward(weights_.data(), block.tokens, {}, block.tape);
      std::copy(block.tape.reps.data(), block.tape.reps.data() + (last - first) * row, out + first * row);
    }
  });
}

template <class T>
void Trainer<T>::reps_of(const TokenBlock<T>& block, T* out) {
  ensure_packed(false);
  EncoderTape<T> tape;
  encoder_.forward(weights_.data(), block, {}, tape);
  std::copy(tape.reps.data(), tape.reps.data() + std::size_t(block.events()) * encoder_.rep_row(), out);
}

template <class T>
void Trainer<T>::gradients_of(const TokenBlock<T>& block, T* dreps, T* dweights, T* dx) {
  ensure_packed(true);
  EncoderTape<T> tape;
  encoder_.forward(weights_.data(), block, {}, tape);
  std::fill(dweights, dweights + weights_.size(), T(0));
  encoder_.backward(weights_.data(), block, {}, tape, dreps, dweights, dx);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace aclr
