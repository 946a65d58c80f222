// A dense autoencoder (model/autoencoder.h) on the device, learned or only applied.
#pragma once
#include <memory>
#include <vector>

#include "cuda/graphs.h"
#include "cuda/learned.h"

namespace aclr::cuda {

// Its layers on weights that stand elsewhere. R is float or double.
template <class R>
class Stack {
 public:
  Stack(const device::AutoencoderConfig& config, Workbench& bench);

  int features() const { return features_; }
  void reserve(int rows, bool backward);
  // x [rows, features] -> what the last layer gives, [rows, features].
  const R* forward(const R* weights, const R* x, int rows, cudaStream_t);
  void score(const R* weights, const R* x, int rows, R* score, cudaStream_t);
  // *value = mean squared error; dweights, all of them.
  void loss(const R* weights, const R* x, int rows, R* dweights, double* value, cudaStream_t);

 private:
  std::vector<device::Linear> layers_;
  std::vector<Activation> activations_;
  int features_;
  std::size_t widest_ = 0;
  Workbench& bench_;
  std::vector<DeviceBuffer<R>> outs_;
  DeviceBuffer<R> dy_, dx_;
};

std::size_t widest_sums(const device::AutoencoderConfig& config);

class AnyAutoencoder {
 public:
  virtual ~AnyAutoencoder() = default;
  virtual void weights(void* out) = 0;
  virtual void set_weights(const void* weights) = 0;
  virtual double step(const void* x, int rows, double rate) = 0;
  virtual double gradients(const void* x, int rows, void* dweights) = 0;
  virtual void score(const void* x, int rows, void* score) = 0;
};

std::unique_ptr<AnyAutoencoder> make_autoencoder(const device::AutoencoderConfig& config);

}  // namespace aclr::cuda
