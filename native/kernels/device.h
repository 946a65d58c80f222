// What a device library offers to the engine: whole calls (a training step, scores of a batch), as a crossing of the bus
// for each kernel would cost more than the kernel. It is opened at run time (device/library.h) and never linked, so only
// plain structs and functions stand here, all of fixed size. kAbi grows with any change to this file.
//
// Pointers are host memory, read or written before a call returns. "Real" is float, or double where the session's
// precision is kF64. A session is used by one thread at a time; any thread may do so.
#pragma once
#include <cstddef>
#include <cstdint>

namespace aclr::device {

inline constexpr std::uint32_t kAbi = 2;

// The one symbol of a device library: `const Api* anomalyclr_device_library(std::uint32_t abi)`, nullptr where it is of
// another ABI number.
inline constexpr const char* kSymbol = "anomalyclr_device_library";

// kInvalid: an argument. kUndefined: the loss of this batch. kMemory: the device has too little; the session is as it was
// before the call. kLost: the device does not answer any more; all its sessions are gone. kPeer: another rank is gone.
enum class Code : std::int32_t { kOk, kInvalid, kUndefined, kMemory, kLost, kPeer, kFailed };

struct Outcome {
  Code code;
  char message[508];  // one line, empty where code is kOk
};

enum class Precision : std::int32_t { kF32, kF64, kBf16 };

struct Device {
  char name[256];
  std::int32_t capability;             // 90 for 9.0
  std::int32_t processors;             // multiprocessors
  std::int32_t driver, runtime;        // 13000 for 13.0
  std::int32_t emulated;               // 1: a stand-in on the CPU, for tests
  std::uint64_t memory, memory_free;   // bytes
  char dense[64];                      // what multiplies matrices: "cuBLASLt 13.1" or "own kernels"
};

// ---- what sessions are made of ----------------------------------------------------------------------------------------

// Places in the flat weights. y = x W^T + b, W [out, in].
struct Linear {
  std::int32_t in, out;
  std::uint64_t weight, bias;
};
struct Norm {
  std::uint64_t gain, offset;
};
struct EncoderLayer {
  Linear in_proj, out_proj, linear1, linear2;
  Norm norm1, norm2;
};
struct HeadLayer {
  Linear linear;
  Norm norm;  // unused without head_norm
};

// model/encoder.h says what it means.
struct Encoder {
  std::int32_t features, pt_log;
  double pt_scale, eta_scale, phi_scale;  // GeV, 1, rad
  std::int32_t continuous, width, heads, layers, feed_forward, output, head_layers, head_norm;
  std::int32_t keep_threshold;  // dropout in 256ths
  Linear embedding;
  const EncoderLayer* layer;
  const HeadLayer* head;
  std::uint64_t weights;
};

struct Optimiser {
  std::int32_t sgd;  // 0: Adam
  double beta1, beta2, eps, momentum, weight_decay, l2, clip;
};

struct TrainerConfig {
  std::int32_t device;
  Precision precision;
  Encoder encoder;
  Optimiser optimiser;
  const char* loss;
  double invariance, anomaly, temperature;
  // Data-parallel training: each rank gets its own events of a batch. `group` [128] is what group_id() gave on rank 0.
  std::int32_t rank, ranks;
  const std::uint8_t* group;
};

inline constexpr int kMostParameters = 6;
struct RecipeStep {
  std::int32_t augmentation;  // its place in AugmentationList
  double parameters[kMostParameters];
};
struct Scenario {
  double until;  // chosen where the unit number is at most this and above that of the scenario before
  std::int32_t first_step, steps;
};
// Scenarios of view v are first_scenario[v] .. first_scenario[v + 1] - 1; a view without any is the event itself.
struct Recipe {
  std::int32_t first_scenario[4];
  const Scenario* scenario;
  const RecipeStep* step;
  std::int32_t steps;  // of all scenarios
};

struct AutoencoderConfig {
  std::int32_t device;
  Precision precision;  // kF32 or kF64
  std::int32_t layers, features;
  const Linear* layer;
  const std::int32_t* activation;  // of each layer's output: 0 none, 1 relu, 2 leaky relu, 3 elu
  std::uint64_t weights;
  Optimiser optimiser;
};

struct ScorerConfig {
  std::int32_t device;
  Precision precision;
  const Encoder* encoder;  // null: rows of numbers take the place of events
  const void* encoder_weights;
  std::int32_t from, to;  // columns of a row of representations
  std::int32_t inputs, outputs;
  const double *mean, *matrix;  // y = matrix (x - mean); a null matrix is the identity, whatever the mean
  AutoencoderConfig autoencoder;
  const void* autoencoder_weights;
};

// ---- what calls take ----------------------------------------------------------------------------------------------------

// GeV, radians; kinds 1 MET, 2 electron, 3 muon, 4 jet, 5 constituent; objects of event i are offsets[i] .. offsets[i + 1] - 1,
// at most 64.
struct Events {
  std::int32_t count;
  const void *pt, *eta, *phi;  // Real
  const std::uint8_t* kind;
  const std::int32_t* offsets;
};
// `ids` key the draws. With several ranks `events` are this rank's, `first` is how many stand before them in the batch of
// all ranks and `total` how many there are in it.
struct Batch {
  Events events;
  const std::uint32_t* ids;
  std::uint64_t seed;
  std::uint32_t epoch;
  std::int32_t first, total;
};
// Rows x [tokens, features] (Real); event i has the rows offsets[i] .. offsets[i + 1] - 1.
struct Tokens {
  std::int32_t events;
  const void* x;
  const std::int32_t* offsets;
};
struct StepResult {
  double loss, gradient_norm;
};

struct Trainer;
struct Autoencoder;
struct Scorer;

struct Api {
  std::uint32_t abi, size;  // size of this table
  const char* version;      // of the package

