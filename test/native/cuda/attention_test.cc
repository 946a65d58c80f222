// Attention on the device against the portable oracle in double, for events of every size and heads of every width.
#include "core/rng.h"
#include "cuda/kernels/ops.h"
#include "device_array.h"
#include "kernels/targets.h"
#include "support.h"

namespace aclr::cuda {
namespace {

// Some events of given sizes, two views of each, as the kernels and the oracle want them.
struct Batch {
  int batch, heads, d, most = 0, capacity;
  std::vector<std::int32_t> offsets{0};
  std::vector<std::uint32_t> ids;
  std::vector<double> qkv, dout, key_bias;
  int threshold = 0;
  StepInput input{0x12345678u, 0x9abcdef0u, 3, 0};
  static constexpr int kSite = 8;  // of the third layer

  Batch(Random& random, const std::vector<int>& sizes, int heads_, int width, double scale = 1)
      : batch(static_cast<int>(sizes.size())), heads(heads_), d(heads_ * width) {
    for (int view = 0; view < 2; ++view)
      for (std::size_t e = 0; e < sizes.size(); ++e) {
        const int n = view == 0 ? sizes[e] : sizes[sizes.size() - 1 - e];
        offsets.push_back(offsets.back() + n);
        most = std::max(most, n);
      }
    for (int e = 0; e < batch; ++e) ids.push_back(static_cast<std::uint32_t>(random.integer(0, 1 << 24)));
    capacity = tokens() + 5;
    qkv = random.normals<double>(static_cast<std::size_t>(tokens()) * 3 * d, scale);
    dout = random.normals<double>(static_cast<std::size_t>(tokens()) * d);
    for (int t = 0; t < tokens(); ++t) key_bias.push_back(random.uniform(-3, 1));
  }
  int events() const { return static_cast<int>(offsets.size()) - 1; }
  int tokens() const { return offsets.back(); }
  int size(int e) const { return offsets[e + 1] - offsets[e]; }

  // As Encoder::draw_keeps has them.
  std::vector<std::uint8_t> keeps() const {
    std::vector<std::uint8_t> all;
    for (int e = 0; e < events(); ++e) {
      std::vector<std::uint8_t> keep(static_cast<std::size_t>(heads) * size(e) * padded_keys(size(e)));
      const std::uint32_t stream = stream_id(Purpose::kDropout, static_cast<std::uint32_t>(e / batch), kSite);
      portable_f64.dropout_keep({input.key0, input.key1, input.epoch, ids[e % batch], stream, static_cast<int>(keep.size()),
                                 threshold, keep.data()});
      all.insert(all.end(), keep.begin(), keep.end());
    }
    return all;
  }
};

struct Results {
  std::vector<double> out, dqkv, dkey_bias;
};

Results oracle(const Batch& b, bool bias) {
  const std::vector<std::uint8_t> keeps = b.keeps();
  const std::uint8_t* keep = b.threshold > 0 ? keeps.data() : nullptr;
  const double scale = b.threshold > 0 ? keep_scale(b.threshold) : 1, *key_bias = bias ? b.key_bias.data() : nullptr;
  std::vector<double> probs(keeps.size() + 1);
  Results r;
  r.out.resize(b.dout.size());
  r.dqkv.resize(b.qkv.size());
  r.dkey_bias.resize(b.key_bias.size());
  portable_f64.attention({b.events(), b.heads, b.d, b.offsets.data(), b.qkv.data(), key_bias, keep, scale, probs.data(),
                          r.out.data()});
  portable_f64.attention_backward({b.events(), b.heads, b.d, b.offsets.data(), b.qkv.data(), probs.data(), b.dout.data(),
                                   keep, scale, r.dqkv.data(), r.dkey_bias.data()});
  return r;
}

template <class S>
std::vector<S> as_stored(const std::vector<double>& x, std::size_t count) {
  std::vector<S> out(count, stored<S>(77));  // what stands behind the last token is nobody's
  for (std::size_t i = 0; i < x.size(); ++i) out[i] = stored<S>(static_cast<Real<S>>(x[i]));
  return out;
}

// Checks [capacity, row] against rows of the oracle, and zeros behind; the tolerance is relative above 1.
template <class S>
void compare(const std::vector<S>& got, const std::vector<double>& wanted, double tolerance) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double x = static_cast<double>(real(got[i]));
    if (i < wanted.size()) CHECK_NEAR(x, wanted[i], tolerance * std::max(1.0, std::abs(wanted[i])));
    else CHECK(x == 0);
  }
}

