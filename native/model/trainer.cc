#include "model/trainer.h"

#include <algorithm>

namespace aclr {
namespace {

// Tokens that go through the encoder together: their activations of one layer stay in a core's cache, and products are
// tall enough. A small batch is cut finer, so that several threads end together. Blocks depend on the batch alone.
constexpr int kBlockTokens = 320, kLeastBlockTokens = 96, kBlocks = 24;
// Events of one pass without a backward.
constexpr int kEmbedEvents = 96;

}  // namespace

template <class T>
Trainer<T>::Trainer(const TrainerConfig& config)
    : config_(config), encoder_(config.encoder, config.products), loss_(find_loss<T>(config.loss.c_str())),
      weights_(encoder_.weight_count(), T(0)) {}

template <class T>
void Trainer<T>::ensure_packed(ThreadPool& pool, bool backward) {
  if (packed_ == Packed::kBoth || (packed_ == Packed::kForward && !backward)) return;
  encoder_.pack(pool, weights_.data(), backward);
  packed_ = backward ? Packed::kBoth : Packed::kForward;
}

template <class T>
Status Trainer<T>::step(ThreadPool& pool, const TrainBatch<T>& batch, double rate, bool update, StepResult* result,
                        std::unique_ptr<TrainBatch<T>> next) {
  if (group_ && !is_share(batch)) return Status::invalid("a step of several ranks takes this rank's share of it");
  if (ahead_.batch && *ahead_.batch == batch) {
    std::swap(views_rows_, ahead_.rows);
  } else {
    maker_.begin(config_.encoder.features, recipe_, views(), batch);
    pool.run(maker_.tasks(), [&](int task) { maker_.run(task); });
    maker_.finish(views_rows_);
  }
  const DropoutKey dropout{batch.seed, batch.epoch, 0, update && config_.encoder.dropout > 0};
  ahead_.batch = {};
  if (next) maker_ahead_.begin(config_.encoder.features, recipe_, views(), *next);
  const int others = next && update ? maker_ahead_.tasks() : 0;
  const Status status = run(pool, views_rows_, batch.total, dropout, rate, update, result, others,
                            [&](int task) { maker_ahead_.run(task); });
  if (status.ok() && next && update) {
    maker_ahead_.finish(ahead_.rows);
    ahead_.batch = std::move(next);
  }
  return status;
}

template <class T>
Status Trainer<T>::step_on_views(ThreadPool& pool, const ViewRows<T>& rows, double rate, bool update, StepResult* result) {
  if (group_) return Status::invalid("views made elsewhere are for one rank alone");
  for (int v = 1; v < views(); ++v)
    if (rows[v].events() != rows[0].events()) return Status::invalid("all views must hold the same number of events");
  return run(pool, rows, 0, {}, rate, update, result, 0, {});
}

template <class T>
void Trainer<T>::cut_into_blocks(const ViewRows<T>& rows) {
  long long tokens = 0;
  for (int v = 0; v < views(); ++v) tokens += rows[v].tokens();
  const int most = static_cast<int>(std::clamp<long long>(tokens / kBlocks, kLeastBlockTokens, kBlockTokens));
  blocks_.clear();
  for (int v = 0; v < views(); ++v) {
    const std::vector<std::int32_t>& offsets = rows[v].offsets;
    for (int first = 0, last; first < rows[v].events(); first = last) {
      last = first + 1;
      while (last < rows[v].events() && offsets[last + 1] - offsets[first] <= most && last - first < most) ++last;
      blocks_.push_back({v, first, last});
    }
  }
  if (tapes_.size() < blocks_.size()) tapes_.resize(blocks_.size());
}

template <class T>
Status Trainer<T>::run(ThreadPool& pool, const ViewRows<T>& rows, int total, const DropoutKey& dropout, double rate,
                       bool update, StepResult* result, int others, const std::function<void(int)>& meanwhile) {
  if (group_ && pivots()) return Status::invalid("the pivot is of one rank alone");
  const int events = rows[0].events(), level = config_.encoder.head_layers;
  const int d = encoder_.rep_width(level), at = encoder_.rep_offset(level);
  const int pivot_d = encoder_.rep_width(config_.pivot_level), pivot_at = encoder_.rep_offset(config_.pivot_level);
  const std::size_t row = encoder_.rep_row();
  ensure_packed(pool, update);
  cut_into_blocks(rows);
  const int blocks = static_cast<int>(blocks_.size());
  ContrastBatch<T> contrasted{events, d, {}, {}, group_.get(), total};
  const std::size_t room = static_cast<std::size_t>(std::max(events, 1)) * d;  // a rank may have none
  for (int v = 0; v < views(); ++v) {
    contrasted.z[v] = z_[v].need(room);
    if (update) contrasted.dz[v] = dz_[v].need(room);
  }
  PivotBatch<T> populations{events, pivot_d, {}, {}, config_.pivot_scaling};
  for (int v = 0; v < pivot_views(); ++v) {
    populations.x[v] = rows_[v].need(std::size_t(events) * pivot_d);
    if (update) populations.dx[v] = drows_[v].need(std::size_t(events) * pivot_d);
  }

  pool.run(blocks, [&](int b) {
    const Block& block = blocks_[b];
    typename Leases<Workspace>::Lease work(workspaces_);
    EncoderTape<T>& tape = update ? tapes_[b] : work->tape;
    DropoutKey key = dropout;
    key.view = block.view;
    if (update) encoder_.forward(weights_.data(), tokens_of(rows, block), key, tape, work->encoder);
    else encoder_.infer(weights_.data(), tokens_of(rows, block), level, tape, work->encoder);
    for (int i = block.first; i < block.last; ++i) {
      const T* rep = tape.reps.data() + (i - block.first) * row;
      std::copy(rep + at, rep + at + d, z_[block.view].data() + std::size_t(i) * d);
      if (block.view < pivot_views())
        std::copy(rep + pivot_at, rep + pivot_at + pivot_d, rows_[block.view].data() + std::size_t(i) * pivot_d);
    }
  });
  const Status status = contrast<T>(pool, ops<T>(config_.products), *loss_, config_.loss_weights, config_.temperature,
                                    contrasted, contrast_, &result->loss);
  if (!status.ok()) return status;
  if (pivots()) {
    // exact products: differences of distances are what it is about
    result->pivot = distance_correlation<T>(pool, ops<T>(), populations, config_.pivot_weight, pivot_);
    result->loss += config_.pivot_weight * result->pivot;
  }
  if (!update) return status;

  const auto add = [&](int b, T* dweights) {
    const Block& block = blocks_[b];
    typename Leases<Workspace>::Lease work(workspaces_);
    const std::size_t size = (block.last - block.first) * row;
    T* dreps = work->dreps.need(size);
    std::fill(dreps, dreps + size, T(0));
    for (int i = block.first; i < block.last; ++i) {
      const T* dz = dz_[block.view].data() + std::size_t(i) * d;
      T* to = dreps + (i - block.first) * row;
      std::copy(dz, dz + d, to + at);
      if (block.view >= pivot_views()) continue;
      const T* drow = drows_[block.view].data() + std::size_t(i) * pivot_d;
      for (int c = 0; c < pivot_d; ++c) to[pivot_at + c] += drow[c];
    }
    DropoutKey key = dropout;
    key.view = block.view;
    encoder_.backward(weights_.data(), tokens_of(rows, block), key, tapes_[b], work->encoder, dreps, dweights, nullptr);
  };
  T* gradient = slots_.accumulate(pool, blocks, weights_.size(), add, others, meanwhile);
  if (group_)
    if (Status s = group_->all_reduce_sum(gradient, weights_.size()); !s.ok()) return s;
  result->gradient_norm = aclr::update(pool, config_.optimiser, rate, gradient, weights_.data(), weights_.size(), state_);
  packed_ = Packed::kNo;
  return {};
}

template <class T>
void Trainer<T>::embed(ThreadPool& pool, const EventColumns<T>& events, T* out) {
  ensure_packed(pool, false);
  const int count = events.events(), features = config_.encoder.features.count;
  const std::size_t row = encoder_.rep_row();
  pool.run((count + kEmbedEvents - 1) / kEmbedEvents, [&](int b) {
    typename Leases<Workspace>::Lease work(workspaces_);
    const int first = b * kEmbedEvents, last = std::min(count, first + kEmbedEvents);
    TokenRows<T>& rows = work->rows;
    rows.x.resize(std::size_t(kEmbedEvents) * kMaxObjects * features);
    rows.offsets.assign(1, 0);
    for (int i = first; i < last; ++i) {
      Event<T> event;
      events.load(i, event);
      rows.offsets.push_back(rows.tokens() + write_features(config_.encoder.features, event,
                                                            rows.x.data() + std::size_t(rows.tokens()) * features));
    }
    encoder_.infer(weights_.data(), {rows, features, 0, last - first}, config_.encoder.head_layers, work->tape,
                   work->encoder);
    std::copy(work->tape.reps.data(), work->tape.reps.data() + (last - first) * row, out + first * row);
  });
}

template <class T>
void Trainer<T>::reps_of(ThreadPool& pool, const TokenRows<T>& rows, T* out) {
  ensure_packed(pool, false);
  typename Leases<Workspace>::Lease work(workspaces_);
  const TokenBlock<T> block(rows, config_.encoder.features.count, 0, rows.events());
  encoder_.infer(weights_.data(), block, config_.encoder.head_layers, work->tape, work->encoder);
  std::copy(work->tape.reps.data(), work->tape.reps.data() + std::size_t(rows.events()) * encoder_.rep_row(), out);
}

template <class T>
void Trainer<T>::gradients_of(ThreadPool& pool, const TokenRows<T>& rows, T* dreps, T* dweights, T* dx) {
  ensure_packed(pool, true);
  typename Leases<Workspace>::Lease work(workspaces_);
  const TokenBlock<T> block(rows, config_.encoder.features.count, 0, rows.events());
  encoder_.forward(weights_.data(), block, {}, work->tape, work->encoder);
  std::fill(dweights, dweights + weights_.size(), T(0));
  encoder_.backward(weights_.data(), block, {}, work->tape, work->encoder, dreps, dweights, dx);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace aclr
