// Kernels on rows of tokens against plain loops in double: embedding, dropout, sums of columns, key bias, pooling.
#include "differences.h"
#include "row_support.h"

namespace aclr::cuda {
namespace {

template <class S>
std::string name_for(int d, int rows) {
  return std::string(name_of<S>()) + " d " + std::to_string(d) + " rows " + std::to_string(rows);
}
// Sums of so many numbers of order 1.
template <class S>
double near_sum(int count) {
  return near_real<S>() * std::sqrt(1.0 + count);
}

template <class S>
void check_embedding(Random& random, int rows, int features, int d, int shift) {
  using R = Real<S>;
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  const std::string name = name_for<S>(d, rows) + " features " + std::to_string(features);
  const auto x = random_numbers<R>(random, std::size_t(rows) * features),
      weight = random_numbers<R>(random, std::size_t(d) * features),
             bias = random_numbers<R>(random, d), dout = random_numbers<S>(random, std::size_t(rows) * d),
             before = random_numbers<R>(random, std::size_t(ragged.capacity) * features);
  std::vector<double> out(std::size_t(rows) * d), dweight(weight.size()), dbias(d), dx = before;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < d; ++c) {
      const double g = dout[std::size_t(r) * d + c];
      double sum = bias[c];
      for (int j = 0; j < features; ++j) {
        sum += x[r * features + j] * weight[c * features + j];
        dweight[c * features + j] += g * x[r * features + j];
        dx[r * features + j] += g * weight[c * features + j];
      }
      out[std::size_t(r) * d + c] = sum;
      dbias[c] += g;
    }
  DeviceArray<R> x_at(narrow<R>(poisoned(x, ragged.capacity, features))), weight_at(narrow<R>(weight), 1),
      bias_at(narrow<R>(bias), 3), dweight_at(weight.size(), 1), dbias_at(d, 1), dx_at(narrow<R>(before));
  DeviceArray<S> out_at(std::size_t(ragged.capacity) * d, shift),
      dout_at(narrow<S>(poisoned(dout, ragged.capacity, d)), shift);
  embedding<S>({on.rows(), features, d, x_at, weight_at, bias_at, out_at}, nullptr);
  check_rows(out_at.get(), out, ragged.capacity, d, near_stored<S>() * 2, "out " + name);

  Partials partials(std::size_t(d) * (features + 1));
  EmbeddingBackward<S> a{on.rows(), features, d, x_at, weight_at, dout_at, dweight_at, dbias_at, dx_at, partials.scratch()};
  embedding_backward(a, nullptr);
  const auto first = dweight_at.get();
  check_near(first, dweight, near_sum<S>(rows), "dweight " + name);
  check_near(dbias_at.get(), dbias, near_sum<S>(rows), "dbias " + name);
  check_near(dx_at.get(), dx, near_sum<S>(d), "dx " + name);
  a.dx = nullptr;
  embedding_backward(a, nullptr);
  CHECK_FOR(same_bits(dweight_at.get(), first), name);
  partials.check();
}

TEST(embedding_meets_plain_loops) {
  Random random(1);
  for_all_numbers([&]<class S>(S) {
    for (const int d : kSizes)
      for (const int rows : kCounts) {
        if (rows == 300 && d % 32 == 1) continue;
        check_embedding<S>(random, rows, rows == 5 ? 8 : 7, d, random.integer(0, 1));
      }
    check_embedding<S>(random, 4, 1, 1024, 0);
  });
  bool refused = false;
  try {
    embedding<float>({{1, nullptr}, 9, 1, nullptr, nullptr, nullptr, nullptr}, nullptr);
  } catch (const Error&) {
    refused = true;
  }
  CHECK(refused);
}

template <class S>
void check_dropout(Random& random, int rows, int f, int shift) {
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  const int threshold = 60, site = 6;
  std::vector<double> x = random_numbers<S>(random, std::size_t(rows) * f);
  DeviceArray<S> hidden(narrow<S>(poisoned(x, ragged.capacity, f)), shift);
  dropout<S>(on.tokens(), f, hidden, on.dropout(threshold, site), nullptr);
  const std::vector<std::uint8_t> keeps = ragged.keeps(f, threshold, site);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = keeps[i] ? x[i] * keep_scale(threshold) : 0;
  const auto got = hidden.get();
  check_rows(got, x, ragged.capacity, f, near_stored<S>(), name_for<S>(f, rows));
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!keeps[i]) CHECK(real(got[i]) == 0);
}

TEST(dropout_draws_as_the_cpu_does) {
  Random random(2);
  for_all_numbers([&]<class S>(S) {
    for (const int f : kSizes)
      for (const int rows : kCounts) check_dropout<S>(random, rows, f, random.integer(0, 1));
  });
}

