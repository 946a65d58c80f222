#include "comm/rendezvous.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <thread>

namespace aclr {
namespace {

constexpr char kMagic[8] = {'A', 'C', 'L', 'R', 'R', 'A', 'N', 'K'};
constexpr std::uint32_t kProtocol = 1;
// A caller that says nothing is dropped after so long, s; so many may wait beside the ranks.
constexpr double kHelloSeconds = 10;
constexpr std::size_t kStrangers = 64;

// All machines of a job store numbers alike (little-endian), so these go over the wire as they are.
struct Hello {
  char magic[8];
  std::uint32_t protocol, ranks, rank, port;  // where this rank listens for others
  JobToken token;
};
enum class Verdict : std::uint32_t { kWelcome, kProtocol, kRanks, kTaken, kToken };
struct Reply {
  Verdict verdict;
  std::uint32_t value;  // what rank 0 has instead
};
// Sent by rank 0 to each once all are there.
struct Place {
  Endpoint at;
  std::uint32_t with_root;  // on rank 0's machine: reached by its address
};

std::string list_of(const std::vector<Socket>& peers, int self) {
  std::string missing;
  for (int r = 0; r < static_cast<int>(peers.size()); ++r)
    if (r != self && !peers[r]) missing += (missing.empty() ? "rank " : ", ") + std::to_string(r);
  return missing;
}

class Meeting {
 public:
  Meeting(const RendezvousConfig& config, const Waker& waker, std::vector<Socket>* peers)
      : config_(config), waker_(waker), peers_(*peers), until_(in_seconds(config.seconds)) {}

  Status run() {
    peers_.clear();
    peers_.resize(config_.ranks);
    std::vector<Endpoint> addresses;
    if (Status s = resolve(config_.address, config_.port, &addresses); !s.ok()) return s;
    // by name alone: a machine's own name may resolve to its loopback there, and elsewhere to its address
    const std::string& host_name = config_.address;
    const bool local = host_name == "localhost" || host_name.rfind("127.", 0) == 0 || host_name == "::1";
    Status status = config_.rank == 0 ? host(addresses, local) : join(addresses, local);
    if (status.ok())
      for (const Socket& peer : peers_)
        if (peer) tune(peer);
    return status;
  }

 private:
  struct Caller {
    Socket socket;
    Hello hello;
    std::size_t have = 0;
    Deadline until;
  };

  std::string where() const { return config_.address + ":" + std::to_string(config_.port); }
  Status lost(const std::string& what) const { return {Code::kPeerLost, what}; }
  Status interrupted() const { return lost("interrupted while waiting for the other ranks"); }
  std::string seconds() const { return std::to_string(static_cast<long>(config_.seconds)) + " s"; }

  Status host(const std::vector<Endpoint>& addresses, bool local) {
    Socket listener;
    int port = 0;
    Status status;
    for (const Endpoint& address : addresses)
      if (status = listen_on(address, local, &listener, &port); status.ok()) break;
    if (!status.ok())
      return {Code::kUnavailable, "rank 0 cannot wait for the others at " + where() + ": " + status.message()};
    std::vector<Place> places(config_.ranks);
    const auto verdict = [&](const Hello& hello) {
      if (hello.token != config_.token) return Reply{Verdict::kToken, 0};
      if (hello.protocol != kProtocol) return Reply{Verdict::kProtocol, kProtocol};
      const auto ranks = static_cast<std::uint32_t>(config_.ranks);
      if (hello.ranks != ranks) return Reply{Verdict::kRanks, ranks};
      if (hello.rank == 0 || hello.rank >= hello.ranks || peers_[hello.rank]) return Reply{Verdict::kTaken, hello.rank};
      return Reply{Verdict::kWelcome, 0};
    };
    status = accept(listener, 1, verdict, [&](const Hello& hello) {
      Endpoint at = peer_of(peers_[hello.rank]);
      at.port = hello.port;
      places[hello.rank] = {at, at.loopback()};
    });
    if (!status.ok()) return status;
    JobToken session;
    std::random_device random;
    for (std::uint8_t& byte : session) byte = static_cast<std::uint8_t>(random());
    for (int r = 1; r < config_.ranks; ++r)
      if (send_all(peers_[r], session.data(), session.size(), until_, waker_) != Sent::kAll ||
          send_all(peers_[r], places.data(), places.size() * sizeof(Place), until_, waker_) != Sent::kAll)
        return lost("rank " + std::to_string(r) + " went away while the ranks were meeting");
    return {};
  }

