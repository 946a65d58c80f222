// Contrastive losses over a batch, value and gradient, in tiles: memory grows with N, never with N^2.
#pragma once
#include "core/status.h"
#include "core/thread_pool.h"
#include "loss/list.h"

namespace aclr {

// The loss of that name, or nullptr.
template <class T>
const LossEntry<T>* find_loss(const char* name);

// z[v] points at the rows of view v, [n, d], `row` apart; the third is null where the loss has no use for it. dz[v] get
// the gradients, dense [n, d]; null for none. A zero row has cosines 0 and gradient 0.
template <class T>
struct ContrastBatch {
  int n, d;
  const T* z[3];
  std::ptrdiff_t row;
  T* dz[3];
};

// Undefined (Code::kUndefined) where a denominator would be empty: one event with clr or anomclr.
template <class T>
Status contrast(ThreadPool& pool, const LossEntry<T>& loss, const LossWeights& weights, double temperature,
                const ContrastBatch<T>& batch, double* value);

}  // namespace aclr
