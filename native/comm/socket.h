// TCP sockets that never block for ever: every wait has a deadline, and interrupt() ends it at once.
#pragma once
#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/status.h"

namespace aclr {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;
inline Clock::duration seconds_of(double s) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}
inline Deadline in_seconds(double s) { return Clock::now() + seconds_of(s); }

// A file descriptor, closed with its owner.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

// An internet address and port.
struct Endpoint {
  std::uint32_t family = 0;  // 4 or 6
  std::uint32_t port = 0;
  std::array<std::uint8_t, 16> address{};

  bool loopback() const;
};

// Ends waits from another thread. Signals stay pending: an interrupted waker wakes every later wait too.
class Waker {
 public:
  Waker();
  void interrupt();
  bool interrupted() const { return interrupted_; }
  int fd() const { return read_.fd(); }

 private:
  Socket read_, write_;
  std::atomic<bool> interrupted_{false};
};

enum class Waited { kReady, kTimeout, kInterrupted };
// Waits until one of `wanted` is ready; their `revents` say which.
Waited wait_for(std::vector<pollfd>& wanted, Deadline until, const Waker& waker);

// What moved: some bytes, none for now, or the end (closed by the other side, or an error).
enum class Moved { kSome, kNone, kEnd };
Moved receive_some(const Socket& socket, void* data, std::size_t bytes, std::size_t* done);
Moved send_some(const Socket& socket, const void* data, std::size_t bytes, std::size_t* done);
// All of it or nothing worth having.
enum class Sent { kAll, kTimeout, kInterrupted, kEnd };
Sent receive_all(const Socket& socket, void* data, std::size_t bytes, Deadline until, const Waker& waker);
Sent send_all(const Socket& socket, const void* data, std::size_t bytes, Deadline until, const Waker& waker);

// Ends sending, and reads to the end what still comes.
void hang_up(Socket& socket, Deadline until, const Waker& waker);

// Addresses of a host name, in the order in which to try them.
Status resolve(const std::string& host, int port, std::vector<Endpoint>* out);
// A listening socket; port 0 takes a free one. Any address of this machine, or its loopback alone.
Status listen_on(const Endpoint& at, bool loopback_only, Socket* out, int* port);
// Nothing where the connection is refused or not made in time.
Socket connect_to(const Endpoint& to, Deadline until, const Waker& waker);
// Nothing where nobody waits.
Socket accept_from(const Socket& listener);
Endpoint peer_of(const Socket& socket);
// A connection between ranks: small messages go at once, a machine that is gone is noticed within a minute or so.
void tune(const Socket& socket);

}  // namespace aclr
