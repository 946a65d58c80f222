#include "cuda/event_set.h"

#include <algorithm>
#include <cstring>

#include "core/event.h"

namespace aclr::cuda {
namespace {

// Room for what augmentations add to an event: every kind up to its capacity, and a MET.
constexpr int kAdded = 19;

// Places for each of the views of these events, the largest of which has `most` objects. Constituents split until the event
// is full.
int places_of(const device::Events& events, int most) {
  const std::size_t objects = events.offsets[events.count];
  const bool jets = objects > 0 && std::memchr(events.kind, static_cast<int>(Kind::kConstituent), objects) != nullptr;
  return jets ? kMaxObjects : std::min(most + kAdded, kMaxObjects);
}

// The number of rows that memory and products are made for: steps of a sixteenth, so that a sample of any batch size meets a
// handful of them, and at most one row in sixteen is in vain.
int bucket(int tokens) {
  int step = 64;
  while (step * 16 < tokens) step *= 2;
  return std::max(step, (tokens + step - 1) / step * step);
}

// Events of at most so many tokens share an attention kernel's shape.
int most_bucket(int most) {
  for (const int bound : {8, 16, 20, 32})
    if (most <= bound) return bound;
  return kMaxObjects;
}

template <class T>
void upload(DeviceBuffer<T>& to, PinnedBuffer<T>& through, const T* from, std::size_t count, cudaStream_t stream) {
  T* pinned = through.need(std::max<std::size_t>(count, 1));
  if (count > 0) std::memcpy(pinned, from, count * sizeof(T));
  to_device(to.need(std::max<std::size_t>(count, 1)), pinned, count, stream);
}

template <class T>
void upload_now(DeviceBuffer<T>& to, const std::vector<T>& from, cudaStream_t stream) {
  to_device(to.need(std::max<std::size_t>(from.size(), 1)), from.data(), from.size(), stream);
}

}  // namespace

RecipeTables::RecipeTables(Moves& moves)
    : until_(moves), parameters_(moves), first_step_(moves), steps_(moves), augmentation_(moves) {}

void RecipeTables::set(const device::Recipe& recipe, cudaStream_t stream) {
  std::vector<double> until, parameters;
  std::vector<std::int32_t> first_step, steps, augmentation;
  for (int s = 0; s < recipe.first_scenario[3]; ++s) {
    until.push_back(recipe.scenario[s].until);
    first_step.push_back(recipe.scenario[s].first_step);
    steps.push_back(recipe.scenario[s].steps);
  }
  for (int s = 0; s < recipe.steps; ++s) {
    augmentation.push_back(recipe.step[s].augmentation);
    parameters.insert(parameters.end(), recipe.step[s].parameters, recipe.step[s].parameters + kMaxParameters);
  }
  upload_now(until_, until, stream);
  upload_now(parameters_, parameters, stream);
  upload_now(first_step_, first_step, stream);
  upload_now(steps_, steps, stream);
  upload_now(augmentation_, augmentation, stream);
  check(cudaStreamSynchronize(stream), "sending a recipe");
  std::copy(recipe.first_scenario, recipe.first_scenario + 4, recipe_.first_scenario);
  recipe_.until = until_.data();
  recipe_.first_step = first_step_.data();
  recipe_.steps = steps_.data();
  recipe_.augmentation = augmentation_.data();
  recipe_.parameters = parameters_.data();
}

template <class R>
EventSet<R>::EventSet(Moves& moves)
    : columns_(moves), pt_(moves), eta_(moves), phi_(moves), x_(moves), kind_(moves), scan_(moves), offsets_(moves),
      kinds_(moves), objects_(moves), row_offsets_(moves), row_event_(moves), ids_(moves), input_(moves), counts_(moves) {
  host_input_.need(1);
  host_counts_.need(1);
  input_.need(1);
  counts_.need(1);
}

template <class R>
void EventSet<R>::prepare(const device::Batch& batch, const DeviceRecipe* recipe, int first_view, int views,
                          const FeatureConfig& config, cudaStream_t stream) {
  filled_ = false;
  ready_.wait();  // what was sent before may still be read from where this goes
  const device::Events& events = batch.events;
  const std::size_t count = events.count, objects = events.offsets[events.count];
  int most = 0;
  for (int i = 0; i < events.count; ++i) most = std::max(most, events.offsets[i + 1] - events.offsets[i]);
  batch_ = events.count;
  views_ = views;
  stride_ = std::max(1, recipe ? places_of(events, most) : most);
  features_ = config.count;
  key_ = batch;

  R* columns = host_columns_.need(std::max<std::size_t>(3 * objects, 1));
  for (int c = 0; objects > 0 && c < 3; ++c) {
    const void* from[] = {events.pt, events.eta, events.phi};
    std::memcpy(columns + c * objects, from[c], objects * sizeof(R));
  }
  to_device(columns_.need(std::max<std::size_t>(3 * objects, 1)), columns, 3 * objects, stream);
  upload(kind_, host_kind_, events.kind, objects, stream);
  upload(offsets_, host_offsets_, events.offsets, count + 1, stream);
  if (batch.ids) upload(ids_, host_ids_, batch.ids, count, stream);
  send_input(0, stream);

  const std::size_t places = std::size_t(views) * count * stride_;
  for (DeviceBuffer<R>* column : {&pt_, &eta_, &phi_}) column->need(std::max<std::size_t>(places, 1));
  kinds_.need(std::max<std::size_t>(places, 1));
  objects_.need(std::max<std::size_t>(views * count, 1));
  const R *pt = columns_.data(), *eta = pt + objects, *phi = eta + objects;
  if (recipe)
    make_views<R>({batch_, views, first_view, pt, eta, phi, kind_.data(), offsets_.data(), ids_.data(), *recipe,
                   input_.data(), stride_, pt_.data(), eta_.data(), phi_.data(), kinds_.data(), objects_.data()},
                  stream);
  else
    unpack_events<R>(batch_, stride_, pt, eta, phi, kind_.data(), offsets_.data(), pt_.data(), eta_.data(), phi_.data(),
                     kinds_.data(), objects_.data(), stream);
  make_rows(config, stream);
  filled_ = true;
}

template <class R>
void EventSet<R>::make_rows(const FeatureConfig& config, cudaStream_t stream) {
  const int events = views_ * batch_;
  capacity_ = bucket(std::max(1, events * stride_));
  x_.need(std::size_t(capacity_) * features_);
  row_event_.need(capacity_);
  row_offsets_.need(events + 1);
  const std::size_t scan_bytes = partial_bytes(2) + std::size_t(events + 1) * 2 * sizeof(std::int32_t);
  featurise<R>({events, batch_, stride_, pt_.data(), eta_.data(), phi_.data(), kinds_.data(), objects_.data(),
                FeatureRow<R>(config), capacity_, x_.data(), row_offsets_.data(), row_event_.data(), counts_.data(),
                {scan_.need(scan_bytes), scan_bytes}},
               stream);
  to_host(host_counts_.data(), counts_.data(), 1, stream);
  ready_.raise(stream);
}

template <class R>
void EventSet<R>::prepare_rows(const device::Tokens* views, int count, int features, cudaStream_t stream) {
  filled_ = false;
  ready_.wait();
  batch_ = views[0].events;
  views_ = count;
  features_ = features;
  std::vector<std::int32_t> offsets{0}, event;
  std::size_t tokens = 0;
  int most = 0;
  for (int v = 0; v < count; ++v) {
    for (int i = 0; i < batch_; ++i) {
      const int n = views[v].offsets[i + 1] - views[v].offsets[i];
      offsets.push_back(offsets.back() + n);
      event.insert(event.end(), n, v * batch_ + i);
      most = std::max(most, n);
    }
    tokens += views[v].offsets[batch_];
  }
  capacity_ = bucket(static_cast<int>(tokens));
  R* columns = host_columns_.need(std::max<std::size_t>(tokens * features, 1));
  for (int v = 0, at = 0; v < count; ++v) {
    const std::size_t numbers = std::size_t(views[v].offsets[batch_]) * features;
    if (numbers > 0) std::memcpy(columns + at, views[v].x, numbers * sizeof(R));
    at += static_cast<int>(numbers);
  }
  to_device(x_.need(std::size_t(capacity_) * features), columns, tokens * features, stream);
  row_event_.need(capacity_);
  to_device(row_event_.data(), event.data(), event.size(), stream);
  to_device(row_offsets_.need(offsets.size()), offsets.data(), offsets.size(), stream);
  *host_counts_.data() = {static_cast<std::int32_t>(tokens), most};
  to_device(counts_.data(), host_counts_.data(), 1, stream);
  send_input(0, stream);
  check(cudaStreamSynchronize(stream), "sending rows");  // the vectors go
  ready_.raise(stream);
}

template <class R>
bool EventSet<R>::holds(const device::Batch& batch) const {
  const device::Events& events = batch.events;
  if (!filled_ || events.count != batch_ || batch.seed != key_.seed || batch.epoch != key_.epoch ||
      batch.first != key_.first || batch.total != key_.total)
    return false;
  const std::size_t count = events.count, objects = events.offsets[events.count];
  const auto same = [](const void* a, const void* b, std::size_t bytes) {
    return bytes == 0 || std::memcmp(a, b, bytes) == 0;
  };
  if (!same(events.offsets, host_offsets_.data(), (count + 1) * sizeof(std::int32_t)) ||
      !same(batch.ids, host_ids_.data(), count * sizeof(std::uint32_t)) || !same(events.kind, host_kind_.data(), objects))
    return false;
  const R* columns = host_columns_.data();
  return same(events.pt, columns, objects * sizeof(R)) && same(events.eta, columns + objects, objects * sizeof(R)) &&
         same(events.phi, columns + 2 * objects, objects * sizeof(R));
}

template <class R>
Tokens EventSet<R>::tokens(cudaStream_t stream) {
  ready_.wait();
  ready_.hold(stream);
  const TokenCounts counts = *host_counts_.data();
  const int capacity = std::min(bucket(std::max(1, counts.tokens)), capacity_);
  return {{capacity, &counts_.data()->tokens}, views_ * batch_, batch_, most_bucket(counts.most), row_offsets_.data(),
          row_event_.data()};
}

template <class R>
void EventSet<R>::pad(const Tokens& tokens, cudaStream_t stream) const {
  pad_rows<R>(tokens.rows.capacity, features_, counts_.data(), x_.data(), row_event_.data(), stream);
}

template <class R>
const StepInput* EventSet<R>::send_input(double rate, cudaStream_t stream) {
  *host_input_.data() = {static_cast<std::uint32_t>(key_.seed), static_cast<std::uint32_t>(key_.seed >> 32), key_.epoch,
                         rate};
  to_device(input_.data(), host_input_.data(), 1, stream);
  return input_.data();
}

template <class R>
typename EventSet<R>::Objects EventSet<R>::objects(cudaStream_t stream) const {
  const std::size_t events = std::size_t(views_) * batch_, places = events * stride_;
  Objects out{std::vector<R>(places), std::vector<R>(places), std::vector<R>(places), std::vector<std::int32_t>(places),
              std::vector<std::int32_t>(events), stride_};
  to_host(out.pt.data(), pt_.data(), places, stream);
  to_host(out.eta.data(), eta_.data(), places, stream);
  to_host(out.phi.data(), phi_.data(), places, stream);
  to_host(out.kind.data(), kinds_.data(), places, stream);
  to_host(out.count.data(), objects_.data(), events, stream);
  check(cudaStreamSynchronize(stream), "making views");
  return out;
}

template class EventSet<float>;
template class EventSet<double>;

}  // namespace aclr::cuda
