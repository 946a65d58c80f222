// A Perceptron (model/perceptron.h) that learns rows, with its weights and optimiser on a device.
#pragma once
#include <memory>

#include "device/library.h"
#include "model/optimiser.h"
#include "model/perceptron.h"

namespace aclr {

template <class T>
class DeviceAutoencoder {
 public:
  using Number = T;

  static Status make(device::Place place, const PerceptronConfig& config, const OptimiserConfig& optimiser,
                     std::unique_ptr<DeviceAutoencoder>& out);
  ~DeviceAutoencoder() { api_.autoencoder_free(autoencoder_); }
  DeviceAutoencoder(const DeviceAutoencoder&) = delete;
  DeviceAutoencoder& operator=(const DeviceAutoencoder&) = delete;

  const std::vector<WeightInfo>& layout() const { return layout_; }
  std::size_t weight_count() const { return weight_count_; }
  int features() const { return features_; }
  bool learns_class() const { return false; }

  Status weights(T* out) const;
  Status set_weights(const T* weights);
  // Dense rows x [rows, features]; there are no classes.
  Status step(const T* x, const std::uint8_t*, int rows, double rate, double* loss);
  Status gradients(const T* x, const std::uint8_t*, int rows, T* dweights, double* loss);
  Status score(const T* x, int rows, T* score);

 private:
  DeviceAutoencoder(const device::Api& api, device::Autoencoder* autoencoder, const Perceptron<T>& model)
      : api_(api), autoencoder_(autoencoder), layout_(model.layout()), weight_count_(model.weight_count()),
        features_(model.features()) {}

  const device::Api& api_;
  device::Autoencoder* autoencoder_;
  std::vector<WeightInfo> layout_;
  std::size_t weight_count_;
  int features_;
};

}  // namespace aclr
