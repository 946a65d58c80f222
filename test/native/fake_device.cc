// A device library without a device: what is asked of it says how it fails. Built four times (CMakeLists.txt): as it should
// be, of another ABI, with a table of another size, without its symbol.
//   device 0, 1   work; of 1 a name fills its whole field
//   device 2      has too old a driver
//   device 10 + c gives no session, with Code c; 10 gives none and says nothing
//   rate 10 + c   ends a step with Code c; 20 + c the same without a message
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/device.h"

namespace aclr::device {

// Of either precision; Real is what memory holds.
struct Trainer {
  Precision precision;
  int features, rep_row, recipe_steps = 0;
  std::size_t weights;
  std::vector<char> weight, m, v;
  std::int64_t steps = 0;
};
struct Autoencoder {
  Precision precision;
  int features;
  std::vector<char> weight;
};
struct Scorer {
  Precision precision;
  int inputs;
};

namespace {

std::size_t real_size(Precision precision) { return precision == Precision::kF64 ? sizeof(double) : sizeof(float); }
double real(Precision precision, const void* numbers, std::size_t i) {
  return precision == Precision::kF64 ? static_cast<const double*>(numbers)[i] : static_cast<const float*>(numbers)[i];
}
void set_real(Precision precision, void* numbers, std::size_t i, double value) {
  if (precision == Precision::kF64) static_cast<double*>(numbers)[i] = value;
  else static_cast<float*>(numbers)[i] = static_cast<float>(value);
}

void say(Outcome* outcome, Code code, const char* message) {
  outcome->code = code;
  std::snprintf(outcome->message, sizeof outcome->message, "%s", message);
}

// Whether `number`, beginning at 10, stands for a failure.
bool fails(double number, Outcome* outcome) {
  say(outcome, Code::kOk, "");
  if (number < 10 || number >= 30) return false;
  const int code = static_cast<int>(number) % 10;
  say(outcome, static_cast<Code>(code), number < 20 && code > 0 ? "as was asked for" : "");
  return true;
}

// Reads all that the events say there is.
double sum_of(Precision precision, const Events& events) {
  double sum = 0;
  for (int o = events.offsets[0]; o < events.offsets[events.count]; ++o)
    sum += real(precision, events.pt, o) + real(precision, events.eta, o) + real(precision, events.phi, o) + events.kind[o];
  return sum;
}

void probe(std::int32_t device, Device* out, Outcome* outcome) {
  *out = {};
  say(outcome, Code::kOk, "");
  if (device == 2) return say(outcome, Code::kFailed, "the driver is of CUDA 12.2, the library needs 13.0: install driver 580 or later");
  if (device > 2) return say(outcome, Code::kInvalid, "there is no such device");
  std::snprintf(out->name, sizeof out->name, "Fake");
  if (device == 1) std::memset(out->name, 'x', sizeof out->name);
  std::snprintf(out->dense, sizeof out->dense, "no kernels");
  out->capability = 90;
  out->processors = 1;
  out->driver = out->runtime = 13000;
  out->emulated = 1;
  out->memory = 1ull << 40;
  out->memory_free = 1ull << 39;
}

void group_id(std::uint8_t* id, Outcome* outcome) {
  for (int i = 0; i < 128; ++i) id[i] = static_cast<std::uint8_t>(i);
  say(outcome, Code::kOk, "");
}

Trainer* trainer(const TrainerConfig* config, Outcome* outcome) {
  if (fails(config->device, outcome)) return nullptr;
  const Encoder& e = config->encoder;
  auto* made = new Trainer{config->precision, e.features, e.width + e.head_layers * e.output, 0, e.weights, {}, {}, {}};
  for (auto* numbers : {&made->weight, &made->m, &made->v}) numbers->resize(e.weights * real_size(config->precision));
  return made;
}
void trainer_free(Trainer* trainer) { delete trainer; }
void trainer_weights(Trainer* t, void* out, Outcome* outcome) {
  std::copy(t->weight.begin(), t->weight.end(), static_cast<char*>(out));
  say(outcome, Code::kOk, "");
}
void trainer_set_weights(Trainer* t, const void* weights, Outcome* outcome) {
  std::memcpy(t->weight.data(), weights, t->weight.size());
  say(outcome, Code::kOk, "");
}
void trainer_state(Trainer* t, void* m, void* v, std::int64_t* steps, Outcome* outcome) {
  std::copy(t->m.begin(), t->m.end(), static_cast<char*>(m));
  std::copy(t->v.begin(), t->v.end(), static_cast<char*>(v));
  *steps = t->steps;
  say(outcome, Code::kOk, "");
}
void trainer_set_state(Trainer* t, const void* m, const void* v, std::int64_t steps, Outcome* outcome) {
  std::memcpy(t->m.data(), m, t->m.size());
  std::memcpy(t->v.data(), v, t->v.size());
  t->steps = steps;
  say(outcome, Code::kOk, "");
}
void trainer_set_recipe(Trainer* t, const Recipe* recipe, Outcome* outcome) {
  t->recipe_steps = 0;
  for (int s = 0; s < recipe->first_scenario[3]; ++s)
    for (int k = 0; k < recipe->scenario[s].steps; ++k)
      t->recipe_steps += recipe->step[recipe->scenario[s].first_step + k].augmentation >= 0;
  say(outcome, t->recipe_steps == recipe->steps ? Code::kOk : Code::kFailed, "steps were lost");
}
// The loss is the sum of all numbers of the batch and its share of the whole, the norm that of the next one's.
void trainer_step(Trainer* t, const Batch* batch, double rate, std::int32_t update, const Batch* next, StepResult* result,
                  Outcome* outcome) {
  if (fails(rate, outcome)) return;
  double keys = 0;
  for (int i = 0; i < batch->events.count; ++i) keys += batch->ids[i];
  result->loss = sum_of(t->precision, batch->events) + 0 * keys + batch->first + 1000 * batch->total;
  result->gradient_norm = next == nullptr ? 0 : sum_of(t->precision, next->events);
  if (update) t->steps += 1;
}
double sum_of(const Trainer& t, const Tokens& tokens) {
  double sum = 0;
  for (int i = 0; i < tokens.offsets[tokens.events] * t.features; ++i) sum += real(t.precision, tokens.x, i);
  return sum;
}
void trainer_step_on_views(Trainer* t, const Tokens* views, std::int32_t count, double rate, std::int32_t, StepResult* result,
                           Outcome* outcome) {
  if (fails(rate, outcome)) return;
  result->loss = 0;
  for (int v = 0; v < count; ++v) result->loss += sum_of(*t, views[v]);
  result->gradient_norm = count;
}
void trainer_embed(Trainer* t, const Events* events, void* out, Outcome* outcome) {
  for (int i = 0; i < events->count * t->rep_row; ++i) set_real(t->precision, out, i, i / t->rep_row);
  say(outcome, Code::kOk, "");
}
void trainer_reps(Trainer* t, const Tokens* tokens, void* out, Outcome* outcome) {
  for (int i = 0; i < tokens->events * t->rep_row; ++i) set_real(t->precision, out, i, i / t->rep_row);
  say(outcome, Code::kOk, "");
}
void trainer_gradients(Trainer* t, const Tokens* tokens, const void* dreps, void* dweights, void* dx, Outcome* outcome) {
  double sum = 0;
  for (int i = 0; i < tokens->events * t->rep_row; ++i) sum += real(t->precision, dreps, i);
  for (std::size_t i = 0; i < t->weights; ++i) set_real(t->precision, dweights, i, sum);
  for (int i = 0; i < tokens->offsets[tokens->events] * t->features; ++i) set_real(t->precision, dx, i, sum);
  say(outcome, Code::kOk, "");
}

Autoencoder* autoencoder(const AutoencoderConfig* config, Outcome* outcome) {
  if (fails(config->device, outcome)) return nullptr;
  return new Autoencoder{config->precision, config->features,
                         std::vector<char>(config->weights * real_size(config->precision))};
}
void autoencoder_free(Autoencoder* autoencoder) { delete autoencoder; }
void autoencoder_weights(Autoencoder* a, void* out, Outcome* outcome) {
  std::copy(a->weight.begin(), a->weight.end(), static_cast<char*>(out));
  say(outcome, Code::kOk, "");
}
void autoencoder_set_weights(Autoencoder* a, const void* weights, Outcome* outcome) {
  std::memcpy(a->weight.data(), weights, a->weight.size());
  say(outcome, Code::kOk, "");
}
double sum_of(Precision precision, const void* x, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += real(precision, x, i);
  return sum;
}
void autoencoder_step(Autoencoder* a, const void* x, std::int32_t rows, double rate, double* loss, Outcome* outcome) {
  if (fails(rate, outcome)) return;
  *loss = sum_of(a->precision, x, std::size_t(rows) * a->features);
}
void autoencoder_gradients(Autoencoder* a, const void* x, std::int32_t rows, void* dweights, double* loss, Outcome* outcome) {
  *loss = sum_of(a->precision, x, std::size_t(rows) * a->features);
  std::copy(a->weight.begin(), a->weight.end(), static_cast<char*>(dweights));
  say(outcome, Code::kOk, "");
}
void score_rows(Precision precision, int features, const void* x, std::int32_t rows, void* score) {
  for (int r = 0; r < rows; ++r) set_real(precision, score, r, real(precision, x, std::size_t(r) * features));
}
void autoencoder_score(Autoencoder* a, const void* x, std::int32_t rows, void* score, Outcome* outcome) {
  score_rows(a->precision, a->features, x, rows, score);
  say(outcome, Code::kOk, "");
}

Scorer* scorer(const ScorerConfig* config, Outcome* outcome) {
  if (fails(config->device, outcome)) return nullptr;
  double sum = 0;
  for (std::size_t i = 0; config->encoder != nullptr && i < config->encoder->weights; ++i)
    sum += real(config->precision, config->encoder_weights, i);
  for (std::size_t i = 0; i < config->autoencoder.weights; ++i) sum += real(config->autoencoder.precision, config->autoencoder_weights, i);
  for (int i = 0; config->matrix != nullptr && i < config->inputs * config->outputs; ++i) sum += config->matrix[i];
  if (sum != sum) return say(outcome, Code::kInvalid, "a weight is not a number"), nullptr;
  return new Scorer{config->precision, config->inputs};
}
void scorer_free(Scorer* scorer) { delete scorer; }
void scorer_score(Scorer* s, const Events* events, void* score, Outcome* outcome) {
  for (int i = 0; i < events->count; ++i) set_real(s->precision, score, i, events->offsets[i + 1] - events->offsets[i]);
  say(outcome, Code::kOk, "");
}
void scorer_embed(Scorer* s, const Events* events, void* out, Outcome* outcome) {
  for (int i = 0; i < events->count * s->inputs; ++i) set_real(s->precision, out, i, i);
  say(outcome, Code::kOk, "");
}
void scorer_score_rows(Scorer* s, const void* x, std::int32_t rows, void* score, Outcome* outcome) {
  score_rows(s->precision, s->inputs, x, rows, score);
  say(outcome, Code::kOk, "");
}

// The events themselves; with seed 10 + c a failure.
void augment(Precision precision, std::int32_t, const Recipe*, std::int32_t, const Batch* batch, void* pt, void* eta, void* phi,
             std::uint8_t* kind, std::int32_t* offsets, Outcome* outcome) {
  if (fails(static_cast<double>(batch->seed), outcome)) return;
  const Events& events = batch->events;
  std::copy(events.offsets, events.offsets + events.count + 1, offsets);
  for (int o = 0; o < offsets[events.count]; ++o) {
    set_real(precision, pt, o, real(precision, events.pt, o));
    set_real(precision, eta, o, real(precision, events.eta, o));
    set_real(precision, phi, o, real(precision, events.phi, o));
    kind[o] = events.kind[o];
  }
}

void contrast(Precision precision, std::int32_t, const char*, double, double, double temperature, std::int32_t n, std::int32_t d,
              const void* const z[3], void* const dz[3], double* value, Outcome* outcome) {
  if (fails(temperature, outcome)) return;
  *value = 0;
  for (int v = 0; v < 3; ++v)
    for (int i = 0; z[v] != nullptr && i < n * d; ++i) {
      const double x = real(precision, z[v], i);
      *value += x;
      if (dz[v] != nullptr) set_real(precision, dz[v], i, 2 * x);
    }
}

#ifdef FAKE_OTHER_ABI
constexpr std::uint32_t kNumber = kAbi + 41;
#else
constexpr std::uint32_t kNumber = kAbi;
#endif
#ifdef FAKE_OTHER_SIZE
constexpr std::uint32_t kSize = sizeof(Api) - 8;
#else
constexpr std::uint32_t kSize = sizeof(Api);
#endif

constexpr Api kApi{
    kNumber, kSize, "0.0.0",
    probe, group_id,
    trainer, trainer_free, trainer_weights, trainer_set_weights, trainer_state, trainer_set_state, trainer_set_recipe,
    trainer_step, trainer_step_on_views, trainer_embed, trainer_reps, trainer_gradients,
    autoencoder, autoencoder_free, autoencoder_weights, autoencoder_set_weights, autoencoder_step, autoencoder_gradients,
    autoencoder_score,
    scorer, scorer_free, scorer_score, scorer_embed, scorer_score_rows,
    augment, contrast,
};

}  // namespace
}  // namespace aclr::device

#ifndef FAKE_NO_SYMBOL
extern "C" __attribute__((visibility("default"))) const aclr::device::Api* anomalyclr_device_library(std::uint32_t abi) {
  return abi == aclr::device::kNumber ? &aclr::device::kApi : nullptr;
}
#else
extern "C" __attribute__((visibility("default"))) const aclr::device::Api* another_symbol(std::uint32_t) {
  return &aclr::device::kApi;
}
#endif
