// Data-parallel steps, a process a rank: n ranks with the events of a batch shared among them equal one with all.
#include <cuda_runtime.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

#include "device/trainer.h"
#include "support.h"

extern "C" const aclr::device::Api* anomalyclr_device_library(std::uint32_t abi);

namespace aclr {
namespace {

constexpr int kSteps = 4;
// Of a batch.
int events_of_all = 19;

// NCCL makes no group of one GPU: on hardware each rank has its own. A process that forks must not have used a device, so
// all that does is a child.
int device_of(int rank) {
#if defined(ACLR_EMULATED)
  rank = 0;
#endif
  return rank;
}
bool enough_devices(int ranks) {
  const pid_t pid = fork();
  if (pid == 0) {
    int count = 0;
    _exit(cudaGetDeviceCount(&count) == cudaSuccess && count > device_of(ranks - 1) ? 0 : 1);
  }
  int status = 1;
  waitpid(pid, &status, 0);
  const bool enough = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!enough) std::printf("left out: %d ranks need as many GPUs\n", ranks);
  return enough;
}

// What the processes of a group share before they are one.
struct Meeting {
  std::atomic<bool> ready{false};
  std::uint8_t id[device::kGroupBytes] = {};

  static Meeting* make() {
    void* memory = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return new (memory) Meeting;
  }
  // Rank 0 makes the id, the others await it.
  std::string join(int rank) {
    if (rank == 0) {
      device::Outcome outcome{};
      anomalyclr_device_library(device::kAbi)->group_id(id, &outcome);
      ready = true;
    }
    while (!ready) usleep(1000);
    return std::string(reinterpret_cast<char*>(id), sizeof id);
  }
};

// What a rank has after so many steps: losses, then weights. Where something goes wrong the Status' code alone.
template <class T>
std::vector<T> steps_of(const TrainerConfig& config, const device::Ranks& ranks, int steps = kSteps) {
  std::unique_ptr<DeviceTrainer<T>> trainer;
  if (!DeviceTrainer<T>::make({anomalyclr_device_library(device::kAbi), device_of(ranks.rank)}, config, ranks, trainer).ok())
    return {};
  Random random(1);
  const auto weights = random_weights<T>(random, trainer->layout());
  const auto events = random_events<T>(random, events_of_all);
  if (!trainer->set_weights(weights.data()).ok() || !trainer->set_recipe(standard_recipe<T>()).ok()) return {};
  const int first = events_of_all * ranks.rank / ranks.ranks, last = events_of_all * (ranks.rank + 1) / ranks.ranks;
  std::vector<T> out;
  for (int s = 0; s < steps; ++s) {
    TrainBatch<T> batch{{}, {}, 42, static_cast<std::uint32_t>(s)};
    batch.events.append(events, first, last);
    for (int i = first; i < last; ++i) batch.ids.push_back(static_cast<std::uint32_t>(i) + 500);
    batch.first = first;
    batch.total = events_of_all;
    StepResult result;
    const Status status = trainer->step(batch, 1e-3, true, &result);
    if (!status.ok()) return {static_cast<T>(status.code())};
    out.insert(out.end(), {static_cast<T>(result.loss), static_cast<T>(result.gradient_norm)});
  }
  out.resize(out.size() + weights.size());
  if (!trainer->weights(out.data() + 2 * steps).ok()) return {};
  return out;
}

// What each of the ranks came to, processes of their own; the last one leaves after `last_steps`.
template <class T>
std::vector<std::vector<T>> run_ranks(const TrainerConfig& config, int ranks, int last_steps = kSteps) {
  Meeting* meeting = Meeting::make();
  struct Child {
    pid_t pid;
    int pipe;
  };
  std::vector<Child> children;
  std::fflush(stdout);
  for (int r = 0; r < ranks; ++r) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
      const auto got = steps_of<T>(config, {r, ranks, ranks > 1 ? meeting->join(r) : std::string()},
                                   r == ranks - 1 ? last_steps : kSteps);
      const char* bytes = reinterpret_cast<const char*>(got.data());
      for (std::size_t at = 0, end = got.size() * sizeof(T); at < end;) {
        const ssize_t written = write(ends[1], bytes + at, end - at);
        if (written <= 0) _exit(1);
        at += static_cast<std::size_t>(written);
      }
      _exit(0);
    }
    close(ends[1]);
    children.push_back({pid, ends[0]});
  }
  std::vector<std::vector<T>> all;
  for (const Child& child : children) {
    std::string bytes;
    char part[4096];
    for (ssize_t n; (n = read(child.pipe, part, sizeof part)) > 0;) bytes.append(part, static_cast<std::size_t>(n));
    close(child.pipe);
    int status = 0;
    waitpid(child.pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    std::vector<T> numbers(bytes.size() / sizeof(T));
    std::memcpy(numbers.data(), bytes.data(), bytes.size());
    all.push_back(std::move(numbers));
  }
  munmap(meeting, sizeof *meeting);
  return all;
}

TrainerConfig config_of(const char* loss) {
  TrainerConfig config;
  config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 8, 2, 2, 12, 8, 1, false, 0.1};
  config.loss = loss;
  config.optimiser.clip = 1;
  return config;
}

template <class T>
void meet(const char* loss, int ranks, double tolerance) {
  const TrainerConfig config = config_of(loss);
  const auto whole = run_ranks<T>(config, 1).front();
  CHECK(whole.size() > 2 * kSteps);
  const auto all = run_ranks<T>(config, ranks);
  for (const auto& one : all) {
    CHECK_FOR(one.size() == whole.size(), loss);
    for (std::size_t i = 0; i < std::min(one.size(), whole.size()); ++i)
      CHECK_NEAR(one[i], whole[i], tolerance * (1 + std::abs(whole[i])));
    CHECK_FOR(one == all.front(), "every rank has the same bits");
  }
}

}  // namespace

TEST(ranks_equal_one) {
  if (!enough_devices(2)) return;
  meet<double>("clr", 2, 1e-10);
  meet<float>("anomclr", 2, 5e-3);
  if (!enough_devices(3)) return;
  for (const char* loss : {"clr", "ntxent", "anomclr", "anomclr+"}) meet<double>(loss, 3, 1e-10);
}

TEST(a_rank_may_have_no_event) {
  if (!enough_devices(3)) return;
  events_of_all = 2;
  for (const char* loss : {"ntxent", "anomclr+"}) meet<double>(loss, 3, 1e-10);
  events_of_all = 19;
}

// Nobody waits for a rank that is gone.
TEST(a_rank_that_leaves_ends_the_others) {
  if (!enough_devices(3)) return;
  setenv("ANOMALYCLR_NCCL_TIMEOUT", "30", 1);
  const auto all = run_ranks<float>(config_of("clr"), 3, 2);
  CHECK(all[2].size() > 2 * 2);
  for (int r = 0; r < 2; ++r) CHECK(all[r].size() == 1 && all[r][0] == static_cast<float>(Code::kPeerLost));
}

}  // namespace aclr
