// A Group over TCP: a connection between every two ranks. Sums are split: rank r adds up the r-th part of all and sends
// it round, so that 2 (R-1)/R of the data pass through each rank, whatever R is.
#pragma once
#include <mutex>
#include <new>
#include <vector>

#include "comm/rendezvous.h"
#include "core/buffer.h"
#include "core/group.h"

namespace aclr {

class TcpGroup : public Group {
 public:
  // patience: how long another rank may stay silent in the middle of a call, s.
  TcpGroup(RendezvousConfig config, double patience);
  ~TcpGroup() override {
    try {
      leave("");
    } catch (const std::bad_alloc&) {  // the others see a plain end
    }
  }

  // Meets the others. Before it, but for a rank that is alone, and after leave() no call succeeds.
  Status connect();
  // Tells the others why this rank goes, so that they can say so, and hangs up. Without a reason, and without a failure
  // before it, they see a plain end.
  void leave(const std::string& reason);
  // From any thread: a wait that is under way fails, and every later one.
  void interrupt() { waker_.interrupt(); }

  int rank() const override { return config_.rank; }
  int ranks() const override { return config_.ranks; }
  Status all_gather(void* data, const std::size_t* offsets) override;
  Status all_reduce_sum(float* data, std::size_t count) override { return sum(data, count); }
  Status all_reduce_sum(double* data, std::size_t count) override { return sum(data, count); }
  Status broadcast(void* data, std::size_t bytes, int root) override;
  Status barrier() override;

 private:
  enum class Kind : std::uint32_t { kGather, kSplit, kCast, kFarewell };
  // Before every message. `number` counts calls, so that ranks that have lost step notice.
  struct Header {
    std::uint32_t magic;
    Kind kind;
    std::uint64_t number, bytes;
  };
  // One message of the call under way.
  struct Transfer {
    int peer;
    bool out;
    Header header;  // what goes out, or must come
    char* data;
    std::size_t done = 0;  // header and data
    Header came{};
    bool finished() const { return done == sizeof(Header) + header.bytes; }
  };
  class Call;

  template <class T>
  Status sum(T* data, std::size_t count);
  Status gather(Kind kind, char* data, const std::size_t* offsets);
  Status begin(Call& call);
  Transfer transfer(int peer, bool out, Kind kind, void* data, std::size_t bytes) const;
  // Runs all at once.
  Status move(std::vector<Transfer> transfers);
  Moved send_part(Transfer& t);
  Status receive_part(Transfer& t);
  Status check(const Transfer& t) const;
  static Status lost(int peer, const std::string& how);

  RendezvousConfig config_;
  double patience_;
  Waker waker_;
  std::mutex calls_;
  std::vector<Socket> peers_;
  std::vector<bool> half_sent_;  // peers that wait for the rest of a message
  std::uint64_t number_ = 0;
  Status state_{Code::kPeerLost, "the ranks have not met"};  // of the first failure, for all later calls
  Buffer<char> parts_;
};

}  // namespace aclr
