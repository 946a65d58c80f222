// What holds for every augmentation on any event, however full or odd. The physics of each is tested from TypeScript.
#include <cstring>
#include <limits>

#include "core/thread_pool.h"
#include "kernels/augment.h"
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

// kinds: 0 electrons, muons and jets, 1 to 3 one of them, 4 the constituents of a jet, 5 all of these.
template <class T>
Event<T> full_event(Random& random, int size, bool with_met, int kinds) {
  Event<T> event;
  if (kinds >= 4) with_met = with_met && kinds == 5;
  while (event.size() < size) {
    const bool met = with_met && event.size() == 0;
    const bool constituent = kinds == 4 || (kinds == 5 && random.coin());
    const Kind kind = met ? Kind::kMet : constituent ? Kind::kConstituent
                      : kVisibleKinds[kinds == 0 || kinds == 5 ? random.integer(0, 2) : kinds - 1];
    const double reach = constituent ? 0.4 : 3.14;
    event.add({T(random.uniform(20, 200)), met ? T(0) : T(random.uniform(-2, 2)), T(random.uniform(-reach, reach)), kind});
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
    const Event<double> before = full_event<double>(random, size, random.coin(), random.integer(0, 5));
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

// What is for jets leaves collisions as they are, to the bit, and the other way round; where both stand in one event each
// sees its own.
TEST(events_and_jets_are_left_alone_by_what_is_for_the_others) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const bool jet = round % 2 == 0;
    const Event<float> before =
        full_event<float>(random, random.integer(0, kMaxObjects), random.coin(), jet ? 4 : random.integer(0, 3));
    each_step<float>([&](const AugmentationInfo& info, const RecipeStep<float>& step) {
      if ((info.data == DataKind::kJet) == jet) return;
      if (jet && before.size() == 0) return;  // no objects: neither
      Event<float> event = before;
      Draws<float> draws(1, 2, static_cast<std::uint32_t>(round), 3);
      step.apply(event, step.parameters.data(), draws);
      CHECK_FOR(event.size() == before.size(), info.name);
      for (int i = 0; i < before.size(); ++i) {
        const Object<float>&a = event[i], &b = before.begin()[i];
        CHECK_FOR(std::memcmp(&a, &b, sizeof a) == 0, info.name);
      }
    });
    const Event<float> both = full_event<float>(random, random.integer(0, kMaxObjects), random.coin(), 5);
    each_step<float>([&](const AugmentationInfo& info, const RecipeStep<float>& step) {
      if (info.data != DataKind::kJet) return;
      Event<float> event = both;
      Draws<float> draws(1, 2, static_cast<std::uint32_t>(round), 3);
      step.apply(event, step.parameters.data(), draws);
      int next = 0;
      for (const Object<float>& o : both) {
        if (o.kind == Kind::kConstituent) continue;
        while (next < event.size() && event[next].kind == Kind::kConstituent) ++next;
        CHECK_FOR(next < event.size() && std::memcmp(&event[next], &o, sizeof o) == 0, info.name);
        ++next;
      }
    });
  }
}

