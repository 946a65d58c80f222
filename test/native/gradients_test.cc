// Every backward against finite differences, on ragged batches with empty events.
#include "differences.h"
#include "model/contrast.h"
#include "model/encoder.h"
#include "model/perceptron.h"

namespace aclr {
namespace {

double weighted(const double* values, const std::vector<double>& by) {
  double sum = 0;
  for (std::size_t i = 0; i < by.size(); ++i) sum += values[i] * by[i];
  return sum;
}

std::string told(const EncoderConfig& c) {
  return std::string(c.mask == Mask::kHard ? "hard" : "continuous") + (c.head_norm ? " norm" : "") + " head " +
         std::to_string(c.head_layers) + " features " + std::to_string(c.features.count) + " dropout " + std::to_string(c.dropout);
}

void meet_encoder(const EncoderConfig& config, Random& random, Differences& differences) {
  Encoder<double> encoder(config);
  auto weights = random_weights<double>(random, encoder.layout());
  auto rows = random_tokens<double>(random, 6, config.features.count);
  const TokenBlock<double> block(rows, config.features.count, 0, 6);
  ThreadPool pool(1);
  // the key is fixed, so that every pass has the same masks
  const DropoutKey key{static_cast<std::uint64_t>(random.integer(0, 1000)), 3, 1, config.dropout > 0};
  const auto by = random.normals<double>(std::size_t(rows.events()) * encoder.rep_row());
  EncoderTape<double> tape;
  EncoderScratch<double> scratch;
  const auto value = [&] {
    encoder.pack(pool, weights.data(), false);
    encoder.forward(weights.data(), block, key, tape, scratch);
    return weighted(tape.reps.data(), by);
  };
  value();
  encoder.pack(pool, weights.data(), true);
  Guarded<double> dweights(weights.size(), 0.5), dx(rows.x.size(), 7);  // added to, overwritten
  auto dreps = by;
  encoder.backward(weights.data(), block, key, tape, scratch, dreps.data(), dweights.data(), dx.data());
  CHECK(dweights.intact() && dx.intact());

  for (const WeightInfo& w : encoder.layout())
    for (int i = 0; i < 2; ++i) {
      const std::size_t at = w.offset + static_cast<std::size_t>(random.integer(0, static_cast<int>(w.count) - 1));
      differences.meet(dweights[at] - 0.5, &weights[at], value, told(config) + " " + w.name);
    }
  for (int i = 0; i < 12; ++i) {
    const std::size_t at = static_cast<std::size_t>(random.integer(0, static_cast<int>(rows.x.size()) - 1));
    differences.meet(dx[at], &rows.x[at], value, told(config) + " x");
  }
}

}  // namespace

TEST(encoder) {
  Random random(1);
  Differences differences;
  for (const Mask mask : {Mask::kHard, Mask::kContinuous})
    for (const bool head_norm : {false, true})
      for (int head_layers = 0; head_layers <= 3; ++head_layers)
        for (const int features : {7, 8})
          for (const double dropout : {0.0, 0.1, 0.4}) {
            EncoderConfig config{{features, PtFeature::kLinear, 40}, mask, 6, 2, 2, 5, 4, head_layers, head_norm, dropout};
            meet_encoder(config, random, differences);
          }
  differences.report();
}

TEST(encoders_of_odd_shapes) {
  Random random(2);
  Differences differences;
  const int shapes[][5] = {{1, 1, 1, 1, 1}, {8, 8, 3, 17, 2}, {33, 3, 1, 2, 19}, {4, 1, 0, 4, 4}, {5, 5, 0, 1, 3}};
  for (const auto& [width, heads, layers, feed_forward, output] : shapes)
    for (const Mask mask : {Mask::kHard, Mask::kContinuous})
      meet_encoder({{7, PtFeature::kLinear, 40}, mask, width, heads, layers, feed_forward, output, 2, true, 0.2}, random, differences);
  differences.report();
}

// Tapes serve one batch after another: nothing of the last one may show.
TEST(a_tape_that_was_used_before) {
  Random random(8);
  EncoderConfig config{{7, PtFeature::kLinear, 40}, Mask::kContinuous, 6, 2, 2, 5, 4, 2, true, 0.2};
  Encoder<double> encoder(config);
  const auto weights = random_weights<double>(random, encoder.layout());
  ThreadPool pool(1);
  encoder.pack(pool, weights.data(), true);
  const auto passes = [&](const TokenRows<double>& rows, EncoderTape<double>& tape, EncoderScratch<double>& scratch) {
    const TokenBlock<double> block(rows, 7, 0, rows.events());
    const std::size_t reps = std::size_t(block.events) * encoder.rep_row();
    std::vector<double> out;
    for (int levels = 0; levels <= config.head_layers; ++levels) {  // between two trainings, as validation comes
      encoder.infer(weights.data(), block, levels, tape, scratch);
      for (int e = 0; e < block.events; ++e)
        for (int c = 0; c < encoder.rep_offset(levels) + encoder.rep_width(levels); ++c)
          out.push_back(tape.reps.data()[std::size_t(e) * encoder.rep_row() + c]);
    }
    encoder.forward(weights.data(), block, {1, 2, 0, true}, tape, scratch);
    out.insert(out.end(), tape.reps.data(), tape.reps.data() + reps);
    std::vector<double> dreps(reps, 0.7), dweights(weights.size(), 0.0), dx(rows.x.size());
    encoder.backward(weights.data(), block, {1, 2, 0, true}, tape, scratch, dreps.data(), dweights.data(), dx.data());
    for (const auto* part : {&dreps, &dweights, &dx}) out.insert(out.end(), part->begin(), part->end());
    return out;
  };
  EncoderTape<double> used;
  EncoderScratch<double> used_scratch;
  for (const int events : {40, 3, 17, 1, 40, 8}) {
    const auto rows = random_tokens<double>(random, events, 7);
    EncoderTape<double> fresh;
    EncoderScratch<double> fresh_scratch;
    CHECK_FOR(passes(rows, used, used_scratch) == passes(rows, fresh, fresh_scratch), std::to_string(events));
  }
}

// A pass that keeps nothing gives what the one for training gives, and a part of a block what the whole gives.
TEST(inference_is_the_forward_without_dropout) {
  Random random(9);
  for (const Mask mask : {Mask::kHard, Mask::kContinuous}) {
    EncoderConfig config{{7, PtFeature::kLinear, 40}, mask, 24, 2, 3, 10, 4, 2, true, 0.2};
    Encoder<float> encoder(config);
    const auto weights = random_weights<float>(random, encoder.layout());
    ThreadPool pool(1);
    encoder.pack(pool, weights.data(), false);
    const auto rows = random_tokens<float>(random, 30, 7);
    EncoderTape<float> trained, inferred;
    EncoderScratch<float> scratch;
    encoder.forward(weights.data(), {rows, 7, 0, 30}, {}, trained, scratch);
    encoder.infer(weights.data(), {rows, 7, 0, 30}, 2, inferred, scratch);
    const std::size_t row = encoder.rep_row();
    CHECK(std::equal(trained.reps.data(), trained.reps.data() + 30 * row, inferred.reps.data()));
    encoder.infer(weights.data(), {rows, 7, 11, 19}, 2, inferred, scratch);
    for (std::size_t i = 0; i < 8 * row; ++i) CHECK_NEAR(inferred.reps.data()[i], trained.reps.data()[11 * row + i], 1e-5);
  }
}

TEST(encoder_without_any_token) {
  EncoderConfig config{{7, PtFeature::kLinear, 40}, Mask::kContinuous, 6, 2, 2, 5, 4, 2, true, 0.1};
  Encoder<double> encoder(config);
  Random random(3);
  const auto weights = random_weights<double>(random, encoder.layout());
  ThreadPool pool(1);
  encoder.pack(pool, weights.data(), true);
  TokenRows<double> rows;
  for (int e = 0; e < 3; ++e) {
    rows.offsets.push_back(0);
    rows.ids.push_back(e);
  }
  const TokenBlock<double> block(rows, 7, 0, 3);
  EncoderTape<double> tape;
  EncoderScratch<double> scratch;
  encoder.forward(weights.data(), block, {1, 0, 0, true}, tape, scratch);
  for (int c = 0; c < config.width; ++c) CHECK(tape.reps.data()[c] == 0);
  std::vector<double> dreps(3 * encoder.rep_row(), 1.0), dweights(weights.size(), 0.0), dx;
  encoder.backward(weights.data(), block, {1, 0, 0, true}, tape, scratch, dreps.data(), dweights.data(), dx.data());
  double sum = 0;
  for (const WeightInfo& w : encoder.layout())
    for (std::size_t i = 0; i < w.count; ++i) {
      CHECK(std::isfinite(dweights[w.offset + i]));
      if (w.name.rfind("transformer", 0) == 0) CHECK(dweights[w.offset + i] == 0);
      sum += std::abs(dweights[w.offset + i]);
    }
  CHECK(sum > 0);  // the head still learns
}

TEST(contrastive_losses) {
  Random random(4);
  Differences differences;
  ThreadPool pool(2);
  for (const LossEntry<double>& loss : kLosses<double>)
    for (const int n : {2, 3, 7, 50, 130})
      for (const double temperature : {0.07, 0.5, 5.0})
        for (const LossWeights& weights : {LossWeights{1, 1}, LossWeights{0.3, 1.7}, LossWeights{2.5, 0}}) {
          const int d = random.integer(1, 9), views = loss.info.uses_anomalous ? 3 : 2;
          std::vector<double> z[3];
          std::vector<Guarded<double>> dz;
          ContrastBatch<double> batch{n, d, {}, {}};
          ContrastScratch<double> scratch;
          for (int v = 0; v < views; ++v) {
            z[v] = random.normals<double>(std::size_t(n) * d);
            dz.emplace_back(std::size_t(n) * d);
          }
          for (int v = 0; v < views; ++v) {
            batch.z[v] = z[v].data();
            batch.dz[v] = dz[v].data();
          }
          double got = 0;
          CHECK(contrast(pool, ops<double>(), loss, weights, temperature, batch, scratch, &got).ok());
          ContrastBatch<double> forward = batch;
          std::fill_n(forward.dz, 3, nullptr);
          const auto value = [&] {
            double out = 0;
            CHECK(contrast(pool, ops<double>(), loss, weights, temperature, forward, scratch, &out).ok());
            return out;
          };
          CHECK(value() == got);
          for (int v = 0; v < views; ++v) {
            CHECK(dz[v].intact());
            for (int k = 0; k < 3; ++k) {
              const int i = random.integer(0, n - 1), c = random.integer(0, d - 1);
              differences.meet(dz[v][std::size_t(i) * d + c], &z[v][std::size_t(i) * d + c], value,
                               std::string(loss.info.name) + " of " + std::to_string(n) + " view " + std::to_string(v), 1e-5);
            }
          }
        }
  differences.report();
}

TEST(autoencoder) {
  Random random(5);
  Differences differences;
  ThreadPool pool(3);
  for (const Activation activation : {Activation::kRelu, Activation::kLeakyRelu, Activation::kElu})
    for (const bool bottleneck : {false, true})
      for (const std::vector<int>& widths : {std::vector<int>{5, 3, 5}, {7, 9, 2, 4, 7}, {33, 20, 6, 20, 33}, {1, 1, 1, 1}})
        for (const int rows : {1, 6, 129, 700}) {
          Perceptron<double> model({widths, activation, bottleneck});
          auto weights = random_weights<double>(random, model.layout());
          const auto x = random.normals<double>(std::size_t(rows) * widths[0]);
          model.pack(weights.data(), true);
          const double* gradient = nullptr;
          const double got = model.loss(pool, weights.data(), x.data(), nullptr, rows, &gradient);
          const std::vector<double> dweights(gradient, gradient + weights.size());
          const auto value = [&] {  // by the scores, which share no sum with the loss
            model.pack(weights.data(), false);
            std::vector<double> score(rows);
            model.score(pool, weights.data(), x.data(), rows, score.data());
            double sum = 0;
            for (const double s : score) sum += s;
            return sum / rows;
          };
          CHECK_NEAR(got, value(), 1e-12 * got);
          for (const WeightInfo& w : model.layout())
            for (int k = 0; k < 2; ++k) {
              const std::size_t at = w.offset + static_cast<std::size_t>(random.integer(0, static_cast<int>(w.count) - 1));
              differences.meet(dweights[at], &weights[at], value, w.name + " rows " + std::to_string(rows));
            }
        }
  differences.report();
}

TEST(classifier) {
  Random random(15);
  Differences differences;
  ThreadPool pool(3);
  for (const Activation activation : {Activation::kRelu, Activation::kLeakyRelu, Activation::kElu})
    for (const std::vector<int>& widths : {std::vector<int>{5, 1}, {7, 9, 2, 1}, {33, 20, 6, 1}})
      for (const int rows : {1, 6, 129, 700}) {
        Perceptron<double> model({widths, activation, false, Learns::kClass});
        auto weights = random_weights<double>(random, model.layout());
        const auto x = random.normals<double>(std::size_t(rows) * widths[0], rows == 6 ? 30 : 1);  // far into either class
        std::vector<std::uint8_t> y(rows);
        for (std::uint8_t& c : y) c = static_cast<std::uint8_t>(random.integer(0, 1));
        model.pack(weights.data(), true);
        const double* gradient = nullptr;
        const double got = model.loss(pool, weights.data(), x.data(), y.data(), rows, &gradient);
        const std::vector<double> dweights(gradient, gradient + weights.size());
        const auto value = [&] {  // -log p(y | x), by the scores
          model.pack(weights.data(), false);
          std::vector<double> z(rows);
          model.score(pool, weights.data(), x.data(), rows, z.data());
          double sum = 0;
          for (int r = 0; r < rows; ++r) sum += std::log(1 + std::exp(y[r] ? -z[r] : z[r]));
          return sum / rows;
        };
        CHECK_NEAR(got, value(), 1e-12 * (1 + got));
        for (const WeightInfo& w : model.layout())
          for (int k = 0; k < 2; ++k) {
            const std::size_t at = w.offset + static_cast<std::size_t>(random.integer(0, static_cast<int>(w.count) - 1));
            differences.meet(dweights[at], &weights[at], value, w.name + " rows " + std::to_string(rows));
          }
      }
  differences.report();
}

TEST(log_odds_far_out_stay_finite) {
  ThreadPool pool(1);
  Perceptron<float> model({{1, 1}, Activation::kElu, false, Learns::kClass});
  const std::vector<float> weights{1, 0}, x{1e30f, -1e30f, 1e30f, -1e30f};
  const std::vector<std::uint8_t> y{1, 0, 0, 1};
  model.pack(weights.data(), true);
  const float* gradient = nullptr;
  CHECK(model.loss(pool, weights.data(), x.data(), y.data(), 2, &gradient) == 0);
  CHECK(gradient[0] == 0 && gradient[1] == 0);
  CHECK_NEAR(model.loss(pool, weights.data(), x.data() + 2, y.data() + 2, 2, &gradient), 1e30, 1e24);
  CHECK_NEAR(gradient[0], 1e30, 1e24);
}

TEST(layer_norm) {
  Random random(6);
  Differences differences;
  for (const int d : {2, 3, 16, 37}) {
    const int rows = 4;
    std::vector<double> x = random.normals<double>(rows * d, 2), branch = random.normals<double>(rows * d);
    std::vector<double> gain = random.normals<double>(d), offset = random.normals<double>(d);
    std::vector<double> out(rows * d), normal(rows * d), rstd(rows), by = random.normals<double>(rows * d);
    const auto value = [&] {
      ops<double>().layer_norm({rows, d, x.data(), branch.data(), gain.data(), offset.data(), out.data(), normal.data(), rstd.data()});
      return weighted(out.data(), by);
    };
    value();
    std::vector<double> ds(rows * d), dgain(d), doffset(d);
    ops<double>().layer_norm_backward({rows, d, by.data(), normal.data(), rstd.data(), gain.data(), ds.data(), dgain.data(), doffset.data()});
    for (int i = 0; i < rows * d; ++i) {
      differences.meet(ds[i], &x[i], value, "x");
      differences.meet(ds[i], &branch[i], value, "branch");
    }
    for (int i = 0; i < d; ++i) {
      differences.meet(dgain[i], &gain[i], value, "gain");
      differences.meet(doffset[i], &offset[i], value, "offset");
    }
  }
  differences.report();
}

TEST(attention) {
  Random random(7);
  Differences differences;
  for (const int heads : {1, 3})
    for (const bool with_bias : {false, true})
      for (const bool with_keep : {false, true}) {
        const int d = 6;
        const std::vector<std::int32_t> offsets{0, 3, 3, 4, 16};
        const int events = 4, tokens = 16, pairs = heads * (3 * 8 + 1 * 8 + 12 * 16);
        std::vector<double> qkv = random.normals<double>(tokens * 3 * d), bias = random.normals<double>(tokens);
        std::vector<double> probs(pairs), out(tokens * d), by = random.normals<double>(tokens * d);
        const auto keep = random.keeps(pairs);
        const std::uint8_t* kept = with_keep ? keep.data() : nullptr;
        const auto value = [&] {
          ops<double>().attention({events, heads, d, offsets.data(), qkv.data(), with_bias ? bias.data() : nullptr, kept, 1.25,
                                   probs.data(), out.data()});
          return weighted(out.data(), by);
        };
        value();
        std::vector<double> dqkv(qkv.size()), dbias(tokens);
        ops<double>().attention_backward({events, heads, d, offsets.data(), qkv.data(), probs.data(), by.data(), kept, 1.25,
                                          dqkv.data(), with_bias ? dbias.data() : nullptr});
        for (std::size_t i = 0; i < qkv.size(); ++i) differences.meet(dqkv[i], &qkv[i], value, "qkv");
        for (int t = 0; with_bias && t < tokens; ++t) differences.meet(dbias[t], &bias[t], value, "bias");
      }
  differences.report();
}

}  // namespace aclr
