// A group of ranks whose others are the fuzzer: one rank is ours, as it is in the addon, the rest call, answer and send what
// the input says, from proper greetings and messages with changes to any bytes. Ours must come to an end soon, say why in
// one line, let nobody in without the job's token, and keep what is its own.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "allocation.h"
#include "bytes.h"
#include "comm/tcp_group.h"
#include "comm_sockets.h"

namespace aclr::fuzz {
namespace {

constexpr int kPort = 7000, kOtherPort = 7001;  // of rank 0, and of a rank 1 that is the fuzzer

// As rendezvous.cc and tcp_group.cc have them.
struct Hello {
  char magic[8] = {'A', 'C', 'L', 'R', 'R', 'A', 'N', 'K'};
  std::uint32_t protocol = 1, ranks, rank, port;
  JobToken token;
};
struct Reply {
  std::uint32_t verdict = 0, value = 0;
};
struct Place {
  Endpoint at;
  std::uint32_t with_root = 1;
};
struct Header {
  std::uint32_t magic = 0x524c4341, kind;
  std::uint64_t number, bytes;
};

[[noreturn]] void broken(const std::string& what) {
  std::fprintf(stderr, "BROKEN: %s\n", what.c_str());
  std::abort();
}

JobToken job_token() {
  JobToken token;
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return token;
}

// The other side: a script of what to do on up to four connections.
class Peers {
 public:
  Peers(std::vector<std::uint8_t> script, int ranks, bool we_are_root) : script_(std::move(script)), ranks_(ranks) {
    if (we_are_root) return;
    listeners_[0] = listen_at(kPort);
    listeners_[1] = listen_at(kOtherPort);
  }
  void play() {
    Bytes bytes(script_.data(), script_.size());
    while (bytes.left() > 0 && !over_) act(bytes);
    for (const int fd : listeners_)
      if (fd >= 0) close(fd);
    for (const int fd : connections_)
      if (fd >= 0) close(fd);
  }
  void stop() { over_ = true; }
  // Whether a greeting with the job's token ever went out.
  bool greeted() const { return greeted_; }

 private:
  void act(Bytes& bytes) {
    const std::uint8_t head = bytes.byte();
    int& fd = connections_[head / 16 % connections_.size()];
    switch (head % 16) {
      case 0: return open(fd, call());
      case 1: return accept_on(fd, listeners_[0]);
      case 2: return accept_on(fd, listeners_[1]);
      case 3: return greet(fd, bytes);
      case 4: return send_changed(fd, Reply{static_cast<std::uint32_t>(bytes.below(6)), 2}, bytes);
      case 5: return meet(fd, bytes);
      case 6: return message(fd, bytes);
      case 7: return hear(fd, bytes.byte() * 4);
      case 8: return send(fd, bytes.some(bytes.byte()));
      case 9: return send(fd, std::vector<std::uint8_t>(bytes.byte() * 256, bytes.byte()));
      case 10: return open(fd, -1);
      case 11: if (fd >= 0) shutdown(fd, SHUT_WR); return;
      case 12: usleep(1000); return;
      case 13: return hear(fd, sizeof(Hello));
      case 14:  // a rank 0 or 1 that does all as it should
        accept_on(fd, listeners_[0]);
        hear(fd, sizeof(Hello));
        send_changed(fd, Reply{}, bytes);
        return meet(fd, bytes);
      default:  // a rank that does
        open(fd, call());
        return greet(fd, bytes);
    }
  }

