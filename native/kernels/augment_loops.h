// The steps of a recipe on a block of events, one per augmentation that works object by object. Included by each target
// inside its own namespace, as loops.h and for the same reason; from outside it calls ACLR_LANE functions alone.
// Compiled without fusing products and sums, so that every target gives the same bits.
//
// Objects differ in number from event to event. A loop over the objects of each event would mispredict its end once an
// event, which costs more than the work, so each pass runs over the objects or the events of the whole block, and what
// passes from one event to the next goes by prefix sums.
#include "kernels/augment.h"

namespace aclr::ACLR_TARGET {

inline int padded(int count) { return (count + kLanes - 1) / kLanes * kLanes; }

inline void philox(const StreamKey& key, const PhiloxLanes& lanes, int count) {
  const std::uint32_t key0 = static_cast<std::uint32_t>(key.seed), key1 = static_cast<std::uint32_t>(key.seed >> 32);
  const std::uint32_t stream = key.stream, epoch = key.epoch;
  const std::uint32_t *event = lanes.event, *block = lanes.block;
  std::uint32_t* words = lanes.words;
  const int end = padded(count);
#pragma omp simd
  for (int l = 0; l < end; ++l) {
    const Words got = philox4x32({{block[l], stream, event[l], epoch}}, key0, key1);
    words[4 * l] = got.w[0];
    words[4 * l + 1] = got.w[1];
    words[4 * l + 2] = got.w[2];
    words[4 * l + 3] = got.w[3];
  }
}

// word[k][i] = word k of the event of object i.
template <int words, class T>
void words_per_event(const StreamKey& key, const EventBlock<T>& b, const StepScratch& s) {
  for (int e = 0; e < b.events; ++e) {
    s.lanes.event[e] = b.ids[e];
    s.lanes.block[e] = 0;
  }
  philox(key, s.lanes, b.events);
  const int objects = b.offsets[b.events];
  for (int i = 0; i < objects; ++i)
    for (int k = 0; k < words; ++k) s.word[k][i] = s.lanes.words[4 * b.event[i] + k];
}

// word[k][i] = word (words * rank + k) of the event of object i; rank counts those before i in the event that take
// part. An object that does not is given some word.
template <class Item, class T>
void words_per_object(const StreamKey& key, const EventBlock<T>& b, const StepScratch& s) {
  constexpr int words = Item::kWords;
  static_assert(words <= kMaxWords && 4 % words == 0, "the words of an object lie in one lane");
  constexpr int kShares = 4 / words;  // of a lane
  const int objects = b.offsets[b.events];
  int taking = 0;
  for (int i = 0; i < objects; ++i) {
    s.share[i] = taking;
    taking += Item::takes(static_cast<Kind>(b.kind[i]));
  }
  s.share[objects] = taking;
  int lanes = 0;
  for (int e = 0; e < b.events; ++e) {
    const int before = s.share[b.offsets[e]], end = lanes + (s.share[b.offsets[e + 1]] - before + kShares - 1) / kShares;
    s.shift[e] = lanes * kShares - before;
    // in fixed steps: the next event writes over what is too much
    int lane = lanes;
    do {
      for (int k = 0; k < 4; ++k) s.lanes.event[lane + k] = b.ids[e];
      for (int k = 0; k < 4; ++k) s.lanes.block[lane + k] = static_cast<std::uint32_t>(lane + k - lanes);
      lane += 4;
    } while (lane < end);
    lanes = end;
  }
  philox(key, s.lanes, lanes);
  for (int i = 0; i < objects; ++i) {
    const int first = words * (s.share[i] + s.shift[b.event[i]]);
    for (int k = 0; k < words; ++k) s.word[k][i] = s.lanes.words[first + k];
  }
}

// Takes out the objects with keep[i] == 0.
template <class T>
void compact(EventBlock<T>& b, std::int32_t* keep) {
  const int objects = b.offsets[b.events];
  int kept = 0;
  for (int i = 0; i < objects; ++i) {
    b.pt[kept] = b.pt[i];
    b.eta[kept] = b.eta[i];
    b.phi[kept] = b.phi[i];
    b.kind[kept] = b.kind[i];
    b.event[kept] = b.event[i];
    const int stays = keep[i];
    keep[i] = kept;
    kept += stays;
  }
  keep[objects] = kept;
  for (int e = 0; e <= b.events; ++e) b.offsets[e] = keep[b.offsets[e]];
}

// One object; false where it is lost. A function of its own: locals of a simd loop that are structs would keep it scalar.
template <class Item, class T>
ACLR_LANE bool change(T& pt, T& eta, T& phi, Kind kind, const double* p, std::uint32_t word0, std::uint32_t word1) {
  Object<T> o{pt, eta, phi, kind};
  bool stays;
  if constexpr (Item::kDrawn == Drawn::kNothing) {
    stays = Item::stays(o, p);
  } else {
    WordDraws<T, kMaxWords> random{word0, word1};
    stays = Item::stays(o, p, Item::template draw<T>(p, random));
  }
  const bool takes = Item::takes(kind);
  pt = takes ? o.pt : pt;
  eta = takes ? o.eta : eta;
  phi = takes ? o.phi : phi;
  return !takes | stays;
}

template <class Item, class T>
void step(const double* given, const StreamKey& key, EventBlock<T>& b, const StepScratch& s) {
  if constexpr (Item::kDrawn == Drawn::kPerEvent) words_per_event<Item::kWords>(key, b, s);
  if constexpr (Item::kDrawn == Drawn::kPerObject) words_per_object<Item>(key, b, s);
  double p[kMaxParameters];
  for (int k = 0; k < kMaxParameters; ++k) p[k] = given[k];
  T *pt = b.pt, *eta = b.eta, *phi = b.phi;
  const std::int32_t* kind = b.kind;
  const std::uint32_t *word0 = s.word[0], *word1 = s.word[1];
  std::int32_t* keep = s.share;
  const int objects = b.offsets[b.events], end = padded(objects);
  std::int32_t lost = 0;
#pragma omp simd reduction(| : lost)
  for (int i = 0; i < end; ++i) {
    keep[i] = change<Item>(pt[i], eta[i], phi[i], static_cast<Kind>(kind[i]), p, word0[i], word1[i]);
    lost |= i < objects ? !keep[i] : 0;
  }
  if (lost) compact(b, keep);
}

template <class T, class... Items>
constexpr AugmentTable<T> make_augment_table(const char* target, TypeList<Items...>) {
  const auto entry = [](auto item) -> typename AugmentTable<T>::Step {
    if constexpr (requires { decltype(item)::kDrawn; }) return step<decltype(item), T>;
    else return nullptr;
  };
  return {target, philox, {entry(Items{})...}};
}

}  // namespace aclr::ACLR_TARGET
