// The scorer against encoder, preparation and networks done one after the other, the preparation and the sum of the members
// in plain double.
#include "model/scorer.h"

#include <numeric>

#include "support.h"

namespace aclr {
namespace {

struct Model {
  ScorerConfig config;
  std::vector<double> encoder;
  std::vector<std::vector<double>> members;
};

EncoderConfig encoder_config(bool head_norm, Mask mask) {
  EncoderConfig config;
  config.features = {7, PtFeature::kLog, 40};
  config.mask = mask;
  config.width = 24;
  config.heads = 3;
  config.layers = 2;
  config.feed_forward = 20;
  config.output = 10;
  config.head_layers = 3;
  config.head_norm = head_norm;
  return config;
}

// A matrix with entries up to 1000 / sqrt(inputs), where whitening stretches what hardly varies; or none.
PreparationConfig preparation_config(Random& random, int inputs, int outputs, bool matrix) {
  PreparationConfig config{inputs, outputs, random.normals<double>(inputs), {}};
  for (double& m : config.mean) m += 1e-9;  // more digits than float has
  if (matrix) config.matrix = random.normals<double>(std::size_t(inputs) * outputs, 1 / std::sqrt(inputs));
  for (std::size_t i = 0; i < config.matrix.size(); ++i) config.matrix[i] *= std::pow(10.0, 3.0 * double(i / inputs) / outputs);
  return config;
}

// The members of a detector: an autoencoder as it is, or with a classifier on one scale, or that alone.
enum class Detector { kPlain, kBoth, kRatio };

std::vector<MemberConfig> members(Detector detector, int outputs, Activation activation) {
  const MemberConfig error{{{outputs, 7, 3, 7, outputs}, activation, false}, true, -0.7, 0.4};
  const MemberConfig ratio{{{outputs, 6, 5, 1}, activation, false, Learns::kClass}, false, 0.3, 1.7};
  if (detector == Detector::kPlain) return {{error.network}};
  return detector == Detector::kBoth ? std::vector{error, ratio} : std::vector{ratio};
}

// Reads the columns [from, to), those of one or more representations.
Model model(Random& random, int from, int to, bool matrix, Activation activation, bool head_norm = false,
            Mask mask = Mask::kHard, Detector detector = Detector::kPlain, const std::vector<Kind>& sums = {}) {
  Model out;
  const int inputs = to - from + sum_count(sums), outputs = matrix ? inputs - 1 : inputs;
  out.config = {encoder_config(head_norm, mask), Products::kExact, from, to, sums, preparation_config(random, inputs, outputs, matrix),
                members(detector, outputs, activation)};
  CHECK(out.config.check().ok());
  out.encoder = random_weights<double>(random, Encoder<double>(*out.config.encoder).layout());
  for (const MemberConfig& member : out.config.members)
    out.members.push_back(random_weights<double>(random, Perceptron<double>(member.network).layout()));
  return out;
}

template <class T>
Scorer<T> scorer(const Model& from) {
  std::vector<std::vector<T>> members;
  for (const auto& weights : from.members) members.emplace_back(weights.begin(), weights.end());
  return {from.config, std::vector<T>(from.encoder.begin(), from.encoder.end()), members};
}

template <class T>
std::vector<T> scores(Scorer<T>& scorer, ThreadPool* pool, const EventColumns<T>& events) {
  std::vector<T> out(events.events());
  scorer.score(pool, events, out.data());
  return out;
}

template <class T>
EventColumns<T> cast(const EventColumns<double>& events) {
  EventColumns<T> out;
  out.pt.assign(events.pt.begin(), events.pt.end());
  out.eta.assign(events.eta.begin(), events.eta.end());
  out.phi.assign(events.phi.begin(), events.phi.end());
  out.kind = events.kind;
  out.offsets = events.offsets;
  return out;
}

// y = matrix (x - mean) in plain double.
std::vector<double> prepared(const PreparationConfig& config, const std::vector<double>& x) {
  if (config.matrix.empty()) return x;
  std::vector<double> y;
  for (std::size_t r = 0; r < x.size() / config.inputs; ++r)
    for (int o = 0; o < config.outputs; ++o) {
      double sum = 0;
      for (int i = 0; i < config.inputs; ++i)
        sum += config.matrix[std::size_t(o) * config.inputs + i] * (x[r * config.inputs + i] - config.mean[i]);
      y.push_back(sum);
    }
  return y;
}

// What core/sums.h says, one sum after the other.
std::vector<double> plain_sums(const std::vector<Kind>& kinds, const EventColumns<double>& events, int e) {
  std::vector<double> numbers, others, largest;
  for (const Kind kind : kinds) {
    std::vector<double> pts;
    for (int o = events.offsets[e]; o < events.offsets[e + 1]; ++o)
      if (events.kind[o] == static_cast<int>(kind) && events.pt[o] > 0) pts.push_back(events.pt[o] / 100);
    std::sort(pts.rbegin(), pts.rend());
    largest.push_back(pts.empty() ? 0 : pts.front());
    if (kind == Kind::kMet) continue;
    numbers.push_back(static_cast<double>(pts.size()));
    others.push_back(pts.empty() ? 0 : std::accumulate(pts.begin() + 1, pts.end(), 0.0));
  }
  numbers.insert(numbers.end(), largest.begin(), largest.end());
  numbers.insert(numbers.end(), others.begin(), others.end());
  return numbers;
}

// The rows that the encoder gives, all events in one block, with the sums of these.
std::vector<double> representations(const Model& model, const EventColumns<double>& events) {
  Encoder<double> encoder(*model.config.encoder);
  ThreadPool pool(1);
  encoder.pack(pool, model.encoder.data(), false);
  TokenRows<double> tokens;
  tokens.x.resize(events.pt.size() * 7);
  for (int e = 0; e < events.events(); ++e) {
    Event<double> event;
    events.load(e, event);
    tokens.offsets.push_back(tokens.tokens() + write_features(model.config.encoder->features, event,
                                                              tokens.x.data() + std::size_t(tokens.tokens()) * 7));
  }
  EncoderTape<double> tape;
  EncoderScratch<double> scratch;
  encoder.forward(model.encoder.data(), {tokens, 7, 0, tokens.events()}, {}, tape, scratch);
  std::vector<double> rows;
  for (int e = 0; e < events.events(); ++e) {
    const double* row = tape.reps.data() + std::size_t(e) * encoder.rep_row();
    rows.insert(rows.end(), row + model.config.from, row + model.config.to);
    const std::vector<double> sums = plain_sums(model.config.sums, events, e);
    rows.insert(rows.end(), sums.begin(), sums.end());
  }
  return rows;
}

std::vector<double> plain_scores(const Model& model, const std::vector<double>& rows) {
  ThreadPool pool(1);
  const std::vector<double> y = prepared(model.config.preparation, rows);
  std::vector<double> out(rows.size() / model.config.preparation.inputs), f(out.size());
  for (std::size_t m = 0; m < model.members.size(); ++m) {
    const MemberConfig& member = model.config.members[m];
    Perceptron<double> network(member.network);
    network.pack(model.members[m].data(), false);
    network.score(pool, model.members[m].data(), y.data(), static_cast<int>(out.size()), f.data());
    for (std::size_t i = 0; i < f.size(); ++i)
      out[i] += ((member.logarithm ? std::log(f[i]) : f[i]) - member.mean) / member.deviation;
  }
  return out;
}

template <class T>
void meet(const std::vector<T>& got, const std::vector<double>& want, double tolerance) {
  CHECK(got.size() == want.size());
  double scale = 0;
  for (const double w : want) scale = std::max(scale, std::abs(w));
  for (std::size_t i = 0; i < want.size(); ++i) CHECK_NEAR(got[i], want[i], tolerance * scale);
}

// Some events with as many objects as there may be, so that a block ends before its count of events is full.
EventColumns<double> sample(Random& random, int count) {
  EventColumns<double> events = random_events<double>(random, count);
  for (int k = 0; k < std::min(count, 12); ++k) {
    Event<double> full;
    while (full.add({random.uniform(15, 90), random.uniform(-2, 2), random.uniform(-3, 3), Kind::kJet})) {
    }
    events.append(full);
  }
  return events;
}

}  // namespace

TEST(scores_are_those_of_the_steps_one_by_one) {
  Random random(1);
  ThreadPool pool(3);
  const std::vector<Kind> none, some{Kind::kJet, Kind::kMuon}, all{Kind::kMet, Kind::kElectron, Kind::kMuon, Kind::kJet};
  // the pooled vector, each head layer, and windows that begin, end and lie across others
  for (const auto& [from, to] : {std::pair{0, 24}, {24, 34}, {34, 44}, {44, 54}, {3, 20}, {20, 40}, {0, 54}})
    for (const bool matrix : {false, true})
      for (const int count : {0, 1, 96, 97, 500}) {
        const Detector detector = count == 1 || count == 500 ? Detector::kBoth : count == 97 ? Detector::kRatio : Detector::kPlain;
        const Model one = model(random, from, to, matrix, matrix ? Activation::kElu : Activation::kLeakyRelu, count % 2 == 1,
                                count == 96 ? Mask::kContinuous : Mask::kHard, detector, count < 97 ? none : count == 97 ? some : all);
        const EventColumns<double> events = sample(random, count);
        const std::vector<double> rows = representations(one, events), want = plain_scores(one, rows);
        Scorer<double> wide = scorer<double>(one);
        Scorer<float> narrow = scorer<float>(one);
        meet(scores(wide, &pool, events), want, 1e-10);
        meet(scores(narrow, &pool, cast<float>(events)), want, 1e-5);
        std::vector<double> embedded(rows.size());
        wide.embed(&pool, events, embedded.data());
        meet(embedded, rows, 1e-13);
      }
}

template <class T>
void same_in_every_company(Detector detector) {
  Random random(2);
  const Model one = model(random, 0, 24, true, Activation::kElu, false, Mask::kHard, detector);
  Scorer<T> made = scorer<T>(one);
  const EventColumns<T> events = cast<T>(sample(random, 1000));
  const std::vector<T> want = scores(made, nullptr, events);
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(scores(made, &pool, events) == want);
    for (const int e : {0, 1, 500, 999, 1011}) CHECK(scores(made, &pool, take(events, {e}))[0] == want[e]);
    const std::vector<int> order = random_order(random, events.events());
    const std::vector<T> mixed = scores(made, &pool, take(events, order));
    for (std::size_t i = 0; i < order.size(); ++i) CHECK(mixed[i] == want[order[i]]);
  }
}

