// Every kernel on every target this CPU has, float and double, against the portable double result. The budget of a float
// target is set by the naive float loops: twice (sums of gradients: three times) their own error.
#include "kernels/ops.h"

#include <cstring>
#include <limits>
#include <map>

#include "core/rng.h"
#include "kernels/amx_available.h"
#include "kernels/targets.h"
#include "support.h"

namespace aclr {
namespace {

#if defined(ACLR_X86)
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool runs_avx512() {
  return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

template <class T>
const std::vector<const Ops<T>*>& targets() {
  static const std::vector<const Ops<T>*> all = [] {
    constexpr bool f32 = std::is_same_v<T, float>;
    std::vector<const Ops<T>*> found;
    if constexpr (f32) found.push_back(&portable_f32); else found.push_back(&portable_f64);
#if defined(ACLR_X86)
    if constexpr (f32) {
      if (runs_avx2()) found.push_back(&avx2_f32);
      if (runs_avx512()) found.push_back(&avx512_f32);
    } else {
      if (runs_avx2()) found.push_back(&avx2_f64);
      if (runs_avx512()) found.push_back(&avx512_f64);
    }
#elif defined(ACLR_ARM64)
    if constexpr (f32) found.push_back(&neon_f32); else found.push_back(&neon_f64);
#endif
    return found;
  }();
  return all;
}

// Tables whose products are of bfloat16.
const std::vector<const Ops<float>*>& bf16_targets() {
  static const std::vector<const Ops<float>*> all = [] {
    std::vector<const Ops<float>*> found{&portable_bf16};
#if defined(ACLR_X86)
    if (runs_avx2()) found.push_back(&avx2_bf16);
    if (runs_avx512()) found.push_back(&avx512_bf16);
    if (runs_avx512() && __builtin_cpu_supports("avx512bf16")) found.push_back(&avx512bf16_bf16);
#if defined(ACLR_AMX)
    if (runs_avx512() && __builtin_cpu_supports("avx512bf16") && amx_available()) found.push_back(&amx_bf16);
#endif
#elif defined(ACLR_ARM64)
    found.push_back(&neon_bf16);
#endif
    return found;
  }();
  return all;
}

// All float tables: everything but gemm is the same for every kind of product.
const std::vector<const Ops<float>*>& all_float_targets() {
  static const std::vector<const Ops<float>*> all = [] {
    auto found = targets<float>();
    found.insert(found.end(), bf16_targets().begin(), bf16_targets().end());
    return found;
  }();
  return all;
}

template <class T>
std::vector<T> as(const std::vector<double>& x) {
  return std::vector<T>(x.begin(), x.end());
}

// What a kernel left in its outputs; guard zones are checked on the way.
struct Outputs {
  std::vector<double> values;
  bool intact = true;
  template <class T>
  void add(Guarded<T>& out) {
    values.insert(values.end(), out.data(), out.data() + out.size());
    intact = intact && out.intact();
  }
};

double worst(const std::vector<double>& got, const std::vector<double>& want) {
  double largest = got.size() == want.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (got[i] == want[i]) continue;  // infinities
    const double error = std::abs(got[i] - want[i]) / (1 + std::abs(want[i]));
    largest = error <= largest ? largest : std::isnan(error) ? INFINITY : error;
  }
  return largest;
}

// `kernel(ops, random)` makes its case from `random`, the same for every target, and returns the outputs.
template <class Kernel>
void meet_portable(int cases, double factor, double bound, Kernel kernel,
                   const std::vector<const Ops<float>*>& float_targets = all_float_targets()) {
  std::map<std::string, double> error;
  for (int seed = 0; seed < cases; ++seed) {
    Random oracle(seed);
    const Outputs want = kernel(portable_f64, oracle);
    const auto where = [&](const char* target, const char* type) {
      return std::string(target) + " " + type + ", case " + std::to_string(seed);
    };
    for (const Ops<double>* ops : targets<double>()) {
      Random random(seed);
      const Outputs got = kernel(*ops, random);
      CHECK_FOR(got.intact, where(ops->target, "double"));
      CHECK_FOR(worst(got.values, want.values) <= bound * 1e-8, where(ops->target, "double"));
    }
    for (const Ops<float>* ops : float_targets) {
      Random random(seed);
      const Outputs got = kernel(*ops, random);
      CHECK_FOR(got.intact, where(ops->target, "float"));
      const double here = worst(got.values, want.values);
      CHECK_FOR(here <= bound, where(ops->target, "float"));
      error[ops->target] = std::max(error[ops->target], here);
    }
  }
  for (const auto& [target, most] : error)
    CHECK_FOR(most <= factor * error["portable"], target + ": " + std::to_string(most / error["portable"]) + " times the naive error");
}

}  // namespace

TEST(the_table_in_use_is_one_of_these) {
  bool f32 = false, f64 = false;
  bool bf16 = false;
  for (const Ops<float>* table : bf16_targets()) bf16 = bf16 || table == &ops<float>(Products::kBf16);
  CHECK(bf16);
  for (const Ops<float>* table : targets<float>()) f32 = f32 || table == &ops<float>();
  for (const Ops<double>* table : targets<double>()) f64 = f64 || table == &ops<double>();
  CHECK(f32 && f64);
  for (const Ops<float>* table : targets<float>())
    CHECK_FOR(std::strstr(available_targets(), table->target) != nullptr, table->target);
}

TEST(gemm) {
  meet_portable(600, 2, 1e-5, []<class T>(const Ops<T>& op, Random& random) {
    const int m = random.integer(1, 70), n = random.integer(1, 70), k = random.integer(random.integer(0, 1), 70);
    const bool a_turned = random.coin(), b_turned = random.coin(), bias = random.coin(), accumulate = random.coin();
    const int spare = random.integer(0, 5), c_row = n + random.integer(0, 9);
    const std::ptrdiff_t a_row = a_turned ? 1 : k + spare, a_col = a_turned ? m + spare : 1;
    const std::ptrdiff_t b_row = b_turned ? 1 : n + spare, b_col = b_turned ? k + spare : 1;
    const auto a = random.normals<T>(std::size_t(m + spare) * (k + spare));
    const auto b = random.normals<T>(std::size_t(n + spare) * (k + spare));
    const auto biases = random.normals<T>(n);
    Guarded<T> packed(op.packed_size(k, n)), c(random.normals<T>(std::size_t(m) * c_row));
    const std::vector<T> before(c.data(), c.data() + c.size());
    op.pack(b.data(), b_row, b_col, k, n, packed.data());
    const bool relu = random.coin();
    op.gemm({m, n, k, a.data(), a_row, a_col, packed.data(), bias ? biases.data() : nullptr, c.data(), c_row, accumulate, relu});
    for (int i = 0; i < m; ++i)
      for (int j = n; j < c_row; ++j) CHECK(c[i * c_row + j] == before[i * c_row + j]);  // between the rows
    CHECK(packed.intact());
    if constexpr (std::is_same_v<T, double>) {  // the oracle itself, and every double target, by the definition
      const int i = random.integer(0, m - 1), j = random.integer(0, n - 1);
      double want = (accumulate ? before[i * c_row + j] : 0) + (bias ? biases[j] : 0);
      for (int p = 0; p < k; ++p) want += a[i * a_row + p * a_col] * b[p * b_row + j * b_col];
      CHECK_NEAR(c[i * c_row + j], relu && want < 0 ? 0 : want, 1e-12);
    }
    Outputs out;
    out.add(c);
    return out;
  }, targets<float>());
}

TEST(gemm_of_bf16) {
  // by the definition, from factors rounded to nearest even; a product of two is exact in double
  const auto rounded = [](float x) {
    const auto bits = __builtin_bit_cast(std::uint32_t, x);
    return double(__builtin_bit_cast(float, (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u));
  };
  for (int seed = 0; seed < 300; ++seed) {
    for (const Ops<float>* op : bf16_targets()) {
      Random random(seed);
      const int m = random.integer(1, seed % 10 == 0 ? 200 : 40), n = random.integer(1, 70);
      const int k = random.integer(random.integer(0, 1), seed % 10 == 1 ? 1100 : 70);  // slices of k, too
      const bool a_turned = random.coin(), b_turned = random.coin(), bias = random.coin(), accumulate = random.coin(), relu = random.coin();
      const int spare = random.integer(0, 5), c_row = n + random.integer(0, 9);
      const std::ptrdiff_t a_row = a_turned ? 1 : k + spare, a_col = a_turned ? m + spare : 1;
      const std::ptrdiff_t b_row = b_turned ? 1 : n + spare, b_col = b_turned ? k + spare : 1;
      const auto a = random.normals<float>(std::size_t(m + spare) * (k + spare));
      const auto b = random.normals<float>(std::size_t(n + spare) * (k + spare));
      const auto biases = random.normals<float>(n);
      Guarded<float> packed(op->packed_size(k, n)), c(random.normals<float>(std::size_t(m) * c_row));
      const std::vector<float> before(c.data(), c.data() + c.size());
      op->pack(b.data(), b_row, b_col, k, n, packed.data());
      op->gemm({m, n, k, a.data(), a_row, a_col, packed.data(), bias ? biases.data() : nullptr, c.data(), c_row, accumulate, relu});
      const std::string where = std::string(op->target) + ", case " + std::to_string(seed);
      CHECK_FOR(packed.intact() && c.intact(), where);
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < c_row; ++j) {
          if (j >= n) {
            CHECK_FOR(c[i * c_row + j] == before[i * c_row + j], where);
            continue;
          }
          double want = (accumulate ? before[i * c_row + j] : 0) + (bias ? biases[j] : 0), size = std::abs(want);
          for (int p = 0; p < k; ++p) {
            const double product = rounded(a[i * a_row + p * a_col]) * rounded(b[p * b_row + j * b_col]);
            want += product;
            size += std::abs(product);
          }
          CHECK_FOR(std::abs(c[i * c_row + j] - (relu && want < 0 ? 0 : want)) <= 1e-6 * (1 + size), where);
        }
    }
  }
}

TEST(layer_norm) {
  meet_portable(300, 2, 1e-4, []<class T>(const Ops<T>& op, Random& random) {
    const int rows = random.integer(0, 12), d = random.integer(1, 70);
    const std::size_t count = std::size_t(rows) * d;
    const auto branch = random.normals<T>(count), gain = random.normals<T>(d), offset = random.normals<T>(d);
    Guarded<T> x(random.normals<T>(count, 3)), separate(count), normal(count), rstd(rows);
    const bool with_branch = random.coin(), with_keep = with_branch && random.coin();
    const auto keep = random.keeps(count);
    Guarded<T>& out = random.coin() ? x : separate;
    op.layer_norm({rows, d, x.data(), with_branch ? branch.data() : nullptr, gain.data(), offset.data(), out.data(),
                   normal.data(), rstd.data(), with_keep ? keep.data() : nullptr, T(256.0 / 230)});
    Outputs made;
    for (Guarded<T>* g : {&x, &separate, &normal}) made.add(*g);
    for (std::size_t r = 0; r < rstd.size(); ++r) rstd[r] *= T(1e-3);  // one entry a row: up to 316
    made.add(rstd);
    return made;
  });
}

TEST(layer_norm_out_may_be_the_branch) {
  for (const Ops<float>* op : targets<float>()) {
    Random random(3);
    const auto x = random.normals<float>(5 * 33), branch = random.normals<float>(5 * 33), one = random.normals<float>(33);
    std::vector<float> aside(5 * 33), over = branch, normal(5 * 33), rstd(5);
    op->layer_norm({5, 33, x.data(), branch.data(), one.data(), one.data(), aside.data(), normal.data(), rstd.data()});
    op->layer_norm({5, 33, x.data(), over.data(), one.data(), one.data(), over.data(), normal.data(), rstd.data()});
    CHECK_FOR(aside == over, op->target);
  }
}

TEST(layer_norm_backward) {
  meet_portable(300, 3, 1e-4, []<class T>(const Ops<T>& op, Random& random) {
    const int rows = random.integer(0, 12), d = random.integer(1, 70);
    const std::size_t count = std::size_t(rows) * d;
    const auto normal = random.normals<T>(count), gain = random.normals<T>(d);
    std::vector<T> rstd(rows);
    for (T& r : rstd) r = T(random.uniform(0.1, 3));
    Guarded<T> dout(random.normals<T>(count)), separate(count), dgain(random.normals<T>(d)), doffset(random.normals<T>(d));
    Guarded<T>& ds = random.coin() ? dout : separate;
    const bool with_keep = random.coin();
    const auto keep = random.keeps(count);
    Guarded<T> dbranch(count), out(count);
    op.layer_norm_backward({rows, d, dout.data(), normal.data(), rstd.data(), gain.data(), ds.data(), dgain.data(), doffset.data(),
                            with_keep ? keep.data() : nullptr, T(256.0 / 230), dbranch.data()});
    op.affine(normal.data(), gain.data(), doffset.data(), rows, d, out.data());
    Outputs made;
    for (Guarded<T>* g : {&dout, &separate, &dgain, &doffset, &dbranch, &out}) made.add(*g);
    return made;
  });
}

namespace {

// Some events of 0, 1, 2, 19, 64 or any number of tokens, and what attention needs.
template <class T>
struct AttentionCase {
  int heads, d;
  std::vector<std::int32_t> offsets{0};
  std::size_t tokens, pairs = 0;
  std::vector<T> qkv, bias;
  std::vector<std::uint8_t> keep;
  bool with_bias, with_keep;

