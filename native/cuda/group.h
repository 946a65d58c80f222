// The ranks of a data-parallel training, one process and device each, over NCCL. The library is opened when a group is made:
// a single device needs none.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

namespace aclr::cuda {

inline constexpr int kGroupId = 128;
// What the ranks must share to find each other; made on one of them. Throws Unavailable without NCCL.
void make_group_id(std::uint8_t* id);

struct Unavailable {
  const char* why;
};
struct PeerError {
  const char* what;
};

class Group {
 public:
  // Returns once all ranks are there.
  Group(int rank, int ranks, const std::uint8_t* id);
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  // Throws PeerError once a rank was found gone.
  void check_alive() const {
    if (communicator_ == nullptr) throw PeerError{"computing"};
  }

  // data [total, row] of float (or double): the rows of each rank (share_begin()), which lie in place, to all.
  void gather(void* data, bool is_double, int total, std::size_t row, cudaStream_t stream) const;
  // Sums over all ranks, in place.
  void sum(void* data, bool is_double, std::size_t count, cudaStream_t stream) const;
  // Waits for `stream`. Where a rank is gone it throws PeerError, after ANOMALYCLR_NCCL_TIMEOUT (300 s) at the latest: NCCL
  // alone would wait for ever for a process that was killed on the same machine.
  void wait(cudaStream_t stream);

 private:
  int rank_, ranks_;
  void* communicator_ = nullptr;
};

}  // namespace aclr::cuda
