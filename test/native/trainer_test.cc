#include "model/trainer.h"

#include <cstring>
#include <set>

#include "support.h"

namespace aclr {
namespace {

TrainerConfig small_config(const char* loss = "anomclr+") {
  TrainerConfig config;
  config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 16, 4, 2, 24, 12, 2, true, 0.1};
  config.loss = loss;
  config.optimiser.weight_decay = 1e-3;
  config.optimiser.clip = 1;
  return config;
}

template <class T>
std::unique_ptr<Trainer<T>> trainer_of(const TrainerConfig& config, std::uint32_t seed = 1) {
  auto trainer = std::make_unique<Trainer<T>>(config);
  Random random(seed);
  trainer->weights() = random_weights<T>(random, trainer->encoder().layout());
  trainer->weights_changed();
  trainer->set_recipe(standard_recipe<T>());
  return trainer;
}

template <class T>
TrainBatch<T> batch_of(const EventColumns<T>& events, std::uint32_t epoch = 0) {
  TrainBatch<T> batch{events, {}, 42, epoch};
  for (int i = 0; i < events.events(); ++i) batch.ids.push_back(static_cast<std::uint32_t>(i) + 1000);
  return batch;
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
bool all_finite(const std::vector<T>& x) {
  return std::all_of(x.begin(), x.end(), [](T v) { return std::isfinite(v); });
}

template <class T>
std::vector<T> embedded(Trainer<T>& trainer, const EventColumns<T>& events) {
  ThreadPool pool(2);
  std::vector<T> out(std::size_t(events.events()) * trainer.encoder().rep_row());
  trainer.embed(pool, events, out.data());
  return out;
}

constexpr const char* kNames[] = {"clr", "ntxent", "anomclr", "anomclr+"};

}  // namespace

TEST(threads_change_no_bit) {
  Random random(1);
  const auto events = random_events<float>(random, 210);  // three blocks a view, the last one short
  for (const char* name : kNames) {
    std::vector<float> weights, moments;
    std::vector<double> losses;
    for (const int threads : {1, 2, 3, 5}) {
      ThreadPool pool(threads);
      auto trainer = trainer_of<float>(small_config(name));
      std::vector<double> seen;
      for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
        StepResult result;
        CHECK(trainer->step(pool, batch_of(events, epoch), 1e-2, true, &result).ok());
        seen.insert(seen.end(), {result.loss, result.gradient_norm});
      }
      CHECK(all_finite(seen) && all_finite(trainer->weights()));
      if (threads == 1) {
        weights = trainer->weights();
        moments = trainer->state().v;
        losses = seen;
      }
      const std::string what = std::string(name) + " on " + std::to_string(threads);
      CHECK_FOR(same_bits(trainer->weights(), weights) && same_bits(trainer->state().v, moments), what);
      CHECK_FOR(same_bits(seen, losses), what);
    }
  }
}

TEST(steps_lower_the_loss) {
  Random random(2);
  const auto events = random_events<float>(random, 40);
  ThreadPool pool(2);
  for (const char* name : kNames) {
    auto trainer = trainer_of<float>(small_config(name));
    StepResult first, result;
    CHECK(trainer->step(pool, batch_of(events), 1e-3, false, &first).ok());
    for (int i = 0; i < 50; ++i) CHECK(trainer->step(pool, batch_of(events), 3e-3, true, &result).ok());
    CHECK(trainer->step(pool, batch_of(events), 1e-3, false, &result).ok());
    CHECK_FOR(result.loss < first.loss - 0.5, std::string(name) + std::to_string(result.loss - first.loss));
  }
}

TEST(without_update_nothing_changes) {
  Random random(3);
  const auto events = random_events<float>(random, 100);
  ThreadPool pool(2);
  auto trainer = trainer_of<float>(small_config());
  const auto before = trainer->weights();
  StepResult one, two;
  CHECK(trainer->step(pool, batch_of(events), 1, false, &one).ok());
  CHECK(trainer->step(pool, batch_of(events), 1, false, &two).ok());
  CHECK(one.loss == two.loss && one.gradient_norm == 0);
  CHECK(same_bits(before, trainer->weights()) && trainer->state().steps == 0);
}

