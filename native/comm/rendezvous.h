// How ranks find each other: all but rank 0 call at its address, prove that they belong to the job, and hear where the
// others listen; then each pair has a connection. A stranger's connection is dropped and disturbs nobody.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "comm/socket.h"

namespace aclr {

using JobToken = std::array<std::uint8_t, 32>;

struct RendezvousConfig {
  int rank = 0, ranks = 1;
  std::string address;  // of rank 0
  int port = 0;
  JobToken token{};         // the same on every rank of a job, another in other jobs
  double seconds = 300;     // how long to wait for all
  std::string hint;         // what to do where they do not come, for messages
};

// peers [ranks]: a connection to every other rank; none at the own place.
Status meet(const RendezvousConfig& config, const Waker& waker, std::vector<Socket>* peers);

}  // namespace aclr
