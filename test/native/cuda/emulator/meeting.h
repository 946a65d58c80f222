// Where the processes of one communicator meet: a piece of shared memory with a mailbox for each rank.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace emulator {

constexpr int kMostRanks = 64;
constexpr std::size_t kMail = 256 * 1024;  // bytes of a mailbox

// What a rank is about to do; all ranks must mean the same.
struct Intent {
  std::int64_t operation, count, type, detail;
  bool operator==(const Intent&) const = default;
};

class Meeting {
 public:
  enum class Outcome { kMet, kPeerGone, kTimeout, kSystem };

  // Comes to the meeting called `name` and waits for the other ranks, `seconds` at most.
  Outcome join(const std::string& name, int ranks, int rank, double seconds);
  ~Meeting();

  // Waits until all ranks have called it as often as this one.
  Outcome barrier();
  void leave(bool aborted);  // any thread; others then find their peer gone
  unsigned char* mail(int rank) { return mails_ + static_cast<std::size_t>(rank) * kMail; }
  Intent& intent(int rank) { return table_->seats[rank].intent; }
  int ranks() const { return ranks_; }
  int rank() const { return rank_; }

 private:
  struct Seat {
    std::atomic<int> process;  // 0 until it has come
    std::atomic<int> left;     // 1: done, 2: aborted
    std::atomic<std::uint64_t> barriers;
    Intent intent;
  };
  struct Table {
    Seat seats[kMostRanks];
  };
  bool gone(int rank, std::uint64_t wanted) const;
  template <class Done>
  Outcome wait(Done done, double seconds, std::uint64_t wanted);

  Table* table_ = nullptr;
  unsigned char* mails_ = nullptr;
  std::size_t bytes_ = 0;
  int ranks_ = 0, rank_ = 0;
};

double meeting_timeout();  // seconds: ANOMALYCLR_EMULATED_NCCL_TIMEOUT, or 60

}  // namespace emulator
