#include "core/rng.h"

#include "support.h"

namespace aclr {

TEST(philox_known_answers) {  // kat_vectors of Random123
  struct Case {
    Words counter;
    std::uint32_t key0, key1;
    Words answer;
  };
  constexpr std::uint32_t f = 0xffffffff;
  const Case cases[] = {
      {{{0, 0, 0, 0}}, 0, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{f, f, f, f}}, f, f, {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
  };
  for (const Case& c : cases) {
    const Words got = philox4x32(c.counter, c.key0, c.key1);
    for (int i = 0; i < 4; ++i) CHECK(got.w[i] == c.answer.w[i]);
  }
}

TEST(words_come_block_by_block_and_key_on_everything) {
  const std::uint64_t seed = (std::uint64_t{5} << 32) + 7;
  Draws<float> draws(seed, 3, 11, 2);
  for (std::uint32_t block = 0; block < 3; ++block) {
    const Words want = philox4x32({{block, 2, 11, 3}}, 7, 5);
    for (const std::uint32_t w : want.w) CHECK(draws.word() == w);
  }
  const std::uint32_t first = Draws<float>(seed, 3, 11, 2).word();
  CHECK(Draws<float>(seed + 1, 3, 11, 2).word() != first);
  CHECK(Draws<float>(seed + (std::uint64_t{1} << 32), 3, 11, 2).word() != first);
  CHECK(Draws<float>(seed, 4, 11, 2).word() != first);
  CHECK(Draws<float>(seed, 3, 12, 2).word() != first);
  CHECK(Draws<float>(seed, 3, 11, 3).word() != first);
}

TEST(words_made_ahead_and_words_at_hand_are_the_same_draws) {
  std::vector<std::uint32_t> words(16);
  Draws<float> draws(6, 3, 11, 2);
  for (std::uint32_t& w : words) w = draws.word();
  for (const std::uint32_t ready : {4u, 8u}) {
    Draws<float> ahead(6, 3, 11, 2, words.data(), ready);
    for (const std::uint32_t w : words) CHECK(ahead.word() == w);
  }
  WordDraws<float, 2> hand(words[0], words[1]);
  Draws<float> fresh(6, 3, 11, 2);
  float a, b, c, d;
  hand.normals(a, b);
  fresh.normals(c, d);
  CHECK(a == c && b == d);
}

TEST(streams_are_apart) {
  CHECK(stream_id(Purpose::kAugment, 0, 0) != stream_id(Purpose::kDropout, 0, 0));
  CHECK(stream_id(Purpose::kAugment, 1, 0) != stream_id(Purpose::kAugment, 2, 0));
  CHECK(stream_id(Purpose::kAugment, 1, 5) != stream_id(Purpose::kAugment, 1, 6));
  CHECK(stream_id(Purpose::kDropout, 2, 0xFFFFFF) == 0x22FFFFFFu);
}

namespace {

// The first draw of every event of 2^22: float must neither reach an end point nor differ from double.
constexpr int kMany = 1 << 22;

struct Moments {
  double sum = 0, square = 0, cube = 0, fourth = 0;
  int count = 0;
  void add(double x) {
    sum += x;
    square += x * x;
    cube += x * x * x;
    fourth += x * x * x * x;
    ++count;
  }
};

}  // namespace

TEST(unit_lies_inside) {
  Draws<float> single(1, 0, 0, 0);
  Draws<double> twofold(1, 0, 0, 0);
  Moments m;
  float low = 1, high = 0;
  int apart = 0;
  for (int i = 0; i < kMany; ++i) {
    const float u = single.unit();
    apart += static_cast<double>(u) != twofold.unit();
    low = std::min(low, u);
    high = std::max(high, u);
    m.add(u);
  }
  CHECK(low > 0 && high < 1);
  CHECK(apart == 0);
  CHECK(low < 1e-5 && high > 1 - 1e-5);
  CHECK_NEAR(m.sum / kMany, 0.5, 5 * std::sqrt(1.0 / 12 / kMany));
  CHECK_NEAR(m.square / kMany, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kMany));
}

TEST(unit_of_the_last_word_is_below_one) {
  // words that begin with 24 ones: where a float could round up to 1
  int seen = 0;
  for (std::uint32_t event = 0; seen < 3 && event < (1u << 26); ++event) {
    Draws<float> look(9, 0, event, 0);
    if ((look.word() >> 8) != 0xFFFFFF) continue;
    ++seen;
    const float u = Draws<float>(9, 0, event, 0).unit();
    CHECK(u < 1.0f);
    CHECK(Draws<float>(9, 0, event, 0).exponential() > 0.0f);
    CHECK(Draws<float>(9, 0, event, 0).uniform(-1.0f, 1.0f) <= 1.0f);
  }
  CHECK(seen == 3);
}

TEST(integers_are_uniform) {
  for (const int n : {0, 1, 2, 6, 9, 63}) {
    Draws<float> draws(2, 0, 0, static_cast<std::uint32_t>(n));
    constexpr int kCount = 100000;
    std::vector<double> counts(n + 1, 0.0);
    int outside = 0;
    for (int i = 0; i < kCount; ++i) {
      const int k = draws.integer(n);
      if (k < 0 || k > n) ++outside;
      else ++counts[k];
    }
    CHECK(outside == 0);
    const double mean = double(kCount) / (n + 1);
    double chi2 = 0;
    for (const double c : counts) chi2 += (c - mean) * (c - mean) / mean;
    CHECK_NEAR(chi2, n, 5 * std::sqrt(2.0 * n) + 1e-9);
  }
  Draws<float> draws(2, 0, 0, 99);
  int top = 0;
  for (int i = 0; i < 1000; ++i) top = std::max(top, draws.integer(0x7FFFFFFE));
  CHECK(top > 0x7F000000);
}

TEST(normals_have_their_moments) {
  Draws<float> draws(3, 0, 0, 0);
  constexpr int kPairs = 500000;
  Moments m;
  double product = 0;
  for (int i = 0; i < kPairs; ++i) {
    float a, b;
    draws.normals(a, b);
    m.add(a);
    m.add(b);
    product += double(a) * b;
  }
  const double n = m.count;
  CHECK_NEAR(m.sum / n, 0, 5 / std::sqrt(n));
  CHECK_NEAR(m.square / n, 1, 5 * std::sqrt(2 / n));
  CHECK_NEAR(m.cube / n, 0, 5 * std::sqrt(15 / n));
  CHECK_NEAR(m.fourth / n, 3, 5 * std::sqrt(96 / n));
  CHECK_NEAR(product / kPairs, 0, 5 / std::sqrt(double(kPairs)));
}

TEST(exponentials_have_mean_one) {
  Draws<float> draws(4, 0, 0, 0);
  constexpr int kCount = 1000000;
  Moments m;
  for (int i = 0; i < kCount; ++i) m.add(draws.exponential());
  CHECK_NEAR(m.sum / kCount, 1, 5 / std::sqrt(double(kCount)));
  CHECK_NEAR(m.square / kCount, 2, 5 * std::sqrt(20.0 / kCount));
}

TEST(scripted_draws_say_when_they_run_out) {
  const double numbers[] = {0.25, 7, -1};
  ScriptedDraws<double> draws(numbers, 3);
  CHECK(draws.uniform(5, 6) == 0.25);
  CHECK(draws.integer(4) == 4);  // no further than asked for
  CHECK(!draws.exhausted() && draws.unused() == 1);
  CHECK(draws.exponential() == -1);
  CHECK(draws.unit() == 0 && draws.exhausted() && draws.unused() == -1);
}

}  // namespace aclr
