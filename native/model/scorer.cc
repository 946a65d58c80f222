#include "model/scorer.h"

#include <algorithm>
#include <atomic>

namespace aclr {
namespace {

// Of one block: its activations, some 2.5 KB a token, are to stay in a core's cache; more events than that share the
// cost of reading the weights better.
constexpr int kBlockEvents = 96, kBlockTokens = 512;

// Head layers after the representation are left out. Weights of the head come last, layer by layer, so those of the
// shorter encoder are the first of the whole one's.
EncoderConfig up_to(EncoderConfig config, int column) {
  while (config.head_layers > 0 && config.width + (config.head_layers - 1) * config.output >= column) --config.head_layers;
  return config;
}

}  // namespace

Status ScorerConfig::check() const {
  if (Status status = preparation.check(); !status.ok()) return status;
  if (Status status = autoencoder.check(); !status.ok()) return status;
  if (preparation.outputs != autoencoder.widths.front())
    return Status::invalid("the autoencoder must be as wide as the preparation's outputs");
  if (!encoder) return {};
  if (Status status = encoder->check(); !status.ok()) return status;
  if (from < 0 || from >= to || to > encoder->width + encoder->head_layers * encoder->output)
    return Status::invalid("columns must lie within the encoder's representations");
  if (to - from != preparation.inputs) return Status::invalid("the preparation must have an input for each column");
  return {};
}

template <class T>
Scorer<T>::Scorer(const ScorerConfig& config, const std::vector<T>& encoder_weights, std::vector<T> autoencoder_weights)
    : from_(config.from), autoencoder_weights_(std::move(autoencoder_weights)), preparation_(config.preparation),
      autoencoder_(config.autoencoder) {
  autoencoder_.pack(autoencoder_weights_.data(), false);
  if (!config.encoder) return;
  encoder_.emplace(up_to(*config.encoder, config.to));
  encoder_weights_.assign(encoder_weights.begin(), encoder_weights.begin() + std::ptrdiff_t(encoder_->weight_count()));
  encoder_->pack(encoder_weights_.data(), false);
}

template <class T>
void Scorer<T>::each_block(ThreadPool* pool, int count, const std::function<int(int)>& next,
                           const std::function<void(int, int, Workspace&)>& body) {
  std::vector<int> begins;
  for (int i = 0; i < count; i = next(i)) begins.push_back(i);
  begins.push_back(count);
  const int blocks = static_cast<int>(begins.size()) - 1, tasks = pool ? std::min(blocks, pool->threads()) : 1;
  if (static_cast<int>(workspaces_.size()) < tasks) workspaces_.resize(tasks);
  std::atomic<int> taken{0};
  const auto work = [&](int task) {
    for (int b = taken++; b < blocks; b = taken++) body(begins[b], begins[b + 1], workspaces_[task]);
  };
  if (tasks <= 1)
    work(0);
  else
    pool->run(tasks, work);
}

template <class T>
void Scorer<T>::on_events(ThreadPool* pool, const EventColumns<T>& events,
                          const std::function<void(int, int, Rows, Workspace&)>& use) {
  const auto next = [&](int first) {
    int last = first + 1;
    while (last < events.events() && last - first < kBlockEvents &&
           events.offsets[last + 1] - events.offsets[first] <= kBlockTokens)
      ++last;
    return last;
  };
  each_block(pool, events.events(), next, [&](int first, int last, Workspace& work) {
    use(first, last - first, encode(events, first, last, work), work);
  });
}

template <class T>
typename Scorer<T>::Rows Scorer<T>::encode(const EventColumns<T>& events, int first, int last, Workspace& work) const {
  const FeatureConfig& features = encoder_->config().features;
  TokenBlock<T>& block = work.tokens;
  block.clear();
  T* x = ensure(block.x, std::size_t(events.offsets[last] - events.offsets[first]) * features.count);
  int tokens = 0;
  for (int i = first; i < last; ++i) {
    Event<T> event;
    events.load(i, event);
    tokens += write_features(features, event, x + std::size_t(tokens) * features.count);
    block.offsets.push_back(tokens);
  }
  encoder_->forward(encoder_weights_.data(), block, {}, work.tape);
  return {work.tape.reps.data() + from_, encoder_->rep_row()};
}

template <class T>
void Scorer<T>::detect(Rows rows, int count, Workspace& work, T* score) const {
  if (!preparation_.none()) {
    T* prepared = ensure(work.prepared, std::size_t(count) * preparation_.outputs());
    preparation_.apply(rows.x, rows.row, count, work.centred, prepared);
    rows = {prepared, preparation_.outputs()};
  }
  autoencoder_.score(autoencoder_weights_.data(), rows.x, rows.row, count, work.autoencoder, score);
}

template <class T>
void Scorer<T>::score(ThreadPool* pool, const EventColumns<T>& events, T* score) {
  on_events(pool, events, [&](int first, int count, Rows rows, Workspace& work) { detect(rows, count, work, score + first); });
}

template <class T>
void Scorer<T>::embed(ThreadPool* pool, const EventColumns<T>& events, T* out) {
  const std::size_t d = inputs();
  on_events(pool, events, [&](int first, int count, Rows rows, Workspace&) {
    for (int i = 0; i < count; ++i) std::copy(rows.x + i * rows.row, rows.x + i * rows.row + d, out + (first + i) * d);
  });
}

template <class T>
void Scorer<T>::score_rows(ThreadPool* pool, const T* x, int rows, T* score) {
  const int d = inputs();
  each_block(pool, rows, [&](int first) { return std::min(rows, first + kBlockEvents); },
             [&](int first, int last, Workspace& work) {
               detect({x + std::size_t(first) * d, d}, last - first, work, score + first);
             });
}

template class Scorer<float>;
template class Scorer<double>;

}  // namespace aclr
