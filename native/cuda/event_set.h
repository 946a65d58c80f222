// Events on their way to the encoder: columns go up through pinned memory, become views, and these rows of features, all on
// a stream beside the one that computes. A session has two sets: one is filled while the other is worked on.
#pragma once
#include <vector>

#include "cuda/kernels/ops.h"
#include "cuda/memory.h"
#include "kernels/device.h"

namespace aclr::cuda {

inline FeatureConfig feature_config(const device::Encoder& e) {
  return {e.features, e.pt_log ? PtFeature::kLog : PtFeature::kLinear, e.pt_scale, e.eta_scale, e.phi_scale};
}

// A recipe in device memory.
class RecipeTables {
 public:
  explicit RecipeTables(Moves& moves);
  // Waits until it is there.
  void set(const device::Recipe& recipe, cudaStream_t stream);
  DeviceRecipe recipe() const { return recipe_; }

 private:
  DeviceRecipe recipe_{};
  DeviceBuffer<double> until_, parameters_;
  DeviceBuffer<std::int32_t> first_step_, steps_, augmentation_;
};

// Events first .. first + count - 1 of others; `offsets` [count + 1] becomes theirs.
template <class R>
device::Events slice(const device::Events& from, int first, int count, std::vector<std::int32_t>& offsets) {
  const std::int32_t at = from.offsets[first];
  offsets.resize(count + 1);
  for (int i = 0; i <= count; ++i) offsets[i] = from.offsets[first + i] - at;
  const auto column = [at](const void* all) { return static_cast<const R*>(all) + at; };
  return {count, column(from.pt), column(from.eta), column(from.phi), from.kind + at, offsets.data()};
}

template <class R>
class EventSet {
 public:
  explicit EventSet(Moves& moves);

  // Sends a batch and makes views first_view .. first_view + views - 1 of it, without a recipe the events themselves.
  // Returns before it is done; the caller's memory may go. Not to be called while the device still works on this set.
  void prepare(const device::Batch& batch, const DeviceRecipe* recipe, int first_view, int views,
               const FeatureConfig& config, cudaStream_t stream);
  // Rows of features made elsewhere, one set of tokens a view, in place of a batch.
  void prepare_rows(const device::Tokens* views, int count, int features, cudaStream_t stream);

  // Whether this is what prepare() was last given, to the bit.
  bool holds(const device::Batch& batch) const;
  void forget() { filled_ = false; }

  // Waits until the rows are there and gives them with memory for at least `tokens` rows: a bucket, of which there are few.
  // stream then goes on after them.
  Tokens tokens(cudaStream_t stream);
  const R* x() const { return x_.data(); }
  // Clears the rows behind the last, whose number the device knows; part of what is captured.
  void pad(const Tokens& tokens, cudaStream_t stream) const;
  const std::uint32_t* ids() const { return ids_.data(); }
  // Key of the batch and the learning rate, to be sent before a step.
  const StepInput* send_input(double rate, cudaStream_t stream);

  // Views as objects, for augment(): waits, then the columns of `events`, `stride` apart, and how many of each.
  struct Objects {
    std::vector<R> pt, eta, phi;
    std::vector<std::int32_t> kind, count;
    int stride;
  };
  Objects objects(cudaStream_t stream) const;

 private:
  void make_rows(const FeatureConfig& config, cudaStream_t stream);

  int batch_ = 0, views_ = 0, stride_ = 0, features_ = 0, capacity_ = 0;
  bool filled_ = false;
  device::Batch key_{};  // its numbers; pointers are not looked at
  PinnedBuffer<R> host_columns_;         // pt, eta, phi
  PinnedBuffer<std::uint8_t> host_kind_;
  PinnedBuffer<std::int32_t> host_offsets_;
  PinnedBuffer<std::uint32_t> host_ids_;
  PinnedBuffer<StepInput> host_input_;
  PinnedBuffer<TokenCounts> host_counts_;
  DeviceBuffer<R> columns_, pt_, eta_, phi_, x_;
  DeviceBuffer<std::uint8_t> kind_, scan_;
  DeviceBuffer<std::int32_t> offsets_, kinds_, objects_, row_offsets_, row_event_;
  DeviceBuffer<std::uint32_t> ids_;
  DeviceBuffer<StepInput> input_;
  DeviceBuffer<TokenCounts> counts_;
  Flag ready_;
};

}  // namespace aclr::cuda