TEST(a_score_does_not_depend_on_batch_or_threads) {
  for (const Detector detector : {Detector::kPlain, Detector::kBoth}) {
    same_in_every_company<float>(detector);
    same_in_every_company<double>(detector);
  }
}

TEST(rows_without_an_encoder) {
  Random random(3);
  ThreadPool pool(2);
  for (const bool matrix : {false, true})
    for (const int rows : {1, 95, 400}) {
      Model one = model(random, 0, 24, matrix, Activation::kRelu);
      one.config.encoder.reset();
      one.encoder.clear();
      const auto x = random.normals<double>(std::size_t(rows) * 24);
      const std::vector<double> want = plain_scores(one, x);
      Scorer<double> wide = scorer<double>(one);
      Scorer<float> narrow = scorer<float>(one);
      std::vector<double> got(rows), here(rows);
      wide.score_rows(&pool, x.data(), rows, got.data());
      wide.score_rows(nullptr, x.data(), rows, here.data());
      meet(got, want, 1e-10);
      CHECK(got == here);
      std::vector<float> single(rows);
      narrow.score_rows(&pool, std::vector<float>(x.begin(), x.end()).data(), rows, single.data());
      meet(single, want, 1e-5);
    }
}

// The sum runs in double, in which a lone member that is taken as it is stays what it is.
TEST(a_plain_member_is_its_score_to_the_bit) {
  Random random(6);
  Model one = model(random, 0, 24, true, Activation::kElu);
  one.config.encoder.reset();
  const auto x = random.normals<float>(200 * 24);
  std::vector<float> got(200), prepared(200 * 23), want(200);
  scorer<float>(one).score_rows(nullptr, x.data(), 200, got.data());
  ThreadPool pool(1);
  Preparation<float>(one.config.preparation).apply(pool, x.data(), 200, prepared.data());
  Perceptron<float> network(one.config.members[0].network);
  const std::vector<float> weights(one.members[0].begin(), one.members[0].end());
  network.pack(weights.data(), false);
  network.score(pool, weights.data(), prepared.data(), 200, want.data());
  CHECK(got == want);
}

