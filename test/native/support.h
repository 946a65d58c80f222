// What several C++ tests share: seeded numbers, guarded buffers, random events and recipes.
#pragma once
#include <algorithm>
#include <random>
#include <vector>

#include "augment/recipe.h"
#include "check.h"
#include "core/event.h"
#include "kernels/ops.h"
#include "model/encoder.h"

namespace aclr {

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  // A float, so that it is the same number in either precision.
  double uniform(double low, double high) {
    return static_cast<float>(low + (high - low) * (static_cast<double>(engine_() >> 8) / 16777216.0));
  }
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform(0, 1);
    return static_cast<float>(sum);
  }
  int integer(int low, int high) { return low + static_cast<int>(engine_() % static_cast<std::uint32_t>(high - low + 1)); }
  bool coin() { return (engine_() >> 16) & 1; }
  template <class T>
  std::vector<T> normals(std::size_t count, double scale = 1) {
    std::vector<T> out(count);
    for (T& x : out) x = static_cast<T>(static_cast<float>(scale * normal()));
    return out;
  }
  std::vector<std::uint8_t> keeps(std::size_t count) {
    std::vector<std::uint8_t> out(count);
    for (std::uint8_t& k : out) k = integer(0, 9) > 0;
    return out;
  }

 private:
  std::mt19937 engine_;
};

// An output between two guard zones that no kernel may touch.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::vector<T> inside) : count_(inside.size()), all_(inside.size() + 2 * kZone, kMark) {
    std::copy(inside.begin(), inside.end(), data());
  }
  explicit Guarded(std::size_t count, T fill = T(77)) : Guarded(std::vector<T>(count, fill)) {}
  T* data() { return all_.data() + kZone; }
  T& operator[](std::size_t i) { return data()[i]; }
  std::size_t size() const { return count_; }
  bool intact() const {
    for (std::size_t i = 0; i < kZone; ++i)
      if (all_[i] != kMark || all_[all_.size() - 1 - i] != kMark) return false;
    return true;
  }

 private:
  static constexpr std::size_t kZone = 64;
  static constexpr T kMark = T(113);
  std::size_t count_;
  std::vector<T> all_;
};

// `count` events with MET and up to `most` objects more, of kinds within their capacities; some have none at all.
template <class T>
EventColumns<T> random_events(Random& random, int count, int most = 18) {
  EventColumns<T> events;
  for (int i = 0; i < count; ++i) {
    Event<T> event;
    if (random.integer(0, 19) > 0) {
      event.add({T(random.uniform(0.1, 200)), T(0), T(random.uniform(-3.14, 3.14)), Kind::kMet});
      for (int k = random.integer(0, most); k > 0; --k) {
        const Kind kind = kVisibleKinds[random.integer(0, 2)];
        const double eta = max_abs_eta(kind);
        if (event.room(kind) > 0)
          event.add({T(random.uniform(min_pt(kind), 150)), T(random.uniform(-eta, eta)), T(random.uniform(-3.14, 3.14)), kind});
      }
    }
    events.append(event);
  }
  return events;
}

template <class T>
EventColumns<T> take(const EventColumns<T>& events, const std::vector<int>& index) {
  EventColumns<T> out;
  for (const int i : index) {
    Event<T> event;
    events.load(i, event);
    out.append(event);
  }
  return out;
}

inline std::vector<int> random_order(Random& random, int count) {
  std::vector<int> order(count);
  for (int i = 0; i < count; ++i) order[i] = i;
  for (int i = count - 1; i > 0; --i) std::swap(order[i], order[random.integer(0, i)]);
  return order;
}

// Events of 0 .. 12 tokens as rows of features, pt' above 0.
template <class T>
TokenRows<T> random_tokens(Random& random, int events, int features) {
  TokenRows<T> block;
  for (int e = 0; e < events; ++e) {
    const int tokens = e % 4 == 1 ? 0 : random.integer(0, 12);
    for (int t = 0; t < tokens; ++t) {
      block.x.push_back(T(random.uniform(0.1, 3)));
      for (int f = 1; f < features; ++f) block.x.push_back(T(random.normal()));
    }
    block.offsets.push_back(block.offsets.back() + tokens);
    block.ids.push_back(static_cast<std::uint32_t>(random.integer(0, 1 << 20)));
  }
  return block;
}

// A step of the named kind with its default parameters.
template <class T, class Item>
RecipeStep<T> standard_step() {
  int place = -1;
  AugmentationList::each([&](int i, auto item) {
    if (std::is_same_v<decltype(item), Item>) place = i;
  });
  return recipe_step<T>(place);
}

// Physical views turned and smeared, anomalous ones by each of the anomalous augmentations.
template <class T>
Recipe<T> standard_recipe() {
  Recipe<T> recipe;
  recipe.views[1].push_back({1, {standard_step<T, RotatePhi>(), standard_step<T, SmearDirection>(),
                                 standard_step<T, SmearJets>(), standard_step<T, Acceptance>()}});
  recipe.views[2].push_back({2, {standard_step<T, AddObjects>()}});
  recipe.views[2].push_back({1, {standard_step<T, SplitCollinear>(), standard_step<T, ShiftMet>()}});
  recipe.views[2].push_back({1, {standard_step<T, Redistribute>()}});
  recipe.views[2].push_back({1, {standard_step<T, ShiftPt>(), standard_step<T, ShiftAll>()}});
  recipe.seal();
  return recipe;
}

// Weights of a size with which activations stay of order 1: gains about 1, the rest as 1/sqrt(columns).
template <class T>
std::vector<T> random_weights(Random& random, const std::vector<WeightInfo>& layout) {
  std::vector<T> weights(layout.back().offset + layout.back().count);
  for (const WeightInfo& w : layout) {
    const bool gain = w.name.find("norm") != std::string::npos && w.name.find("weight") != std::string::npos;
    const double scale = w.shape.size() == 2 ? 1 / std::sqrt(double(w.shape[1])) : 0.2;
    for (std::size_t i = 0; i < w.count; ++i) weights[w.offset + i] = T((gain ? 1 : 0) + scale * random.normal());
  }
  return weights;
}

}  // namespace aclr