  void open(int& fd, int now) {
    if (fd >= 0) close(fd);
    fd = now;
  }
  int call() {
    int fd = -1;
    for (int attempt = 0; attempt < 50 && fd < 0 && !over_; ++attempt) {  // it may not listen yet
      if (attempt > 0) usleep(100);
      fd = call_at(kPort);
    }
    return fd;
  }
  void accept_on(int& fd, int listener) {
    pollfd wanted{listener, POLLIN, 0};
    if (listener < 0 || poll(&wanted, 1, 20) <= 0) return;
    open(fd, accept(listener, nullptr, nullptr));
  }
  void hear(int fd, std::size_t count) {
    char rest[1024];
    pollfd wanted{fd, POLLIN, 0};
    while (fd >= 0 && count > 0 && !over_ && poll(&wanted, 1, 5) > 0) {
      const ssize_t now = recv(fd, rest, std::min(count, sizeof rest), MSG_DONTWAIT);
      if (now <= 0) return;
      count -= static_cast<std::size_t>(now);
    }
  }
  void send(int fd, const std::vector<std::uint8_t>& bytes) {
    if (fd >= 0 && !bytes.empty()) (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  template <class T>
  std::vector<std::uint8_t> changed(const T& from, Bytes& bytes) {
    std::vector<std::uint8_t> out(sizeof from);
    std::memcpy(out.data(), &from, sizeof from);
    for (std::size_t changes = bytes.below(4); changes > 0; --changes) {
      const std::size_t at = bytes.byte() % out.size();
      out[at] = bytes.byte();
    }
    return out;
  }
  template <class T>
  void send_changed(int fd, const T& from, Bytes& bytes) {
    send(fd, changed(from, bytes));
  }
  void greet(int fd, Bytes& bytes) {
    Hello hello;
    hello.ranks = static_cast<std::uint32_t>(ranks_);
    hello.rank = static_cast<std::uint32_t>(1 + bytes.below(3));
    hello.port = kOtherPort;
    hello.token = job_token();
    const std::vector<std::uint8_t> sent = changed(hello, bytes);
    const JobToken token = job_token();
    greeted_ = greeted_ || std::equal(token.begin(), token.end(), sent.begin() + offsetof(Hello, token));
    send(fd, sent);
  }
  // What rank 0 sends when all are there: the session's token and where each rank listens.
  void meet(int fd, Bytes& bytes) {
    send(fd, std::vector<std::uint8_t>(sizeof(JobToken), bytes.byte()));
    for (int r = 0; r < ranks_; ++r) {
      Place place;
      place.at.family = 4;
      place.at.port = kOtherPort;
      send_changed(fd, place, bytes);
    }
  }
  void message(int fd, Bytes& bytes) {
    Header header;
    header.kind = static_cast<std::uint32_t>(bytes.below(5));
    header.number = 1 + bytes.below(8);
    static constexpr std::uint64_t kSizes[] = {0, 4, 8, 16, 24, 64, 1024, 4096, 8192, 40000, 1ull << 32, ~0ull};
    header.bytes = kSizes[bytes.below(std::size(kSizes))];
    send(fd, changed(header, bytes));
    send(fd, std::vector<std::uint8_t>(std::min<std::uint64_t>(header.bytes, 40000) - bytes.below(2) * (header.bytes > 0), bytes.byte()));
  }

  std::vector<std::uint8_t> script_;
  int ranks_;
  std::array<int, 2> listeners_{-1, -1};
  std::array<int, 4> connections_{-1, -1, -1, -1};
  std::atomic<bool> over_{false};
  std::atomic<bool> greeted_{false};
};

void check(const Status& status) {
  if (status.ok()) return;
  if (status.message().empty()) broken("an error that says nothing");
  for (const char c : status.message())
    if (static_cast<unsigned char>(c) < 32 || c == 127) broken("an error of more than plain text in one line");
}

void gather(TcpGroup& group, std::size_t most) {
  std::vector<std::size_t> offsets{0};
  for (int r = 0; r < group.ranks(); ++r) offsets.push_back(offsets.back() + (static_cast<std::size_t>(r) * 8 + 8) % (most + 1));
  std::vector<std::uint8_t> data(offsets.back(), 0x5a);
  check(group.all_gather(data.data(), offsets.data()));
  for (std::size_t i = offsets[group.rank()]; i < offsets[group.rank() + 1]; ++i)
    if (data[i] != 0x5a) broken("what is this rank's own was changed");
}

template <class T>
void sum(TcpGroup& group, std::size_t count) {
  std::vector<T> data(count, T(1));
  check(group.all_reduce_sum(data.data(), count));
}

void use(TcpGroup& group, Bytes& calls) {
  for (int i = 0; i < 6; ++i) {
    const std::uint8_t call = calls.byte();
    const std::size_t count = call / 8;
    switch (call % 8) {
      case 0: gather(group, count); break;
      case 1: sum<float>(group, count); break;
      case 2: sum<double>(group, count * 40); break;
      case 3: sum<float>(group, count * 600); break;
      case 4: {
        std::vector<std::uint8_t> data(count * 4);
        check(group.broadcast(data.data(), data.size(), static_cast<int>(count) - 1));
        break;
      }
      case 5: check(group.barrier()); break;
      case 6: group.interrupt(); break;
      default: group.leave(std::string(count * 200, 'r'));
    }
  }
}

}  // namespace
}  // namespace aclr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aclr;
  using namespace aclr::fuzz;
  if (size < 8 || size > 2048) return -1;
  const Run run;
  Bytes calls(data, 8);
  const std::uint8_t role = calls.byte();
  RendezvousConfig config;
  config.ranks = 2 + role % 2;
  config.rank = role / 2 % 2 == 0 ? 0 : config.ranks - 1;
  config.address = "127.0.0.1";
  config.port = kPort;
  config.token = job_token();
  config.seconds = 0.05;
  Peers peers({data + 8, data + size}, config.ranks, config.rank == 0);
  {
    std::thread others;
    TcpGroup group(config, 0.02);
    std::atomic<bool> done{false};
    others = std::thread([&] {
      peers.play();
      // One in eight waits as long as it does for others that say no more.
      for (int i = 0; i < 4 && !done; ++i) usleep(500);
      if (!done && role % 64 < 56) group.interrupt();
    });
    const Status met = group.connect();
    check(met);
    if (met.ok() && config.rank == 0 && !peers.greeted()) broken("somebody was let in without the token");
    use(group, calls);
    done = true;
    peers.stop();
    others.join();
  }
  return 0;
}
