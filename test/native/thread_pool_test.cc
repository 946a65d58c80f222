#include "core/thread_pool.h"

#include <algorithm>
#include <stdexcept>

#include "check.h"

namespace aclr {
namespace {

// How often each task of one job ran.
std::vector<int> runs(ThreadPool& pool, int tasks) {
  std::vector<std::atomic<int>> counts(std::max(tasks, 0));
  pool.run(tasks, [&](int task) { counts.at(task).fetch_add(1); });
  return {counts.begin(), counts.end()};
}
bool all_once(const std::vector<int>& counts) {
  return std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; });
}

}  // namespace

TEST(every_task_runs_once) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (int tasks = 0; tasks < 70; ++tasks) CHECK(all_once(runs(pool, tasks)));
    CHECK(all_once(runs(pool, 10007)));
    CHECK(runs(pool, -1).empty());
  }
}

TEST(zero_threads_are_one_per_core) {
  ThreadPool pool(0);
  CHECK(pool.threads() >= 1);
  CHECK(all_once(runs(pool, 100)));
}

TEST(many_small_jobs_one_after_another) {
  ThreadPool pool(4);
  long sum = 0;
  for (int job = 0; job < 20000; ++job) {
    std::atomic<int> ran{0};
    pool.run(job % 5, [&](int) { ran.fetch_add(1); });
    sum += ran;
  }
  CHECK(sum == 20000 / 5 * (0 + 1 + 2 + 3 + 4));
}

TEST(resize_while_idle) {
  ThreadPool pool(3);
  for (const int threads : {1, 5, 2, 0, 7, 1, 4}) {
    pool.resize(threads);
    CHECK(threads == 0 || pool.threads() == threads);
    CHECK(all_once(runs(pool, 333)));
  }
}

TEST(callers_take_turns_even_while_it_is_resized) {
  ThreadPool pool(3);
  std::atomic<int> bad{0};
  std::atomic<int> inside{0};  // jobs at work
  const auto caller = [&] {
    for (int job = 0; job < 300; ++job) {
      std::vector<std::atomic<int>> counts(job % 41 + 1);
      pool.run(job % 41 + 1, [&](int task) {
        if (task == 0 && inside.fetch_add(1) > 0) ++bad;
        counts.at(task).fetch_add(1);
        std::this_thread::yield();
        if (task == 0) --inside;
      });
      bad += !all_once({counts.begin(), counts.end()});
    }
  };
  std::thread one(caller), two(caller);
  for (int i = 0; i < 50; ++i) pool.resize(1 + i % 4);
  one.join();
  two.join();
  CHECK(bad == 0);
}

namespace {

// Returns once `all` tasks of a job are in it: each then runs on a thread of its own.
class Meeting {
 public:
  explicit Meeting(int all) : missing_(all) {}
  void wait() {
    --missing_;
    while (missing_ > 0) std::this_thread::yield();
  }

 private:
  std::atomic<int> missing_;
};

}  // namespace

TEST(as_many_tasks_at_once_as_threads) {
  ThreadPool pool(5);
  for (int job = 0; job < 100; ++job) {
    Meeting meeting(5);
    std::mutex mutex;
    std::vector<std::thread::id> ids;
    pool.run(5, [&](int) {
      meeting.wait();
      std::lock_guard lock(mutex);
      ids.push_back(std::this_thread::get_id());
    });
    std::sort(ids.begin(), ids.end());
    CHECK(ids.size() == 5 && std::unique(ids.begin(), ids.end()) == ids.end());
  }
}

TEST(an_impatient_caller_does_its_tasks_alone_while_the_pool_is_busy) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::atomic<bool> begun{false}, over{false};
    std::thread other([&] {
      pool.run(2, [&](int) {
        begun = true;
        while (!over) std::this_thread::yield();
      });
    });
    while (!begun) std::this_thread::yield();
    {
      const ThreadPool::Impatient here;
      const auto self = std::this_thread::get_id();
      std::vector<int> order;
      pool.run(5, [&](int task) {
        CHECK(std::this_thread::get_id() == self);
        order.push_back(task);
      });
      CHECK(order == (std::vector<int>{0, 1, 2, 3, 4}));
    }
    over = true;
    other.join();
    // idle, it serves the impatient too; and patience returns
    const ThreadPool::Impatient here;
    { const ThreadPool::Impatient again; }
    Meeting meeting(threads);
    pool.run(threads, [&](int) { meeting.wait(); });
  }
}

// On whichever thread: that of the caller or one of the pool's.
TEST(a_task_that_throws_reaches_the_caller_and_leaves_the_pool_whole) {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int job = 0; job < 200; ++job) {
      Meeting meeting(threads);
      std::string said;
      try {
        pool.run(threads, [&](int task) {
          meeting.wait();
          if (task == job % threads) throw std::runtime_error("task " + std::to_string(task));
        });
      } catch (const std::exception& error) {
        said = error.what();
      }
      CHECK(said == "task " + std::to_string(job % threads));
      CHECK(all_once(runs(pool, 50)));
    }
  }
}

}  // namespace aclr