  Status join(const std::vector<Endpoint>& addresses, bool local) {
    Endpoint root;
    Socket& first = peers_[0];
    for (double pause = 0.02;; pause = std::min(1.0, 2 * pause)) {
      for (const Endpoint& address : addresses)
        if (!first) {
          root = address;
          first = connect_to(address, std::min(until_, in_seconds(10)), waker_);
        }
      if (first) break;
      if (Clock::now() >= until_) return lost("rank 0 did not answer at " + where() + " within " + seconds() + config_.hint);
      std::vector<pollfd> none;
      if (wait_for(none, in_seconds(pause), waker_) == Waited::kInterrupted) return interrupted();
    }
    Socket listener;
    Endpoint here = root;
    here.port = 0;
    int port = 0;
    if (Status s = listen_on(here, local, &listener, &port); !s.ok()) return s;
    if (Status s = introduce(0, config_.token, port); !s.ok()) return s;
    if (Status s = hear(0); !s.ok()) return s;
    JobToken session;
    std::vector<Place> places(config_.ranks);
    if (Status s = receive(first, session.data(), session.size()); !s.ok()) return s;
    if (Status s = receive(first, places.data(), places.size() * sizeof(Place)); !s.ok()) return s;
    return mesh(root, listener, session, places);
  }

  // Calls every lower rank, then answers every higher one, then hears the lower ones' answers: nobody waits in a ring.
  Status mesh(const Endpoint& root, const Socket& listener, const JobToken& session, const std::vector<Place>& places) {
    for (int r = 1; r < config_.rank; ++r) {
      Endpoint at = places[r].with_root ? root : places[r].at;
      at.port = places[r].at.port;
      peers_[r] = connect_to(at, until_, waker_);
      if (!peers_[r])
        return lost("rank " + std::to_string(r) + " cannot be reached from rank " + std::to_string(config_.rank));
      if (Status s = introduce(r, session, 0); !s.ok()) return s;
    }
    const auto verdict = [&](const Hello& hello) {
      const bool known = hello.token == session && hello.rank > static_cast<std::uint32_t>(config_.rank) &&
                         hello.rank < static_cast<std::uint32_t>(config_.ranks) && !peers_[hello.rank];
      return Reply{known ? Verdict::kWelcome : Verdict::kToken, 0};
    };
    if (Status s = accept(listener, config_.rank + 1, verdict, [](const Hello&) {}); !s.ok()) return s;
    for (int r = 1; r < config_.rank; ++r)
      if (Status s = hear(r); !s.ok()) return s;
    return {};
  }

  Status introduce(int to, const JobToken& token, int port) {
    Hello hello{{}, kProtocol, static_cast<std::uint32_t>(config_.ranks), static_cast<std::uint32_t>(config_.rank),
                static_cast<std::uint32_t>(port), token};
    std::memcpy(hello.magic, kMagic, sizeof kMagic);
    if (send_all(peers_[to], &hello, sizeof hello, until_, waker_) == Sent::kAll) return {};
    return lost("rank " + std::to_string(to) + " went away while the ranks were meeting");
  }

  Status hear(int from) {
    Reply reply;
    if (Status s = receive(peers_[from], &reply, sizeof reply); !s.ok()) return s;
    const std::string value = std::to_string(reply.value), mine = std::to_string(config_.ranks);
    switch (reply.verdict) {
      case Verdict::kWelcome: return {};
      case Verdict::kProtocol: return lost("rank 0 at " + where() + " is of another version of this program");
      case Verdict::kRanks: return lost("rank 0 at " + where() + " counts " + value + " ranks, this process " + mine);
      case Verdict::kTaken: return lost("rank 0 at " + where() + " has a rank " + value + " already");
      case Verdict::kToken: break;
    }
    return lost("rank 0 at " + where() + " belongs to another job; give each job a port of its own");
  }