TEST(dropout_is_on_in_training_alone) {
  Random random(4);
  const auto events = random_events<double>(random, 100);
  ThreadPool pool(2);
  TrainerConfig config = small_config();
  config.encoder.dropout = 0;
  StepResult dropped, whole, validation, drawn_again;
  CHECK(trainer_of<double>(small_config())->step(pool, batch_of(events), 0, true, &dropped).ok());
  CHECK(trainer_of<double>(small_config())->step(pool, batch_of(events, 1), 0, true, &drawn_again).ok());
  CHECK(trainer_of<double>(small_config())->step(pool, batch_of(events), 0, false, &validation).ok());
  CHECK(trainer_of<double>(config)->step(pool, batch_of(events), 0, true, &whole).ok());
  CHECK(validation.loss == whole.loss);
  CHECK(dropped.loss != whole.loss && dropped.loss != drawn_again.loss);
}

// Each place of dropout has a stream of its own, keyed by the event and not by where it stands.
TEST(dropout_masks_are_all_different) {
  Random random(15);
  TokenRows<float> rows;
  rows.x = random.normals<float>(3 * 8 * 7);
  rows.offsets = {0, 8, 16, 24};
  rows.ids = {5, 6, 5};
  const TokenBlock<float> block(rows, 7, 0, 3);
  const std::size_t count = 8 * 16;  // of one event, at every place
  ThreadPool pool(1);
  const auto masks = [&](const DropoutKey& key) {
    std::vector<std::string> out;
    const auto add = [&](const std::uint8_t* site) {
      for (int e = 0; e < 2; ++e) out.emplace_back(site + e * count, site + (e + 1) * count);
      CHECK(std::equal(site, site + count, site + 2 * count));  // the same event again
    };
    for (int layers = 1; layers <= 3; ++layers) {  // the mask of the hidden units is kept for the last layer alone
      EncoderConfig config{{7, PtFeature::kLinear, 40}, Mask::kHard, 16, 2, layers, 16, 4, 1, false, 0.5};
      Encoder<float> encoder(config);
      Random any(15);
      const auto weights = random_weights<float>(any, encoder.layout());
      encoder.pack(pool, weights.data(), false);
      EncoderTape<float> tape;
      EncoderScratch<float> scratch;
      encoder.forward(weights.data(), block, key, tape, scratch);
      add(scratch.keep_hidden.data());
      const auto last = encoder.layer_tape(block, layers - 1, tape);
      for (const std::uint8_t* site : {last.keep_probs, last.keep_attention, last.keep_output}) add(site);
    }
    return out;
  };
  auto all = masks({1, 2, 0, true});
  CHECK(all == masks({1, 2, 0, true}));
  for (const DropoutKey& key : {DropoutKey{1, 2, 1, true}, {1, 3, 0, true}, {2, 2, 0, true}, {std::uint64_t{1} << 40, 2, 0, true}})
    for (auto& mask : masks(key)) all.push_back(std::move(mask));
  CHECK(all.size() == 5 * 3 * 4 * 2);
  for (const auto& mask : all) CHECK(std::count(mask.begin(), mask.end(), 1) > 30 && std::count(mask.begin(), mask.end(), 0) > 30);
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == all.size());
}

TEST(order_of_a_batch_does_not_matter) {
  Random random(5);
  const auto events = random_events<float>(random, 220);
  const auto order = random_order(random, 220);
  ThreadPool pool(2);
  for (const char* name : kNames)
    for (const bool update : {false, true}) {
      const auto batch = batch_of(events);
      auto shuffled = batch;
      shuffled.events = take(events, order);
      for (std::size_t i = 0; i < order.size(); ++i) shuffled.ids[i] = batch.ids[order[i]];
      auto one = trainer_of<float>(small_config(name)), other = trainer_of<float>(small_config(name));
      StepResult a, b;
      CHECK(one->step(pool, batch, 1e-3, update, &a).ok() && other->step(pool, shuffled, 1e-3, update, &b).ok());
      CHECK_NEAR(a.loss, b.loss, 1e-5 * (1 + std::abs(a.loss)));
      CHECK_NEAR(a.gradient_norm, b.gradient_norm, 1e-4 * (1 + a.gradient_norm));
    }
}

