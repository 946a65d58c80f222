// For calls that run on JavaScript's own thread: what they read they read where it lies, as nothing can change it
// meanwhile.
#pragma once
#include <cstdlib>
#include <new>

#include "binding/args.h"
#include "core/thread_pool.h"

namespace aclr::binding {

// A typed array that was fetched already, as a getter could detach it. Another thread could change shared memory between
// its check and its use: that is copied.
template <class T>
class Input {
 public:
  Input() = default;
  Input(Napi::Value value, const char* name) : span_(span_of<T>(value, name)) {
    const Napi::ArrayBuffer buffer = value.As<Napi::TypedArray>().ArrayBuffer();
    if (!buffer.IsArrayBuffer()) {
      copy_.assign(span_.data, span_.data + span_.size);
      span_.data = copy_.data();
      copied_ = true;
    } else if (buffer.IsDetached()) {
      fail(value.Env(), std::string(name) + " is detached");
    }
  }
  Input(Napi::Value value, const char* name, std::size_t count) : Input(value, name) {
    if (span_.size != count)
      fail(value.Env(),
           std::string(name) + " has " + std::to_string(span_.size) + " entries, must have " + std::to_string(count));
  }
  // nullptr where it is left out
  static Input optional(Napi::Value value, const char* name, std::size_t count) {
    return value.IsUndefined() ? Input() : Input(value, name, count);
  }
  Input(Input&&) noexcept = default;  // a moved vector keeps its memory
  Input& operator=(Input&&) noexcept = default;

  const T* data() const { return span_.data; }
  std::size_t size() const { return span_.size; }
  bool copied() const { return copied_; }
  const T& operator[](std::size_t i) const { return span_.data[i]; }

 private:
  Span<T> span_;
  std::vector<T> copy_;
  bool copied_ = false;
};

// A new array of JavaScript's, zeros. Node.js ends the process where it lacks the memory; who asks for it first gets an
// error instead.
template <class T>
Napi::TypedArrayOf<T> new_array(Napi::Env env, std::size_t count) {
  if (count > std::size_t{INT32_MAX}) fail(env, "the result has more than 2^31 numbers");
  void* const volatile room = std::malloc(count * sizeof(T) + 1);
  if (room == nullptr) throw std::bad_alloc();
  std::free(room);
  return Napi::TypedArrayOf<T>::New(env, count, array_type<T>());
}

// Runs a call without waiting for jobs that have the pool. As in Worker, no memory is an error like others.
template <Napi::Value (*CALL)(const Napi::CallbackInfo&)>
Napi::Value at_once(const Napi::CallbackInfo& call) {
  const ThreadPool::Impatient here;
  try {
    return CALL(call);
  } catch (const std::bad_alloc&) {
    throw to_error(call.Env(), {Code::kOutOfRange, "out of memory; a smaller batch needs less"});
  }
}

}  // namespace aclr::binding
