// Distance correlation between rows and the population they belong to: what asks of a representation that two populations
// of events, nominal and shifted, be distributed alike.
#pragma once
#include "core/buffer.h"
#include "core/thread_pool.h"
#include "kernels/ops.h"
#include "model/row_scale.h"

namespace aclr {

// x[v] points at the rows of population v, [n, d], which are first brought to the scale of population 0. dx[v] get weight
// times the gradients, [n, d]; both null for the value alone.
template <class T>
struct PivotBatch {
  int n, d;
  const T* x[2];
  T* dx[2];
  RowScaling scaling = RowScaling::kNone;
};

// Working memory, to be kept from call to call.
template <class T>
struct PivotScratch {
  Buffer<T> rows, square, transposed, packed;
  Buffer<double> sums;
};

// The squared distance correlation of the 2n rows with the label 0 or 1 of their population (Szekely, Rizzo, Bakirov, Ann.
// Stat. 35 (2007) 2769; as a term of a loss: DisCo, arXiv:2001.05310). With a_ij = |x_i - x_j|, M = 2n, A the doubly centred
// a, and the label's own, B_ij = 1/2 across populations and -1/2 within one, of distance variance 1/4:
//   D = sum_ij A_ij B_ij / M^2 / sqrt(V / 4),   V = sum_ij A_ij^2 / M^2
// whose numerator is an eighth of the energy distance of the two populations, 2 E|x - y| - E|x - x'| - E|y - y'|. D is on
// [0, 1], 0 where the populations are the same, and has no scale; whitened, it is that of distances as a detector on whitened
// rows has them. 0, with gradient 0, where all rows are one.
// Time grows with n^2, memory with n. The same bits for any number of threads.
template <class T>
double distance_correlation(ThreadPool& pool, const Ops<T>& op, const PivotBatch<T>& batch, double weight,
                            PivotScratch<T>& scratch);

}  // namespace aclr
