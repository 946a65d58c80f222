#include "comm/tcp_group.h"

#include <algorithm>

namespace aclr {
namespace {

constexpr std::uint32_t kMagic = 0x524c4341;  // "ACLR"
// Longest reason that a rank may give, and how long it takes to say it, s.
constexpr std::size_t kLongestReason = 4096;
constexpr double kFarewellSeconds = 2;
// Sums of so few bytes are made by every rank for itself: one exchange in place of two.
constexpr std::size_t kSmallSum = 4096;

std::string name_of(int rank) { return "rank " + std::to_string(rank); }

}  // namespace

// Calls are made one at a time; a second one at the same moment is a mistake of the caller's.
class TcpGroup::Call {
 public:
  explicit Call(TcpGroup& group) : lock_(group.calls_, std::try_to_lock) {}
  bool alone() const { return lock_.owns_lock(); }

 private:
  std::unique_lock<std::mutex> lock_;
};

TcpGroup::TcpGroup(RendezvousConfig config, double patience) : config_(std::move(config)), patience_(patience) {
  if (config_.ranks > 1) return;
  peers_.resize(1);
  state_ = {};
}

Status TcpGroup::connect() {
  const Call call(*this);
  if (!call.alone()) return {Code::kBusy, "the ranks are meeting already"};
  if (config_.ranks == 1) return state_;
  state_ = meet(config_, waker_, &peers_);
  half_sent_.assign(config_.ranks, false);
  number_ = 0;
  return state_;
}

Status TcpGroup::begin(Call& call) {
  if (!call.alone()) return {Code::kBusy, "the ranks are exchanging something else already"};
  if (state_.ok()) ++number_;
  return state_;
}

TcpGroup::Transfer TcpGroup::transfer(int peer, bool out, Kind kind, void* data, std::size_t bytes) const {
  return {peer, out, {kMagic, kind, number_, bytes}, static_cast<char*>(data), 0};
}

Status TcpGroup::all_gather(void* data, const std::size_t* offsets) {
  Call call(*this);
  if (Status s = begin(call); !s.ok()) return s;
  return gather(Kind::kGather, static_cast<char*>(data), offsets);
}

Status TcpGroup::gather(Kind kind, char* data, const std::size_t* offsets) {
  std::vector<Transfer> transfers;
  const auto part = [&](int peer, bool out, int r) {
    transfers.push_back(transfer(peer, out, kind, data + offsets[r], offsets[r + 1] - offsets[r]));
  };
  for (int r = 0; r < ranks(); ++r) {
    if (r == rank()) continue;
    part(r, true, rank());
    part(r, false, r);
  }
  return move(std::move(transfers));
}

template <class T>
Status TcpGroup::sum(T* data, std::size_t count) {
  Call call(*this);
  if (Status s = begin(call); !s.ok()) return s;
  const std::size_t n = ranks(), small = count * sizeof(T) <= kSmallSum;
  const auto first = [&](std::size_t r) { return small ? 0 : count / n * r + std::min(r, count % n); };
  const std::size_t own = small ? count : first(rank() + 1) - first(rank());
  // everyone's numbers of the part that is added up here, rank after rank
  T* parts = reinterpret_cast<T*>(parts_.need(n * own * sizeof(T) + 1));
  std::vector<Transfer> transfers;
  for (int r = 0; r < ranks(); ++r) {
    if (r == rank()) continue;
    const std::size_t theirs = small ? count : first(r + 1) - first(r);
    transfers.push_back(transfer(r, true, Kind::kSplit, data + first(r), theirs * sizeof(T)));
    transfers.push_back(transfer(r, false, Kind::kSplit, parts + r * own, own * sizeof(T)));
  }
  T* mine = data + first(rank());
  if (Status s = move(std::move(transfers)); !s.ok()) return s;
  std::copy(mine, mine + own, parts + rank() * own);
  std::copy(parts, parts + own, mine);
  for (std::size_t r = 1; r < n; ++r)
    for (std::size_t i = 0; i < own; ++i) mine[i] += parts[r * own + i];
  if (small) return {};
  std::vector<std::size_t> offsets(n + 1);
  for (std::size_t r = 0; r <= n; ++r) offsets[r] = first(r) * sizeof(T);
  return gather(Kind::kGather, reinterpret_cast<char*>(data), offsets.data());
}

Status TcpGroup::broadcast(void* data, std::size_t bytes, int root) {
  Call call(*this);
  if (Status s = begin(call); !s.ok()) return s;
  if (root < 0 || root >= ranks()) return Status::invalid("there is no " + name_of(root));
  std::vector<Transfer> transfers;
  for (int r = 0; r < ranks(); ++r)
    if (r != rank() && (rank() == root || r == root))
      transfers.push_back(transfer(r, rank() == root, Kind::kCast, data, bytes));
  return move(std::move(transfers));
}

Status TcpGroup::barrier() {
  const std::vector<std::size_t> nothing(ranks() + 1, 0);
  return all_gather(nullptr, nothing.data());
}

Status TcpGroup::lost(int peer, const std::string& how) { return {Code::kPeerLost, name_of(peer) + " " + how}; }

Status TcpGroup::move(std::vector<Transfer> transfers) {
  auto last = Clock::now();  // when something moved
  const auto receives_from = [&](int peer) {
    return std::any_of(transfers.begin(), transfers.end(),
                       [&](const Transfer& t) { return t.peer == peer && !t.out && !t.finished(); });
  };
  for (;;) {
    bool moved = false;
    for (Transfer& t : transfers) {
      const std::size_t before = t.done;
      if (!t.out) {
        if (Status s = receive_part(t); !s.ok()) return state_ = s;
      } else if (send_part(t) == Moved::kEnd) {
        // the other side has gone; why, it may have said in what is still to be received
        if (!receives_from(t.peer)) return state_ = lost(t.peer, "went away");
        t.done = sizeof(Header) + t.header.bytes;
      }
      moved = moved || t.done > before;
    }
    std::erase_if(transfers, [](const Transfer& t) { return t.finished(); });
    if (transfers.empty()) return {};
    const auto now = Clock::now();
    if (moved) last = now;
    std::vector<pollfd> wanted;
    for (const Transfer& t : transfers)
      wanted.push_back({peers_[t.peer].fd(), static_cast<short>(t.out ? POLLOUT : POLLIN), 0});
    const Waited waited = wait_for(wanted, last + seconds_of(patience_), waker_);
    if (waited == Waited::kInterrupted) return state_ = {Code::kPeerLost, "interrupted while waiting for other ranks"};
    if (waited == Waited::kReady) continue;
    const std::string silent = "has been silent for " + std::to_string(static_cast<long>(patience_)) + " s";
    return state_ = lost(transfers.front().peer, silent);
  }
}

// As much of one message as goes without waiting.
Moved TcpGroup::send_part(Transfer& t) {
  Moved moved = Moved::kSome;
  while (!t.finished() && moved == Moved::kSome) {
    const bool head = t.done < sizeof(Header);
    const char* from = head ? reinterpret_cast<const char*>(&t.header) + t.done : t.data + (t.done - sizeof(Header));
    std::size_t now = 0;
    moved = send_some(peers_[t.peer], from, (head ? sizeof(Header) : sizeof(Header) + t.header.bytes) - t.done, &now);
    t.done += now;
  }
  half_sent_[t.peer] = t.done > 0 && !t.finished();
  return moved;
}

Status TcpGroup::receive_part(Transfer& t) {
  while (!t.finished()) {
    const bool head = t.done < sizeof(Header);
    char* to = head ? reinterpret_cast<char*>(&t.came) + t.done : t.data + (t.done - sizeof(Header));
    std::size_t now = 0;
    const Moved moved =
        receive_some(peers_[t.peer], to, (head ? sizeof(Header) : sizeof(Header) + t.header.bytes) - t.done, &now);
    if (moved == Moved::kEnd) return lost(t.peer, "went away");
    if (moved == Moved::kNone) return {};
    t.done += now;
    if (t.done != sizeof(Header) || !head) continue;
    if (Status s = check(t); !s.ok()) return s;
  }
  return {};
}

// What a header says that has just come.
Status TcpGroup::check(const Transfer& t) const {
  const Header &came = t.came, &wanted = t.header;
  if (came.magic == kMagic && came.kind == Kind::kFarewell) {
    std::string reason(std::min<std::size_t>(came.bytes, kLongestReason), ' ');
    const Sent heard = receive_all(peers_[t.peer], reason.data(), reason.size(), in_seconds(kFarewellSeconds), waker_);
    // what another process says goes to a terminal, in one line
    std::replace_if(reason.begin(), reason.end(), [](unsigned char c) { return c < 32 || c == 127; }, ' ');
    return lost(t.peer, heard == Sent::kAll ? "stopped: " + reason : "stopped");
  }
  if (came.magic != kMagic || came.kind != wanted.kind || came.number != wanted.number || came.bytes != wanted.bytes)
    return lost(t.peer, "is at another place of the program than " + name_of(rank()));
  return {};
}

void TcpGroup::leave(const std::string& reason) {
  std::lock_guard lock(calls_);
  // one that goes because of another passes on its name
  const bool failed = reason.empty() && !peers_.empty() && !state_.ok();
  const std::string said = (failed ? state_.message() : reason).substr(0, kLongestReason);
  const Waker calm;  // this group's own may have been interrupted
  const auto until = in_seconds(kFarewellSeconds);
  const Header header{kMagic, Kind::kFarewell, 0, said.size()};
  std::vector<Socket*> told;
  for (std::size_t r = 0; r < peers_.size() && !said.empty(); ++r)
    if (peers_[r] && !half_sent_[r] && send_all(peers_[r], &header, sizeof header, until, calm) == Sent::kAll &&
        send_all(peers_[r], said.data(), said.size(), until, calm) == Sent::kAll)
      told.push_back(&peers_[r]);
  // What came and was not read would make closing a reset, which may overtake the farewell: it is read until the other
  // side hangs up too.
  for (Socket* peer : told) hang_up(*peer, until, calm);
  peers_.clear();
  state_ = {Code::kPeerLost, "this rank has left the others"};
}

}  // namespace aclr
