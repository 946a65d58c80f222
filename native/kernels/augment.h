// A view of many events at once: the numbers of the generator and the formulas of each object run over whole columns.
// The result is that of Recipe::apply event by event, to the bit, on every target.
#pragma once
#include <cstdint>

#include "augment/recipe.h"
#include "core/event.h"

namespace aclr {

template <class T>
struct AugmentTable;
// That of the target in use.
template <class T>
const AugmentTable<T>& augment_table();

// The view of the events first .. first+count-1 of `in`, of kMaxObjects objects at most, is added to `out`, another set.
// ids [in.events()] key the draws of each. For threads: any cut of a range into calls gives the same.
template <class T>
void augment(const Recipe<T>& recipe, const ViewKey& key, const EventColumns<T>& in, const std::uint32_t* ids, int first,
             int count, EventColumns<T>& out, const AugmentTable<T>& table = augment_table<T>());

// ---- what a target provides ------------------------------------------------------------------------------------------

// Events that are worked on together: their columns fit the caches, and a weighted scenario still finds several.
inline constexpr int kBlockEvents = 128;
// Loops over columns run on to a multiple of this; the columns have room for it.
inline constexpr int kLanes = 16;

struct StreamKey {
  std::uint64_t seed;
  std::uint32_t epoch, stream;
};

// Objects of `events` events, one event after another, as columns of kBlockObjects places.
inline constexpr int kBlockObjects = kBlockEvents * kMaxObjects;
template <class T>
struct EventBlock {
  int events;
  const std::uint32_t* ids;    // [events]
  std::int32_t* offsets;       // [events + 1]
  T *pt, *eta, *phi;           // [objects]
  std::int32_t *kind, *event;  // [objects]; event: its place in the block
};

// Blocks of the generator side by side: `words` are those of block number `block` of the stream of an event.
struct PhiloxLanes {
  std::uint32_t *event, *block;  // [lanes]
  std::uint32_t* words;          // [lanes, 4]
};

// Room for a step's own needs.
inline constexpr int kMaxWords = 2;  // of one object
struct StepScratch {
  PhiloxLanes lanes;
  std::int32_t* shift;             // [events]
  std::int32_t* share;             // [objects + 1]
  std::uint32_t* word[kMaxWords];  // [objects]
};

template <class T>
struct AugmentTable {
  const char* target;
  void (*philox)(const StreamKey& key, const PhiloxLanes& lanes, int count);
  // Applies the augmentation at its place in AugmentationList to a block; nullptr where it takes whole events.
  using Step = void (*)(const double* p, const StreamKey& key, EventBlock<T>& block, const StepScratch& scratch);
  Step step[AugmentationList::count];
};

extern const AugmentTable<float> portable_augment_f32, avx2_augment_f32, avx512_augment_f32;
extern const AugmentTable<double> portable_augment_f64;

}  // namespace aclr
