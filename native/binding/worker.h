// A job off the event loop as a Promise. `work` runs on a worker thread and touches no JavaScript; `done` runs on the
// event loop afterwards and makes the result.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "binding/args.h"

namespace aclr::binding {

class Worker : public Napi::AsyncWorker {
 public:
  using Work = std::function<Status()>;
  using Done = std::function<Napi::Value(Napi::Env)>;

  static Napi::Value start(Napi::Env env, Work work, Done done) {
    auto* worker = new Worker(env, std::move(work), std::move(done));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 private:
  Worker(Napi::Env env, Work work, Done done)
      : Napi::AsyncWorker(env), deferred_(env), work_(std::move(work)), done_(std::move(done)) {}

  void Execute() override {
    try {
      status_ = work_();
    } catch (const std::bad_alloc&) {
      status_ = Status(Code::kOutOfRange, "out of memory; a smaller batch needs less");
    } catch (const std::exception& error) {
      status_ = Status(Code::kInvalidArgument, error.what());
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    work_ = nullptr;  // lets go of the session before `done` runs
    if (!status_.ok()) {
      done_ = nullptr;
      deferred_.Reject(to_error(Env(), status_).Value());
      return;
    }
    try {
      const Napi::Value value = done_(Env());
      done_ = nullptr;
      deferred_.Resolve(value);
    } catch (const Napi::Error& error) {  // no memory for the result
      done_ = nullptr;
      deferred_.Reject(error.Value());
    } catch (const std::bad_alloc&) {
      done_ = nullptr;
      deferred_.Reject(to_error(Env(), {Code::kOutOfRange, "out of memory; a smaller batch needs less"}).Value());
    }
  }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Done done_;
  Status status_;
};

// One job at a time on what it guards; held by the job until its result is handed over.
class BusyFlag {
 public:
  class Hold {
   public:
    explicit Hold(std::shared_ptr<bool> flag) : flag_(std::move(flag)) { *flag_ = true; }
    ~Hold() { *flag_ = false; }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    std::shared_ptr<bool> flag_;
  };
  bool busy() const { return *flag_; }
  std::shared_ptr<Hold> hold() const { return std::make_shared<Hold>(flag_); }

 private:
  std::shared_ptr<bool> flag_ = std::make_shared<bool>(false);  // event loop only
};

}  // namespace aclr::binding
