#include "meeting.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

namespace emulator {

double meeting_timeout() {
  const char* text = std::getenv("ANOMALYCLR_EMULATED_NCCL_TIMEOUT");
  return text ? std::strtod(text, nullptr) : 60;
}

// Has a rank gone that has not come to barrier `wanted`? One that ended properly counts as gone, too.
bool Meeting::gone(int rank, std::uint64_t wanted) const {
  const Seat& seat = table_->seats[rank];
  if (seat.left == 2) return true;
  if (seat.barriers >= wanted) return false;
  const int process = seat.process;
  return seat.left == 1 || (process != 0 && kill(process, 0) != 0 && errno == ESRCH);
}

template <class Done>
Meeting::Outcome Meeting::wait(Done done, double seconds, std::uint64_t wanted) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; !done(); ++turn) {
    if (turn < 200) {
      std::this_thread::yield();
      continue;
    }
    for (int other = 0; other < ranks_; ++other)
      if (gone(other, wanted) && !done()) return Outcome::kPeerGone;
    if (std::chrono::steady_clock::now() > end) return Outcome::kTimeout;
    std::this_thread::sleep_for(std::chrono::microseconds(turn < 2000 ? 50 : 1000));
  }
  return Outcome::kMet;
}

Meeting::Outcome Meeting::join(const std::string& name, int ranks, int rank, double seconds) {
  ranks_ = ranks;
  rank_ = rank;
  bytes_ = sizeof(Table) + kMostRanks * kMail;  // pages that nobody touches cost nothing
  const int file = shm_open(name.c_str(), O_CREAT | O_RDWR, 0600);
  if (file < 0) return Outcome::kSystem;
  // Fresh memory is zeros, which is an empty table; the size is the same whoever sets it.
  void* memory = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(bytes_)) == 0)
    memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return Outcome::kSystem;
  table_ = static_cast<Table*>(memory);
  mails_ = static_cast<unsigned char*>(memory) + sizeof(Table);
  int nobody = 0;
  if (!table_->seats[rank].process.compare_exchange_strong(nobody, getpid())) return Outcome::kSystem;  // the seat is taken
  const Outcome outcome = wait(
      [&] {
        for (int other = 0; other < ranks; ++other)
          if (table_->seats[other].process == 0) return false;
        return true;
      },
      seconds, 0);
  if (outcome != Outcome::kMet) shm_unlink(name.c_str());
  const Outcome met = outcome == Outcome::kMet ? barrier() : outcome;
  if (rank == 0) shm_unlink(name.c_str());  // all have it open
  return met;
}

Meeting::~Meeting() {
  if (table_) munmap(table_, bytes_);
}

Meeting::Outcome Meeting::barrier() {
  const std::uint64_t wanted = ++table_->seats[rank_].barriers;
  return wait(
      [&] {
        for (int other = 0; other < ranks_; ++other)
          if (table_->seats[other].barriers < wanted) return false;
        return true;
      },
      meeting_timeout(), wanted);
}

void Meeting::leave(bool aborted) {
  if (table_) table_->seats[rank_].left = aborted ? 2 : 1;
}

}  // namespace emulator
