// The edge of the library (kernels/device.h): arguments are checked, errors become one line.
#include <cstdio>
#include <cstring>
#include <new>

#include "cuda/autoencoder.h"
#include "cuda/checks.h"
#include "cuda/scorer.h"
#include "cuda/trainer.h"

#ifndef ACLR_VERSION
#define ACLR_VERSION "unknown"
#endif

namespace aclr::device {

struct Trainer {
  int device, rank, ranks;
  std::unique_ptr<cuda::AnyTrainer> trainer;
};
struct Autoencoder {
  int device;
  std::unique_ptr<cuda::AnyAutoencoder> autoencoder;
};
struct Scorer {
  int device;
  bool reads_events;
  std::unique_ptr<cuda::AnyScorer> scorer;
};

}  // namespace aclr::device

namespace aclr::cuda {
namespace {

using device::Code;
using device::Outcome;

// The device does not come back from these: every later call fails too, until the process ends.
bool is_lost(cudaError_t code) {
  switch (code) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorDevicesUnavailable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

void tell(Outcome* out, Code code, const std::string& message) {
  out->code = code;
  std::snprintf(out->message, sizeof out->message, "%s", message.c_str());
}

void tell(Outcome* out, const Error& error) {
  cudaGetLastError();
  const std::string doing = std::string(" while ") + error.doing, cause = cudaGetErrorString(error.code);
  if (error.code == cudaErrorMemoryAllocation) {
    std::size_t free = 0, total = 0;
    const bool known = cudaMemGetInfo(&free, &total) == cudaSuccess;
    const auto mib = [](std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
    return tell(out, Code::kMemory,
                "the GPU is out of memory" + doing + (known ? " (" + mib(free) + " of " + mib(total) + " free)" : "") +
                    "; a smaller --batch needs less, and other programs may hold some (nvidia-smi)");
  }
  if (is_lost(error.code))
    return tell(out, Code::kLost,
                "the GPU was lost" + doing + ": " + cause +
                    "; start again with --resume, and see `dmesg` and nvidia-smi if it stays");
  if (error.code == cudaErrorInsufficientDriver)
    return tell(out, Code::kFailed,
                "the NVIDIA driver is older than this library needs; update it, or build with the CUDA of the driver");
  if (error.code == cudaErrorNoKernelImageForDevice)
    return tell(out, Code::kFailed, "the library has no code for this GPU; build it there: npm run build:cuda");
  tell(out, Code::kFailed, "CUDA failed" + doing + ": " + cause);
}

// Nothing is thrown across the edge.
template <class Body>
void guarded(Outcome* out, const Body& body) {
  out->code = Code::kOk;
  out->message[0] = 0;
  try {
    body();
  } catch (const Invalid& e) {
    tell(out, Code::kInvalid, e.what);
  } catch (const Undefined& e) {
    tell(out, Code::kUndefined, e.why);
  } catch (const Unavailable& e) {
    tell(out, Code::kFailed, e.why);
  } catch (const PeerError& e) {
    tell(out, Code::kPeer, std::string("another rank is gone, or NCCL cannot reach it, while ") + e.what +
                               "; NCCL_DEBUG=INFO tells more");
  } catch (const Error& e) {
    tell(out, e);
  } catch (const std::bad_alloc&) {
    tell(out, Code::kMemory, "out of host memory; a smaller batch needs less");
  } catch (const std::exception& e) {
    tell(out, Code::kFailed, e.what());
  }
}

// A call of a session, on its device.
template <class Session, class Body>
void on(Session* session, Outcome* out, const Body& body) {
  guarded(out, [&] {
    if (session == nullptr) throw Invalid{"there is no such session"};
    check(cudaSetDevice(session->device), "choosing the device");
    body(*session);
  });
}

void choose(int device) {
  int count = 0;
  check(cudaGetDeviceCount(&count), "looking for a GPU");
  if (device < 0 || device >= count)
    throw Invalid{"there is no GPU number " + std::to_string(device) + " among " + std::to_string(count) +
                  "; CUDA_VISIBLE_DEVICES and LOCAL_RANK choose"};
  check(cudaSetDevice(device), "choosing the device");
}

void probe(std::int32_t number, device::Device* out, Outcome* outcome) {
  guarded(outcome, [&] {
    *out = {};
    choose(number);
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, number), "looking at the GPU");
    std::snprintf(out->name, sizeof out->name, "%s", properties.name);
    out->capability = properties.major * 10 + properties.minor;
    out->processors = properties.multiProcessorCount;
    check(cudaDriverGetVersion(&out->driver), "looking at the driver");
    check(cudaRuntimeGetVersion(&out->runtime), "looking at the driver");
    if (out->capability < 80)
      throw Invalid{std::string(properties.name) +
                    " is older than this engine's kernels, which need compute capability 8.0"};
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for memory");
    out->memory = total;
    out->memory_free = free;
#if defined(ACLR_EMULATED)
    out->emulated = 1;
#endif
    std::snprintf(out->dense, sizeof out->dense, "%s", Dense().describe());
  });
}

void group_id(std::uint8_t* id, Outcome* out) {
  guarded(out, [&] { make_group_id(id); });
}

device::Trainer* trainer(const device::TrainerConfig* config, Outcome* out) {
  device::Trainer* made = nullptr;
  guarded(out, [&] {
    check_trainer(*config);
    choose(config->device);
    made = new device::Trainer{config->device, config->rank, config->ranks, make_trainer(*config)};
  });
  return made;
}
template <class Session>
void let_go(Session* session) {
  Outcome ignored;
  if (session) guarded(&ignored, [&] { cudaSetDevice(session->device); });
  delete session;
}
void trainer_weights(device::Trainer* t, void* to, Outcome* out) {
  on(t, out, [&](auto& s) { s.trainer->weights(to); });
}
void trainer_set_weights(device::Trainer* t, const void* weights, Outcome* out) {
  on(t, out, [&](auto& s) { s.trainer->set_weights(weights); });
}
void trainer_state(device::Trainer* t, void* m, void* v, std::int64_t* steps, Outcome* out) {
  on(t, out, [&](auto& s) { s.trainer->state(m, v, steps); });
}
void trainer_set_state(device::Trainer* t, const void* m, const void* v, std::int64_t steps, Outcome* out) {
  on(t, out, [&](auto& s) { s.trainer->set_state(m, v, steps); });
}
void trainer_set_recipe(device::Trainer* t, const device::Recipe* recipe, Outcome* out) {
  on(t, out, [&](auto& s) {
    check_recipe(*recipe);
    s.trainer->set_recipe(*recipe);
  });
}
void trainer_step(device::Trainer* t, const device::Batch* batch, double rate, std::int32_t update,
                  const device::Batch* next, device::StepResult* result, Outcome* out) {
  on(t, out, [&](auto& s) {
    check_batch(*batch, s.rank, s.ranks);
    if (next) check_batch(*next, s.rank, s.ranks);
    *result = s.trainer->step(*batch, rate, update != 0, next);
  });
}
void trainer_step_on_views(device::Trainer* t, const device::Tokens* views, std::int32_t count, double rate,
                           std::int32_t update, device::StepResult* result, Outcome* out) {
  on(t, out, [&](auto& s) {
    if (s.ranks != 1) throw Invalid{"views made elsewhere are for one rank"};
    if (count < 2 || count > 3) throw Invalid{"a step takes two or three views"};
    for (int v = 0; v < count; ++v) {
      check_tokens(views[v]);
      if (views[v].events != views[0].events) throw Invalid{"all views must hold the same number of events"};
    }
    *result = s.trainer->step_on_views(views, count, rate, update != 0);
  });
}
void trainer_embed(device::Trainer* t, const device::Events* events, void* to, Outcome* out) {
  on(t, out, [&](auto& s) {
    check_events(*events);
    s.trainer->embed(*events, to);
  });
}
void trainer_reps(device::Trainer* t, const device::Tokens* tokens, void* to, Outcome* out) {
  on(t, out, [&](auto& s) {
    check_tokens(*tokens);
    s.trainer->reps(*tokens, to);
  });
}
void trainer_gradients(device::Trainer* t, const device::Tokens* tokens, const void* dreps, void* dweights, void* dx,
                       Outcome* out) {
  on(t, out, [&](auto& s) {
    check_tokens(*tokens);
    s.trainer->gradients(*tokens, dreps, dweights, dx);
  });
}

device::Autoencoder* autoencoder(const device::AutoencoderConfig* config, Outcome* out) {
  device::Autoencoder* made = nullptr;
  guarded(out, [&] {
    check_autoencoder(*config);
    choose(config->device);
    made = new device::Autoencoder{config->device, make_autoencoder(*config)};
  });
  return made;
}
void autoencoder_weights(device::Autoencoder* a, void* to, Outcome* out) {
  on(a, out, [&](auto& s) { s.autoencoder->weights(to); });
}
void autoencoder_set_weights(device::Autoencoder* a, const void* weights, Outcome* out) {
  on(a, out, [&](auto& s) { s.autoencoder->set_weights(weights); });
}
void autoencoder_step(device::Autoencoder* a, const void* x, std::int32_t rows, double rate, double* loss, Outcome* out) {
  on(a, out, [&](auto& s) {
    if (rows < 1) throw Invalid{"a step needs at least one row"};
    *loss = s.autoencoder->step(x, rows, rate);
  });
}
void autoencoder_gradients(device::Autoencoder* a, const void* x, std::int32_t rows, void* dweights, double* loss,
                           Outcome* out) {
  on(a, out, [&](auto& s) {
    if (rows < 1) throw Invalid{"a gradient needs at least one row"};
    *loss = s.autoencoder->gradients(x, rows, dweights);
  });
}
void autoencoder_score(device::Autoencoder* a, const void* x, std::int32_t rows, void* score, Outcome* out) {
  on(a, out, [&](auto& s) {
    check_rows(rows);
    s.autoencoder->score(x, rows, score);
  });
}

device::Scorer* scorer(const device::ScorerConfig* config, Outcome* out) {
  device::Scorer* made = nullptr;
  guarded(out, [&] {
    check_scorer(*config);
    choose(config->device);
    made = new device::Scorer{config->device, config->encoder != nullptr, make_scorer(*config)};
  });
  return made;
}
void scorer_score(device::Scorer* c, const device::Events* events, void* score, Outcome* out) {
  on(c, out, [&](auto& s) {
    if (!s.reads_events) throw Invalid{"this scorer has no encoder"};
    check_events(*events);
    s.scorer->score(*events, score);
  });
}
void scorer_embed(device::Scorer* c, const device::Events* events, void* to, Outcome* out) {
  on(c, out, [&](auto& s) {
    if (!s.reads_events) throw Invalid{"this scorer has no encoder"};
    check_events(*events);
    s.scorer->embed(*events, to);
  });
}
void scorer_score_rows(device::Scorer* c, const void* x, std::int32_t rows, void* score, Outcome* out) {
  on(c, out, [&](auto& s) {
    if (s.reads_events) throw Invalid{"this scorer reads events"};
    check_rows(rows);
    s.scorer->score_rows(x, rows, score);
  });
}

template <class R>
void augment_views(const device::Recipe& recipe, int view, const device::Batch& batch, void* pt, void* eta, void* phi,
                   std::uint8_t* kind, std::int32_t* offsets) {
  Moves moves;
  Stream stream;
  RecipeTables tables(moves);
  tables.set(recipe, stream);
  EventSet<R> set(moves);
  const DeviceRecipe on_device = tables.recipe();
  set.prepare(batch, &on_device, view, 1, FeatureConfig{}, stream);
  const auto objects = set.objects(stream);
  R* to[] = {static_cast<R*>(pt), static_cast<R*>(eta), static_cast<R*>(phi)};
  std::size_t at = 0;
  offsets[0] = 0;
  for (int i = 0; i < batch.events.count; ++i) {
    for (int o = 0; o < objects.count[i]; ++o, ++at) {
      const std::size_t from = std::size_t(i) * objects.stride + o;
      to[0][at] = objects.pt[from];
      to[1][at] = objects.eta[from];
      to[2][at] = objects.phi[from];
      kind[at] = static_cast<std::uint8_t>(objects.kind[from]);
    }
    offsets[i + 1] = static_cast<std::int32_t>(at);
  }
}

void augment(device::Precision precision, std::int32_t number, const device::Recipe* recipe, std::int32_t view,
             const device::Batch* batch, void* pt, void* eta, void* phi, std::uint8_t* kind, std::int32_t* offsets,
             Outcome* out) {
  guarded(out, [&] {
    check_precision(precision);
    check_recipe(*recipe);
    check_events(batch->events);
    if (view < 0 || view > 2) throw Invalid{"view must be 0, 1 or 2"};
    if (batch->events.count > 0 && batch->ids == nullptr) throw Invalid{"ids of events are missing"};
    choose(number);
    const auto make = precision == device::Precision::kF64 ? augment_views<double> : augment_views<float>;
    make(*recipe, view, *batch, pt, eta, phi, kind, offsets);
  });
}

template <class S>
double contrast_once(int loss, const LossWeights& weights, double temperature, int n, int d, const void* const z[3],
                     void* const dz[3]) {
  using R = Real<S>;
  Stream stream;
  Workbench bench(1);
  ContrastMemory<S> memory(bench.moves);
  const Contrast<S> c = memory.make(loss, weights, temperature, n, 0, n, d, dz[0] != nullptr, bench.scratch);
  const std::size_t numbers = std::size_t(n) * d;
  for (int v = 0; v < c.views; ++v) {
    if (z[v] == nullptr || (c.dz && dz[v] == nullptr)) throw Invalid{"this loss needs three views"};
    to_device(memory.z.data() + v * numbers, static_cast<const R*>(z[v]), numbers, stream);
  }
  contrast(c, nullptr, stream);
  double value = 0;
  to_host(&value, c.value, 1, stream);
  for (int v = 0; c.dz && v < c.views; ++v) to_host(static_cast<R*>(dz[v]), c.dz + v * numbers, numbers, stream);
  stream.wait();
  return value;
}

void contrast_call(device::Precision precision, std::int32_t number, const char* loss, double invariance, double anomaly,
                   double temperature, std::int32_t n, std::int32_t d, const void* const z[3], void* const dz[3],
                   double* value, Outcome* out) {
  guarded(out, [&] {
    check_precision(precision);
    const int place = loss ? loss_place(loss) : -1;
    if (place < 0) throw Invalid{std::string("there is no loss ") + (loss ? loss : "")};
    if (n < 1 || d < 1 || !(temperature > 0)) throw Invalid{"a contrastive loss needs events, columns and a temperature"};
    choose(number);
    const auto run = precision == device::Precision::kF32   ? contrast_once<float>
                     : precision == device::Precision::kF64 ? contrast_once<double>
                                                            : contrast_once<bf16>;
    *value = run(place, {invariance, anomaly}, temperature, n, d, z, dz);
  });
}

constexpr device::Api kApi{
    device::kAbi, sizeof(device::Api), ACLR_VERSION, probe, group_id, trainer, let_go<device::Trainer>, trainer_weights,
    trainer_set_weights, trainer_state, trainer_set_state, trainer_set_recipe, trainer_step, trainer_step_on_views,
    trainer_embed, trainer_reps, trainer_gradients, autoencoder, let_go<device::Autoencoder>, autoencoder_weights,
    autoencoder_set_weights, autoencoder_step, autoencoder_gradients, autoencoder_score, scorer, let_go<device::Scorer>,
    scorer_score, scorer_embed, scorer_score_rows, augment, contrast_call};

}  // namespace
}  // namespace aclr::cuda

extern "C" __attribute__((visibility("default"))) const aclr::device::Api* anomalyclr_device_library(std::uint32_t abi) {
  return abi == aclr::device::kAbi ? &aclr::cuda::kApi : nullptr;
}
