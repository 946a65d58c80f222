#include "model/scorer.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace aclr {
namespace {

// Of one block: its activations, some 2.5 KB a token, are to stay in a core's cache; more events than that share the
// cost of reading the weights better.
constexpr int kBlockEvents = 96, kBlockTokens = 512;
constexpr std::size_t kMostMembers = 64;
// What is reconstructed without any error has no logarithm.
constexpr double kLeastError = 1e-30;

}  // namespace

Status MemberConfig::check() const {
  if (Status status = network.check(); !status.ok()) return status;
  if (logarithm && network.learns == Learns::kClass) return Status::invalid("log-odds have no logarithm");
  if (!std::isfinite(mean) || !std::isfinite(deviation) || !(deviation > 0))
    return Status::invalid("a member's mean must be finite and its deviation above 0");
  return {};
}

Status ScorerConfig::check() const {
  if (Status status = preparation.check(); !status.ok()) return status;
  if (members.empty() || members.size() > kMostMembers)
    return Status::invalid("a detector has 1 to " + std::to_string(kMostMembers) + " members");
  for (const MemberConfig& member : members) {
    if (Status status = member.check(); !status.ok()) return status;
    if (preparation.outputs != member.network.widths.front())
      return Status::invalid("a member of the detector must be as wide as the preparation's outputs");
  }
  if (!encoder) return {};
  if (Status status = encoder->check(); !status.ok()) return status;
  if (from < 0 || from >= to || to > encoder->width + encoder->head_layers * encoder->output)
    return Status::invalid("columns must lie within the encoder's representations");
  if (to - from + sum_count(sums) != preparation.inputs)
    return Status::invalid("the preparation must have an input for each column and sum");
  return {};
}

template <class T>
Scorer<T>::Scorer(const ScorerConfig& config, std::vector<T> encoder_weights, std::vector<std::vector<T>> member_weights)
    : from_(config.from), width_(config.to - config.from), sums_(config.sums), preparation_(config.preparation) {
  for (std::size_t m = 0; m < config.members.size(); ++m) {
    members_.push_back({Perceptron<T>(config.members[m].network), std::move(member_weights[m]), config.members[m]});
    members_[m].network.pack(members_[m].weights.data(), false);
  }
  if (!config.encoder) return;
  encoder_.emplace(*config.encoder, config.products);
  encoder_weights_ = std::move(encoder_weights);
  ThreadPool alone(1);  // the pool may be at work
  encoder_->pack(alone, encoder_weights_.data(), false);
  // head layers after the representation are left out
  while (encoder_->rep_offset(levels_) + encoder_->rep_width(levels_) < config.to) ++levels_;
}

template <class T>
void Scorer<T>::each_block(ThreadPool* pool, int count, const std::function<int(int)>& next,
                           const std::function<void(int, int, Workspace&)>& body) {
  std::vector<int> begins;
  for (int i = 0; i < count; i = next(i)) begins.push_back(i);
  begins.push_back(count);
  const int blocks = static_cast<int>(begins.size()) - 1;
  const auto task = [&](int b) {
    typename Leases<Workspace>::Lease work(workspaces_);
    body(begins[b], begins[b + 1], *work);
  };
  if (pool == nullptr)
    for (int b = 0; b < blocks; ++b) task(b);
  else
    pool->run(blocks, task);
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
  TokenRows<T>& rows = work.tokens;
  rows.offsets.assign(1, 0);
  rows.x.resize(std::size_t(events.offsets[last] - events.offsets[first]) * features.count);
  for (int i = first; i < last; ++i) {
    Event<T> event;
    events.load(i, event);
    rows.offsets.push_back(rows.tokens() + write_features(features, event, rows.x.data() + std::size_t(rows.tokens()) * features.count));
  }
  encoder_->infer(encoder_weights_.data(), {rows, features.count, 0, rows.events()}, levels_, work.tape, work.scratch);
  const Rows reps{work.tape.reps.data() + from_, encoder_->rep_row()};
  if (sums_.empty()) return reps;
  T* joined = work.joined.need(std::size_t(last - first) * inputs());
  join_sums(sums_, events, first, last - first, reps.x, reps.row, width_, joined);
  return {joined, inputs()};
}

template <class T>
void Scorer<T>::detect(Rows rows, int count, Workspace& work, T* score) const {
  if (!preparation_.none()) {
    T* prepared = work.prepared.need(std::size_t(count) * preparation_.outputs());
    preparation_.apply(rows.x, rows.row, count, work.centred, prepared);
    rows = {prepared, preparation_.outputs()};
  }
  double* sums = work.sums.need(count);
  std::fill_n(sums, count, 0.0);
  T* of_member = work.of_member.need(count);
  for (const Member& member : members_) {
    const MemberConfig& config = member.config;
    member.network.score(member.weights.data(), rows.x, rows.row, count, work.tape_of_member, of_member);
    for (int i = 0; i < count; ++i) {
      double f = of_member[i];
      if (config.logarithm) f = std::log(f < kLeastError ? kLeastError : f);
      sums[i] += (f - config.mean) / config.deviation;  // as it is where the member is plain, to the bit
    }
  }
  std::copy_n(sums, count, score);
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
