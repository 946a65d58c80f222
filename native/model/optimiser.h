// Adam, AdamW, and SGD with momentum on flat weights, with clipping of the global gradient norm. test/golden/README "optim/".
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/thread_pool.h"
#include "kernels/ops.h"

namespace aclr {

enum class OptimiserKind { kAdam, kSgd };

struct OptimiserConfig {
  OptimiserKind kind = OptimiserKind::kAdam;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, momentum = 0.9;
  double weight_decay = 0;  // decoupled, as in AdamW
  double l2 = 0;            // added to the gradient
  double clip = 0;          // largest global norm; 0 is off
};

template <class T>
struct OptimiserState {
  std::vector<T> m, v;
  std::int64_t steps = 0;
};

// Sum of squares in blocks of fixed size, summed in order: the same for any count of threads.
template <class T>
double norm_of(ThreadPool& pool, const T* g, std::size_t count) {
  constexpr std::size_t kBlock = 16384;
  const int blocks = static_cast<int>((count + kBlock - 1) / kBlock);
  std::vector<double> partial(blocks, 0.0);
  pool.run(blocks, [&](int b) {
    double sum = 0;
    for (std::size_t i = b * kBlock; i < std::min(count, (b + 1) * kBlock); ++i) sum += double(g[i]) * double(g[i]);
    partial[b] = sum;
  });
  double sum = 0;
  for (const double p : partial) sum += p;
  return std::sqrt(sum);
}

// One update of w, m and v; `steps` counts it. Returns the gradient norm before clipping. A norm that is not finite leaves
// everything as it was.
template <class T>
double update(ThreadPool& pool, const OptimiserConfig& config, double rate, const T* g, std::size_t count, T* w, T* m, T* v,
              std::int64_t& steps) {
  const double norm = norm_of(pool, g, count);
  if (!std::isfinite(norm)) return norm;
  ++steps;
  const double scale = config.clip > 0 ? std::min(1.0, config.clip / (norm + 1e-6)) : 1.0;
  const double t = static_cast<double>(steps);
  constexpr std::size_t kBlock = 16384;
  pool.run(static_cast<int>((count + kBlock - 1) / kBlock), [&](int b) {
    const std::size_t at = b * kBlock, size = std::min(kBlock, count - at);
    if (config.kind == OptimiserKind::kSgd) {
      for (std::size_t i = at; i < at + size; ++i) {
        m[i] = T(config.momentum) * m[i] + g[i] * T(scale) + T(config.l2) * w[i];
        w[i] -= T(rate) * m[i];
      }
      return;
    }
    ops<T>().adam({size, w + at, m + at, v + at, g + at, T(scale), T(config.l2),
                   T(config.beta1), T(1 - config.beta1), T(config.beta2), T(1 - config.beta2),
                   T(1 - rate * config.weight_decay),
                   T(rate / (1 - std::pow(config.beta1, t))), T(1 / std::sqrt(1 - std::pow(config.beta2, t))),
                   T(config.eps)});
  });
  return norm;
}

template <class T>
double update(ThreadPool& pool, const OptimiserConfig& config, double rate, const T* g, T* w, std::size_t count,
              OptimiserState<T>& state) {
  state.m.resize(count);
  state.v.resize(count);
  return update(pool, config, rate, g, count, w, state.m.data(), state.v.data(), state.steps);
}

}  // namespace aclr