namespace {

template <class T>
double worst_over_permuted_objects(const TrainerConfig& config) {
  Random random(6);
  const auto events = random_events<T>(random, 150);
  EventColumns<T> permuted;
  for (int i = 0; i < events.events(); ++i) {
    Event<T> event, other;
    events.load(i, event);
    for (const int o : random_order(random, event.size())) other.add(event[o]);
    permuted.append(other);
  }
  auto trainer = trainer_of<T>(config);
  const auto a = embedded(*trainer, events), b = embedded(*trainer, permuted);
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(double(a[i]) - double(b[i])));
    largest = std::max(largest, std::abs(double(a[i])));
  }
  return worst / largest;
}

}  // namespace

TEST(order_of_objects_does_not_matter) {
  for (const Mask mask : {Mask::kHard, Mask::kContinuous})
    for (const int features : {7, 8})
      for (const PtFeature pt : {PtFeature::kLinear, PtFeature::kLog}) {
        TrainerConfig config = small_config();
        config.encoder.mask = mask;
        config.encoder.features.count = features;
        config.encoder.features.pt = pt;
        CHECK_NEAR(worst_over_permuted_objects<float>(config), 0, 1e-5);
        CHECK_NEAR(worst_over_permuted_objects<double>(config), 0, 1e-12);
      }
}

TEST(an_event_has_the_same_representation_in_any_company) {
  Random random(7);
  const auto events = random_events<float>(random, 210);
  auto trainer = trainer_of<float>(small_config());
  const auto all = embedded(*trainer, events);
  const std::size_t row = trainer->encoder().rep_row();
  for (const int i : {0, 95, 96, 97, 209}) {
    const auto alone = embedded(*trainer, take(events, {i}));
    for (std::size_t c = 0; c < row; ++c) CHECK_NEAR(alone[c], all[i * row + c], 1e-5 * (1 + std::abs(alone[c])));
  }
  CHECK(embedded(*trainer, EventColumns<float>()).empty());
}

TEST(objects_without_pt_are_not_seen) {
  Random random(8);
  const auto events = random_events<double>(random, 50, 10);
  EventColumns<double> padded;
  for (int i = 0; i < events.events(); ++i) {
    Event<double> event;
    events.load(i, event);
    event.add({0, 0, 0, Kind::kJet});
    event.add({0, 1, 2, Kind::kMuon});
    padded.append(event);
  }
  for (const Mask mask : {Mask::kHard, Mask::kContinuous}) {
    TrainerConfig config = small_config();
    config.encoder.mask = mask;
    auto trainer = trainer_of<double>(config);
    CHECK(same_bits(embedded(*trainer, events), embedded(*trainer, padded)));
  }
}

TEST(events_without_objects) {
  ThreadPool pool(2);
  EventColumns<float> empty;
  for (int i = 0; i < 5; ++i) empty.append(Event<float>());
  Random random(9);
  EventColumns<float> mixed = random_events<float>(random, 20);
  for (int i = 0; i < 5; ++i) mixed.append(Event<float>());
  for (const Mask mask : {Mask::kHard, Mask::kContinuous})
    for (const char* name : kNames)
      for (const auto* events : {&empty, &mixed}) {
        TrainerConfig config = small_config(name);
        config.encoder.mask = mask;
        auto trainer = trainer_of<float>(config);
        StepResult result;
        CHECK(trainer->step(pool, batch_of(*events), 1e-3, true, &result).ok());
        CHECK(std::isfinite(result.loss) && std::isfinite(result.gradient_norm));
        CHECK(all_finite(trainer->weights()));
        CHECK(all_finite(embedded(*trainer, *events)));
      }
}