TEST(odd_numbers_pass_through_without_harm) {
  Random random(3);
  const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -5.0f, 3e38f, 1e-45f};
  for (int round = 0; round < 200; ++round) {
    Event<float> before = full_event<float>(random, random.integer(0, kMaxObjects), random.coin(), round % 2 == 0 ? 0 : 4);
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
      for (const Object<float>& o : event) CHECK_FOR(o.kind >= Kind::kMet && o.kind <= Kind::kConstituent, info.name);
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

namespace {

// Ragged events, empty and full ones among them; some with odd numbers in them if asked for.
template <class T>
EventColumns<T> ragged_events(Random& random, int count, bool odd) {
  const T strange[] = {T(NAN), T(INFINITY), T(-INFINITY), T(0), T(-5), T(3e38), T(1e-45)};
  EventColumns<T> events;
  for (int i = 0; i < count; ++i) {
    const int size = i % 7 == 0 ? 0 : i % 11 == 0 ? kMaxObjects : i % 5 == 0 ? random.integer(0, kMaxObjects) : random.integer(0, 8);
    Event<T> event = full_event<T>(random, size, random.integer(0, 3) > 0, i % 3 == 0 ? 4 : i % 8 == 0 ? 5 : 0);
    for (int k = 0; odd && k < size; ++k) {
      if (random.integer(0, 9) == 0) event[k].pt = strange[random.integer(0, 6)];
      if (random.integer(0, 9) == 0) event[k].eta = strange[random.integer(0, 6)];
      if (random.integer(0, 9) == 0) event[k].phi = strange[random.integer(0, 6)];
    }
    events.append(event);
  }
  return events;
}

// View 1: every augmentation in turn; view 2: one scenario for each form of each, and the chains of the standard recipe.
template <class T>
Recipe<T> full_recipe() {
  Recipe<T> recipe = standard_recipe<T>();
  Scenario<T> chain{1, {}};
  double weight = 0.3;
  each_step<T>([&](const AugmentationInfo&, const RecipeStep<T>& step) {
    chain.steps.push_back(step);
    recipe.views[2].push_back({weight += 0.01, {step}});
  });
  recipe.views[1].assign(1, chain);
  recipe.seal();
  return recipe;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](T x, T y) {
           return std::memcmp(&x, &y, sizeof x) == 0 || (std::isnan(x) && std::isnan(y));
         });
}
template <class T>
bool same_events(const EventColumns<T>& a, const EventColumns<T>& b) {
  return a.offsets == b.offsets && a.kind == b.kind && same_bits(a.pt, b.pt) && same_bits(a.eta, b.eta) && same_bits(a.phi, b.phi);
}

template <class T>
std::vector<const AugmentTable<T>*> tables() {
  if constexpr (std::is_same_v<T, double>) {
    return {&portable_augment_f64};
  } else {
    std::vector<const AugmentTable<T>*> found{&portable_augment_f32};
#if defined(ACLR_X86)
    for (const AugmentTable<T>* table : {&avx2_augment_f32, &avx512_augment_f32})
      if (std::strstr(available_targets(), table->target) != nullptr) found.push_back(table);
#endif
    return found;
  }
}

template <class T>
void blocks_match_events(Random& random, bool odd) {
  const int count = 2 * kBlockEvents + 45;
  const auto events = ragged_events<T>(random, count, odd);
  std::vector<std::uint32_t> ids(count);
  for (std::uint32_t& id : ids) id = static_cast<std::uint32_t>(random.integer(0, 1 << 30)) * 4u + 3;
  for (const Recipe<T>& recipe : {standard_recipe<T>(), full_recipe<T>()})
    for (int view = 0; view < kViews; ++view) {
      const ViewKey key{view, (std::uint64_t{1} << 40) + 5, 2};
      EventColumns<T> each;
      for (int i = 0; i < count; ++i) {
        Event<T> event;
        events.load(i, event);
        recipe.apply(event, view, key.seed, key.epoch, ids[i]);
        each.append(event);
      }
      for (const AugmentTable<T>* table : tables<T>())
        for (const int cut : {0, 1, kBlockEvents, kBlockEvents + 1, count}) {
          EventColumns<T> out;
          augment(recipe, key, events, ids.data(), 0, cut, out, *table);
          augment(recipe, key, events, ids.data(), cut, count - cut, out, *table);
          CHECK_FOR(same_events(out, each), table->target);
        }
      EventColumns<T> out;
      augment(recipe, key, events, ids.data(), 0, count, out);
      CHECK(same_events(out, each));
    }
}

}  // namespace

TEST(blocks_give_the_bits_of_event_by_event_on_every_target) {
  Random random(5);
  for (const bool odd : {false, false, true, true}) {
    blocks_match_events<float>(random, odd);
    blocks_match_events<double>(random, odd);
  }
}

TEST(threads_share_the_work_without_a_trace) {
  Random random(6);
  constexpr int kTasks = 9, kCount = 900;
  const auto events = ragged_events<float>(random, kCount, false);
  const Recipe<float> recipe = full_recipe<float>();
  const std::vector<std::uint32_t> ids(kCount, 7);
  EventColumns<float> whole;
  augment(recipe, {2, 1, 2}, events, ids.data(), 0, kCount, whole);
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<EventColumns<float>> parts(kTasks);
    pool.run(kTasks, [&](int t) { augment(recipe, {2, 1, 2}, events, ids.data(), t * 100, 100, parts[t]); });
    EventColumns<float> joined;
    for (const auto& part : parts) joined.append(part, 0, part.events());
    CHECK(same_events(joined, whole));
  }
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
