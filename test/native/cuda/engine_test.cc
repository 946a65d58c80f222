// Whole calls of the CUDA engine against the CPU's: what is asked through the library's edge by the engine's own wrappers.
#include <cstdlib>
#include <cstring>

#include "device/augment.h"
#include "device/autoencoder.h"
#include "device/scorer.h"
#include "device/trainer.h"
#include "support.h"

extern "C" const aclr::device::Api* anomalyclr_device_library(std::uint32_t abi);

namespace aclr {
namespace {

device::Place place() { return {anomalyclr_device_library(device::kAbi), 0}; }

void good(const Status& status) { CHECK_FOR(status.ok(), status.message()); }

TrainerConfig config_of(const char* loss, Mask mask = Mask::kHard, double dropout = 0.1) {
  TrainerConfig config;
  config.encoder = {{mask == Mask::kHard ? 7 : 8, PtFeature::kLog, 40}, mask, 12, 3, 2, 20, 8, 2, mask == Mask::kContinuous, dropout};
  config.loss = loss;
  config.optimiser.weight_decay = 1e-3;
  config.optimiser.clip = 1;
  return config;
}

template <class T>
TrainBatch<T> batch_of(const EventColumns<T>& events, std::uint32_t epoch) {
  TrainBatch<T> batch{events, {}, 42, epoch};
  for (int i = 0; i < events.events(); ++i) batch.ids.push_back(static_cast<std::uint32_t>(i) + 1000);
  return batch;
}

// A trainer of each kind with the same weights and recipe.
template <class T>
struct Both {
  explicit Both(const TrainerConfig& config, std::uint32_t seed = 1) : cpu(config) {
    good(DeviceTrainer<T>::make(place(), config, {}, cuda));
    Random random(seed);
    cpu.weights() = random_weights<T>(random, cpu.encoder().layout());
    cpu.weights_changed();
    cpu.set_recipe(standard_recipe<T>());
    good(cuda->set_weights(cpu.weights().data()));
    good(cuda->set_recipe(standard_recipe<T>()));
  }
  std::vector<T> weights() const {
    std::vector<T> out(cuda->weight_count());
    good(cuda->weights(out.data()));
    return out;
  }
  Trainer<T> cpu;
  std::unique_ptr<DeviceTrainer<T>> cuda;
  ThreadPool pool{1};
};

// The largest difference, in units of the largest number.
template <class T>
double difference(const std::vector<T>& got, const std::vector<T>& wanted) {
  if (got.size() != wanted.size()) return 1e300;
  double most = 0, largest = 1e-300;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!(std::abs(double(got[i]) - double(wanted[i])) <= 1e300)) return 1e300;
    most = std::max(most, std::abs(double(got[i]) - double(wanted[i])));
    largest = std::max(largest, std::abs(double(wanted[i])));
  }
  return most / largest;
}

template <class T>
double steps_apart(const TrainerConfig& config, int steps, const std::string& what, double tolerance) {
  Random random(7);
  Both<T> both(config);
  const EventColumns<T> sets[] = {random_events<T>(random, 23), random_events<T>(random, 9)};
  double apart = 0;
  for (int s = 0; s < steps; ++s) {
    const auto batch = batch_of(sets[s % 3 == 2], s);
    auto next = std::make_unique<TrainBatch<T>>(batch_of(sets[(s + 1) % 3 == 2], s + 1));
    StepResult cpu, cuda;
    good(both.cpu.step(both.pool, batch, 3e-3, true, &cpu));
    // made ahead, wrongly guessed, or not at all
    if (s % 4 == 3) next = std::make_unique<TrainBatch<T>>(batch_of(sets[0], 99));
    if (s % 4 == 1) next = nullptr;
    good(both.cuda->step(batch, 3e-3, true, &cuda, std::move(next)));
    CHECK_NEAR(cuda.loss, cpu.loss, tolerance * std::max(1.0, std::abs(cpu.loss)));
    CHECK_NEAR(cuda.gradient_norm, cpu.gradient_norm, 10 * tolerance * cpu.gradient_norm);
    apart = std::max(apart, difference(both.weights(), both.cpu.weights()));
    if (s == 2) {  // validation between steps
      good(both.cpu.step(both.pool, batch, 0, false, &cpu));
      good(both.cuda->step(batch, 0, false, &cuda));
      CHECK_NEAR(cuda.loss, cpu.loss, tolerance * std::max(1.0, std::abs(cpu.loss)));
    }
  }
  // in float Adam makes a step of either sign out of a gradient that is noise
  CHECK_FOR(apart < (std::is_same_v<T, double> ? tolerance : 3e-3 * steps), what + ": " + std::to_string(apart));
  OptimiserState<T> state;
  good(both.cuda->state(state));
  CHECK(state.steps == both.cpu.state().steps);
  CHECK(difference(state.v, both.cpu.state().v) < 10 * tolerance);
  return apart;
}

}  // namespace

