// What holds for every augmentation on any event, however full or odd. The physics of each is tested from TypeScript.
#include <cstring>
#include <limits>

#include "support.h"

namespace aclr {
namespace {

// Visits every augmentation with its defaults, and with every parameter at its least and its most.
template <class T, class Visit>
void each_step(Visit&& visit) {
  AugmentationList::each([&](int, auto item) {
    using Item = decltype(item);
    RecipeStep<T> standard = standard_step<T, Item>(), low = standard, high = standard;
    for (int p = 0; p < Item::info.parameters; ++p) {
      low.parameters[p] = Item::info.parameter[p].low;
      high.parameters[p] = Item::info.parameter[p].high;
    }
    for (const RecipeStep<T>& step : {standard, low, high}) visit(Item::info, step);
  });
}

template <class T>
Event<T> full_event(Random& random, int size, bool with_met, int kinds) {
  Event<T> event;
  while (event.size() < size) {
    const bool met = with_met && event.size() == 0;
    const Kind kind = met ? Kind::kMet : kVisibleKinds[kinds == 0 ? random.integer(0, 2) : kinds - 1];
    event.add({T(random.uniform(20, 200)), met ? T(0) : T(random.uniform(-2, 2)), T(random.uniform(-3.14, 3.14)), kind});
  }
  return event;
}

template <class T>
void momentum(const Event<T>& event, bool visible, double& px, double& py) {
  px = py = 0;
  for (const Object<T>& o : event)
    if ((o.kind != Kind::kMet) == visible) {
      px += o.pt * std::cos(o.phi);
      py += o.pt * std::sin(o.phi);
    }
}

}  // namespace

TEST(full_events_stay_within_their_room) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const int size = round % 3 == 0 ? kMaxObjects : random.integer(40, kMaxObjects);
    const Event<double> before = full_event<double>(random, size, random.coin(), random.integer(0, 3));
    each_step<double>([&](const AugmentationInfo& info, const RecipeStep<double>& step) {
      Event<double> event = before;
      Draws<double> draws(1, 2, static_cast<std::uint32_t>(round), 3);
      step.apply(event, step.parameters.data(), draws);
      CHECK_FOR(event.size() >= 0 && event.size() <= kMaxObjects, info.name);
      for (const Object<double>& o : event) CHECK_FOR(std::isfinite(o.pt) && o.pt >= 0 && std::isfinite(o.eta) && std::abs(o.phi) <= kPi, info.name);
    });
  }
}

// Also where the event is full: what finds no room must not take part in the balance.
TEST(split_keeps_and_add_balances_the_transverse_momentum) {
  Random random(2);
  for (int round = 0; round < 500; ++round) {
    const int size = round % 2 == 0 ? random.integer(0, 12) : random.integer(50, kMaxObjects);
    const Event<double> before = full_event<double>(random, size, random.coin(), random.integer(0, 3));
    for (const bool split : {true, false}) {
      Event<double> event = before;
      const auto step = split ? standard_step<double, SplitCollinear>() : standard_step<double, AddObjects>();
      Draws<double> draws(3, 0, static_cast<std::uint32_t>(round), 1);
      step.apply(event, step.parameters.data(), draws);
      double visible[2], visible_before[2], met[2], met_before[2];
      momentum(event, true, visible[0], visible[1]);
      momentum(before, true, visible_before[0], visible_before[1]);
      momentum(event, false, met[0], met[1]);
      momentum(before, false, met_before[0], met_before[1]);
      for (int c = 0; c < 2; ++c) {
        if (split) CHECK_NEAR(visible[c], visible_before[c], 1e-9);
        CHECK_NEAR(visible[c] + met[c], visible_before[c] + met_before[c], 1e-9);
      }
    }
  }
}

TEST(odd_numbers_pass_through_without_harm) {
  Random random(3);
  const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -5.0f, 3e38f, 1e-45f};
  for (int round = 0; round < 200; ++round) {
    Event<float> before = full_event<float>(random, random.integer(0, kMaxObjects), random.coin(), 0);
    for (int i = 0; i < before.size(); ++i) {
      if (random.integer(0, 3) == 0) before[i].pt = odd[random.integer(0, 6)];
      if (random.integer(0, 3) == 0) before[i].eta = odd[random.integer(0, 6)];
      if (random.integer(0, 3) == 0) before[i].phi = odd[random.integer(0, 6)];
    }
    each_step<float>([&](const AugmentationInfo& info, const RecipeStep<float>& step) {
      Event<float> event = before;
      Draws<float> draws(1, 2, static_cast<std::uint32_t>(round), 3);
      step.apply(event, step.parameters.data(), draws);
      CHECK_FOR(event.size() <= kMaxObjects, info.name);
      for (const Object<float>& o : event) CHECK_FOR(o.kind >= Kind::kMet && o.kind <= Kind::kJet, info.name);
    });
  }
}

TEST(a_recipe_depends_on_its_key_alone) {
  Random random(4);
  const auto events = random_events<float>(random, 200);
  const Recipe<float> recipe = standard_recipe<float>();
  const auto view = [&](int number, std::uint64_t seed, std::uint32_t epoch, const std::vector<int>& order) {
    std::vector<std::vector<float>> out(order.size());
    for (const int i : order) {
      Event<float> event;
      events.load(i, event);
      recipe.apply(event, number, seed, epoch, static_cast<std::uint32_t>(i));
      for (const Object<float>& o : event) out[i].insert(out[i].end(), {o.pt, o.eta, o.phi, float(o.kind)});
    }
    return out;
  };
  const auto order = random_order(random, 200), other = random_order(random, 200);
  for (const int number : {1, 2}) {
    CHECK(view(number, 1, 2, order) == view(number, 1, 2, other));
    CHECK(view(number, 1, 2, order) != view(number, 2, 2, order));
    CHECK(view(number, 1, 2, order) != view(number, 1, 3, order));
  }
  CHECK(view(0, 1, 2, order) == view(0, 5, 6, order));  // no recipe: the event itself
  CHECK(view(1, 1, 2, order) != view(2, 1, 2, order));
}

TEST(scenarios_come_by_their_weights) {
  Recipe<double> recipe;
  const double weights[] = {1, 4, 2, 1e-9};
  const auto mark = [](double factor) {
    auto step = standard_step<double, ShiftMet>();
    step.parameters = {factor, factor};
    return step;
  };
  for (int s = 0; s < 4; ++s) recipe.views[2].push_back({weights[s], {mark(s + 1)}});
  recipe.seal();
  constexpr int kEvents = 70000;
  double counts[4] = {};
  for (std::uint32_t i = 0; i < kEvents; ++i) {
    Event<double> event;
    event.add({1, 0, 0, Kind::kMet});
    recipe.apply(event, 2, 7, 0, i);
    ++counts[std::lround(event[0].pt) - 1];
  }
  for (int s = 0; s < 4; ++s) {
    const double p = weights[s] / 7;
    CHECK_NEAR(counts[s], kEvents * p, 5 * std::sqrt(kEvents * p * (1 - p)) + 1e-3);
  }
}

}  // namespace aclr
