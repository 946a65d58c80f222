#include "device/scorer.h"

#include <optional>

#include "device/shapes.h"

namespace aclr {

template <class T>
Status DeviceScorer<T>::make(device::Place place, const ScorerConfig& config, const std::vector<T>& encoder_weights,
                             const std::vector<std::vector<T>>& member_weights, std::unique_ptr<DeviceScorer>& out) {
  const MemberConfig& first = config.members.front();
  if (config.sums.empty() && config.members.size() == 1 && first.plain() && first.network.learns == Learns::kRow)
    return made(place, config, encoder_weights, member_weights.front(), out);
  // some autoencoder, which gives no score
  ScorerConfig encoder = config;
  encoder.sums.clear();
  const int width = config.preparation.inputs - sum_count(config.sums);
  encoder.preparation = {width, width, std::vector<double>(width), {}};
  encoder.members = {{{{width, 1, width}}}};
  const std::vector<T> none(Perceptron<T>(encoder.members.front().network).weight_count());
  if (Status status = made(place, encoder, encoder_weights, none, out); !status.ok()) return status;
  ScorerConfig detector = config;
  detector.encoder.reset();
  detector.sums.clear();
  out->inputs_ = config.preparation.inputs;
  out->sums_ = config.sums;
  out->detector_ = std::make_unique<Scorer<T>>(detector, std::vector<T>(), member_weights);
  return {};
}

template <class T>
Status DeviceScorer<T>::made(device::Place place, const ScorerConfig& config, const std::vector<T>& encoder_weights,
                             const std::vector<T>& member_weights, std::unique_ptr<DeviceScorer>& out) {
  std::optional<device::EncoderShape> encoder;
  if (config.encoder) encoder.emplace(Encoder<T>(*config.encoder));
  const PerceptronConfig& network = config.members.front().network;
  const Perceptron<T> autoencoder(network);
  const device::AutoencoderShape detector(autoencoder, network.activation);
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
      member_weights.data(),
  };
  device::Scorer* made = nullptr;
  Status status = device::ask([&](device::Outcome* o) { made = place.api->scorer(&plain, o); });
  if (!status.ok()) return status;
  if (made == nullptr) return {Code::kFailed, "the device made no scorer"};
  out.reset(new DeviceScorer(*place.api, made, preparation.inputs));
  return {};
}

template <class T>
Status DeviceScorer<T>::score(const EventColumns<T>& events, T* score, bool alone) {
  if (detector_) {
    std::vector<T> rows(std::size_t(events.events()) * inputs_);
    if (Status status = embed(events, rows.data()); !status.ok()) return status;
    return score_rows(rows.data(), events.events(), score, alone);
  }
  const device::Events plain = device::plain(events);
  return device::ask([&](device::Outcome* o) { api_.scorer_score(scorer_, &plain, score, o); });
}
template <class T>
Status DeviceScorer<T>::embed(const EventColumns<T>& events, T* out) {
  const device::Events plain = device::plain(events);
  const auto encode = [&](T* to) {
    return device::ask([&](device::Outcome* o) { api_.scorer_embed(scorer_, &plain, to, o); });
  };
  if (sums_.empty()) return encode(out);
  const int width = inputs_ - sum_count(sums_);
  std::vector<T> rows(std::size_t(events.events()) * width);
  if (Status status = encode(rows.data()); !status.ok()) return status;
  join_sums(sums_, events, 0, events.events(), rows.data(), width, width, out);
  return {};
}
template <class T>
Status DeviceScorer<T>::score_rows(const T* x, int rows, T* score, bool alone) {
  if (detector_) {
    detector_->score_rows(alone ? nullptr : &ThreadPool::global(), x, rows, score);
    return {};
  }
  return device::ask([&](device::Outcome* o) { api_.scorer_score_rows(scorer_, x, rows, score, o); });
}

template class DeviceScorer<float>;
template class DeviceScorer<double>;

}  // namespace aclr
