#include "kernels/augment.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "kernels/ops.h"

namespace aclr {
namespace {

// Blocks of the generator made ahead for each event of a step that takes whole events.
constexpr int kAhead = 3;

// Buffers of a thread. What lies behind the objects of a block is an earlier value, never unset memory.
template <class T>
class Workspace {
  template <class X>
  struct Column {
    std::vector<X> data = std::vector<X>(kBlockObjects + kLanes);
    operator X*() { return data.data(); }
  };
  struct Columns {
    Column<T> pt, eta, phi;
    Column<std::int32_t> kind, event;
    std::int32_t offsets[kBlockEvents + 1];
  };
  Columns columns_[2];
  Column<std::uint32_t> lane_event_, lane_block_, word_[kMaxWords];
  std::vector<std::uint32_t> words_ = std::vector<std::uint32_t>(4 * (kBlockObjects + kLanes));
  Column<std::int32_t> share_;
  std::int32_t shift_[kBlockEvents];

  EventBlock<T> block(Columns& c) { return {0, ids, c.offsets, c.pt, c.eta, c.phi, c.kind, c.event}; }

 public:
  EventBlock<T> now = block(columns_[0]), next = block(columns_[1]);
  StepScratch scratch{{lane_event_, lane_block_, words_.data()}, shift_, share_, {word_[0], word_[1]}};
  std::uint32_t ids[kBlockEvents];
  std::int32_t from[kBlockEvents];  // see load()
  Column<std::int32_t> source;
  int chosen[kBlockEvents], order[kBlockEvents], place[kBlockEvents];  // see group()
  std::vector<int> ends;
  EventColumns<T> grouped;  // results in order of scenarios
};

// For the objects of event after event: source[i] = from[e], from[e] + 1, ..., event[i] = e. Most events are small, so it
// goes by fixed steps, behind whose end the next event writes; kLanes more than the objects are written at most.
void number_objects(const std::int32_t* offsets, int events, const std::int32_t* from, std::int32_t* source,
                    std::int32_t* event) {
  constexpr int kStep = 8;
  for (int e = 0; e < events; ++e) {
    int i = offsets[e];
    const int shift = from[e] - i;
    do {
      for (int k = 0; k < kStep; ++k) source[i + k] = i + k + shift;
      for (int k = 0; k < kStep; ++k) event[i + k] = e;
      i += kStep;
    } while (i < offsets[e + 1]);
  }
}

// Puts the events first + order[0 .. count-1] of `in` into w.now.
template <class T>
void load(const EventColumns<T>& in, const std::uint32_t* ids, int first, const int* order, int count, Workspace<T>& w) {
  EventBlock<T>& b = w.now;
  b.events = count;
  b.offsets[0] = 0;
  for (int e = 0; e < count; ++e) {
    const int i = first + order[e];
    w.ids[e] = ids[i];
    w.from[e] = in.offsets[i];
    b.offsets[e + 1] = b.offsets[e] + in.offsets[i + 1] - in.offsets[i];
  }
  number_objects(b.offsets, count, w.from, w.source, b.event);
  const std::int32_t* source = w.source;
  const int objects = b.offsets[count];
  for (int i = 0; i < objects; ++i) b.pt[i] = in.pt[source[i]];
  for (int i = 0; i < objects; ++i) b.eta[i] = in.eta[source[i]];
  for (int i = 0; i < objects; ++i) b.phi[i] = in.phi[source[i]];
  for (int i = 0; i < objects; ++i) b.kind[i] = in.kind[source[i]];
}

template <class T>
void store(const EventBlock<T>& b, EventColumns<T>& out) {
  const std::size_t objects = b.offsets[b.events], before = out.pt.size();
  out.pt.insert(out.pt.end(), b.pt, b.pt + objects);
  out.eta.insert(out.eta.end(), b.eta, b.eta + objects);
  out.phi.insert(out.phi.end(), b.phi, b.phi + objects);
  out.kind.insert(out.kind.end(), b.kind, b.kind + objects);
  for (int e = 1; e <= b.events; ++e) out.offsets.push_back(static_cast<std::int32_t>(before) + b.offsets[e]);
}

// A step that takes whole events.
template <class T>
void whole_events(const AugmentTable<T>& table, const RecipeStep<T>& step, const StreamKey& key, const PhiloxLanes& lanes,
                  const EventBlock<T>& from, EventBlock<T>& to) {
  for (int l = 0; l < from.events * kAhead; ++l) {
    lanes.event[l] = from.ids[l / kAhead];
    lanes.block[l] = static_cast<std::uint32_t>(l % kAhead);
  }
  table.philox(key, lanes, from.events * kAhead);
  to.events = from.events;
  to.offsets[0] = 0;
  for (int e = 0, at = 0; e < from.events; ++e) {
    Event<T> event;
    for (int i = from.offsets[e]; i < from.offsets[e + 1]; ++i)
      event.add({from.pt[i], from.eta[i], from.phi[i], static_cast<Kind>(from.kind[i])});
    Draws<T> draws(key.seed, key.epoch, from.ids[e], key.stream, lanes.words + 4 * kAhead * e, 4 * kAhead);
    step.apply(event, step.parameters.data(), draws);
    for (const Object<T>& o : event) {
      to.pt[at] = o.pt;
      to.eta[at] = o.eta;
      to.phi[at] = o.phi;
      to.kind[at++] = static_cast<std::int32_t>(o.kind);
    }
    to.offsets[e + 1] = at;
  }
  number_objects(to.offsets, to.events, to.offsets, to.event, to.event);
}

// Which scenario each event has: w.order lists events by scenario, w.ends where the list of each one ends, w.place is
// the place of an event in the list.
template <class T>
void group(const AugmentTable<T>& table, const Recipe<T>& recipe, const ViewKey& key, const std::uint32_t* ids, int count,
           Workspace<T>& w) {
  const int scenarios = static_cast<int>(recipe.views[key.view].size());
  const PhiloxLanes& lanes = w.scratch.lanes;
  if (scenarios > 1) {
    std::copy_n(ids, count, lanes.event);
    std::fill_n(lanes.block, count, 0u);
    table.philox({key.seed, key.epoch, key.stream(0)}, lanes, count);
  }
  w.ends.assign(scenarios + 1, 0);
  for (int e = 0; e < count; ++e) {
    w.chosen[e] = scenarios > 1 ? recipe.choose(key.view, WordDraws<double, 1>(lanes.words[4 * e]).unit()) : 0;
    ++w.ends[w.chosen[e] + 1];
  }
  for (int s = 0; s < scenarios; ++s) w.ends[s + 1] += w.ends[s];  // now ends[s] is where s begins
  for (int e = 0; e < count; ++e) {
    w.place[e] = w.ends[w.chosen[e]]++;
    w.order[w.place[e]] = e;
  }
}

template <class T>
void augment_block(const AugmentTable<T>& table, const Recipe<T>& recipe, const ViewKey& key, const EventColumns<T>& in,
                   const std::uint32_t* ids, int first, int count, EventColumns<T>& out, Workspace<T>& w) {
  const auto& scenarios = recipe.views[key.view];
  group(table, recipe, key, ids + first, count, w);
  EventColumns<T>& result = scenarios.size() > 1 ? w.grouped : out;
  w.grouped.clear();
  int begin = 0;
  for (std::size_t s = 0; s < scenarios.size(); ++s) {
    const int events = w.ends[s] - begin;
    if (events == 0) continue;
    load(in, ids, first, w.order + begin, events, w);
    begin = w.ends[s];
    std::size_t k = 0;
    for (const RecipeStep<T>& step : scenarios[s].steps) {
      const StreamKey stream{key.seed, key.epoch, key.stream(++k)};
      if (const auto run = table.step[step.augmentation]) {
        run(step.parameters.data(), stream, w.now, w.scratch);
      } else {
        whole_events(table, step, stream, w.scratch.lanes, w.now, w.next);
        std::swap(w.now, w.next);
      }
    }
    store(w.now, result);
  }
  if (scenarios.size() == 1) return;
  load(w.grouped, ids + first, 0, w.place, count, w);
  store(w.now, out);
}

}  // namespace

template <>
const AugmentTable<float>& augment_table<float>() {
#if defined(ACLR_X86)
  const std::string_view target = ops<float>().target;
  if (target == "avx512") return avx512_augment_f32;
  if (target == "avx2") return avx2_augment_f32;
#endif
  return portable_augment_f32;  // arm64 has NEON in it
}
template <>
const AugmentTable<double>& augment_table<double>() {
  return portable_augment_f64;
}

template <class T>
void augment(const Recipe<T>& recipe, const ViewKey& key, const EventColumns<T>& in, const std::uint32_t* ids, int first,
             int count, EventColumns<T>& out, const AugmentTable<T>& table) {
  if (recipe.views[key.view].empty()) return out.append(in, first, first + count);
  thread_local const auto workspace = std::make_unique<Workspace<T>>();
  if (out.pt.empty()) out.reserve(count, std::size_t{2} * (in.offsets[first + count] - in.offsets[first]));
  for (const int end = first + count; first < end; first += kBlockEvents)
    augment_block(table, recipe, key, in, ids, first, std::min(kBlockEvents, end - first), out, *workspace);
}

template void augment<float>(const Recipe<float>&, const ViewKey&, const EventColumns<float>&, const std::uint32_t*, int, int,
                             EventColumns<float>&, const AugmentTable<float>&);
template void augment<double>(const Recipe<double>&, const ViewKey&, const EventColumns<double>&, const std::uint32_t*, int,
                              int, EventColumns<double>&, const AugmentTable<double>&);

}  // namespace aclr
