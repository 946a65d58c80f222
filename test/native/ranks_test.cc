// Several ranks, as threads with connections of their own: what they exchange, how they lose each other, and that n of
// them train as one does.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <thread>

#include "comm/tcp_group.h"
#include "model/trainer.h"
#include "support.h"

namespace aclr {
namespace {

// A port that was free a moment ago.
int free_port() {
  Endpoint any;
  any.family = 4;
  any.address = {127, 0, 0, 1};
  Socket socket;
  int port = 0;
  CHECK(listen_on(any, true, &socket, &port).ok());
  return port;
}

RendezvousConfig place(int rank, int ranks, int port) {
  RendezvousConfig config;
  config.rank = rank;
  config.ranks = ranks;
  config.address = "127.0.0.1";
  config.port = port;
  config.token[3] = 7;
  config.seconds = 20;
  return config;
}

using Body = std::function<void(TcpGroup&)>;

// Runs body(group) on every rank at once.
void on_ranks(int ranks, const Body& body, double patience = 20) {
  const int port = free_port();
  std::vector<std::thread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      TcpGroup group(place(r, ranks, port), patience);
      const Status met = group.connect();
      CHECK_FOR(met.ok(), met.message());
      if (met.ok()) body(group);
    });
  for (std::thread& t : threads) t.join();
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// The numbers of a rank, the same in every run.
template <class T>
std::vector<T> numbers_of(int rank, std::size_t count) {
  Random random(100 + rank);
  return random.normals<T>(count, 1e3);
}

template <class T>
void sums_are_in_order(int ranks, std::size_t count) {
  std::vector<T> wanted = numbers_of<T>(0, count);
  for (int r = 1; r < ranks; ++r) {
    const std::vector<T> more = numbers_of<T>(r, count);
    for (std::size_t i = 0; i < count; ++i) wanted[i] += more[i];
  }
  on_ranks(ranks, [&](TcpGroup& group) {
    std::vector<T> data = numbers_of<T>(group.rank(), count);
    CHECK(group.all_reduce_sum(data.data(), count).ok());
    CHECK_FOR(same_bits(data, wanted), std::to_string(ranks) + " ranks, " + std::to_string(count));
  });
}

bool mentions(const Status& status, const char* words) { return status.message().find(words) != std::string::npos; }

// What a stranger may send to rank 0's port.
Socket stranger(int port, const std::string& says) {
  Endpoint at;
  at.family = 4;
  at.address = {127, 0, 0, 1};
  at.port = static_cast<std::uint32_t>(port);
  const Waker waker;
  Socket socket;
  while (!socket) {
    socket = connect_to(at, in_seconds(1), waker);
    if (!socket) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(send_all(socket, says.data(), says.size(), in_seconds(1), waker) == Sent::kAll);
  return socket;
}

TrainerConfig small_config(const char* loss) {
  TrainerConfig config;
  config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 16, 4, 2, 24, 12, 2, true, 0.1};
  config.loss = loss;
  config.optimiser.weight_decay = 1e-3;
  config.optimiser.clip = 0.5;
  return config;
}

// What some steps leave behind.
template <class T>
struct Trained {
  std::vector<T> weights, m, v;
  std::vector<double> seen;
};

// Events first .. last-1 of a batch, of a rank's share where it has a `total`.
template <class T>
std::unique_ptr<TrainBatch<T>> share_of(const EventColumns<T>& events, int first, int last, int total,
                                        std::uint32_t epoch) {
  auto batch = std::make_unique<TrainBatch<T>>();
  batch->seed = 42;
  batch->epoch = epoch;
  if (total > 0) {
    batch->first = first;
    batch->total = total;
  }
  batch->events.append(events, first, last);
  for (int i = first; i < last; ++i) batch->ids.push_back(static_cast<std::uint32_t>(i) + 1000);
  return batch;
}

// Three steps on batches of different sizes, views of the next made ahead, and a validation loss.
template <class T>
Trained<T> train(const TrainerConfig& config, const EventColumns<T>& events, std::shared_ptr<Group> group) {
  ThreadPool pool(2);
  Trainer<T> trainer(config);
  Random random(1);
  trainer.weights() = random_weights<T>(random, trainer.encoder().layout());
  trainer.weights_changed();
  trainer.set_recipe(standard_recipe<T>());
  if (group) trainer.set_group(group);
  const int sizes[] = {events.events(), events.events() - 5, 2, 2};
  const auto batch = [&](std::uint32_t step) {
    const int n = sizes[step], rank = group ? group->rank() : 0, ranks = group ? group->ranks() : 1;
    return share_of(events, share_begin(n, rank, ranks), share_begin(n, rank + 1, ranks), group ? n : 0, step);
  };
  Trained<T> out;
  for (std::uint32_t step = 0; step < 4; ++step) {
    StepResult result;
    const Status status = trainer.step(pool, *batch(step), 1e-2, step < 3, &result, step < 2 ? batch(step + 1) : nullptr);
    CHECK_FOR(status.ok(), status.message());
    out.seen.insert(out.seen.end(), {result.loss, result.gradient_norm});
  }
  out.weights = trainer.weights();
  out.m = trainer.state().m;
  out.v = trainer.state().v;
  return out;
}

template <class T>
double distance(const std::vector<T>& a, const std::vector<T>& b) {
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < a.size() && most < INFINITY; ++i)
    most = std::max(most, std::abs(double(a[i]) - double(b[i])) / std::max(1.0, std::abs(double(b[i]))));
  return most;
}

