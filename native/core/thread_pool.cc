#include "core/thread_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace aclr {
namespace {

// While one lives, `flag` is set.
class Raised {
 public:
  explicit Raised(bool& flag) : flag_(flag), before_(std::exchange(flag, true)) {}
  ~Raised() { flag_ = before_; }
  Raised(const Raised&) = delete;
  Raised& operator=(const Raised&) = delete;

 private:
  bool& flag_;
  bool before_;
};

}  // namespace

thread_local bool ThreadPool::impatient_ = false;
thread_local bool ThreadPool::in_task_ = false;

// here, as GCC's sanitizers take the address of a thread-local in a header for null
ThreadPool::Impatient::Impatient() : before_(std::exchange(impatient_, true)) {}
ThreadPool::Impatient::~Impatient() { impatient_ = before_; }

ThreadPool& ThreadPool::global() {
  // Never destroyed: a process that exits while a job runs must not join threads from a static destructor.
  static ThreadPool* pool = new ThreadPool(0);
  return *pool;
}

ThreadPool::~ThreadPool() {
  std::lock_guard caller(callers_);
  stop();
}

void ThreadPool::resize(int threads) {
  std::lock_guard caller(callers_);
  stop();
  start(threads);
}

void ThreadPool::start(int threads) {
  const int cores = std::max(1u, std::thread::hardware_concurrency());
  const int wanted = threads <= 0 ? cores : std::min(threads, 1024);
  stopping_ = false;
  workers_.reserve(wanted - 1);
  try {
    while (static_cast<int>(workers_.size()) < wanted - 1) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {  // a limit on processes or memory: those there are will do
  }
  threads_ = static_cast<int>(workers_.size()) + 1;
}

void ThreadPool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::drain() {
  const Raised within(in_task_);
  try {
    for (int task = next_.fetch_add(1); task < tasks_; task = next_.fetch_add(1)) (*body_)(task);
  } catch (...) {  // no memory: the tasks not yet begun are left, and run() tells its caller
    next_ = tasks_;
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void ThreadPool::work() {
  long seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stopping_ || (generation_ != seen && body_ != nullptr); });
    if (stopping_) return;
    seen = generation_;
    ++active_;
    lock.unlock();
    drain();
    lock.lock();
    if (--active_ == 0) done_.notify_one();
  }
}

void ThreadPool::alone(int tasks, const std::function<void(int)>& body) {
  const Raised within(in_task_);
  for (int task = 0; task < tasks; ++task) body(task);
}

void ThreadPool::run(int tasks, const std::function<void(int)>& body) {
  if (tasks <= 0) return;
  if (in_task_) return alone(tasks, body);
  std::unique_lock caller(callers_, std::defer_lock);
  if (impatient_) {
    if (!caller.try_lock()) return alone(tasks, body);
  } else {
    caller.lock();
  }
  if (workers_.empty() || tasks == 1) return alone(tasks, body);
  {
    std::lock_guard lock(mutex_);
    body_ = &body;
    tasks_ = tasks;
    next_ = 0;
    ++generation_;
  }
  wake_.notify_all();
  drain();
  // A worker that has not woken yet finds no body and sleeps on.
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return active_ == 0; });
  body_ = nullptr;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

}  // namespace aclr