template <class S>
struct Launched {
  std::vector<S> out, dqkv;
  std::vector<Real<S>> dkey_bias;
};

// `shift`: numbers begin so many places past an aligned one.
template <class S>
Launched<S> launch_both(const Batch& b, bool bias, int shift = 0) {
  const std::size_t rows = static_cast<std::size_t>(b.capacity), d = static_cast<std::size_t>(b.d);
  DeviceArray<S> qkv(as_stored<S>(b.qkv, rows * 3 * d), shift), dout(as_stored<S>(b.dout, rows * d), shift);
  DeviceArray<S> out(rows * d, shift), dqkv(rows * 3 * d, shift);
  DeviceArray<Real<S>> key_bias(as_stored<Real<S>>(b.key_bias, rows)), dkey_bias(rows * static_cast<std::size_t>(b.heads));
  DeviceArray<std::int32_t> offsets(b.offsets), count(std::vector<std::int32_t>{b.tokens()});
  DeviceArray<std::uint32_t> ids(b.ids);
  DeviceArray<StepInput> input(std::vector<StepInput>{b.input});
  const Tokens tokens{{b.capacity, count}, b.events(), b.batch, b.most, offsets, nullptr};
  const Dropout dropout{b.threshold, Batch::kSite, input, ids};
  attention<S>({tokens, b.heads, b.d, qkv, bias ? key_bias.data() : nullptr, out, dropout}, nullptr);
  attention_backward<S>({tokens, b.heads, b.d, qkv, dout, bias ? key_bias.data() : nullptr, dqkv,
                         bias ? dkey_bias.data() : nullptr, dropout},
                        nullptr);
  Launched<S> r{out.get(), dqkv.get(), {}};
  if (bias) r.dkey_bias = dkey_bias.get();
  return r;
}

template <class S>
void check_batch(Batch b, bool bias, double tolerance, int shift = 0) {
  // what S cannot hold is none of the kernel's errors
  for (std::vector<double>* x : {&b.qkv, &b.dout})
    for (double& y : *x) y = static_cast<double>(real(stored<S>(static_cast<Real<S>>(y))));
  const Results wanted = oracle(b, bias);
  const Launched<S> got = launch_both<S>(b, bias, shift);
  compare(got.out, wanted.out, tolerance);
  compare(got.dqkv, wanted.dqkv, tolerance);
  if (!bias) return;
  std::vector<double> summed(static_cast<std::size_t>(b.capacity));
  for (std::size_t h = 0; h < static_cast<std::size_t>(b.heads); ++h)
    for (std::size_t t = 0; t < summed.size(); ++t) {
      const double x = got.dkey_bias[h * summed.size() + t];
      summed[t] += x;
      if (t >= static_cast<std::size_t>(b.tokens())) CHECK(x == 0);
    }
  compare(summed, wanted.dkey_bias, tolerance * b.heads);
}

const std::vector<int> kSizes{0, 1, 2, 7, 0, 19, 20, 33, 64, 3, 8, 9, 16, 17};

template <class S>
void check_all(double tolerance) {
  Random random(1);
  for (const int width : {1, 3, 8, 32, 40, 64, 100})
    for (const bool bias : {false, true}) {
      Batch b(random, kSizes, width == 40 ? 4 : 3, width, 0.7);
      b.threshold = bias ? 64 : 0;
      check_batch<S>(b, bias, tolerance);
      b.threshold = bias ? 0 : 26;
      check_batch<S>(b, bias, tolerance);
    }
}

}  // namespace

TEST(f64_is_the_oracle) { check_all<double>(1e-12); }
TEST(f32_is_near_it) { check_all<float>(1e-5); }
TEST(bf16_is_near_it) { check_all<bf16>(2e-2); }

// A pool of the usual size holds these in pieces, or by scalar loads.
TEST(wide_heads_and_odd_addresses) {
  Random random(2);
  check_batch<double>(Batch(random, {5, 0, 64, 17}, 1, 333, 0.3), true, 1e-12);
  check_batch<float>(Batch(random, {5, 16}, 1, 4096, 0.1), true, 1e-5);
  check_batch<float>(Batch(random, {6, 7}, 4, 40), false, 1e-5, 1);
  check_batch<bf16>(Batch(random, {6, 7, 30}, 2, 600, 0.2), true, 2e-2);
  check_batch<bf16>(Batch(random, {6, 7}, 4, 40), true, 2e-2, 2);
}

