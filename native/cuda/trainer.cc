#include "cuda/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "loss/list.h"

namespace aclr::cuda {
namespace {

// Events that go through the encoder together where nothing is learned.
constexpr int kEmbedEvents = 16384;

constexpr const LossInfo& loss_info(int place) { return kLosses<double>[place].info; }

}  // namespace

int loss_place(const char* name) {
  int place = 0;
  for (const LossEntry<double>& entry : kLosses<double>) {
    if (std::strcmp(entry.info.name, name) == 0) return place;
    ++place;
  }
  return -1;
}

template <class S>
Contrast<S> ContrastMemory<S>::make(int loss, const LossWeights& weights, double temperature, int total, int first,
                                    int count, int d, bool gradient, Scratch scratch) {
  const LossInfo& info = loss_info(loss);
  const int views = info.uses_anomalous ? 3 : 2;
  if (total == 1 && info.denominator == Denominator::kWithoutPositive)
    throw Undefined{std::string(info.name) + " is undefined for a single event: it has no negatives"};
  const std::size_t rows = std::size_t(views) * total, own = std::size_t(views) * count;
  Contrast<S> c{};
  c.total = total;
  c.first = first;
  c.count = count;
  c.d = d;
  c.views = views;
  c.denominator = info.denominator;
  c.loss = loss;
  c.inverse_temperature = static_cast<R>(1 / temperature);
  c.weights = weights;
  c.z = z.need(rows * d);
  c.dz = gradient ? dz.need(std::max<std::size_t>(own * d, 1)) : nullptr;
  c.unit = unit.need(rows * Contrast<S>::padded(d));
  c.norm = norm.need(rows);
  c.top = top.need(std::size_t{2} * total);
  c.weight = weight.need(std::size_t{2} * total);
  c.statistics = statistics.need(std::max<std::size_t>(Contrast<S>::statistics_size(total, count), 1));
  c.value = value.need(1);
  c.scratch = scratch;
  return c;
}

template <class S>
void contrast(const Contrast<S>& c, const Group* group, cudaStream_t stream) {
  constexpr bool kDouble = std::is_same_v<Real<S>, double>;
  fill_zero(c.value, 1, stream);
  contrast_units(c, stream);
  if (c.denominator != Denominator::kNone) contrast_statistics(c, stream);
  contrast_rows(c, stream);
  if (group) group->sum(c.value, true, 1, stream);
  if (c.dz == nullptr) return;
  if (group && c.denominator != Denominator::kNone)
    for (Real<S>* part : {c.top, c.weight})
      for (int half = 0; half < 2; ++half) group->gather(part + std::size_t(half) * c.total, kDouble, c.total, 1, stream);
  contrast_spread(c, stream);
}

template struct ContrastMemory<float>;
template struct ContrastMemory<double>;
template struct ContrastMemory<bf16>;
template void contrast<float>(const Contrast<float>&, const Group*, cudaStream_t);
template void contrast<double>(const Contrast<double>&, const Group*, cudaStream_t);
template void contrast<bf16>(const Contrast<bf16>&, const Group*, cudaStream_t);

namespace {

template <class S>
class Trainer : public AnyTrainer {
 public:
  using R = Real<S>;

  explicit Trainer(const device::TrainerConfig& config)
      : bench_(widest_sums(config.encoder)),
        encoder_(config.encoder, bench_),
        loss_(loss_place(config.loss)),
        weights_{config.invariance, config.anomaly},
        temperature_(config.temperature),
        optimiser_(config.optimiser),
        features_(feature_config(config.encoder)),
        learned_(bench_.moves, config.encoder.weights),
        tables_(bench_.moves),
        sets_{EventSet<R>(bench_.moves), EventSet<R>(bench_.moves)},
        contrast_(bench_.moves),
        reps_(bench_.moves),
        dreps_(bench_.moves),
        dx_(bench_.moves) {
    if (config.ranks > 1) group_ = std::make_unique<Group>(config.rank, config.ranks, config.group);
    result_.need(1);
    learned_.clear(stream_);
    stream_.wait();
  }
  ~Trainer() override {
    // what is still running uses memory that goes now
    cudaStreamSynchronize(side_);
    cudaStreamSynchronize(stream_);
  }