TEST(steps_are_those_of_the_cpu) {
  for (const char* loss : {"clr", "ntxent", "anomclr", "anomclr+"})
    for (const Mask mask : {Mask::kHard, Mask::kContinuous}) {
      steps_apart<double>(config_of(loss, mask), 6, std::string("f64 ") + loss, 1e-9);
      steps_apart<float>(config_of(loss, mask), 4, std::string("f32 ") + loss, 1e-4);
    }
}

TEST(steps_without_layers_dropout_or_clipping) {
  TrainerConfig config = config_of("anomclr+", Mask::kHard, 0);
  config.optimiser.clip = 0;
  steps_apart<double>(config, 3, "no dropout", 1e-9);
  config.encoder.layers = 0;
  steps_apart<double>(config, 3, "no layers", 1e-9);
  config.encoder.head_layers = 0;
  steps_apart<double>(config, 3, "no head", 1e-9);
  config = config_of("clr");
  config.optimiser.kind = OptimiserKind::kSgd;
  steps_apart<double>(config, 3, "sgd", 1e-9);
}

TEST(bf16_steps_are_near) {
  for (const char* loss : {"clr", "anomclr+"}) {
    TrainerConfig config = config_of(loss);
    config.encoder = {{7, PtFeature::kLog, 40}, Mask::kHard, 32, 2, 2, 32, 32, 2, false, 0.1};
    Both<float> exact(config);
    config.products = Products::kBf16;
    Both<float> both(config);
    Random random(3);
    const auto events = random_events<float>(random, 40);
    std::vector<float> reps(40 * exact.cpu.encoder().rep_row()), got(reps.size());
    exact.cpu.embed(exact.pool, events, reps.data());
    good(both.cuda->embed(events, got.data()));
    CHECK_FOR(difference(got, reps) < 2e-2, std::to_string(difference(got, reps)));
    for (int s = 0; s < 3; ++s) {
      StepResult cpu, cuda;
      good(exact.cpu.step(exact.pool, batch_of(events, s), 1e-3, true, &cpu));
      good(both.cuda->step(batch_of(events, s), 1e-3, true, &cuda));
      CHECK_NEAR(cuda.loss, cpu.loss, 2e-2 * std::max(1.0, std::abs(cpu.loss)));
      CHECK_NEAR(cuda.gradient_norm, cpu.gradient_norm, 0.1 * cpu.gradient_norm);
    }
  }
}

// A second run gives the same bits, steps taken one by one or as captured graphs.
TEST(the_same_bits_twice) {
  Random random(5);
  const auto events = random_events<float>(random, 30);
  std::vector<float> first;
  for (int run = 0; run < 2; ++run) {
    Both<float> both(config_of("anomclr"));
    for (int s = 0; s < 5; ++s) {
      StepResult result;
      auto next = run == 0 ? std::make_unique<TrainBatch<float>>(batch_of(events, s + 1)) : nullptr;
      good(both.cuda->step(batch_of(events, s), 1e-3, true, &result, std::move(next)));
    }
    if (run == 0) first = both.weights();
    CHECK(std::memcmp(first.data(), both.weights().data(), first.size() * sizeof(float)) == 0);
  }
}

TEST(representations_and_gradients) {
  for (const Mask mask : {Mask::kHard, Mask::kContinuous}) {
    Both<double> both(config_of("anomclr+", mask));
    Random random(11);
    const auto events = random_events<double>(random, 50);
    std::vector<double> wanted(50 * both.cpu.encoder().rep_row()), got(wanted.size());
    both.cpu.embed(both.pool, events, wanted.data());
    good(both.cuda->embed(events, got.data()));
    CHECK(difference(got, wanted) < 1e-11);

    const int features = mask == Mask::kHard ? 7 : 8;
    const auto rows = random_tokens<double>(random, 20, features);
    const std::size_t numbers = 20 * both.cpu.encoder().rep_row();
    wanted.resize(numbers);
    got.resize(numbers);
    both.cpu.reps_of(both.pool, rows, wanted.data());
    good(both.cuda->reps_of(rows, got.data()));
    CHECK(difference(got, wanted) < 1e-11);

    auto dreps = random.normals<double>(numbers);
    std::vector<double> dw(both.cpu.weights().size()), dx(rows.x.size()), dw_cuda(dw.size()), dx_cuda(dx.size());
    good(both.cuda->gradients_of(rows, dreps.data(), dw_cuda.data(), dx_cuda.data()));
    both.cpu.gradients_of(both.pool, rows, dreps.data(), dw.data(), dx.data());
    CHECK(difference(dw_cuda, dw) < 1e-10);
    CHECK(difference(dx_cuda, dx) < 1e-10);
  }
}

