#include "cuda/checks.h"

#include "augment/list.h"
#include "core/event.h"
#include "core/group.h"
#include "cuda/trainer.h"

namespace aclr::cuda {
namespace {

void demand(bool condition, const std::string& what) {
  if (!condition) throw Invalid{what};
}

bool within(const device::Linear& l, std::uint64_t weights) {
  return l.in >= 1 && l.out >= 1 && l.weight <= weights && l.bias <= weights && weights - l.bias >= std::uint64_t(l.out) &&
         weights - l.weight >= std::uint64_t(l.in) * std::uint64_t(l.out);
}
bool within(const device::Norm& n, int size, std::uint64_t weights) {
  return n.gain <= weights && n.offset <= weights && weights - n.gain >= std::uint64_t(size) &&
         weights - n.offset >= std::uint64_t(size);
}
bool is(const device::Linear& l, int in, int out, std::uint64_t weights) {
  return l.in == in && l.out == out && within(l, weights);
}

void check_optimiser(const device::Optimiser& o) {
  demand(o.beta1 >= 0 && o.beta1 < 1 && o.beta2 >= 0 && o.beta2 < 1 && o.eps >= 0 && o.clip >= 0,
         "the optimiser's constants do not lie within their ranges");
}

void check_offsets(const std::int32_t* offsets, std::int32_t count) {
  demand(offsets != nullptr && count >= 0 && offsets[0] == 0, "offsets must begin at 0");
  for (std::int32_t i = 0; i < count; ++i) {
    const std::int64_t n = std::int64_t(offsets[i + 1]) - offsets[i];
    demand(n >= 0 && n <= kMaxObjects, "offsets of event " + std::to_string(i) + " fall, or it has more than " +
                                           std::to_string(kMaxObjects) + " objects");
  }
}

}  // namespace

void check_precision(device::Precision precision) {
  demand(
      precision == device::Precision::kF32 || precision == device::Precision::kF64 || precision == device::Precision::kBf16,
      "there is no such precision");
}

void check_rows(std::int32_t rows) { demand(rows >= 0, "a count of rows is below 0"); }

void check_encoder(const device::Encoder& e) {
  demand(e.features == 7 || e.features == 8, "features must be 7 or 8");
  demand(e.width >= 1 && e.width <= 4096 && e.heads >= 1 && e.width % e.heads == 0 && e.feed_forward >= 1 &&
             e.feed_forward <= 4096 && e.output >= 1 && e.output <= 4096,
         "the encoder's sizes do not lie within 1..4096, or its heads do not divide its width");
  demand(e.layers >= 0 && e.layers <= 64 && e.head_layers >= 0 && e.head_layers <= 16, "the encoder has too many layers");
  demand(e.keep_threshold >= 0 && e.keep_threshold < 256, "dropout must lie in [0, 1)");
  demand(e.pt_scale > 0 && e.eta_scale > 0 && e.phi_scale > 0, "ptScale, etaScale and phiScale must be above 0");
  demand((e.layers == 0 || e.layer) && (e.head_layers == 0 || e.head), "the encoder's layers are missing");
  bool good = is(e.embedding, e.features, e.width, e.weights);
  for (int l = 0; l < e.layers; ++l)
    good = good && is(e.layer[l].in_proj, e.width, 3 * e.width, e.weights) &&
           is(e.layer[l].out_proj, e.width, e.width, e.weights) &&
           is(e.layer[l].linear1, e.width, e.feed_forward, e.weights) &&
           is(e.layer[l].linear2, e.feed_forward, e.width, e.weights) && within(e.layer[l].norm1, e.width, e.weights) &&
           within(e.layer[l].norm2, e.width, e.weights);
  for (int l = 0; l < e.head_layers; ++l) {
    const int in = l == 0 ? e.width : e.output;
    good = good && is(e.head[l].linear, in, e.output, e.weights) && (!e.head_norm || within(e.head[l].norm, in, e.weights));
  }
  demand(good, "the places of the encoder's weights do not fit its sizes");
}

void check_trainer(const device::TrainerConfig& c) {
  check_precision(c.precision);
  check_encoder(c.encoder);
  check_optimiser(c.optimiser);
  demand(c.loss && loss_place(c.loss) >= 0, std::string("there is no loss ") + (c.loss ? c.loss : ""));
  demand(c.temperature > 0, "temperature must be above 0");
  demand(c.ranks >= 1 && c.rank >= 0 && c.rank < c.ranks && (c.ranks == 1 || c.group), "ranks are wrong");
}

void check_autoencoder(const device::AutoencoderConfig& c) {
  demand(c.precision == device::Precision::kF32 || c.precision == device::Precision::kF64,
         "an autoencoder computes in f32 or f64");
  demand(c.layers >= 2 && c.layers <= 64 && c.layer && c.activation, "an autoencoder has 2 to 64 layers");
  check_optimiser(c.optimiser);
  for (int l = 0; l < c.layers; ++l) {
    demand(within(c.layer[l], c.weights) && c.layer[l].in == (l == 0 ? c.features : c.layer[l - 1].out),
           "the places of the autoencoder's weights do not fit its sizes");
    demand(c.activation[l] >= 0 && c.activation[l] <= 3, "there is no such activation");
  }
  demand(c.layer[c.layers - 1].out == c.features, "an autoencoder's first and last width must agree");
}

void check_scorer(const device::ScorerConfig& c) {
  check_precision(c.precision);
  check_autoencoder(c.autoencoder);
  demand(c.autoencoder_weights != nullptr && c.inputs >= 1 && c.outputs >= 1 && c.outputs == c.autoencoder.features,
         "the autoencoder must be as wide as the preparation's outputs");
  demand(c.matrix == nullptr ? c.inputs == c.outputs : c.mean != nullptr, "the preparation's sizes are wrong");
  if (c.encoder == nullptr) return;
  check_encoder(*c.encoder);
  demand(c.encoder_weights != nullptr && c.from >= 0 && c.to - c.from == c.inputs &&
             c.to <= c.encoder->width + c.encoder->head_layers * c.encoder->output,
         "columns must lie within the encoder's representations");
}

void check_recipe(const device::Recipe& r) {
  demand(r.first_scenario[0] == 0 && r.steps >= 0, "the recipe's scenarios are out of order");
  for (int v = 0; v < 3; ++v)
    demand(r.first_scenario[v + 1] >= r.first_scenario[v] && r.first_scenario[v + 1] <= 300000,
           "the recipe's scenarios are out of order");
  demand((r.first_scenario[3] == 0 || r.scenario) && (r.steps == 0 || r.step), "the recipe is missing");
  for (int s = 0; s < r.first_scenario[3]; ++s)
    demand(r.scenario[s].first_step >= 0 && r.scenario[s].steps >= 0 && r.scenario[s].first_step <= r.steps &&
               r.scenario[s].steps <= r.steps - r.scenario[s].first_step,
           "a scenario's steps lie outside of the recipe");
  for (int s = 0; s < r.steps; ++s)
    demand(r.step[s].augmentation >= 0 && r.step[s].augmentation < AugmentationList::count, "there is no such augmentation");
}

void check_events(const device::Events& e) {
  check_offsets(e.offsets, e.count);
  const std::int32_t objects = e.offsets[e.count];
  demand(objects == 0 || (e.pt && e.eta && e.phi && e.kind), "columns of events are missing");
  for (std::int32_t i = 0; i < objects; ++i) demand(e.kind[i] >= 1 && e.kind[i] <= kKinds, "an object has no class");
}

void check_batch(const device::Batch& b, int rank, int ranks) {
  check_events(b.events);
  demand(b.events.count == 0 || b.ids, "ids of events are missing");
  demand(b.total >= 1, "a step needs at least one event");
  const int first = share_begin(b.total, rank, ranks);
  demand(b.first == first && b.events.count == share_begin(b.total, rank + 1, ranks) - first,
         "a rank's events are not its share of the batch");
}

void check_tokens(const device::Tokens& t) {
  check_offsets(t.offsets, t.events);
  demand(t.events >= 1, "a step needs at least one event");
  demand(t.offsets[t.events] == 0 || t.x, "rows are missing");
}

}  // namespace aclr::cuda
