// The pool and what is built on it, pulled at from many threads at once. That it is right is checked here; that nothing
// races, when `npm run test:threads` runs it under ThreadSanitizer.
#include <sys/resource.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/leases.h"
#include "core/thread_pool.h"
#include "model/scorer.h"
#include "model/trainer.h"
#include "support.h"

namespace aclr {
namespace {

// Runs body(i) on `count` threads that begin together.
void at_once(int count, const std::function<void(int)>& body) {
  std::atomic<int> missing{count};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      --missing;
      while (missing > 0) std::this_thread::yield();
      body(i);
    });
  for (std::thread& t : threads) t.join();
}

// A sum over plain memory that tasks write and their caller reads: any order that the pool forgot would be a race.
long squares(ThreadPool& pool, int tasks) {
  std::vector<long> out(tasks, -1);
  pool.run(tasks, [&](int task) { out[task] = long(task) * task; });
  long sum = 0;
  for (const long x : out) sum += x;
  return sum;
}
long sum_of_squares(long n) { return (n - 1) * n * (2 * n - 1) / 6; }

TrainerConfig trainer_config() {
  TrainerConfig config;
  config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 8, 2, 1, 8, 6, 2, true, 0.1};
  return config;
}

template <class T>
std::unique_ptr<Trainer<T>> trainer_of(std::uint32_t seed) {
  auto trainer = std::make_unique<Trainer<T>>(trainer_config());
  Random random(seed);
  trainer->weights() = random_weights<T>(random, trainer->encoder().layout());
  trainer->weights_changed();
  trainer->set_recipe(standard_recipe<T>());
  return trainer;
}

// Weights after some steps on batches of their own, each with the next made on the side.
template <class T>
std::vector<T> trained(ThreadPool& pool, std::uint32_t seed, int steps) {
  auto trainer = trainer_of<T>(seed);
  Random random(seed);
  const auto batch = [&](int step) {
    TrainBatch<T> out{random_events<T>(random, 70), {}, seed, static_cast<std::uint32_t>(step)};
    for (int i = 0; i < 70; ++i) out.ids.push_back(static_cast<std::uint32_t>(i));
    return out;
  };
  TrainBatch<T> now = batch(0);
  for (int step = 0; step < steps; ++step) {
    TrainBatch<T> next = batch(step + 1);
    StepResult result;
    const Status status = trainer->step(pool, now, 1e-3, true, &result, std::make_unique<TrainBatch<T>>(next));
    CHECK_FOR(status.ok(), status.message());
    now = std::move(next);
  }
  return trainer->weights();
}

}  // namespace

TEST(many_callers_of_one_pool) {
  ThreadPool pool(4);
  std::atomic<int> wrong{0};
  at_once(6, [&](int caller) {
    for (int job = 0; job < 200; ++job) {
      const int tasks = 1 + (job * 7 + caller) % 50;
      if (job % 3 == 0) {
        const ThreadPool::Impatient here;
        wrong += squares(pool, tasks) != sum_of_squares(tasks);
      } else {
        wrong += squares(pool, tasks) != sum_of_squares(tasks);
      }
    }
  });
  CHECK(wrong == 0);
}

TEST(a_task_may_run_tasks_of_its_own) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads), other(2);
    for (int job = 0; job < 50; ++job) {
      std::vector<long> out(9, -1);
      pool.run(9, [&](int task) { out[task] = squares(task % 2 == 0 ? pool : other, 20) + squares(pool, 1); });
      for (const long x : out) CHECK(x == sum_of_squares(20));
      pool.run(1, [&](int) { out[0] = squares(pool, 11); });
      CHECK(out[0] == sum_of_squares(11));
    }
    CHECK(squares(pool, 100) == sum_of_squares(100));
  }
}

TEST(pools_made_and_destroyed_on_many_threads) {
  std::atomic<int> wrong{0};
  at_once(4, [&](int) {
    for (int round = 0; round < 30; ++round) {
      ThreadPool pool(1 + round % 4);
      if (round % 5 != 0) wrong += squares(pool, round) != sum_of_squares(round);
    }
  });
  CHECK(wrong == 0);
}

TEST(a_pool_is_not_destroyed_or_resized_while_a_job_runs) {
  for (int round = 0; round < 20; ++round) {
    auto pool = std::make_unique<ThreadPool>(3);
    std::atomic<bool> begun{false};
    std::vector<int> out(40, 0);
    std::thread caller([&, at = pool.get()] {
      at->run(40, [&](int task) {
        begun = true;
        std::this_thread::yield();
        out[task] = task + 1;
      });
    });
    while (!begun) std::this_thread::yield();
    if (round % 2 == 0) pool->resize(1 + round % 3);
    pool.reset();
    for (int task = 0; task < 40; ++task) CHECK(out[task] == task + 1);
    caller.join();
  }
}