TEST(steps_on_views) {
  Both<double> both(config_of("anomclr"));
  Random random(12);
  ViewRows<double> views;
  for (auto& view : views) view = random_tokens<double>(random, 14, 7);
  for (int s = 0; s < 3; ++s) {
    StepResult cpu, cuda;
    good(both.cpu.step_on_views(both.pool, views, 1e-2, s < 2, &cpu));
    good(both.cuda->step_on_views(views, 1e-2, s < 2, &cuda));
    CHECK_NEAR(cuda.loss, cpu.loss, 1e-10);
  }
  CHECK(difference(both.weights(), both.cpu.weights()) < 1e-9);
}

TEST(autoencoders) {
  Random random(21);
  const PerceptronConfig shapes[] = {{{9, 6, 3, 6, 9}, Activation::kRelu, false},
                                     {{5, 8, 2, 8, 5}, Activation::kLeakyRelu, true},
                                     {{33, 16, 33}, Activation::kElu, true}};
  for (const PerceptronConfig& config : shapes) {
    OptimiserConfig optimiser;
    Perceptron<double> cpu(config);
    std::unique_ptr<DeviceAutoencoder<double>> cuda;
    good(DeviceAutoencoder<double>::make(place(), config, optimiser, cuda));
    auto weights = random_weights<double>(random, cpu.layout());
    good(cuda->set_weights(weights.data()));
    ThreadPool pool(1);
    OptimiserState<double> state;
    const int rows = 41;
    for (int s = 0; s < 4; ++s) {
      const auto x = random.normals<double>(std::size_t(rows) * cpu.features());
      const double* gradient = nullptr;
      cpu.pack(weights.data(), true);
      const double wanted = cpu.loss(pool, weights.data(), x.data(), nullptr, rows, &gradient);
      double got = 0;
      if (s == 0) {
        std::vector<double> dw(weights.size());
        good(cuda->gradients(x.data(), nullptr, rows, dw.data(), &got));
        CHECK(difference(dw, std::vector<double>(gradient, gradient + dw.size())) < 1e-11);
        CHECK_NEAR(got, wanted, 1e-11 * wanted);
      }
      update(pool, optimiser, 1e-2, gradient, weights.data(), weights.size(), state);
      good(cuda->step(x.data(), nullptr, rows, 1e-2, &got));
      CHECK_NEAR(got, wanted, 1e-9 * wanted);
    }
    const auto x = random.normals<double>(std::size_t(rows) * cpu.features());
    std::vector<double> wanted(rows), got(rows), learned(weights.size());
    cpu.pack(weights.data(), false);
    cpu.score(pool, weights.data(), x.data(), rows, wanted.data());
    good(cuda->score(x.data(), rows, got.data()));
    good(cuda->weights(learned.data()));
    CHECK(difference(got, wanted) < 1e-9);
    CHECK(difference(learned, weights) < 1e-9);
  }
}

namespace {

// An autoencoder as it is, or, which the device leaves to the pool, with a classifier on one scale.
ScorerConfig scorer_config(Random& random, bool prepares, bool combined) {
  ScorerConfig config;
  config.encoder = config_of("anomclr+").encoder;
  config.from = 12;  // the first head layer
  config.to = 20;
  config.preparation = {8, prepares ? 5 : 8, random.normals<double>(8), {}};
  if (prepares) config.preparation.matrix = random.normals<double>(40);
  const int outputs = config.preparation.outputs;
  config.members = {{{{outputs, 4, outputs}, Activation::kElu, false}}};
  if (combined) config.members[0].logarithm = true;
  if (combined) config.members.push_back({{{outputs, 4, 1}, Activation::kElu, false, Learns::kClass}, false, 0.5, 2});
  return config;
}

}  // namespace

TEST(scores) {
  Random random(31);
  for (const auto& [prepares, combined] : {std::pair{false, false}, {true, false}, {true, true}}) {
    const ScorerConfig config = scorer_config(random, prepares, combined);
    const auto w = random_weights<double>(random, Encoder<double>(*config.encoder).layout());
    std::vector<std::vector<double>> a;
    for (const MemberConfig& member : config.members)
      a.push_back(random_weights<double>(random, Perceptron<double>(member.network).layout()));
    Scorer<double> cpu(config, w, a);
    std::unique_ptr<DeviceScorer<double>> cuda;
    good(DeviceScorer<double>::make(place(), config, w, a, cuda));
    for (const int count : {1, 60}) {
      const auto events = random_events<double>(random, count);
      std::vector<double> wanted(count), got(count);
      cpu.score(nullptr, events, wanted.data());
      good(cuda->score(events, got.data()));
      CHECK(difference(got, wanted) < 1e-10);
      std::vector<double> rows(8 * count), rows_cuda(8 * count);
      cpu.embed(nullptr, events, rows.data());
      good(cuda->embed(events, rows_cuda.data()));
      CHECK(difference(rows_cuda, rows) < 1e-10);
    }
    if (!combined) CHECK(!cuda->score_rows(a[0].data(), 1, nullptr).ok());
  }
}

