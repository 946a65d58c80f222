#include "device/scorer.h"

#include <optional>

#include "device/shapes.h"

namespace aclr {

template <class T>
Status DeviceScorer<T>::make(device::Place place, const ScorerConfig& config, const std::vector<T>& encoder_weights,
                             const std::vector<T>& autoencoder_weights, std::unique_ptr<DeviceScorer>& out) {
  std::optional<device::EncoderShape> encoder;
  if (config.encoder) encoder.emplace(Encoder<T>(*config.encoder));
  const Autoencoder<T> autoencoder(config.autoencoder);
  const device::AutoencoderShape detector(autoencoder, config.autoencoder.activation);
  const PreparationConfig& preparation = config.preparation;
  const device::ScorerConfig plain{
      place.index,
      device::precision_of<T>(config.products == Products::kBf16),
      encoder ? &encoder->plain() : nullptr,
      encoder_weights.data(),
      config.from,
      config.to,
      preparation.inputs,
      preparation.outputs,
      preparation.mean.data(),
      preparation.matrix.empty() ? nullptr : preparation.matrix.data(),
      detector.plain(place.index, device::precision_of<T>(false), {}),
      autoencoder_weights.data(),
  };
  device::Scorer* made = nullptr;
  Status status = device::ask([&](device::Outcome* o) { made = place.api->scorer(&plain, o); });
  if (!status.ok()) return status;
  if (made == nullptr) return {Code::kFailed, "the device made no scorer"};
  out.reset(new DeviceScorer(*place.api, made, preparation.inputs));
  return {};
}

template <class T>
Status DeviceScorer<T>::score(const EventColumns<T>& events, T* score, bool) {
  const device::Events plain = device::plain(events);
  return device::ask([&](device::Outcome* o) { api_.scorer_score(scorer_, &plain, score, o); });
}
template <class T>
Status DeviceScorer<T>::embed(const EventColumns<T>& events, T* out) {
  const device::Events plain = device::plain(events);
  return device::ask([&](device::Outcome* o) { api_.scorer_embed(scorer_, &plain, out, o); });
}
template <class T>
Status DeviceScorer<T>::score_rows(const T* x, int rows, T* score, bool) {
  return device::ask([&](device::Outcome* o) { api_.scorer_score_rows(scorer_, x, rows, score, o); });
}

template class DeviceScorer<float>;
template class DeviceScorer<double>;

}  // namespace aclr