// threshold 0 leaves all as it is, rows behind the last one too: nothing is launched.
TEST(no_dropout_is_none) {
  Random random(3);
  const Ragged ragged(random, 5);
  DeviceRagged on(ragged);
  const std::vector<float> x = random.normals<float>(std::size_t(ragged.capacity) * 4);
  DeviceArray<float> hidden(x);
  dropout<float>(on.tokens(), 4, hidden, Dropout{}, nullptr);
  CHECK(same_bits(hidden.get(), x));
}

template <class S>
void check_relu_and_sums(Random& random, int rows, int cols, int shift) {
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  const std::size_t count = std::size_t(rows) * cols;
  const std::string name = name_for<S>(cols, rows);
  std::vector<double> dx = random_numbers<S>(random, count), out = random_numbers<S>(random, count), sums(cols);
  for (std::size_t i = 0; i < count; i += 5) out[i] = 0;
  DeviceArray<S> dx_at(narrow<S>(poisoned(dx, ragged.capacity, cols)), shift),
      out_at(narrow<S>(poisoned(out, ragged.capacity, cols)), shift);
  DeviceArray<Real<S>> sums_at(cols, 1);
  Partials partials(cols);
  column_sums<S>(on.rows(), cols, dx_at, sums_at, partials.scratch(), nullptr);
  for (std::size_t i = 0; i < count; ++i) sums[i % cols] += dx[i];
  const auto first = sums_at.get();
  check_near(first, sums, near_sum<S>(rows), name);
  column_sums<S>(on.rows(), cols, dx_at, sums_at, partials.scratch(), nullptr);
  CHECK_FOR(same_bits(sums_at.get(), first), name);
  partials.check();

  relu_backward<S>(on.rows(), cols, dx_at, out_at, 1.25, nullptr);
  for (std::size_t i = 0; i < count; ++i) dx[i] = out[i] > 0 ? dx[i] * 1.25 : 0;
  check_rows(dx_at.get(), dx, ragged.capacity, cols, near_stored<S>(), name);
}

TEST(relu_and_column_sums_meet_plain_loops) {
  Random random(4);
  for_all_numbers([&]<class S>(S) {
    for (const int cols : kSizes)
      for (const int rows : kCounts) check_relu_and_sums<S>(random, rows, cols, random.integer(0, 1));
    check_relu_and_sums<S>(random, 6, 3 * 1024, 0);
  });
  check_relu_and_sums<float>(random, 40000, 3, 0);
}

// A null count is the capacity.
TEST(column_sums_without_a_count) {
  const std::vector<double> x{1, 2, 3, 4, 5, 6};
  DeviceArray<double> at(x), sums(2);
  Partials partials(2);
  column_sums<double>({3, nullptr}, 2, at, sums, partials.scratch(), nullptr);
  CHECK((sums.get() == std::vector<double>{9, 12}));
  column_sums<double>({0, nullptr}, 2, at, sums, partials.scratch(), nullptr);
  CHECK((sums.get() == std::vector<double>{0, 0}));
}

template <class R>
void check_key_bias(Random& random, int rows, int features, int heads) {
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  std::vector<double> x(std::size_t(rows) * features), out(rows);
  for (double& value : x) value = as<R>(random.uniform(0.01, 3));
  for (int r = 0; r < rows; ++r) out[r] = 0.5 * std::log(x[std::size_t(r) * features]);
  DeviceArray<R> x_at(narrow<R>(poisoned(x, ragged.capacity, features))), out_at(ragged.capacity);
  key_bias<R>(on.rows(), features, x_at, out_at, nullptr);
  check_rows(out_at.get(), out, ragged.capacity, 1, near_real<R>(), name_for<R>(features, rows));

  const auto dkey = random_numbers<R>(random, std::size_t(heads) * ragged.capacity);
  std::vector<double> wanted = random_numbers<R>(random, std::size_t(ragged.capacity) * features);
  DeviceArray<R> dkey_at(narrow<R>(dkey)), dfeatures(narrow<R>(wanted));
  for (int r = 0; r < rows; ++r)
    for (int h = 0; h < heads; ++h)
      wanted[std::size_t(r) * features] += 0.5 * dkey[std::size_t(h) * ragged.capacity + r] / x[std::size_t(r) * features];
  key_bias_backward<R>(on.rows(), heads, features, x_at, dkey_at, dfeatures, nullptr);
  check_near(dfeatures.get(), wanted, 100 * near_real<R>(), name_for<R>(features, rows));
}

TEST(key_bias_meets_plain_loops) {
  Random random(5);
  for (const int rows : kCounts) {
    check_key_bias<float>(random, rows, 7, 4);
    check_key_bias<double>(random, rows, 8, 1);
  }
}

