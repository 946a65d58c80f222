// The host's side of a device library: opening and refusing one, and what goes over to it. The library is fake_device.cc.
#include <dlfcn.h>

#include <cstdio>
#include <fstream>
#include <limits>
#include <set>
#include <thread>

#include "device/augment.h"
#include "device/autoencoder.h"
#include "device/library.h"
#include "device/scorer.h"
#include "device/shapes.h"
#include "device/trainer.h"
#include "support.h"

namespace aclr {
namespace {

const std::string kFolder = ACLR_FAKE_FOLDER;
std::string fake(const char* name) { return kFolder + "/libfake_" + name + "_emulated.so"; }

std::string refusal(const std::string& path) {
  std::string why;
  CHECK_FOR(device::open(path, why) == nullptr, path);
  CHECK_FOR(!why.empty() && why.find('\n') == std::string::npos, why);
  return why;
}
bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

device::Place good(int index = 0) {
  std::string why;
  const device::Api* api = device::open(fake("good"), why);
  CHECK_FOR(api != nullptr, why);
  return {api, index};
}

EncoderConfig small_encoder() {
  EncoderConfig e;
  e.width = 8;
  e.heads = 2;
  e.layers = 2;
  e.feed_forward = 6;
  e.output = 5;
  e.head_layers = 2;
  e.head_norm = true;
  e.dropout = 0.1;
  return e;
}
TrainerConfig small_trainer() {
  TrainerConfig config;
  config.encoder = small_encoder();
  return config;
}

template <class T>
std::unique_ptr<DeviceTrainer<T>> made_trainer() {
  std::unique_ptr<DeviceTrainer<T>> trainer;
  CHECK(DeviceTrainer<T>::make(good(), small_trainer(), {}, trainer).ok());
  return trainer;
}

TEST(refusals_say_in_one_line_what_to_do) {
  const std::string rebuild = "npm run build:cuda";
  CHECK(holds(refusal(kFolder + "/libnone_emulated.so"), rebuild));
  CHECK(holds(refusal(kFolder), rebuild));
  const std::string abi = refusal(fake("other_abi"));
  CHECK_FOR(holds(abi, std::to_string(device::kAbi + 41)) && holds(abi, std::to_string(device::kAbi)) && holds(abi, rebuild), abi);
  const std::string size = refusal(fake("other_size"));
  CHECK_FOR(holds(size, std::to_string(sizeof(device::Api) - 8)) && holds(size, std::to_string(sizeof(device::Api))), size);
  const std::string symbol = refusal(fake("no_symbol"));
  CHECK_FOR(holds(symbol, device::kSymbol) && holds(symbol, rebuild), symbol);
  const std::string text = kFolder + "/text_emulated.so";
  std::ofstream(text) << "no library\n";
  CHECK(holds(refusal(text), "does not load"));
  std::remove(text.c_str());
}

TEST(without_a_driver_nothing_is_loaded) {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr) return;  // there is one
  const std::string path = kFolder + "/libfake_good.so";
  std::ofstream(path) << "no library\n";
  const std::string why = refusal(path);
  CHECK_FOR(holds(why, "driver") && holds(why, "libcuda.so.1"), why);
  std::remove(path.c_str());
}

TEST(a_library_is_opened_once_by_any_thread) {
  std::vector<std::thread> threads;
  std::vector<const device::Api*> found(8);
  for (std::size_t i = 0; i < found.size(); ++i)
    threads.emplace_back([&, i] {
      std::string why;
      found[i] = device::open(fake("good"), why);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(found[0] != nullptr && std::set<const device::Api*>(found.begin(), found.end()).size() == 1);
}

TEST(an_outcome_becomes_a_status) {
  const std::pair<device::Code, Code> codes[] = {
      {device::Code::kOk, Code::kOk},
      {device::Code::kInvalid, Code::kInvalidArgument},
      {device::Code::kUndefined, Code::kUndefined},
      {device::Code::kMemory, Code::kOutOfMemory},
      {device::Code::kLost, Code::kDeviceLost},
      {device::Code::kPeer, Code::kPeerLost},
      {device::Code::kFailed, Code::kFailed},
      {static_cast<device::Code>(99), Code::kFailed},
  };
  for (const auto& [theirs, ours] : codes) {
    device::Outcome outcome{theirs, {}};
    const Status silent = device::status_of(outcome);
    CHECK(silent.code() == ours && (silent.ok() || !silent.message().empty()));
    std::snprintf(outcome.message, sizeof outcome.message, "said so");
    CHECK(device::status_of(outcome).ok() || device::status_of(outcome).message() == "said so");
    std::fill(std::begin(outcome.message), std::end(outcome.message), 'x');  // without an end
    CHECK(device::status_of(outcome).message().size() == (ours == Code::kOk ? 0 : sizeof outcome.message));
  }
}

TEST(sessions_that_a_device_does_not_make_are_errors) {
  ScorerConfig scorer;
  scorer.preparation = {3, 3, {0, 0, 0}, {}};
  const PerceptronConfig network{{3, 2, 3}};
  scorer.members = {{network}};
  const std::vector<std::vector<float>> weights{std::vector<float>(Perceptron<float>(network).weight_count())};
  ScorerConfig combined = scorer;
  combined.members[0].logarithm = true;
  for (int code = 0; code <= 6; ++code) {
    const device::Place place = good(10 + code);
    const Code want = code == 0 ? Code::kFailed : device::status_of({static_cast<device::Code>(code), {}}).code();
    std::unique_ptr<DeviceTrainer<float>> trainer;
    CHECK(DeviceTrainer<float>::make(place, small_trainer(), {}, trainer).code() == want && !trainer);
    std::unique_ptr<DeviceAutoencoder<float>> autoencoder;
    CHECK(DeviceAutoencoder<float>::make(place, network, {}, autoencoder).code() == want && !autoencoder);
    std::unique_ptr<DeviceScorer<float>> scored;
    for (const ScorerConfig& config : {scorer, combined})
      CHECK(DeviceScorer<float>::make(place, config, {}, weights, scored).code() == want && !scored);
  }
  std::unique_ptr<DeviceTrainer<float>> trainer;
  CHECK(DeviceTrainer<float>::make(good(), small_trainer(), {1, 2, ""}, trainer).code() == Code::kInvalidArgument);
  CHECK(DeviceTrainer<float>::make(good(), small_trainer(), {1, 2, std::string(128, 'g')}, trainer).ok());
}

template <class T>
void weights_and_state_cross_as_they_are() {
  const auto trainer = made_trainer<T>();
  const Encoder<T> encoder(small_encoder());
  CHECK(trainer->weight_count() == encoder.weight_count() && trainer->rep_row() == encoder.rep_row());
  CHECK(trainer->layout().size() == encoder.layout().size());
  Random random(5);
  const auto w = random.normals<T>(trainer->weight_count()), m = random.normals<T>(w.size()), v = random.normals<T>(w.size());
  CHECK(trainer->set_weights(w.data()).ok());
  CHECK(trainer->set_state({m, v, 7}).ok());
  Guarded<T> got(w.size());
  CHECK(trainer->weights(got.data()).ok() && got.intact());
  CHECK(std::equal(w.begin(), w.end(), got.data()));
  OptimiserState<T> state;
  CHECK(trainer->state(state).ok());
  CHECK(state.m == m && state.v == v && state.steps == 7);
}
TEST(weights_and_state_cross_in_float) { weights_and_state_cross_as_they_are<float>(); }
TEST(weights_and_state_cross_in_double) { weights_and_state_cross_as_they_are<double>(); }

template <class T>
void a_step_crosses() {
  const auto trainer = made_trainer<T>();
  Random random(6);
  TrainBatch<T> batch;
  batch.events = random_events<T>(random, 9);
  for (std::uint32_t i = 0; i < 9; ++i) batch.ids.push_back(100 + i);
  const auto sum_of = [](const EventColumns<T>& events) {
    double sum = 0;
    for (std::size_t o = 0; o < events.pt.size(); ++o)
      sum += double(events.pt[o]) + double(events.eta[o]) + double(events.phi[o]) + events.kind[o];
    return sum;
  };
  const double sum = sum_of(batch.events);
  StepResult result;
  CHECK(trainer->step(batch, 1e-3, true, &result).ok());
  CHECK_NEAR(result.loss, sum + 9000, 1e-9 * sum);  // of one rank: none before it, nine in all
  CHECK_NEAR(result.gradient_norm, 0, 0);
  auto next = std::make_unique<TrainBatch<T>>(batch);
  next->events = random_events<T>(random, 9);
  const double then = sum_of(next->events);
  batch.first = 4;
  batch.total = 20;
  CHECK(trainer->step(batch, 1e-3, true, &result, std::move(next)).ok());
  CHECK_NEAR(result.loss, sum + 20004, 1e-9 * sum);
  CHECK_NEAR(result.gradient_norm, then, 1e-9 * then);
  OptimiserState<T> state;
  CHECK(trainer->state(state).ok() && state.steps == 2);
  for (int code = 1; code <= 6; ++code) {
    const Code want = device::status_of({static_cast<device::Code>(code), {}}).code();
    const Status told = trainer->step(batch, 10 + code, true, &result), silent = trainer->step(batch, 20 + code, true, &result);
    CHECK(told.code() == want && told.message() == "as was asked for");
    CHECK(silent.code() == want && !silent.message().empty());
  }
  CHECK(trainer->state(state).ok() && state.steps == 2);
}
TEST(a_step_crosses_in_float) { a_step_crosses<float>(); }
TEST(a_step_crosses_in_double) { a_step_crosses<double>(); }

TEST(rows_cross) {
  const auto trainer = made_trainer<float>();
  ViewRows<float> views;
  for (TokenRows<float>& view : views) view = {std::vector<float>(4 * 7, 1.0f), {0, 1, 1, 4}, {0, 0, 0}};
  StepResult result;
  CHECK(trainer->step_on_views(views, 1e-3, true, &result).ok());
  CHECK_NEAR(result.loss, 3 * 28, 0);
  CHECK_NEAR(result.gradient_norm, 3, 0);
  Guarded<float> reps(std::size_t(3) * trainer->rep_row());
  CHECK(trainer->reps_of(views[0], reps.data()).ok() && reps.intact());
  CHECK_NEAR(reps[reps.size() - 1], 2, 0);
  const std::vector<float> dreps(reps.size(), 0.5f);
  Guarded<float> dweights(trainer->weight_count()), dx(28);
  CHECK(trainer->gradients_of(views[0], dreps.data(), dweights.data(), dx.data()).ok());
  CHECK(dweights.intact() && dx.intact());
  CHECK_NEAR(dx[27], 0.5 * static_cast<double>(dreps.size()), 0);
  views[1].offsets = {0, 4};
  CHECK(trainer->step_on_views(views, 1e-3, true, &result).code() == Code::kInvalidArgument);
}

TEST(views_come_back_in_pieces) {
  Random random(8);
  const auto events = random_events<float>(random, 20000, 3);  // more than go over at once
  std::vector<std::uint32_t> keys(20000);
  EventColumns<float> out;
  Recipe<float> recipe;
  CHECK(augment_on<float>(good(), recipe, {1, 1, 0}, events, keys.data(), out).ok());
  CHECK(out == events);
  EventColumns<float> none;
  CHECK(augment_on<float>(good(), recipe, {1, 13, 0}, events, keys.data(), none).code() == Code::kOutOfMemory);
  CHECK(augment_on<float>(good(), recipe, {1, 1, 0}, {}, nullptr, none).ok() && none.events() == 0);
}

// Places by their names must be those that the encoder itself uses: weights are marked, and looked for.
TEST(an_encoders_shape_has_its_places) {
  const Encoder<float> encoder(small_encoder());
  const device::EncoderShape shape(encoder);
  const device::Encoder& plain = shape.plain();
  CHECK(plain.weights == encoder.weight_count() && plain.layers == 2 && plain.head_layers == 2 && plain.head_norm == 1);
  CHECK(plain.keep_threshold == 26 && plain.features == 7 && plain.width == 8 && plain.heads == 2);
  const auto find = [&](const std::string& name) {
    for (const WeightInfo& w : encoder.layout())
      if (w.name == name) return w.offset;
    return std::numeric_limits<std::size_t>::max();
  };
  CHECK(plain.embedding.in == 7 && plain.embedding.out == 8 && plain.embedding.bias == find("embedding.bias"));
  const device::EncoderLayer& last = plain.layer[1];
  CHECK(last.in_proj.weight == find("transformer.layers.1.self_attn.in_proj_weight") && last.in_proj.out == 24);
  CHECK(last.out_proj.bias == find("transformer.layers.1.self_attn.out_proj.bias"));
  CHECK(last.linear1.out == 6 && last.linear2.in == 6 && last.linear2.weight == find("transformer.layers.1.linear2.weight"));
  CHECK(last.norm1.gain == find("transformer.layers.1.norm1.weight") && last.norm2.offset == find("transformer.layers.1.norm2.bias"));
  CHECK(plain.head[0].linear.in == 8 && plain.head[1].linear.in == 5 && plain.head[1].norm.gain == find("norm_layers.1.weight"));
  // every place once: they fill the weights without gaps
  std::size_t total = 0;
  const auto count = [&](const device::Linear& l) { total += std::size_t(l.in) * l.out + l.out; };
  count(plain.embedding);
  for (int l = 0; l < 2; ++l) {
    for (const auto* linear : {&plain.layer[l].in_proj, &plain.layer[l].out_proj, &plain.layer[l].linear1, &plain.layer[l].linear2})
      count(*linear);
    total += 4 * 8;
    count(plain.head[l].linear);
    total += 2 * plain.head[l].linear.in;
  }
  CHECK(total == plain.weights);
}

TEST(an_autoencoders_shape_knows_its_activations) {
  const PerceptronConfig config{{6, 4, 2, 4, 6}, Activation::kElu, false};
  const Perceptron<float> model(config);
  const device::AutoencoderShape shape(model, config.activation);
  const device::AutoencoderConfig plain = shape.plain(3, device::Precision::kF32, {});
  CHECK(plain.device == 3 && plain.layers == 4 && plain.features == 6 && plain.weights == model.weight_count());
  const int want[] = {3, 0, 3, 0};  // neither the bottleneck nor the output
  for (int l = 0; l < 4; ++l) CHECK(plain.activation[l] == want[l] && plain.layer[l].out == config.widths[l + 1]);
  CHECK(plain.layer[3].bias + 6 == plain.weights);
}

TEST(a_recipes_shape_keeps_views_and_scenarios_apart) {
  Recipe<float> recipe;
  recipe.views[1].push_back({1, {recipe_step<float>(0), recipe_step<float>(4)}});
  recipe.views[2].push_back({1, {recipe_step<float>(7)}});
  recipe.views[2].push_back({3, {}});
  recipe.seal();
  const device::RecipeShape shape(recipe);
  const device::Recipe& plain = shape.plain();
  const int first[] = {0, 0, 1, 3};
  for (int v = 0; v < 4; ++v) CHECK(plain.first_scenario[v] == first[v]);
  CHECK(plain.steps == 3 && plain.scenario[0].steps == 2 && plain.scenario[1].first_step == 2 && plain.scenario[2].steps == 0);
  CHECK_NEAR(plain.scenario[1].until, 0.25, 0);
  CHECK_NEAR(plain.scenario[2].until, 1, 0);
  CHECK(plain.step[1].augmentation == 4 && plain.step[2].augmentation == 7);
  for (int p = 0; p < kMaxParameters; ++p) CHECK_NEAR(plain.step[1].parameters[p], recipe_step<float>(4).parameters[p], 0);
}

}  // namespace
}  // namespace aclr
