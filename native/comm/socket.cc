#include "comm/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aclr {
namespace {

#if defined(MSG_NOSIGNAL)
constexpr int kSendFlags = MSG_NOSIGNAL;  // a closed connection is a result, no signal
#else
constexpr int kSendFlags = 0;
#endif

void prepare(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
#if defined(SO_NOSIGPIPE)
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

socklen_t to_native(const Endpoint& from, sockaddr_storage* to) {
  std::memset(to, 0, sizeof *to);
  if (from.family == 6) {
    auto* six = reinterpret_cast<sockaddr_in6*>(to);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(from.port));
    std::memcpy(&six->sin6_addr, from.address.data(), 16);
    return sizeof *six;
  }
  auto* four = reinterpret_cast<sockaddr_in*>(to);
  four->sin_family = AF_INET;
  four->sin_port = htons(static_cast<std::uint16_t>(from.port));
  std::memcpy(&four->sin_addr, from.address.data(), 4);
  return sizeof *four;
}

Endpoint from_native(const sockaddr* from) {
  Endpoint to;
  if (from->sa_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(from);
    to.family = 6;
    to.port = ntohs(six->sin6_port);
    std::memcpy(to.address.data(), &six->sin6_addr, 16);
  } else {
    const auto* four = reinterpret_cast<const sockaddr_in*>(from);
    to.family = 4;
    to.port = ntohs(four->sin_port);
    std::memcpy(to.address.data(), &four->sin_addr, 4);
  }
  return to;
}

// Moves bytes by `some` until all are there.
template <class Some>
Sent move_all(const Socket& socket, std::size_t bytes, short event, Deadline until, const Waker& waker, Some&& some) {
  for (std::size_t done = 0; done < bytes;) {
    std::size_t now = 0;
    const Moved moved = some(done, &now);
    if (moved == Moved::kEnd) return Sent::kEnd;
    done += now;
    if (moved == Moved::kSome) continue;
    std::vector<pollfd> wanted{{socket.fd(), event, 0}};
    const Waited waited = wait_for(wanted, until, waker);
    if (waited != Waited::kReady) return waited == Waited::kTimeout ? Sent::kTimeout : Sent::kInterrupted;
  }
  return Sent::kAll;
}

Moved outcome(ssize_t moved, std::size_t* done) {
  if (moved > 0) {
    *done = static_cast<std::size_t>(moved);
    return Moved::kSome;
  }
  if (moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return Moved::kNone;
  return Moved::kEnd;
}

}  // namespace

void Socket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Endpoint::loopback() const {
  if (family == 4) return address[0] == 127;
  static constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::memcmp(address.data(), kMapped, 12) == 0) return address[12] == 127;
  return std::all_of(address.begin(), address.end() - 1, [](std::uint8_t b) { return b == 0; }) && address[15] == 1;
}

Waker::Waker() {
  int ends[2];
  if (::pipe(ends) != 0) return;
  read_ = Socket(ends[0]);
  write_ = Socket(ends[1]);
  for (const int fd : ends) prepare(fd);
}

void Waker::interrupt() {
  if (interrupted_.exchange(true) || !write_) return;
  const char byte = 1;
  if (::write(write_.fd(), &byte, 1) < 0) return;  // full: a byte is there already
}

Waited wait_for(std::vector<pollfd>& wanted, Deadline until, const Waker& waker) {
  wanted.push_back({waker.fd(), POLLIN, 0});
  Waited waited = Waited::kTimeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count() + 1;
    const int ready = ::poll(wanted.data(), wanted.size(), static_cast<int>(std::clamp<long long>(left, 0, 1 << 30)));
    if (waker.interrupted()) waited = Waited::kInterrupted;
    else if (ready > 0) waited = Waited::kReady;
    else if (ready < 0 && (errno == EINTR || errno == EAGAIN) && Clock::now() < until) continue;
    break;
  }
  wanted.pop_back();
  return waited;
}