  // Whether there is a device that works, with what it is; otherwise the outcome says why not and what to do.
  void (*probe)(std::int32_t device, Device* out, Outcome*);
  // 128 bytes that the ranks of a group share.
  void (*group_id)(std::uint8_t* id, Outcome*);

  Trainer* (*trainer)(const TrainerConfig*, Outcome*);  // nullptr where it fails
  void (*trainer_free)(Trainer*);
  // Flat weights and moments (Real), Encoder::weights long; the optimiser's count of steps.
  void (*trainer_weights)(Trainer*, void* out, Outcome*);
  void (*trainer_set_weights)(Trainer*, const void* weights, Outcome*);
  void (*trainer_state)(Trainer*, void* m, void* v, std::int64_t* steps, Outcome*);
  void (*trainer_set_state)(Trainer*, const void* m, const void* v, std::int64_t steps, Outcome*);
  void (*trainer_set_recipe)(Trainer*, const Recipe*, Outcome*);
  // One step; update = 0 gives the loss alone, without dropout. The views of `next` (or null) are made meanwhile.
  void (*trainer_step)(Trainer*, const Batch*, double rate, std::int32_t update, const Batch* next, StepResult*, Outcome*);
  // The same on two or three views as rows, without dropout.
  void (*trainer_step_on_views)(Trainer*, const Tokens* views, std::int32_t count, double rate, std::int32_t update,
                                StepResult*, Outcome*);
  // out [events, width + head_layers * output] (Real): pooled, then every head layer.
  void (*trainer_embed)(Trainer*, const Events*, void* out, Outcome*);
  void (*trainer_reps)(Trainer*, const Tokens*, void* out, Outcome*);
  // Gradients of sum(reps * dreps): dweights and dx overwritten.
  void (*trainer_gradients)(Trainer*, const Tokens*, const void* dreps, void* dweights, void* dx, Outcome*);

  Autoencoder* (*autoencoder)(const AutoencoderConfig*, Outcome*);
  void (*autoencoder_free)(Autoencoder*);
  void (*autoencoder_weights)(Autoencoder*, void* out, Outcome*);
  void (*autoencoder_set_weights)(Autoencoder*, const void* weights, Outcome*);
  // Rows x [rows, features] (Real). The mean squared error before the update, its gradient, one for each row.
  void (*autoencoder_step)(Autoencoder*, const void* x, std::int32_t rows, double rate, double* loss, Outcome*);
  void (*autoencoder_gradients)(Autoencoder*, const void* x, std::int32_t rows, void* dweights, double* loss, Outcome*);
  void (*autoencoder_score)(Autoencoder*, const void* x, std::int32_t rows, void* score, Outcome*);

  Scorer* (*scorer)(const ScorerConfig*, Outcome*);
  void (*scorer_free)(Scorer*);
  void (*scorer_score)(Scorer*, const Events*, void* score, Outcome*);           // [events]
  void (*scorer_embed)(Scorer*, const Events*, void* out, Outcome*);             // [events, to - from]
  void (*scorer_score_rows)(Scorer*, const void* x, std::int32_t rows, void* score, Outcome*);  // x [rows, inputs]

  // Views of events as columns, for `augment` and the tests: what `view` of the recipe makes of each. Room for 64 objects an
  // event in every column; offsets [count + 1].
  void (*augment)(Precision, std::int32_t device, const Recipe*, std::int32_t view, const Batch*, void* pt, void* eta,
                  void* phi, std::uint8_t* kind, std::int32_t* offsets, Outcome*);
  // z[v] [n, d] (Real), dz[v] likewise or all null; weights as in TrainerConfig.
  void (*contrast)(Precision, std::int32_t device, const char* loss, double invariance, double anomaly, double temperature,
                   std::int32_t n, std::int32_t d, const void* const z[3], void* const dz[3], double* value, Outcome*);
};

}  // namespace aclr::device
