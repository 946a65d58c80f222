// One training step on the device: views, encoder, contrastive loss, gradients, update.
#pragma once
#include <array>
#include <memory>
#include <string>

#include "cuda/encoder.h"
#include "cuda/event_set.h"
#include "cuda/graphs.h"
#include "cuda/group.h"
#include "cuda/learned.h"

namespace aclr::cuda {

struct Undefined {
  std::string why;  // the loss of a batch that has none
};

// Places of the loss in kLosses, or -1.
int loss_place(const char* name);

// Working memory of the contrastive loss.
template <class S>
struct ContrastMemory {
  using R = Real<S>;
  explicit ContrastMemory(Moves& m) : z(m), dz(m), norm(m), top(m), weight(m), statistics(m), unit(m), value(m) {}
  // For the loss at a place of kLosses on rows first .. first + count - 1 of `total`; z and dz are here.
  Contrast<S> make(int loss, const LossWeights& weights, double temperature, int total, int first, int count, int d,
                   bool gradient, Scratch scratch);
  DeviceBuffer<R> z, dz, norm, top, weight, statistics;
  DeviceBuffer<S> unit;
  DeviceBuffer<double> value;
};
// All passes; group may be null.
template <class S>
void contrast(const Contrast<S>& c, const Group* group, cudaStream_t stream);

class AnyTrainer {
 public:
  virtual ~AnyTrainer() = default;
  virtual void weights(void* out) = 0;
  virtual void set_weights(const void* weights) = 0;
  virtual void state(void* m, void* v, std::int64_t* steps) = 0;
  virtual void set_state(const void* m, const void* v, std::int64_t steps) = 0;
  virtual void set_recipe(const device::Recipe& recipe) = 0;
  virtual device::StepResult step(const device::Batch& batch, double rate, bool update, const device::Batch* next) = 0;
  virtual device::StepResult step_on_views(const device::Tokens* views, int count, double rate, bool update) = 0;
  virtual void embed(const device::Events& events, void* out) = 0;
  virtual void reps(const device::Tokens& tokens, void* out) = 0;
  virtual void gradients(const device::Tokens& tokens, const void* dreps, void* dweights, void* dx) = 0;
};

std::unique_ptr<AnyTrainer> make_trainer(const device::TrainerConfig& config);

}  // namespace aclr::cuda