template <class S>
void check_pool(Random& random, int rows, int d, bool continuous, bool dfeatures, int shift) {
  using R = Real<S>;
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  const int features = 7, rep_row = d + 3, capacity = ragged.capacity;
  const std::string name = name_for<S>(d, rows);
  const auto x = random_numbers<S>(random, std::size_t(rows) * d),
      dreps = random_numbers<R>(random, std::size_t(ragged.events) * rep_row);
  std::vector<double> feature(std::size_t(rows) * features);
  for (double& f : feature) f = as<R>(random.uniform(0.1, 3));
  DeviceArray<S> x_at(narrow<S>(poisoned(x, capacity, d)), shift), dtoken(std::size_t(capacity) * d, shift);
  DeviceArray<R> feature_at(narrow<R>(poisoned(feature, capacity, features))), dreps_at(narrow<R>(dreps), 1),
      reps(std::vector<R>(std::size_t(ragged.events) * rep_row, R(7))), dfeatures_at(std::size_t(capacity) * features);
  const R* weights = continuous ? feature_at.data() : nullptr;
  pool<S>({on.tokens(), d, rep_row, x_at, weights, features, reps}, nullptr);
  pool_backward<S>({on.tokens(), d, rep_row, dreps_at, x_at, weights, features, dtoken,
                    dfeatures ? dfeatures_at.data() : nullptr},
                   nullptr);

  std::vector<double> wanted(std::size_t(ragged.events) * rep_row, 7), wanted_dtoken(std::size_t(rows) * d),
      wanted_dfeatures(std::size_t(rows) * features);
  for (int e = 0; e < ragged.events; ++e)
    for (int c = 0; c < d; ++c) {
      double sum = 0;
      for (int r = ragged.offsets[e]; r < ragged.offsets[e + 1]; ++r) {
        const double weight = continuous ? feature[std::size_t(r) * features] : 1, g = dreps[std::size_t(e) * rep_row + c];
        sum += weight * x[std::size_t(r) * d + c];
        wanted_dtoken[std::size_t(r) * d + c] = weight * g;
        if (continuous) wanted_dfeatures[std::size_t(r) * features] += g * x[std::size_t(r) * d + c];
      }
      wanted[std::size_t(e) * rep_row + c] = sum;
    }
  check_near(reps.get(), wanted, 4 * near_real<S>(), "reps " + name);
  check_rows(dtoken.get(), wanted_dtoken, capacity, d, near_stored<S>(), "dtoken " + name);
  if (dfeatures)
    check_rows(dfeatures_at.get(), wanted_dfeatures, capacity, features, near_sum<S>(d), "dfeatures " + name);
}

TEST(pooling_meets_plain_loops) {
  Random random(6);
  for_all_numbers([&]<class S>(S) {
    for (const int d : kSizes)
      for (const int rows : kCounts) check_pool<S>(random, rows, d, random.coin(), random.coin(), random.integer(0, 1));
    for (const bool continuous : {false, true}) check_pool<S>(random, 9, 1024, continuous, true, 0);
  });
}

TEST(pooling_and_embedding_meet_differences) {
  Random random(7);
  const int rows = 7, d = 6, features = 7;
  const Ragged ragged(random, rows);
  DeviceRagged on(ragged);
  std::vector<double> x(std::size_t(ragged.capacity) * features), weight = random.normals<double>(d * features);
  for (double& value : x) value = random.uniform(0.1, 2);
  const std::vector<double> bias = random.normals<double>(d), dreps = random.normals<double>(std::size_t(ragged.events) * d);
  DeviceArray<double> x_at(x.size()), weight_at(weight.size()), bias_at(bias), token(std::size_t(ragged.capacity) * d),
      reps(dreps.size()), dreps_at(dreps), dtoken(std::size_t(ragged.capacity) * d), dx(x.size()), dweight(weight.size()),
      dbias(d);
  const auto value = [&] {
    x_at.set(x);
    weight_at.set(weight);
    embedding<double>({on.rows(), features, d, x_at, weight_at, bias_at, token}, nullptr);
    pool<double>({on.tokens(), d, d, token, x_at, features, reps}, nullptr);
    const std::vector<double> y = reps.get();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dreps[i];
    return sum;
  };
  value();
  Partials partials(d * (features + 1));
  pool_backward<double>({on.tokens(), d, d, dreps_at, token, x_at, features, dtoken, dx}, nullptr);
  embedding_backward<double>({on.rows(), features, d, x_at, weight_at, dtoken, dweight, dbias, dx, partials.scratch()},
                             nullptr);
  Differences differences;
  const std::vector<double> by_x = dx.get(), by_weight = dweight.get();
  for (int i = 0; i < rows * features; ++i) differences.meet(by_x[i], &x[i], value, "dx");
  for (std::size_t i = 0; i < weight.size(); ++i) differences.meet(by_weight[i], &weight[i], value, "dweight");
  differences.report();
}

}  // namespace
}  // namespace aclr::cuda
