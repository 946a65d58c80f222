// Weights on the device, and what the optimiser keeps of them.
#pragma once
#include <type_traits>

#include "cuda/encoder.h"

namespace aclr::cuda {

template <class S>
struct Learned {
  using R = Real<S>;
  Learned(Moves& moves, std::size_t count)
      : w(moves), m(moves), v(moves), gradient(moves), copy(moves), state(moves), count(count) {
    for (DeviceBuffer<R>* part : {&w, &m, &v, &gradient}) part->need(count);
    state.need(1);
    if constexpr (!std::is_same_v<S, R>) copy.need(count);
  }
  Weights<S> weights() const {
    if constexpr (std::is_same_v<S, R>) return {w.data(), w.data()};
    else return {w.data(), copy.data()};
  }
  void clear(cudaStream_t stream) {
    for (DeviceBuffer<R>* part : {&w, &m, &v}) fill_zero(part->data(), count, stream);
    fill_zero(state.data(), 1, stream);
    copied(stream);
  }
  void copied(cudaStream_t stream) {
    if constexpr (!std::is_same_v<S, R>) copy_weights<S>(count, w.data(), copy.data(), stream);
  }
  Update<S> update(const device::Optimiser& o, const StepInput* input, Scratch scratch) const {
    S* stored = nullptr;
    if constexpr (!std::is_same_v<S, R>) stored = copy.data();
    return {count, w.data(), m.data(), v.data(), gradient.data(), stored, o.sgd != 0, o.beta1, o.beta2, o.eps, o.momentum,
            o.weight_decay, o.l2, o.clip, input, state.data(), scratch};
  }
  DeviceBuffer<R> w, m, v, gradient;
  DeviceBuffer<S> copy;
  DeviceBuffer<OptimiserState> state;
  std::size_t count;
};

}  // namespace aclr::cuda