TEST(tasks_that_throw_among_many_callers) {
  ThreadPool pool(3);
  std::atomic<int> wrong{0};
  at_once(4, [&](int caller) {
    for (int job = 0; job < 150; ++job) {
      const int bad = (job + caller) % 23;
      try {
        pool.run(12, [&](int task) {
          if (task == bad) throw std::runtime_error(std::to_string(caller));
        });
        wrong += bad < 12;
      } catch (const std::runtime_error& error) {
        wrong += bad >= 12 || error.what() != std::to_string(caller);
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(squares(pool, 50) == sum_of_squares(50));
}

TEST(resized_under_load) {
  ThreadPool pool(2);
  std::atomic<bool> over{false};
  std::atomic<int> wrong{0};
  std::thread resizer([&] {
    for (int i = 0; !over; ++i) pool.resize(1 + i % 5);
  });
  at_once(3, [&](int) {
    for (int job = 0; job < 60; ++job) {
      wrong += squares(pool, 30) != sum_of_squares(30);
      wrong += pool.threads() < 1 || pool.threads() > 5;
    }
  });
  over = true;
  resizer.join();
  CHECK(wrong == 0);
}

TEST(leases_go_to_one_task_at_a_time) {
  Leases<std::vector<int>> leases;
  ThreadPool pool(4);
  std::atomic<int> wrong{0};
  at_once(3, [&](int caller) {
    for (int job = 0; job < 40; ++job)
      pool.run(20, [&](int task) {
        Leases<std::vector<int>>::Lease lease(leases);
        lease->assign(16, task + caller);
        for (const int x : *lease) wrong += x != task + caller;
      });
  });
  CHECK(wrong == 0);
}

TEST(sessions_at_once_on_one_pool_give_what_each_gives_alone) {
  ThreadPool pool(3);
  std::vector<std::vector<float>> alone;
  for (int i = 0; i < 3; ++i) alone.push_back(trained<float>(pool, 5 + i, 3));
  const std::vector<double> doubles = trained<double>(pool, 9, 2);
  std::atomic<int> wrong{0};
  at_once(4, [&](int i) {
    if (i < 3)
      wrong += trained<float>(pool, 5 + i, 3) != alone[i];
    else
      wrong += trained<double>(pool, 9, 2) != doubles;
  });
  CHECK(wrong == 0);
}

// As the event loop does: one thread asks for a few events at once while another scores many.
TEST(one_scorer_per_thread_patient_and_not) {
  ThreadPool pool(3);
  ScorerConfig config;
  config.encoder = trainer_config().encoder;
  config.to = 8;
  config.preparation = {8, 8, std::vector<double>(8, 0), {}};
  config.members = {{{{8, 3, 8}, Activation::kElu, false}, true}, {{{8, 3, 1}, Activation::kElu, false, Learns::kClass}}};
  CHECK(config.check().ok());
  Random random(4);
  const auto encoder = random_weights<float>(random, Encoder<float>(*config.encoder).layout());
  std::vector<std::vector<float>> members;
  for (const MemberConfig& member : config.members)
    members.push_back(random_weights<float>(random, Perceptron<float>(member.network).layout()));
  const EventColumns<float> events = random_events<float>(random, 600);
  const auto scores = [&](ThreadPool* on) {
    Scorer<float> scorer(config, encoder, members);
    std::vector<float> out(events.events());
    scorer.score(on, events, out.data());
    return out;
  };
  const std::vector<float> want = scores(nullptr);
  std::atomic<int> wrong{0};
  at_once(3, [&](int i) {
    for (int round = 0; round < 3; ++round) {
      if (i == 0) {
        const ThreadPool::Impatient here;
        wrong += scores(&pool) != want;
      } else {
        wrong += scores(i == 1 ? &pool : nullptr) != want;
      }
    }
  });
  CHECK(wrong == 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which need more memory than is left here
TEST(fewer_threads_than_asked_for_will_do) {
  rlimit before{};
  CHECK(getrlimit(RLIMIT_AS, &before) == 0);
  rlimit less = before;
  less.rlim_cur = rlim_t{1} << 30;  // the stacks of 1000 threads are 8 GB
  CHECK(setrlimit(RLIMIT_AS, &less) == 0);
  if (std::unique_ptr<char, decltype(&std::free)>(static_cast<char*>(std::malloc(std::size_t{2} << 30)), std::free)) {
    std::printf("the limit on the address space has no effect here, as under an emulator: not tried\n");
    return;
  }
  {
    ThreadPool pool(1000);
    CHECK(pool.threads() > 1 && pool.threads() < 1000);
    CHECK(squares(pool, 500) == sum_of_squares(500));
    pool.resize(2);
    CHECK(pool.threads() == 2);
  }
  CHECK(setrlimit(RLIMIT_AS, &before) == 0);
}
#endif

}  // namespace aclr
