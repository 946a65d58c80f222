// Where the blocks of a batch leave their weight gradients: each slot gets a run of blocks and is one task, and slots are
// summed in order. Their count depends on the batch alone, so the sum does not depend on the threads.
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "core/buffer.h"
#include "core/thread_pool.h"

namespace aclr {

template <class T>
class GradientSlots {
 public:
  // Runs add(block, slot's gradient) for every block, and among them meanwhile(task) for `others` further tasks, last as
  // they are the smaller; returns the sum over all blocks, `count` long.
  T* accumulate(ThreadPool& pool, int blocks, std::size_t count, const std::function<void(int, T*)>& add,
                      int others = 0, const std::function<void(int)>& meanwhile = {}) {
    // enough for some cores to be done at about the same time; each costs a pass over all weights
    const int slots = std::max(1, std::min(blocks, std::clamp(blocks / 2, 8, 32)));
    if (static_cast<int>(slots_.size()) < slots) slots_.resize(slots);
    pool.run(slots + others, [&](int s) {
      if (s >= slots) return meanwhile(s - slots);
      T* gradient = slots_[s].need(count);
      std::fill(gradient, gradient + count, T(0));
      const auto first = [&](int slot) { return static_cast<int>(static_cast<long long>(blocks) * slot / slots); };
      for (int b = first(s); b < first(s + 1); ++b) add(b, gradient);
    });
    constexpr std::size_t kBlock = 16384;
    pool.run(static_cast<int>((count + kBlock - 1) / kBlock), [&](int b) {
      const std::size_t from = b * kBlock, to = std::min(count, from + kBlock);
      T* sum = slots_[0].data();
      int s = 1;
      for (; s + 2 < slots; s += 3) {
        const T *x = slots_[s].data(), *y = slots_[s + 1].data(), *z = slots_[s + 2].data();
        for (std::size_t i = from; i < to; ++i) sum[i] += x[i] + (y[i] + z[i]);
      }
      for (; s < slots; ++s)
        for (std::size_t i = from; i < to; ++i) sum[i] += slots_[s].data()[i];
    });
    return slots_[0].data();
  }

 private:
  std::vector<Buffer<T>> slots_;
};

}  // namespace aclr