TEST(views_have_the_bits_of_the_cpu) {
  Random random(41);
  const auto events = random_events<float>(random, 120);
  const auto recipe = standard_recipe<float>();
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 120; ++i) ids.push_back(static_cast<std::uint32_t>(random.integer(0, 1 << 20)));
  for (int view = 0; view < kViews; ++view) {
    EventColumns<float> wanted, got;
    augment<float>(recipe, {view, 5, 3}, events, ids.data(), 0, 120, wanted);
    good(augment_on<float>(place(), recipe, {view, 5, 3}, events, ids.data(), got));
    CHECK_FOR(got == wanted, std::to_string(view));
  }
}

// The edge looks at what it is given.
TEST(wrong_arguments_are_told) {
  const device::Api& api = *place().api;
  CHECK(anomalyclr_device_library(device::kAbi + 1) == nullptr && api.abi == device::kAbi && api.size == sizeof api);
  device::Outcome outcome;
  const auto refused = [&](device::Code code) {
    CHECK_FOR(outcome.code == code && outcome.message[0] != 0, outcome.message);
    CHECK(std::strchr(outcome.message, '\n') == nullptr);
  };
  double weights[4] = {};
  api.trainer_weights(nullptr, weights, &outcome);
  refused(device::Code::kInvalid);
  device::Device found;
  api.probe(1000, &found, &outcome);
  refused(device::Code::kInvalid);

  TrainerConfig config = config_of("clr");
  Encoder<double> encoder(config.encoder);
  const device::EncoderShape shape(encoder);
  device::TrainerConfig plain{0, device::Precision::kF64, shape.plain(), device::plain(config.optimiser), "clr", 1, 1, 0.1, 0, 1, nullptr};
  const auto wrong = [&](const auto& spoil) {
    device::TrainerConfig spoiled = plain;
    spoil(spoiled);
    CHECK(api.trainer(&spoiled, &outcome) == nullptr);
    refused(device::Code::kInvalid);
  };
  wrong([](auto& c) { c.loss = "none"; });
  wrong([](auto& c) { c.temperature = 0; });
  wrong([](auto& c) { c.encoder.heads = 5; });
  wrong([](auto& c) { c.encoder.weights -= 1; });
  wrong([](auto& c) { c.encoder.layers = 100; });
  wrong([](auto& c) { c.precision = static_cast<device::Precision>(7); });
  wrong([](auto& c) { c.rank = 3; });
  wrong([](auto& c) { c.device = 77; });

  std::unique_ptr<DeviceTrainer<double>> cuda;
  good(DeviceTrainer<double>::make(place(), config, {}, cuda));
  good(cuda->set_recipe(standard_recipe<double>()));
  Random random(1);
  auto batch = batch_of(random_events<double>(random, 1), 0);
  StepResult result;
  CHECK(cuda->step(batch, 1e-3, true, &result).code() == Code::kUndefined);
  batch = batch_of(random_events<double>(random, 6), 0);
  batch.events.offsets[2] = 1 << 30;
  CHECK(cuda->step(batch, 1e-3, true, &result).code() == Code::kInvalidArgument);
}

#if defined(ACLR_EMULATED)

// Whichever allocation fails: one line, a session as it was, and a step that succeeds once there is memory again.
TEST(out_of_memory_at_any_moment) {
  Random random(51);
  const auto events = random_events<double>(random, 12);
  Both<double> whole(config_of("clr"));
  StepResult wanted;
  good(whole.cuda->step(batch_of(events, 0), 1e-3, true, &wanted));
  int failed = 0;
  for (int k = 1; k < 400; ++k) {
    Both<double> both(config_of("clr"));
    const auto before = both.weights();
    StepResult result;
    setenv("ANOMALYCLR_EMULATED_FAIL_MALLOC", std::to_string(k).c_str(), 1);
    const Status status = both.cuda->step(batch_of(events, 0), 1e-3, true, &result);
    unsetenv("ANOMALYCLR_EMULATED_FAIL_MALLOC");
    if (status.ok()) break;
    ++failed;
    CHECK_FOR(status.code() == Code::kOutOfMemory, status.message());
    CHECK(both.weights() == before);
    good(both.cuda->step(batch_of(events, 0), 1e-3, true, &result));
    CHECK(result.loss == wanted.loss && both.weights() == whole.weights());
  }
  CHECK(failed > 10);
}

#endif

}  // namespace aclr