TEST(continues_from_saved_weights_and_state) {
  Random random(10);
  const auto events = random_events<float>(random, 130);
  ThreadPool pool(2);
  for (const OptimiserKind kind : {OptimiserKind::kAdam, OptimiserKind::kSgd}) {
    TrainerConfig config = small_config();
    config.optimiser.kind = kind;
    auto whole = trainer_of<float>(config), first = trainer_of<float>(config), second = trainer_of<float>(config, 99);
    StepResult result;
    for (std::uint32_t e = 0; e < 6; ++e) CHECK(whole->step(pool, batch_of(events, e), 1e-3, true, &result).ok());
    for (std::uint32_t e = 0; e < 3; ++e) CHECK(first->step(pool, batch_of(events, e), 1e-3, true, &result).ok());
    CHECK(second->step(pool, batch_of(events, 77), 1e-3, true, &result).ok());  // something to be overwritten
    second->weights() = first->weights();
    second->weights_changed();
    second->state() = first->state();
    for (std::uint32_t e = 3; e < 6; ++e) CHECK(second->step(pool, batch_of(events, e), 1e-3, true, &result).ok());
    CHECK(same_bits(whole->weights(), second->weights()));
    CHECK(same_bits(whole->state().m, second->state().m) && whole->state().steps == second->state().steps);
  }
}

TEST(a_gradient_that_is_not_finite_changes_nothing) {
  Random random(11);
  const auto good = random_events<float>(random, 100);
  ThreadPool pool(2);
  for (const char* name : kNames)
    for (const float bad : {INFINITY, NAN}) {
      auto trainer = trainer_of<float>(small_config(name)), untouched = trainer_of<float>(small_config(name));
      StepResult result;
      for (auto* t : {&trainer, &untouched}) CHECK((*t)->step(pool, batch_of(good), 1e-3, true, &result).ok());
      const auto before = trainer->weights(), m = trainer->state().m;
      EventColumns<float> events = good;
      Event<float> event;
      event.add({30, 0, 1, Kind::kMet});
      event.add({std::isnan(bad) ? 50 : bad, std::isnan(bad) ? bad : 0, 1, Kind::kJet});
      events.append(event);
      CHECK(trainer->step(pool, batch_of(events), 1e-3, true, &result).ok());
      CHECK_FOR(!std::isfinite(result.gradient_norm), name);
      CHECK_FOR(same_bits(before, trainer->weights()) && same_bits(m, trainer->state().m), name);
      CHECK(trainer->state().steps == 1);
      for (auto* t : {&trainer, &untouched}) CHECK((*t)->step(pool, batch_of(good, 1), 1e-3, true, &result).ok());
      CHECK_FOR(same_bits(trainer->weights(), untouched->weights()), name);  // and training goes on as if it had not been
    }
}

TEST(steps_on_views_equal_steps_on_events) {
  Random random(12);
  const auto events = random_events<float>(random, 150);
  ThreadPool pool(2);
  TrainerConfig config = small_config("anomclr");
  config.encoder.dropout = 0;
  auto one = trainer_of<float>(config), other = trainer_of<float>(config);
  const Recipe<float> recipe = standard_recipe<float>();
  const auto batch = batch_of(events);
  ViewRows<float> views;
  for (int v = 0; v < kViews; ++v)
    for (int i = 0; i < events.events(); ++i) {
      Event<float> event;
      events.load(i, event);
      recipe.apply(event, v, batch.seed, batch.epoch, batch.ids[i]);
      std::vector<float> rows(std::size_t(kMaxObjects) * 7);
      const int tokens = write_features(config.encoder.features, event, rows.data());
      views[v].x.insert(views[v].x.end(), rows.begin(), rows.begin() + tokens * 7);
      views[v].offsets.push_back(views[v].offsets.back() + tokens);
    }
  StepResult a, b;
  CHECK(one->step(pool, batch, 1e-3, true, &a).ok() && other->step_on_views(pool, views, 1e-3, true, &b).ok());
  CHECK(a.loss == b.loss && same_bits(one->weights(), other->weights()));
  views[1].offsets.pop_back();
  CHECK(other->step_on_views(pool, views, 1e-3, true, &b).code() == Code::kInvalidArgument);
}

