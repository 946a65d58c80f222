// Contrastive losses over a batch, value and gradient, in tiles: memory grows with N, never with N^2.
#pragma once
#include "core/buffer.h"
#include "core/group.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "kernels/ops.h"
#include "loss/list.h"

namespace aclr {

// The loss of that name, or nullptr.
template <class T>
const LossEntry<T>* find_loss(const char* name);

// z[v] points at the rows of view v, [n, d]; the third is null where the loss has no use for it. dz[v] get the
// gradients, [n, d], of every view that the loss uses, and may be z[v]; all null for the value alone. A zero row has
// cosines 0 and gradient 0.
// With a group the batch has `total` rows a view and these are one rank's: the share that share_begin() gives it. All
// ranks call together, even one without rows, and each contrasts its own with those of all.
template <class T>
struct ContrastBatch {
  int n, d;
  const T* z[3];
  T* dz[3];
  Group* group = nullptr;
  int total = 0;
};

// Working memory, to be kept from call to call.
template <class T>
struct ContrastScratch {
  Buffer<T> unit, norm, top, sum, weight, pair, negatives, transposed, packed;
  Buffer<char> gathered;
};

// The value is that of the whole batch. Undefined (Code::kUndefined) where a denominator would be empty: one event with
// clr or anomclr.
template <class T>
Status contrast(ThreadPool& pool, const Ops<T>& op, const LossEntry<T>& loss, const LossWeights& weights,
                double temperature, const ContrastBatch<T>& batch, ContrastScratch<T>& scratch, double* value);

}  // namespace aclr