  explicit AttentionCase(Random& random) {
    heads = random.integer(1, 4);
    d = heads * random.integer(1, 17);
    const int sizes[] = {0, 1, 2, 19, 64, random.integer(0, 64)};
    for (int e = random.integer(0, 4); e > 0; --e) {
      const int n = sizes[random.integer(0, 5)];
      offsets.push_back(offsets.back() + n);
      pairs += std::size_t(heads) * n * padded_keys(n);
    }
    tokens = static_cast<std::size_t>(offsets.back());
    qkv = random.normals<T>(tokens * 3 * d);
    bias = random.normals<T>(tokens, 2);
    keep = random.keeps(pairs);
    with_bias = random.coin();
    with_keep = random.coin();
  }
  int events() const { return static_cast<int>(offsets.size()) - 1; }
  Attention<T> forward(T* probs, T* out) const {
    return {events(), heads, d, offsets.data(), qkv.data(), with_bias ? bias.data() : nullptr,
            with_keep ? keep.data() : nullptr, T(256.0 / 230), probs, out};
  }
};

}  // namespace

TEST(attention) {
  meet_portable(150, 2, 1e-4, []<class T>(const Ops<T>& op, Random& random) {
    const AttentionCase<T> c(random);
    Guarded<T> probs(c.pairs), mixed(c.tokens * c.d);
    op.attention(c.forward(probs.data(), mixed.data()));
    Outputs out;
    out.add(probs);
    out.add(mixed);
    return out;
  });
}

TEST(attention_by_its_definition) {
  for (const Ops<double>* op : targets<double>())
    for (int seed = 0; seed < 20; ++seed) {
      Random random(seed);
      const AttentionCase<double> c(random);
      std::vector<double> probs(c.pairs), mixed(c.tokens * c.d);
      op->attention(c.forward(probs.data(), mixed.data()));
      const int width = c.d / c.heads;
      std::size_t at = 0;
      for (int e = 0; e < c.events(); ++e) {
        const int first = c.offsets[e], n = c.offsets[e + 1] - first;
        const auto qkv = [&](int token, int part, int column) { return c.qkv[std::size_t(first + token) * 3 * c.d + part * c.d + column]; };
        const int row = padded_keys(n);
        for (int h = 0; h < c.heads; ++h, at += std::size_t(n) * row)
          for (int i = 0; i < n; ++i) {
            std::vector<double> weight(n);
            double sum = 0;
            for (int j = 0; j < n; ++j) {
              double logit = c.with_bias ? c.bias[first + j] : 0;
              for (int w = 0; w < width; ++w) logit += qkv(i, 0, h * width + w) * qkv(j, 1, h * width + w) / std::sqrt(double(width));
              sum += weight[j] = std::exp(logit);
            }
            for (int w = 0; w < width; ++w) {
              double want = 0;
              for (int j = 0; j < n; ++j)
                want += weight[j] / sum * (c.with_keep ? c.keep[at + i * row + j] * 256.0 / 230 : 1) * qkv(j, 2, h * width + w);
              CHECK_NEAR(mixed[std::size_t(first + i) * c.d + h * width + w], want, 1e-12);
            }
            for (int j = 0; j < n; ++j) CHECK_NEAR(probs[at + i * row + j], weight[j] / sum, 1e-13);
            for (int j = n; j < row; ++j) CHECK(probs[at + i * row + j] == 0);
          }
      }
    }
}

TEST(attention_backward) {
  meet_portable(150, 3, 1e-4, []<class T>(const Ops<T>& op, Random& random) {
    const AttentionCase<T> c(random);
    std::vector<T> probs(c.pairs), mixed(c.tokens * c.d);
    op.attention(c.forward(probs.data(), mixed.data()));
    const auto dout = random.normals<T>(c.tokens * c.d);
    Guarded<T> dqkv(c.tokens * 3 * c.d), dkey_bias(random.normals<T>(c.tokens));
    op.attention_backward({c.events(), c.heads, c.d, c.offsets.data(), c.qkv.data(), probs.data(), dout.data(),
                           c.with_keep ? c.keep.data() : nullptr, T(256.0 / 230), dqkv.data(),
                           c.with_bias ? dkey_bias.data() : nullptr});
    Outputs out;
    out.add(dqkv);
    out.add(dkey_bias);
    return out;
  });
}

TEST(column_sums_dropout_relu_backward) {
  meet_portable(200, 2, 1e-5, []<class T>(const Ops<T>& op, Random& random) {
    const int rows = random.integer(0, 70), cols = random.integer(1, 70);
    const auto x = random.normals<T>(std::size_t(rows) * cols);
    Guarded<T> sums(random.normals<T>(cols)), dropped(x), passed(random.normals<T>(x.size()));
    op.column_sums(x.data(), rows, cols, sums.data());
    op.dropout(dropped.data(), random.keeps(x.size()).data(), T(256.0 / 230), x.size());
    op.relu_backward(passed.data(), x.data(), T(256.0 / 230), x.size());
    Outputs out;
    for (Guarded<T>* g : {&sums, &dropped, &passed}) out.add(*g);
    return out;
  });
}

TEST(adam) {
  meet_portable(200, 2, 1e-5, []<class T>(const Ops<T>& op, Random& random) {
    const std::size_t count = static_cast<std::size_t>(random.integer(0, 100));
    Guarded<T> w(random.normals<T>(count)), m(random.normals<T>(count)), v(random.normals<T>(count));
    for (std::size_t i = 0; i < count; ++i) v[i] *= v[i];
    const auto g = random.normals<T>(count);
    op.adam({count, w.data(), m.data(), v.data(), g.data(), T(0.5), T(random.uniform(0, 0.1)), T(0.9), T(0.1), T(0.999),
             T(0.001), T(0.99), T(0.01), T(random.uniform(1, 30)), T(1e-8)});
    Outputs out;
    for (Guarded<T>* x : {&w, &m, &v}) out.add(*x);
    return out;
  });
}

TEST(contrast_tiles) {
  meet_portable(300, 2, 1e-3, []<class T>(const Ops<T>& op, Random& random) {
    const int rows = random.integer(1, 20), cols = random.integer(1, 70), tiles = random.integer(1, 3);
    const std::ptrdiff_t s_row = cols + random.integer(0, 9);
    const T it = T(std::exp(random.uniform(-2, 5)));
    const auto cosines = [&] {
      std::vector<T> s(std::size_t(rows) * s_row);
      for (T& x : s) x = random.integer(0, 9) > 0 ? T(random.uniform(-1, 1)) : -std::numeric_limits<T>::infinity();
      if (random.coin()) std::fill_n(s.begin(), cols, -std::numeric_limits<T>::infinity());
      return s;
    };
    Guarded<T> maximum(rows, -std::numeric_limits<T>::infinity()), sum(rows, T(0)), s(cosines());
    for (int tile = 0; tile < tiles; ++tile) {
      const std::vector<T> given = cosines();
      std::copy(given.begin(), given.end(), s.data());
      op.log_sum_exp({rows, cols, s.data(), s_row, it, maximum.data(), sum.data(), nullptr, nullptr, nullptr, nullptr});
      CHECK(std::memcmp(given.data(), s.data(), given.size() * sizeof(T)) == 0);
    }
    const std::vector<T> top_row(rows, it), top_col(cols, it);
    const auto g_row = random.normals<T>(rows, 0.1), g_col = random.normals<T>(cols, 0.1);
    op.weigh({rows, cols, s.data(), s_row, it, nullptr, nullptr, top_row.data(), top_col.data(), g_row.data(), g_col.data()});
    Outputs out;
    for (Guarded<T>* g : {&maximum, &sum, &s}) out.add(*g);
    return out;
  });
}

// The exponential behind both, by its relative error over the whole range of a float.
TEST(exponential_against_double) {
  const auto meet = []<class T>(const Ops<T>& op, double low, double high, double tolerance) {
    constexpr int kCols = 37;
    const std::vector<T> zeros(kCols, T(0)), one(1, T(1));
    const auto exponentials = [&](std::vector<T> x) {
      op.weigh({1, kCols, x.data(), kCols, T(1), nullptr, nullptr, zeros.data(), zeros.data(), one.data(), zeros.data()});
      return x;
    };
    Random random(1);
    for (int round = 0; round < 2000; ++round) {
      std::vector<T> x(kCols);
      for (T& v : x) v = static_cast<T>(random.uniform(low, high));
      const std::vector<T> e = exponentials(x);
      for (int c = 0; c < kCols; ++c) CHECK_NEAR(e[c] / std::exp(double(x[c])), 1, tolerance);
      std::vector<T> same(kCols, -std::abs(x[0]));
      T maximum = 0, sum = 0;
      op.log_sum_exp({1, kCols, same.data(), kCols, T(1), &maximum, &sum, nullptr, nullptr, nullptr, nullptr});
      CHECK(maximum == 0);
      if (same[0] > low) CHECK_NEAR(sum / (kCols * std::exp(double(same[0]))), 1, 4 * tolerance);
    }
    for (const T far : {T(-90), T(-1e4), T(-1e30), -std::numeric_limits<T>::infinity()})
      for (const T e : exponentials(std::vector<T>(kCols, far))) CHECK_NEAR(e, std::exp(double(far)), std::isinf(far) ? 0 : 1e-37);
    for (const T e : exponentials(std::vector<T>(kCols, std::numeric_limits<T>::quiet_NaN()))) CHECK(std::isnan(e));
  };
  for (const Ops<float>* op : targets<float>()) meet(*op, -86.9, 87.9, 2e-7);
  for (const Ops<double>* op : targets<double>()) meet(*op, -700, 700, 1e-15);
}

TEST(log_sum_exp_of_nothing_stays_nothing) {
  for (const Ops<float>* op : targets<float>()) {
    std::vector<float> s(2 * 21, -INFINITY), maximum(2, -INFINITY), sum(2, 0.0f);
    op->log_sum_exp({2, 21, s.data(), 21, 10.0f, maximum.data(), sum.data(), nullptr, nullptr, nullptr, nullptr});
    CHECK(std::isinf(maximum[0]) && sum[0] == 0 && sum[1] == 0);
    s[21 + 20] = 0.5f;
    op->log_sum_exp({2, 21, s.data(), 21, 10.0f, maximum.data(), sum.data(), nullptr, nullptr, nullptr, nullptr});
    CHECK(sum[0] == 0 && sum[1] == 1 && maximum[1] == 5);
  }
}

// Byte i of the stream is byte i mod 4, lowest first, of word i div 4.
TEST(dropout_keep_is_the_philox_stream) {
  Random random(5);
  std::vector<int> counts{0, 1, 2, 3, 15, 16, 17, 255, 256, 257, 1023};
  for (int i = 0; i < 100; ++i) counts.push_back(random.integer(0, 1200));
  for (const int count : counts) {
    const std::uint64_t seed = (std::uint64_t(random.integer(0, 1 << 30)) << 33) + random.integer(0, 1 << 30);
    const std::uint32_t epoch = random.integer(0, 1 << 30), event = random.integer(0, 1 << 30), stream = random.integer(0, 1 << 30);
    const int threshold = random.integer(0, 256);
    Draws<float> draws(seed, epoch, event, stream);
    std::vector<std::uint8_t> want(count);
    std::uint32_t word = 0;
    for (int i = 0; i < count; ++i) {
      if (i % 4 == 0) word = draws.word();
      want[i] = static_cast<int>((word >> (8 * (i % 4))) & 0xff) >= threshold;
    }
    const auto meet = [&](const auto& op) {
      Guarded<std::uint8_t> keep(count);
      op.dropout_keep({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32), epoch, event, stream,
                       count, threshold, keep.data()});
      CHECK_FOR(std::equal(want.begin(), want.end(), keep.data()) && keep.intact(), op.target);
    };
    for (const Ops<float>* op : targets<float>()) meet(*op);
    for (const Ops<double>* op : targets<double>()) meet(*op);
  }
}

TEST(dropout_keep_drops_its_share) {
  constexpr int kCount = 1000003;
  for (const int threshold : {0, 1, 26, 128, 255, 256}) {
    std::vector<std::uint8_t> keep(kCount);
    ops<float>().dropout_keep({1, 2, 3, 4, 5, kCount, threshold, keep.data()});
    double kept = 0, pairs = 0;
    for (int i = 0; i < kCount; ++i) kept += keep[i];
    for (int i = 1; i < kCount; ++i) pairs += keep[i] * keep[i - 1];
    const double p = 1 - threshold / 256.0, sigma = std::sqrt(kCount * p * (1 - p));
    CHECK_NEAR(kept, kCount * p, 5 * sigma);
    CHECK_NEAR(pairs, (kCount - 1) * p * p, 5 * std::sqrt(kCount * p * p * (1 - p) * (1 + 3 * p)));  // neighbours independent
  }
}

}  // namespace aclr