// Views made beside the step before are those that would have been made; those of other events are not taken.
TEST(views_made_ahead) {
  Random random(16);
  ThreadPool pool(2);
  std::vector<TrainBatch<float>> batches;
  for (const int count : {150, 40, 300, 1, 150}) batches.push_back(batch_of(random_events<float>(random, count), batches.size()));
  for (const char* name : {"clr", "anomclr"}) {
    auto plain = trainer_of<float>(small_config(name)), ahead = trainer_of<float>(small_config(name));
    for (std::size_t i = 0; i < batches.size(); ++i) {
      // every second time another batch is announced than comes
      const std::size_t announced = (i % 2 == 0 ? i + 1 : i + 3) % batches.size();
      StepResult a, b, validation;
      const Status one = plain->step(pool, batches[i], 1e-3, true, &a);
      const Status other = ahead->step(pool, batches[i], 1e-3, true, &b, std::make_unique<TrainBatch<float>>(batches[announced]));
      CHECK(one.code() == other.code());
      if (one.ok()) CHECK(a.loss == b.loss);
      CHECK(same_bits(plain->weights(), ahead->weights()));
      if (i == 2) CHECK(ahead->step(pool, batches[4], 0, false, &validation).ok());
    }
    ahead->set_recipe({});  // another recipe makes other views
    plain->set_recipe({});
    StepResult a, b;
    CHECK(ahead->step(pool, batches[0], 1e-3, true, &a).ok() && plain->step(pool, batches[0], 1e-3, true, &b).ok());
    CHECK(a.loss == b.loss);
  }
}

// Trained in bfloat16, the loss falls as it does in float, and no thread changes a bit.
TEST(training_in_bfloat16) {
  Random random(17);
  const auto events = random_events<float>(random, 60);
  const auto train = [&](Products products, int threads) {
    ThreadPool pool(threads);
    TrainerConfig config = small_config("anomclr");
    config.products = products;
    auto trainer = trainer_of<float>(config);
    std::vector<double> losses;
    for (int step = 0; step < 30; ++step) {
      StepResult result;
      CHECK(trainer->step(pool, batch_of(events), 1e-2, true, &result).ok());
      losses.push_back(result.loss);
    }
    return losses;
  };
  const auto exact = train(Products::kExact, 2), rounded = train(Products::kBf16, 2);
  CHECK(rounded == train(Products::kBf16, 1));
  CHECK(rounded != exact);
  CHECK_NEAR(rounded.front(), exact.front(), 0.02 * std::abs(exact.front()));
  CHECK(exact.back() < exact.front() - 1);
  CHECK_NEAR(exact.front() - rounded.back(), exact.front() - exact.back(), 0.25 * (exact.front() - exact.back()));
}

TEST(one_event_has_no_negatives) {
  Random random(13);
  EventColumns<float> events;
  Event<float> event;
  event.add({30, 0, 1, Kind::kMet});
  events.append(event);
  ThreadPool pool(1);
  for (const char* name : kNames) {
    auto trainer = trainer_of<float>(small_config(name));
    const auto before = trainer->weights();
    StepResult result;
    const Status status = trainer->step(pool, batch_of(events), 1e-3, true, &result);
    const bool defined = std::strcmp(name, "ntxent") == 0 || std::strcmp(name, "anomclr+") == 0;
    CHECK_FOR(status.code() == (defined ? Code::kOk : Code::kUndefined), name);
    if (!defined) CHECK(same_bits(before, trainer->weights()));
  }
}