TEST(a_preparation_keeps_digits_far_from_zero) {
  Random random(4);
  ThreadPool pool(2);
  PreparationConfig config{3, 2, {1000.00001234567, -3e4, 0.1}, {100, 1, -20, 0.5, -80, 3}};
  CHECK(config.check().ok());
  std::vector<double> x;
  for (int r = 0; r < 300; ++r)
    for (const double m : config.mean) x.push_back(static_cast<float>(m + 0.5 * random.normal()));
  const std::vector<double> want = prepared(config, x);
  std::vector<double> wide(want.size());
  Preparation<double>(config).apply(pool, x.data(), 300, wide.data());
  meet(wide, want, 1e-12);
  std::vector<float> narrow(want.size());
  Preparation<float>(config).apply(pool, std::vector<float>(x.begin(), x.end()).data(), 300, narrow.data());
  meet(narrow, want, 3e-7);

  config.matrix.clear();
  config.outputs = 3;
  std::vector<double> same(x.size());
  Preparation<double>(config).apply(pool, x.data(), 300, same.data());
  CHECK(same == x);
}

TEST(parts_that_do_not_fit_are_refused) {
  Random random(5);
  const auto refused = [&](auto change) {
    ScorerConfig config = model(random, 0, 24, true, Activation::kRelu).config;
    change(config);
    CHECK(!config.check().ok());
  };
  refused([](ScorerConfig& c) { c.from = -1; });
  refused([](ScorerConfig& c) { c.to = 55; });
  refused([](ScorerConfig& c) { c.to = 0; });
  refused([](ScorerConfig& c) { c.to = 23; });
  refused([](ScorerConfig& c) { c.encoder->heads = 5; });
  refused([](ScorerConfig& c) { c.preparation.inputs = 0; });
  refused([](ScorerConfig& c) { c.preparation.mean.pop_back(); });
  refused([](ScorerConfig& c) { c.preparation.matrix.pop_back(); });
  refused([](ScorerConfig& c) { c.preparation.matrix.clear(); });
  refused([](ScorerConfig& c) { c.preparation.outputs = 22; });
  refused([](ScorerConfig& c) { c.members[0].network.widths = {22, 3, 22}; });
  refused([](ScorerConfig& c) { c.members[0].network.learns = Learns::kClass; });
  refused([](ScorerConfig& c) { c.members[0].deviation = 0; });
  refused([](ScorerConfig& c) { c.members[0].mean = NAN; });
  refused([](ScorerConfig& c) { c.members.clear(); });
  refused([](ScorerConfig& c) { c.members.resize(65, c.members[0]); });
  refused([](ScorerConfig& c) { c.members.push_back({{{23, 4, 1}, Activation::kElu, false, Learns::kClass}, true}); });
}

}  // namespace aclr