  void weights(void* out) override { fetch(out, learned_.w); }
  void set_weights(const void* weights) override {
    send(learned_.w, weights);
    learned_.copied(stream_);
    stream_.wait();
  }
  void state(void* m, void* v, std::int64_t* steps) override {
    fetch(m, learned_.m);
    fetch(v, learned_.v);
    OptimiserState state{};
    to_host(&state, learned_.state.data(), 1, stream_);
    stream_.wait();
    *steps = state.steps;
  }
  void set_state(const void* m, const void* v, std::int64_t steps) override {
    send(learned_.m, m);
    send(learned_.v, v);
    const OptimiserState state{steps, 0};
    to_device(learned_.state.data(), &state, 1, stream_);
    stream_.wait();
  }
  void set_recipe(const device::Recipe& recipe) override {
    for (EventSet<R>& set : sets_) set.forget();
    side_.wait();
    tables_.set(recipe, stream_);
  }

  device::StepResult step(const device::Batch& batch, double rate, bool update, const device::Batch* next) override {
    if (!sets_[now_].holds(batch)) now_ = 1 - now_;
    if (!sets_[now_].holds(batch)) prepare(sets_[now_], batch);
    EventSet<R>& set = sets_[now_];
    start(set, batch, rate, update, true);
    // while this computes
    if (next && update) ahead(sets_[1 - now_], *next);
    return finish(update);
  }

  device::StepResult step_on_views(const device::Tokens* views, int count, double rate, bool update) override {
    if (count < this->views()) throw Undefined{"this loss needs three views"};
    EventSet<R>& set = sets_[now_];
    set.prepare_rows(views, this->views(), features_.count, side_);
    device::Batch batch{};
    batch.events.count = batch.total = views[0].events;
    start(set, batch, rate, update, false);
    return finish(update);
  }

  void embed(const device::Events& events, void* out) override {
    R* to = static_cast<R*>(out);
    for (int first = 0; first < events.count; first += kEmbedEvents) {
      const int count = std::min(kEmbedEvents, events.count - first);
      std::vector<std::int32_t> offsets(count + 1);
      device::Batch part{};
      part.events = slice<R>(events, first, count, offsets);
      sets_[now_].prepare(part, nullptr, 0, 1, features_, side_);
      infer(sets_[now_], to + std::size_t(first) * encoder_.rep_row());
    }
  }
  void reps(const device::Tokens& tokens, void* out) override {
    sets_[now_].prepare_rows(&tokens, 1, features_.count, side_);
    infer(sets_[now_], static_cast<R*>(out));
  }
  void gradients(const device::Tokens& given, const void* dreps, void* dweights, void* dx) override {
    EventSet<R>& set = sets_[now_];
    set.prepare_rows(&given, 1, features_.count, side_);
    const Tokens tokens = set.tokens(stream_);
    const std::size_t numbers = std::size_t(tokens.events) * encoder_.rep_row();
    encoder_.reserve(tokens.rows.capacity, tokens.events, true, true);
    R *reps = reps_.need(numbers), *dr = dreps_.need(numbers);
    R* dfeatures = dx_.need(std::size_t(tokens.rows.capacity) * features_.count);
    to_device(dr, static_cast<const R*>(dreps), numbers, stream_);
    set.pad(tokens, stream_);
    const TokenRows<R> rows{tokens, set.x()};
    encoder_.forward(learned_.weights(), rows, encoder_.shape().head_layers, true, nullptr, nullptr, reps, stream_);
    encoder_.backward(learned_.weights(), rows, nullptr, nullptr, dr, learned_.gradient.data(), dfeatures, stream_);
    to_host(static_cast<R*>(dx), dfeatures, std::size_t(given.offsets[given.events]) * features_.count, stream_);
    fetch(dweights, learned_.gradient);
  }

 private:
  int views() const { return loss_info(loss_).uses_anomalous ? 3 : 2; }

  void prepare(EventSet<R>& set, const device::Batch& batch) {
    const DeviceRecipe recipe = tables_.recipe();
    set.prepare(batch, &recipe, 0, views(), features_, side_);
  }
  // What the next step will ask for. Where memory does not do, that step will find out and say so: this one is done.
  void ahead(EventSet<R>& set, const device::Batch& next) {
    try {
      prepare(set, next);
    } catch (const Error& error) {
      set.forget();
      if (error.code != cudaErrorMemoryAllocation) throw;
      cudaGetLastError();
    }
  }

  void start(EventSet<R>& set, const device::Batch& batch, double rate, bool update, bool drop) {
    if (group_) group_->check_alive();
    const Tokens tokens = set.tokens(stream_);
    const int level = encoder_.shape().head_layers, d = encoder_.rep_width(level);
    const std::size_t numbers = std::size_t(tokens.events) * encoder_.rep_row();
    encoder_.reserve(tokens.rows.capacity, tokens.events, update);
    R *reps = reps_.need(std::max<std::size_t>(numbers, 1)), *dreps = dreps_.need(std::max<std::size_t>(numbers, 1));
    const Contrast<S> c =
        contrast_.make(loss_, weights_, temperature_, batch.total, batch.first, tokens.batch, d, update, bench_.scratch);
    const StepInput* input = set.send_input(rate, stream_);
    const bool drops = drop && update && encoder_.shape().keep_threshold > 0;
    const auto record = [&](cudaStream_t stream) {
      run({tokens, set.x()}, set, c, drops ? input : nullptr, input, update, reps, dreps, stream);
    };
    graphs_.run({tokens.rows.capacity, tokens.batch, tokens.most, batch.total * 2 + update, &set - sets_.data(), drops},
                bench_.moves.count, stream_, record);
    to_host(&result_.data()->loss, c.value, 1, stream_);
    to_host(&result_.data()->norm, &learned_.state.data()->norm, 1, stream_);
  }