template <class T>
void ranks_train_as_one(double losses, double moments, double weights) {
  Random random(5);
  const auto events = random_events<T>(random, 230);
  for (const char* loss : {"clr", "ntxent", "anomclr", "anomclr+"}) {
    const Trained<T> one = train<T>(small_config(loss), events, nullptr);
    for (const int ranks : {1, 2, 3}) {
      std::vector<Trained<T>> all(ranks);
      const int port = free_port();
      std::vector<std::thread> threads;
      for (int r = 0; r < ranks; ++r)
        threads.emplace_back([&, r] {
          auto group = std::make_shared<TcpGroup>(place(r, ranks, port), 20);
          CHECK(group->connect().ok());
          all[r] = train<T>(small_config(loss), events, group);
        });
      for (std::thread& t : threads) t.join();
      const std::string what = std::string(loss) + " on " + std::to_string(ranks);
      for (const Trained<T>& rank : all) {
        CHECK_FOR(same_bits(rank.weights, all[0].weights) && same_bits(rank.v, all[0].v), what);
        CHECK_FOR(same_bits(rank.seen, all[0].seen), what);
        CHECK_FOR(distance(rank.seen, one.seen) < losses, what + " losses");
        CHECK_FOR(distance(rank.m, one.m) < moments, what + " moments");
        CHECK_FOR(distance(rank.weights, one.weights) < weights, what + " weights");
        if (ranks == 1) CHECK_FOR(same_bits(rank.weights, one.weights) && same_bits(rank.seen, one.seen), what);
      }
    }
  }
}

}  // namespace

TEST(gathering_unequal_parts) {
  for (const int ranks : {1, 2, 3, 5}) {
    // rank 1 has none; rank 2 more than a socket's buffers hold
    std::vector<std::size_t> offsets{0};
    for (int r = 0; r < ranks; ++r) offsets.push_back(offsets.back() + (r == 1 ? 0 : r == 2 ? 9'000'001 : 17 + r));
    on_ranks(ranks, [&](TcpGroup& group) {
      std::vector<unsigned char> data(offsets.back(), 0);
      const int self = group.rank();
      for (std::size_t i = offsets[self]; i < offsets[self + 1]; ++i) data[i] = static_cast<unsigned char>(i * 31 + self);
      CHECK(group.all_gather(data.data(), offsets.data()).ok());
      bool right = true;
      for (int r = 0; r < ranks; ++r)
        for (std::size_t i = offsets[r]; i < offsets[r + 1]; ++i)
          right = right && data[i] == static_cast<unsigned char>(i * 31 + r);
      CHECK_FOR(right, std::to_string(ranks) + " ranks");
    });
  }
}

