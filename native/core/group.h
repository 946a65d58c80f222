// Processes ("ranks") that work on one result together. Every rank makes the same calls in the same order. A rank that
// goes away gives each of the others a Status (Code::kPeerLost), and no call succeeds afterwards.
#pragma once
#include <cstddef>

#include "core/status.h"

namespace aclr {

class Group {
 public:
  virtual ~Group() = default;

  virtual int rank() const = 0;
  virtual int ranks() const = 0;

  // Bytes offsets[r] .. offsets[r + 1] of data are those of rank r; afterwards every rank has them all. offsets
  // [ranks + 1] are the same on every rank; parts may differ in length and be empty.
  virtual Status all_gather(void* data, const std::size_t* offsets) = 0;
  // data becomes its sum over ranks, ((x_0 + x_1) + x_2) + ..: the same bits on every rank, every time.
  virtual Status all_reduce_sum(float* data, std::size_t count) = 0;
  virtual Status all_reduce_sum(double* data, std::size_t count) = 0;
  // data of `root` goes to every rank.
  virtual Status broadcast(void* data, std::size_t bytes, int root) = 0;
  // Returns once every rank has called it.
  virtual Status barrier() = 0;
};

// Of n items rank r has those from share_begin(n, r, ranks) up to share_begin(n, r + 1, ranks).
constexpr int share_begin(int n, int r, int ranks) { return static_cast<int>(static_cast<long long>(n) * r / ranks); }

}  // namespace aclr
