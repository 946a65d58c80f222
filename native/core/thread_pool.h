// One pool for the whole engine. Tasks are numbered; which thread runs which is free, so a task may depend on its number
// alone, and sums over tasks are taken in their order afterwards: results are the same for any count of threads.
#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace aclr {

class ThreadPool {
 public:
  static ThreadPool& global();

  explicit ThreadPool(int threads) { start(threads); }
  ~ThreadPool();  // waits for a running job
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Waits for a running job, then changes the count; not to be called by a task. 0 means one per core. Where the system
  // gives fewer, there are fewer.
  void resize(int threads);
  int threads() const { return threads_; }

  // Runs body(task) for task = 0 .. tasks-1; the calling thread takes part. A second caller waits for the first.
  // What a task throws (std::bad_alloc) is thrown again here, after the others have ended. A task that runs tasks of its
  // own does them alone, on any pool: the threads are at work already.
  void run(int tasks, const std::function<void(int)>& body);

  // While one lives, run() on its thread waits for no other caller: where the pool is at work for one, this thread does
  // its tasks alone. For the event loop, which a job of seconds would hold up.
  class Impatient {
   public:
    Impatient();
    ~Impatient();
    Impatient(const Impatient&) = delete;
    Impatient& operator=(const Impatient&) = delete;

   private:
    bool before_;
  };

 private:
  void start(int threads);
  void stop();
  void work();
  void drain();
  static void alone(int tasks, const std::function<void(int)>& body);

  static thread_local bool impatient_, in_task_;
  std::mutex callers_;  // one job at a time
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  std::atomic<int> threads_{1};
  const std::function<void(int)>* body_ = nullptr;
  int tasks_ = 0;
  std::atomic<int> next_{0};
  int active_ = 0;
  long generation_ = 0;
  bool stopping_ = false;
  std::exception_ptr error_;
};

}  // namespace aclr