  void run(const TokenRows<R>& rows, const EventSet<R>& set, const Contrast<S>& c, const StepInput* dropout,
           const StepInput* input, bool update, R* reps, R* dreps, cudaStream_t stream) {
    const Tokens& tokens = rows.tokens;
    const int level = encoder_.shape().head_layers, at = encoder_.rep_offset(level), row = encoder_.rep_row();
    const std::size_t own = std::size_t(c.count) * row;
    const bool gathers = group_ && c.denominator != Denominator::kNone;
    set.pad(tokens, stream);
    encoder_.forward(learned_.weights(), rows, level, update, dropout, set.ids(), reps, stream);
    for (int v = 0; v < c.views; ++v) {
      R* z = contrast_.z.data() + std::size_t(v) * c.total * c.d;
      copy_rows(z + std::size_t(c.first) * c.d, c.d, reps + v * own + at, row, c.d, c.count, stream);
      if (gathers && v < 2) group_->gather(z, std::is_same_v<R, double>, c.total, c.d, stream);
    }
    contrast<S>(c, group_.get(), stream);
    if (!update) return;
    fill_zero(dreps, std::size_t(tokens.events) * row, stream);
    for (int v = 0; v < c.views; ++v)
      copy_rows(dreps + v * own + at, row, c.dz + std::size_t(v) * c.count * c.d, c.d, c.d, c.count, stream);
    R* gradient = learned_.gradient.data();
    encoder_.backward(learned_.weights(), rows, dropout, set.ids(), dreps, gradient, nullptr, stream);
    if (group_) group_->sum(gradient, std::is_same_v<R, double>, learned_.count, stream);
    update_weights<S>(learned_.update(optimiser_, input, bench_.scratch), stream);
  }

  device::StepResult finish(bool update) {
    if (group_) group_->wait(stream_);
    else stream_.wait();
    return {result_.data()->loss, update ? result_.data()->norm : 0};
  }

  void infer(EventSet<R>& set, R* out) {
    const Tokens tokens = set.tokens(stream_);
    const std::size_t numbers = std::size_t(tokens.events) * encoder_.rep_row();
    encoder_.reserve(tokens.rows.capacity, tokens.events, false);
    R* reps = reps_.need(std::max<std::size_t>(numbers, 1));
    set.pad(tokens, stream_);
    encoder_.forward(learned_.weights(), {tokens, set.x()}, encoder_.shape().head_layers, false, nullptr, nullptr, reps,
                     stream_);
    to_host(out, reps, numbers, stream_);
    stream_.wait();
  }

  void fetch(void* out, const DeviceBuffer<R>& from) {
    to_host(static_cast<R*>(out), from.data(), learned_.count, stream_);
    stream_.wait();
  }
  void send(DeviceBuffer<R>& to, const void* from) {
    to_device(to.data(), static_cast<const R*>(from), learned_.count, stream_);
    stream_.wait();
  }

  struct Result {
    double loss, norm;
  };

  Stream stream_, side_;
  Workbench bench_;
  Encoder<S> encoder_;
  int loss_;
  LossWeights weights_;
  double temperature_;
  device::Optimiser optimiser_;
  FeatureConfig features_;
  Learned<S> learned_;
  RecipeTables tables_;
  std::array<EventSet<R>, 2> sets_;
  int now_ = 0;
  ContrastMemory<S> contrast_;
  DeviceBuffer<R> reps_, dreps_, dx_;
  PinnedBuffer<Result> result_;
  Graphs graphs_;
  std::unique_ptr<Group> group_;
};

}  // namespace

std::unique_ptr<AnyTrainer> make_trainer(const device::TrainerConfig& config) {
  switch (config.precision) {
    case device::Precision::kF32: return std::make_unique<Trainer<float>>(config);
    case device::Precision::kF64: return std::make_unique<Trainer<double>>(config);
    case device::Precision::kBf16: break;
  }
  return std::make_unique<Trainer<bf16>>(config);
}

}  // namespace aclr::cuda
