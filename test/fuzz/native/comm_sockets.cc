// Sockets for the comm target (--wrap): what asks for TCP gets sockets of this process' own, by the number of the port, so
// that no port of the machine is used up and nothing else can call.
#include "comm_sockets.h"

#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace {

std::mutex mutex;
std::map<int, int> ports;  // of descriptors

sockaddr_un local(int port, socklen_t* size) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::string name = "anomalyclr-fuzz-" + std::to_string(getpid()) + "-" + std::to_string(port);
  std::memcpy(to.sun_path + 1, name.data(), name.size());  // after a zero: a name without a file
  *size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return to;
}
int port_of(const sockaddr* address) {
  return ntohs(address->sa_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(address)->sin6_port
                                              : reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}
int give(int port, sockaddr* to, socklen_t* size) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memcpy(to, &four, std::min<std::size_t>(*size, sizeof four));
  *size = sizeof four;
  return 0;
}

}  // namespace

extern "C" {

int __real_socket(int family, int type, int protocol);
int __real_bind(int fd, const sockaddr* address, socklen_t size);
int __real_connect(int fd, const sockaddr* address, socklen_t size);

int __wrap_socket(int, int type, int) { return __real_socket(AF_UNIX, type, 0); }
int __wrap_bind(int fd, const sockaddr* address, socklen_t) {
  static std::atomic<int> next{40000};
  int port = port_of(address);
  for (int attempt = 0; port == 0 || attempt == 0; ++attempt) {
    const int chosen = port != 0 ? port : 40000 + (next++ % 20000);
    socklen_t size;
    const sockaddr_un to = local(chosen, &size);
    if (__real_bind(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0) {
      const std::lock_guard lock(mutex);
      ports[fd] = chosen;
      return 0;
    }
    if (port != 0) break;
  }
  return -1;
}
int __wrap_connect(int fd, const sockaddr* address, socklen_t) {
  socklen_t size;
  const sockaddr_un to = local(port_of(address), &size);
  return __real_connect(fd, reinterpret_cast<const sockaddr*>(&to), size);
}
int __wrap_getsockname(int fd, sockaddr* to, socklen_t* size) {
  const std::lock_guard lock(mutex);
  return give(ports[fd], to, size);
}
int __wrap_getpeername(int, sockaddr* to, socklen_t* size) { return give(0, to, size); }

}  // extern "C"

namespace aclr::fuzz {

int listen_at(int port) {
  const int fd = __real_socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t size;
  const sockaddr_un to = local(port, &size);
  if (fd >= 0 && __real_bind(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0 && listen(fd, 16) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}
int call_at(int port) {
  const int fd = __real_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  socklen_t size;
  const sockaddr_un to = local(port, &size);
  if (fd >= 0 && __real_connect(fd, reinterpret_cast<const sockaddr*>(&to), size) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

}  // namespace aclr::fuzz
