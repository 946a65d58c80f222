// What the two families of our own matrix products share: how long sums are split, and how results are finished.
#pragma once
#include <algorithm>

#include "cuda/kernels/ops.h"
#include "cuda/launch.h"

namespace aclr::cuda {

// A product with a small c and a long k, as of all gradients of weights, has too few tiles to keep a device busy. Its k is
// cut into `parts` of `length`; each leaves its sums [m, n] in scratch, and a second kernel adds these in their order.
struct Split {
  int parts, length;
};

// For so many tiles of c; lengths are multiples of `step`. Nothing here asks the device, so that sums are the same on each.
inline Split split_sums(int m, int n, int k, int tiles, int step, std::size_t real_bytes, std::size_t scratch_bytes) {
  constexpr int kBlocks = 264, kShortest = 256;  // two blocks on each multiprocessor of an H100
  const std::size_t room = scratch_bytes / (static_cast<std::size_t>(m) * n * real_bytes);
  int parts = std::min(kBlocks / tiles, k / kShortest);
  if (room < static_cast<std::size_t>(std::max(parts, 0))) parts = static_cast<int>(room);
  if (parts < 2) return {1, ceil_div(std::max(k, 1), step) * step};
  const int length = ceil_div(ceil_div(k, step), parts) * step;
  return {ceil_div(k, length), length};
}

// How c comes of the sums.
template <class R>
struct Finish {
  const R* bias;
  bool accumulate, relu;
};

// before: what stands in c, read only to accumulate. What isn't above 0, NaN too, goes to 0, as on the CPU.
template <class R, class C>
__device__ inline R finished(const Finish<R>& finish, R sum, const C* before, int column) {
  if (finish.accumulate) sum += real(*before);
  if (finish.bias) sum += finish.bias[column];
  return finish.relu && !(sum > R(0)) ? R(0) : sum;
}

inline constexpr int kSumColumns = 32, kSumGroups = 8;

// c from parts [parts, m, n]: a thread adds every 8th part of an element, then one the 8 sums.
template <class R, class C>
__global__ void __launch_bounds__(kSumColumns * kSumGroups)
    sum_parts(int m, int n, int parts, const R* part, C* c, std::ptrdiff_t c_row, Finish<R> finish) {
  R* sums = dynamic_shared<R>();  // [groups, columns]
  const std::size_t size = static_cast<std::size_t>(m) * n;
  const std::size_t element = static_cast<std::size_t>(blockIdx.x) * kSumColumns + threadIdx.x;
  R sum = 0;
  if (element < size)
    for (int p = static_cast<int>(threadIdx.y); p < parts; p += kSumGroups) sum += part[p * size + element];
  sums[threadIdx.y * kSumColumns + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || element >= size) return;
  for (int group = 1; group < kSumGroups; ++group) sum += sums[group * kSumColumns + threadIdx.x];
  const int column = static_cast<int>(element % n);
  C* out = c + static_cast<std::ptrdiff_t>(element / n) * c_row + column;
  *out = stored<C>(finished(finish, sum, out, column));
}

template <class R, class C>
void add_parts(int m, int n, int parts, const R* part, C* c, std::ptrdiff_t c_row, const Finish<R>& finish,
               cudaStream_t stream) {
  const std::size_t blocks = ceil_div(static_cast<std::size_t>(m) * n, std::size_t{kSumColumns});
  launch("the last sums of a matrix product", sum_parts<R, C>, dim3(static_cast<unsigned>(blocks)),
         dim3(kSumColumns, kSumGroups), kSumColumns * kSumGroups * sizeof(R), stream, m, n, parts, part, c, c_row, finish);
}

}  // namespace aclr::cuda