TEST(sums_in_the_order_of_ranks) {
  for (const int ranks : {1, 2, 3, 4})
    for (const std::size_t count : {0, 1, 3, 700, 2000, 260'003}) {
      sums_are_in_order<float>(ranks, count);
      sums_are_in_order<double>(ranks, count);
    }
}

TEST(broadcast_and_barrier) {
  std::atomic<int> here{0};
  on_ranks(4, [&](TcpGroup& group) {
    std::vector<int> data(50'000, group.rank());
    for (int root = 3; root >= 0; --root) {
      data.assign(data.size(), group.rank() * 100);
      CHECK(group.broadcast(data.data(), data.size() * sizeof(int), root).ok());
      CHECK(data.front() == root * 100 && data.back() == root * 100);
    }
    if (group.rank() == 2) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++here;
    CHECK(group.barrier().ok());
    CHECK(here == 4);
  });
}

TEST(a_dead_rank_is_told_by_name) {
  on_ranks(3, [](TcpGroup& group) {
    CHECK(group.barrier().ok());
    if (group.rank() == 2) return group.leave("");
    const Status status = group.barrier();
    CHECK(status.code() == Code::kPeerLost);
    // seen at first hand, or told by the other one that saw it
    CHECK_FOR(mentions(status, "rank 2 went away"), status.message());
    CHECK_FOR(mentions(group.barrier(), "rank 2"), "no later call succeeds");
  });
}

// In the middle of more than sockets hold, nobody waits for ever.
TEST(a_rank_that_dies_within_a_sum) {
  on_ranks(3, [](TcpGroup& group) {
    std::vector<float> data(5'000'000);
    if (group.rank() == 1) return group.leave("");
    const Status status = group.all_reduce_sum(data.data(), data.size());
    CHECK_FOR(status.code() == Code::kPeerLost && mentions(status, "went away"), status.message());
  });
}

TEST(a_killed_process_is_told_by_name) {
  const int port = free_port();
  const pid_t child = fork();
  if (child == 0) {
    TcpGroup group(place(1, 2, port), 20);
    if (group.connect().ok() && group.barrier().ok()) kill(getpid(), SIGKILL);
    _exit(1);
  }
  TcpGroup group(place(0, 2, port), 20);
  CHECK(group.connect().ok() && group.barrier().ok());
  const auto start = Clock::now();
  CHECK(mentions(group.barrier(), "rank 1 went away"));
  CHECK(Clock::now() - start < std::chrono::seconds(5));
  int how = 0;
  CHECK(waitpid(child, &how, 0) == child && WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
}

TEST(a_rank_that_leaves_says_why) {
  on_ranks(3, [](TcpGroup& group) {
    CHECK(group.barrier().ok());
    if (group.rank() == 0) return group.leave("the disk is full");
    const Status status = group.barrier();
    CHECK_FOR(mentions(status, "rank 0 stopped: the disk is full"), status.message());
  });
}

TEST(a_reason_is_told_in_one_line) {
  on_ranks(2, [](TcpGroup& group) {
    CHECK(group.barrier().ok());
    if (group.rank() == 0) return group.leave("full\n\x1b[2J\x7f!");
    const Status status = group.barrier();
    CHECK_FOR(mentions(status, "rank 0 stopped: full  [2J !"), status.message());
  });
}

TEST(who_never_stops_sending_is_left) {
  int ends[2];
  CHECK(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  Socket ours(ends[0]), theirs(ends[1]);
  const auto start = Clock::now();
  std::atomic<bool> left{false};
  std::thread flood([&] {
    const std::vector<char> much(1 << 16);
    while (!left && Clock::now() < start + seconds_of(20))
      if (::send(theirs.fd(), much.data(), much.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) std::this_thread::yield();
    theirs.close();
  });
  hang_up(ours, in_seconds(0.2), Waker());
  left = true;
  flood.join();
  CHECK(Clock::now() < start + seconds_of(10));
}

TEST(silence_has_an_end) {
  on_ranks(
      2,
      [](TcpGroup& group) {
        CHECK(group.barrier().ok());
        if (group.rank() == 1) {
          std::this_thread::sleep_for(std::chrono::milliseconds(600));
          return;
        }
        const Status status = group.barrier();
        CHECK_FOR(mentions(status, "rank 1 has been silent"), status.message());
      },
      0.2);
}

TEST(interruption_ends_a_wait) {
  TcpGroup group(place(0, 2, free_port()), 20);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    group.interrupt();
  });
  const auto start = Clock::now();
  CHECK(mentions(group.connect(), "interrupted"));
  CHECK(Clock::now() - start < std::chrono::seconds(5));
  other.join();
}

TEST(ranks_out_of_step_notice) {
  on_ranks(2, [](TcpGroup& group) {
    std::vector<float> data(10 + group.rank());
    const Status status = group.all_reduce_sum(data.data(), data.size());
    CHECK_FOR(mentions(status, "another place of the program"), status.message());
  });
}

TEST(strangers_do_no_harm) {
  const int port = free_port();
  std::vector<Socket> strangers;
  std::thread rank0([&] {
    TcpGroup group(place(0, 2, port), 20);
    const Status met = group.connect();
    CHECK_FOR(met.ok(), met.message());
    CHECK(group.barrier().ok());
  });
  strangers.push_back(stranger(port, "GET / HTTP/1.1\r\n\r\n"));
  strangers.push_back(stranger(port, "ACLR"));  // and then nothing
  strangers.push_back(stranger(port, std::string(4096, 'A')));
  for (int i = 0; i < 200; ++i) strangers.push_back(stranger(port, ""));
  RendezvousConfig wrong = place(1, 2, port);
  wrong.token[0] = 9;
  TcpGroup other_job(wrong, 20);
  const Status told = other_job.connect();
  CHECK_FOR(mentions(told, "belongs to another job"), told.message());
  TcpGroup too_many(place(1, 3, port), 20);
  const Status counted = too_many.connect();
  CHECK_FOR(mentions(counted, "counts 2 ranks, this process 3"), counted.message());
  TcpGroup group(place(1, 2, port), 20);
  const Status met = group.connect();
  CHECK_FOR(met.ok(), met.message());
  CHECK(group.barrier().ok());
  rank0.join();
}

TEST(who_does_not_come_is_named) {
  RendezvousConfig config = place(0, 3, free_port());
  config.seconds = 0.2;
  config.hint = "; or train alone";
  TcpGroup group(config, 20);
  const Status status = group.connect();
  CHECK_FOR(mentions(status, "rank 1, 2 did not come to 127.0.0.1:"), status.message());
  CHECK_FOR(mentions(status, "or train alone"), status.message());
  config.rank = 1;
  TcpGroup lonely(config, 20);
  CHECK(mentions(lonely.connect(), "rank 0 did not answer at"));
  config.address = "no such host.invalid";
  TcpGroup nowhere(config, 20);
  CHECK(mentions(nowhere.connect(), "no such host.invalid"));
  CHECK(mentions(nowhere.barrier(), "no such host.invalid"));
}

TEST(f64_ranks_train_as_one) { ranks_train_as_one<double>(1e-10, 1e-10, 1e-10); }
// Adam's first updates are rate * sign(gradient): where a gradient is all rounding, so is its weight's step.
TEST(f32_ranks_train_as_one) { ranks_train_as_one<float>(1e-5, 1e-6, 2e-3); }

// Contrast alone, on ranks with and without rows.
TEST(a_batch_smaller_than_the_ranks) {
  Random random(9);
  constexpr int n = 2, d = 8;
  using Rows = std::array<std::vector<double>, 3>;
  Rows z, wanted;
  for (int v = 0; v < 3; ++v) {
    z[v] = random.normals<double>(n * d);
    wanted[v].resize(n * d);
  }
  // dz and the value of rows from `first` on
  const auto run = [&](int first, int own, Rows& dz, Group* group) {
    ThreadPool pool(1);
    ContrastScratch<double> scratch;
    ContrastBatch<double> batch{own, d, {}, {}, group, n};
    for (int v = 0; v < 3; ++v) {
      batch.z[v] = z[v].data() + first * d;
      batch.dz[v] = dz[v].data();
    }
    double value = 0;
    CHECK(contrast<double>(pool, ops<double>(), *find_loss<double>("anomclr"), {}, 0.1, batch, scratch, &value).ok());
    return value;
  };
  const double one = run(0, n, wanted, nullptr);
  on_ranks(4, [&](TcpGroup& group) {
    const int first = share_begin(n, group.rank(), 4), own = share_begin(n, group.rank() + 1, 4) - first;
    Rows dz;
    for (auto& rows : dz) rows.resize(d);
    CHECK_NEAR(run(first, own, dz, &group), one, 1e-12);
    for (int v = 0; v < 3 && own > 0; ++v)
      for (int c = 0; c < d; ++c) CHECK_NEAR(dz[v][c], wanted[v][first * d + c], 1e-12);
  });
}

}  // namespace aclr