  Status receive(const Socket& from, void* data, std::size_t bytes) {
    switch (receive_all(from, data, bytes, until_, waker_)) {
      case Sent::kAll: return {};
      case Sent::kTimeout: return lost("not all ranks met at " + where() + " within " + seconds() + config_.hint);
      case Sent::kInterrupted: return interrupted();
      case Sent::kEnd: break;
    }
    return lost("what listens at " + where() + " hung up before all ranks had met");
  }

  // Answers callers until every rank from `lowest` up is there; welcome(hello) is told of each.
  template <class Judge, class Welcome>
  Status accept(const Socket& listener, int lowest, Judge&& judge, Welcome&& welcome) {
    std::vector<Caller> callers;
    const auto missing = [&] {
      return std::any_of(peers_.begin() + lowest, peers_.end(), [](const Socket& s) { return !s; });
    };
    while (missing()) {
      std::vector<pollfd> wanted{{listener.fd(), POLLIN, 0}};
      Deadline next = until_;
      for (const Caller& caller : callers) {
        wanted.push_back({caller.socket.fd(), POLLIN, 0});
        next = std::min(next, caller.until);
      }
      if (wait_for(wanted, next, waker_) == Waited::kInterrupted) return interrupted();
      for (std::size_t i = 0; i < callers.size(); ++i)
        if (wanted[i + 1].revents != 0) hear_caller(callers[i], judge, welcome);
      const auto now = Clock::now();
      std::erase_if(callers, [&](const Caller& c) { return !c.socket || c.until <= now; });
      if (now >= until_)
        return lost(list_of(peers_, config_.rank) + " did not come to " + where() + " within " + seconds() + config_.hint);
      if (wanted[0].revents == 0) continue;
      if (Socket socket = accept_from(listener)) {
        if (callers.size() >= config_.ranks + kStrangers) callers.erase(callers.begin());
        callers.push_back({std::move(socket), {}, 0, in_seconds(kHelloSeconds)});
      }
    }
    return {};
  }

  template <class Judge, class Welcome>
  void hear_caller(Caller& caller, Judge&& judge, Welcome&& welcome) {
    std::size_t now = 0;
    auto* bytes = reinterpret_cast<char*>(&caller.hello);
    const Moved moved = receive_some(caller.socket, bytes + caller.have, sizeof(Hello) - caller.have, &now);
    caller.have += now;
    const std::size_t seen = std::min(caller.have, sizeof kMagic);
    if (moved == Moved::kEnd || std::memcmp(caller.hello.magic, kMagic, seen) != 0) return caller.socket.close();
    if (caller.have < sizeof(Hello)) return;
    const Reply reply = judge(caller.hello);
    // a fresh connection has room for so few bytes
    const bool told = send_all(caller.socket, &reply, sizeof reply, in_seconds(1), waker_) == Sent::kAll;
    if (reply.verdict != Verdict::kWelcome || !told) return caller.socket.close();
    peers_[caller.hello.rank] = std::move(caller.socket);
    welcome(caller.hello);
  }

  const RendezvousConfig& config_;
  const Waker& waker_;
  std::vector<Socket>& peers_;
  const Deadline until_;
};

}  // namespace

Status meet(const RendezvousConfig& config, const Waker& waker, std::vector<Socket>* peers) {
  if (config.ranks < 1 || config.rank < 0 || config.rank >= config.ranks)
    return Status::invalid("rank " + std::to_string(config.rank) + " of " + std::to_string(config.ranks) + " cannot be");
  const Status status = Meeting(config, waker, peers).run();
  if (!status.ok()) peers->clear();
  return status;
}

}  // namespace aclr
