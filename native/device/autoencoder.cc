#include "device/autoencoder.h"

#include "device/shapes.h"

namespace aclr {

template <class T>
Status DeviceAutoencoder<T>::make(device::Place place, const PerceptronConfig& config, const OptimiserConfig& optimiser,
                                  std::unique_ptr<DeviceAutoencoder>& out) {
  const Perceptron<T> model(config);
  const device::AutoencoderShape shape(model, config.activation);
  const device::AutoencoderConfig plain = shape.plain(place.index, device::precision_of<T>(false), optimiser);
  device::Autoencoder* made = nullptr;
  Status status = device::ask([&](device::Outcome* o) { made = place.api->autoencoder(&plain, o); });
  if (!status.ok()) return status;
  if (made == nullptr) return {Code::kFailed, "the device made no autoencoder"};
  out.reset(new DeviceAutoencoder(*place.api, made, model));
  return {};
}

template <class T>
Status DeviceAutoencoder<T>::weights(T* out) const {
  return device::ask([&](device::Outcome* o) { api_.autoencoder_weights(autoencoder_, out, o); });
}
template <class T>
Status DeviceAutoencoder<T>::set_weights(const T* weights) {
  return device::ask([&](device::Outcome* o) { api_.autoencoder_set_weights(autoencoder_, weights, o); });
}
template <class T>
Status DeviceAutoencoder<T>::step(const T* x, const std::uint8_t*, int rows, double rate, double* loss) {
  return device::ask([&](device::Outcome* o) { api_.autoencoder_step(autoencoder_, x, rows, rate, loss, o); });
}
template <class T>
Status DeviceAutoencoder<T>::gradients(const T* x, const std::uint8_t*, int rows, T* dweights, double* loss) {
  return device::ask([&](device::Outcome* o) { api_.autoencoder_gradients(autoencoder_, x, rows, dweights, loss, o); });
}
template <class T>
Status DeviceAutoencoder<T>::score(const T* x, int rows, T* score) {
  return device::ask([&](device::Outcome* o) { api_.autoencoder_score(autoencoder_, x, rows, score, o); });
}

template class DeviceAutoencoder<float>;
template class DeviceAutoencoder<double>;

}  // namespace aclr
