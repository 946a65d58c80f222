// Working memory of tasks: a task borrows one and gives it back. The last given back is the first lent out, being the one
// most likely still in a cache; there are as many as tasks ever ran at once.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

namespace aclr {

template <class T>
class Leases {
 public:
  class Lease {
   public:
    explicit Lease(Leases& from) : from_(from), item_(from.take()) {}
    ~Lease() { from_.give(std::move(item_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    T& operator*() { return *item_; }
    T* operator->() { return item_.get(); }

   private:
    Leases& from_;
    std::unique_ptr<T> item_;
  };

 private:
  std::unique_ptr<T> take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) {
      free_.reserve(++made_);  // so that give() need not allocate
      return std::make_unique<T>();
    }
    auto item = std::move(free_.back());
    free_.pop_back();
    return item;
  }
  void give(std::unique_ptr<T> item) {
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(item));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> free_;
  std::size_t made_ = 0;
};

}  // namespace aclr
