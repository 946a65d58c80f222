// Where blocks of a batch leave their weight gradients: block b adds to slot b mod count, each slot is one task, and
// slots are summed in order. The count depends on the batch alone, so the sum does not depend on the threads.
#pragma once
#include <algorithm>
#include <functional>
#include <vector>

#include "core/thread_pool.h"

namespace aclr {

template <class T>
class GradientSlots {
 public:
  // Runs add(block, slot's gradient) for every block and returns the sum over all, `count` long.
  const T* accumulate(ThreadPool& pool, int blocks, std::size_t count, const std::function<void(int, T*)>& add) {
    const int slots = std::clamp(blocks / 4, std::min(blocks, 2), 32);
    if (static_cast<int>(slots_.size()) < slots) slots_.resize(slots);
    pool.run(slots, [&](int s) {
      slots_[s].assign(count, T(0));
      for (int b = s; b < blocks; b += slots) add(b, slots_[s].data());
    });
    constexpr std::size_t kBlock = 16384;
    pool.run(static_cast<int>((count + kBlock - 1) / kBlock), [&](int b) {
      const std::size_t from = b * kBlock, to = std::min(count, from + kBlock);
      T* sum = slots_[0].data();
      for (int s = 1; s < slots; ++s)
        for (std::size_t i = from; i < to; ++i) sum[i] += slots_[s][i];
    });
    return slots_[0].data();
  }

 private:
  std::vector<std::vector<T>> slots_;
};

}  // namespace aclr