TEST(nothing_but_empty_events) {
  Random random(3);
  for (const std::vector<int>& sizes : {std::vector<int>{}, std::vector<int>{0}, std::vector<int>{0, 0, 0}})
    check_batch<float>(Batch(random, sizes, 4, 8), true, 0);
}

template <class S>
void check_twice(const Batch& b) {
  const auto once = launch_both<S>(b, true), again = launch_both<S>(b, true);
  const auto same = [](const auto& x, const auto& y) {
    return std::memcmp(x.data(), y.data(), x.size() * sizeof(x[0])) == 0;
  };
  CHECK(same(once.out, again.out) && same(once.dqkv, again.dqkv) && same(once.dkey_bias, again.dkey_bias));
}

TEST(the_same_bits_each_time) {
  Random random(4);
  Batch b(random, kSizes, 4, 24);
  b.threshold = 26;
  check_twice<float>(b);
  check_twice<bf16>(b);
}

// sum(out * dout) along a direction, by differences.
TEST(gradients_are_differences) {
  Random random(5);
  for (const int threshold : {0, 64}) {
    Batch b(random, {1, 4, 0, 9}, 2, 5);
    b.threshold = threshold;
    const auto value = [&](const Batch& at) {
      const auto out = launch_both<double>(at, true).out;
      double sum = 0;
      for (std::size_t i = 0; i < at.dout.size(); ++i) sum += at.dout[i] * out[i];
      return sum;
    };
    const auto got = launch_both<double>(b, true);
    const auto along = random.normals<double>(b.qkv.size()), bias_along = random.normals<double>(b.key_bias.size());
    double derivative = 0, bias_derivative = 0;
    for (std::size_t i = 0; i < along.size(); ++i) derivative += along[i] * got.dqkv[i];
    for (int h = 0; h < b.heads; ++h)
      for (int t = 0; t < b.tokens(); ++t)
        bias_derivative += bias_along[t] * got.dkey_bias[static_cast<std::size_t>(h) * b.capacity + t];
    constexpr double kStep = 1e-5;
    const auto moved = [&](double qkv_step, double bias_step) {
      Batch m = b;
      for (std::size_t i = 0; i < along.size(); ++i) m.qkv[i] += qkv_step * along[i];
      for (std::size_t t = 0; t < bias_along.size(); ++t) m.key_bias[t] += bias_step * bias_along[t];
      return value(m);
    };
    CHECK(std::abs(derivative) > 1e-3 && std::abs(bias_derivative) > 1e-3);
    CHECK_NEAR((moved(kStep, 0) - moved(-kStep, 0)) / (2 * kStep), derivative, 1e-7 * (1 + std::abs(derivative)));
    CHECK_NEAR((moved(0, kStep) - moved(0, -kStep)) / (2 * kStep), bias_derivative, 1e-7 * (1 + std::abs(bias_derivative)));
  }
}

// Equal logits and values of 1 tell how many draws of a row were kept.
template <class S>
void check_draws(double tolerance) {
  Random random(6);
  Batch b(random, {7, 20, 1, 3, 16, 9}, 3, 8, 0);
  b.threshold = 100;
  for (int t = 0; t < b.tokens(); ++t)
    for (int c = 0; c < b.d; ++c) b.qkv[static_cast<std::size_t>(t) * 3 * b.d + 2 * b.d + c] = 1;
  const auto got = launch_both<S>(b, false).out;
  const auto keeps = b.keeps();
  std::size_t at = 0;
  int differ = 0;
  for (int e = 0; e < b.events(); ++e)
    for (int h = 0; h < b.heads; ++h)
      for (int i = 0; i < b.size(e); ++i) {
        int kept = 0;
        for (int j = 0; j < padded_keys(b.size(e)); ++j, ++at)
          if (j < b.size(e)) kept += keeps[at];
        const double share = static_cast<double>(real(got[static_cast<std::size_t>(b.offsets[e] + i) * b.d + h * 8]));
        CHECK_NEAR(share * b.size(e) / keep_scale(b.threshold), kept, tolerance);
        differ += kept > 0 && kept < b.size(e);
      }
  CHECK(differ > 50);
}

TEST(dropout_draws_are_those_of_the_cpu) {
  check_draws<double>(1e-10);
  check_draws<bf16>(0.2);
}

}  // namespace aclr::cuda