// Adam and SGD written out, one number at a time.
TEST(optimiser_by_its_definition) {
  Random random(14);
  ThreadPool pool(3);
  constexpr std::size_t kCount = 40000;  // more than two blocks
  for (const OptimiserKind kind : {OptimiserKind::kAdam, OptimiserKind::kSgd}) {
    OptimiserConfig config;
    config.kind = kind;
    config.weight_decay = kind == OptimiserKind::kAdam ? 0.01 : 0;
    config.l2 = 0.02;
    config.clip = 5;
    std::vector<double> w = random.normals<double>(kCount), want = w, m(kCount), v(kCount);
    OptimiserState<double> state;
    for (int t = 1; t <= 3; ++t) {
      const auto g = random.normals<double>(kCount);
      double square = 0;
      for (const double x : g) square += x * x;
      const double norm = update(pool, config, 0.1, g.data(), w.data(), kCount, state), scale = config.clip / (std::sqrt(square) + 1e-6);
      CHECK_NEAR(norm, std::sqrt(square), 1e-9);
      CHECK(state.steps == t);
      for (std::size_t i = 0; i < kCount; ++i) {
        const double grad = g[i] * scale + config.l2 * want[i];
        if (kind == OptimiserKind::kSgd) {
          m[i] = config.momentum * m[i] + grad;
          want[i] -= 0.1 * m[i];
          continue;
        }
        want[i] *= 1 - 0.1 * config.weight_decay;
        m[i] = 0.9 * m[i] + 0.1 * grad;
        v[i] = 0.999 * v[i] + 0.001 * grad * grad;
        want[i] -= 0.1 * (m[i] / (1 - std::pow(0.9, t))) / (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
      }
      double worst = 0;
      for (std::size_t i = 0; i < kCount; ++i) worst = std::max(worst, std::abs(w[i] - want[i]));
      CHECK_NEAR(worst, 0, 1e-12);
    }
  }
}

// The norm of a step's gradient against differences of the loss in every weight: where the pivot stands alone, before the
// head, and where it meets the contrast at the head's end.
TEST(the_pivot_reaches_every_weight) {
  Random random(31);
  const auto events = random_events<double>(random, 12, 6);
  ThreadPool pool(2);
  for (const int level : {0, 1, 2}) {
    TrainerConfig config;
    config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 4, 2, 1, 4, 3, 2, true, 0};
    config.pivot_weight = 1.5;
    config.pivot_level = level;
    if (level < 2) config.loss_weights = {0, 0};
    auto trainer = trainer_of<double>(config);
    const auto loss = [&] {
      StepResult result;
      trainer->weights_changed();
      CHECK(trainer->step(pool, batch_of(events), 0, false, &result).ok());
      return result;
    };
    const StepResult before = loss();
    CHECK(before.pivot > 1e-3 && before.pivot < 1);
    if (level < 2) CHECK_NEAR(before.loss, 1.5 * before.pivot, 1e-12);
    double square = 0;
    for (double& w : trainer->weights()) {
      const double here = w, h = 1e-5;
      w = here + h;
      const double up = loss().loss;
      w = here - h;
      const double down = loss().loss;
      w = here;
      square += (up - down) * (up - down) / (4 * h * h);
    }
    StepResult step;
    trainer->weights_changed();
    CHECK(trainer->step(pool, batch_of(events), 1e-3, true, &step).ok());
    CHECK(step.loss == before.loss && step.pivot == before.pivot);
    // a relu that turns within h costs some of the agreement
    CHECK_NEAR(step.gradient_norm, std::sqrt(square), 1e-4 * std::sqrt(square));
  }
}

TEST(the_pivot_makes_shifted_events_alike) {
  Random random(32);
  const auto events = random_events<float>(random, 210);
  Recipe<float> recipe = standard_recipe<float>();
  RecipeStep<float> scale = standard_step<float, ScaleJets>();
  scale.parameters = {1.5, 1.5};
  recipe.views[1] = {{1, {scale}}};
  std::vector<float> plain, weights;
  double last[2];
  for (const double weight : {0.0, 3000.0}) {
    for (const int threads : {1, 3}) {
      ThreadPool pool(threads);
      TrainerConfig config = small_config();
      config.encoder.dropout = 0;
      config.pivot_weight = weight;
      auto trainer = trainer_of<float>(config);
      trainer->set_recipe(recipe);
      StepResult result;
      for (std::uint32_t epoch = 0; epoch < 40; ++epoch)
        CHECK(trainer->step(pool, batch_of(events, epoch), 3e-3, true, &result).ok());
      CHECK(all_finite(trainer->weights()));
      if (threads == 1) weights = trainer->weights();
      CHECK(same_bits(weights, trainer->weights()));
    }
    // what it amounts to, by a trainer that measures it
    ThreadPool pool(2);
    TrainerConfig config = small_config();
    config.pivot_weight = 1;
    auto measure = trainer_of<float>(config);
    measure->set_recipe(recipe);
    measure->weights() = weights;
    measure->weights_changed();
    StepResult result;
    CHECK(measure->step(pool, batch_of(events, 99), 0, false, &result).ok());
    last[weight > 0] = result.pivot;
  }
  CHECK_FOR(last[1] < 0.3 * last[0], std::to_string(last[0]) + " to " + std::to_string(last[1]));
}

}  // namespace aclr