Moved receive_some(const Socket& socket, void* data, std::size_t bytes, std::size_t* done) {
  return outcome(::recv(socket.fd(), data, bytes, 0), done);
}

Moved send_some(const Socket& socket, const void* data, std::size_t bytes, std::size_t* done) {
  return outcome(::send(socket.fd(), data, bytes, kSendFlags), done);
}

Sent receive_all(const Socket& socket, void* data, std::size_t bytes, Deadline until, const Waker& waker) {
  return move_all(socket, bytes, POLLIN, until, waker, [&](std::size_t at, std::size_t* now) {
    return receive_some(socket, static_cast<char*>(data) + at, bytes - at, now);
  });
}

Sent send_all(const Socket& socket, const void* data, std::size_t bytes, Deadline until, const Waker& waker) {
  return move_all(socket, bytes, POLLOUT, until, waker, [&](std::size_t at, std::size_t* now) {
    return send_some(socket, static_cast<const char*>(data) + at, bytes - at, now);
  });
}

void hang_up(Socket& socket, Deadline until, const Waker& waker) {
  ::shutdown(socket.fd(), SHUT_WR);
  char rest[4096];
  std::vector<pollfd> wanted{{socket.fd(), POLLIN, 0}};
  while (Clock::now() < until) {  // who never stops sending is left at last
    std::size_t now = 0;
    const Moved moved = receive_some(socket, rest, sizeof rest, &now);
    if (moved == Moved::kEnd || (moved == Moved::kNone && wait_for(wanted, until, waker) != Waited::kReady)) break;
  }
  socket.close();
}

Status resolve(const std::string& host, int port, std::vector<Endpoint>* out) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return {Code::kUnavailable, host + ": " + ::gai_strerror(error)};
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next)
    if (one->ai_family == AF_INET || one->ai_family == AF_INET6) out->push_back(from_native(one->ai_addr));
  ::freeaddrinfo(found);
  if (out->empty()) return {Code::kUnavailable, host + ": has no address"};
  return {};
}

Status listen_on(const Endpoint& at, bool loopback_only, Socket* out, int* port) {
  Endpoint here = at;
  if (!loopback_only) here.address = {};
  const bool six = here.family == 6;
  Socket socket(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
  const auto failed = [&] {
    return Status(Code::kUnavailable, "port " + std::to_string(at.port) + ": " + std::strerror(errno));
  };
  if (!socket) return failed();
  prepare(socket.fd());
  const int on = 1, off = 0;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (six) setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_storage address;
  socklen_t size = to_native(here, &address);
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0) return failed();
  if (::listen(socket.fd(), SOMAXCONN) != 0) return failed();
  size = sizeof address;
  if (::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return failed();
  *port = static_cast<int>(from_native(reinterpret_cast<sockaddr*>(&address)).port);
  *out = std::move(socket);
  return {};
}

Socket connect_to(const Endpoint& to, Deadline until, const Waker& waker) {
  Socket socket(::socket(to.family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0));
  if (!socket) return {};
  prepare(socket.fd());
  sockaddr_storage address;
  const socklen_t size = to_native(to, &address);
  if (::connect(socket.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    if (errno != EINPROGRESS) return {};
    std::vector<pollfd> wanted{{socket.fd(), POLLOUT, 0}};
    if (wait_for(wanted, until, waker) != Waited::kReady) return {};
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0) return {};
  }
  return socket;
}

Socket accept_from(const Socket& listener) {
  Socket socket(::accept(listener.fd(), nullptr, nullptr));
  if (socket) prepare(socket.fd());
  return socket;
}

Endpoint peer_of(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return from_native(reinterpret_cast<sockaddr*>(&address));
}

void tune(const Socket& socket) {
  const auto set = [&](int level, int name, int value) { setsockopt(socket.fd(), level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
#if defined(__linux__)
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 9);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
#endif
}

}  // namespace aclr
