// The tiled distance correlation against its definition, and its gradient against finite differences.
#include "model/pivot.h"

#include <cstring>

#include "differences.h"

namespace aclr {
namespace {

struct Populations {
  int n, d;
  std::vector<double> x[2];
};

Populations random_populations(Random& random, int n, int d, double shift, double centre = 0) {
  Populations p{n, d, {}};
  for (int v = 0; v < 2; ++v) {
    p.x[v] = random.normals<double>(std::size_t(n) * d);
    for (double& x : p.x[v]) x += v * shift + centre;
  }
  return p;
}

// Both matrices in full, doubly centred.
double by_definition(const Populations& p) {
  const int all = 2 * p.n;
  const auto centred = [&](auto&& distance) {
    std::vector<double> a(std::size_t(all) * all), mean(all, 0.0);
    double grand = 0;
    for (int i = 0; i < all; ++i)
      for (int j = 0; j < all; ++j) {
        a[i * all + j] = distance(i, j);
        mean[i] += a[i * all + j] / all;
        grand += a[i * all + j] / all / all;
      }
    for (int i = 0; i < all; ++i)
      for (int j = 0; j < all; ++j) a[i * all + j] += grand - mean[i] - mean[j];
    return a;
  };
  const auto a = centred([&](int i, int j) {
    double square = 0;
    for (int c = 0; c < p.d; ++c) {
      const double apart = p.x[i / p.n][i % p.n * p.d + c] - p.x[j / p.n][j % p.n * p.d + c];
      square += apart * apart;
    }
    return std::sqrt(square);
  });
  const auto b = centred([&](int i, int j) { return i / p.n == j / p.n ? 0.0 : 1.0; });
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    ab += a[k] * b[k];
    aa += a[k] * a[k];
    bb += b[k] * b[k];
  }
  return aa > 0 ? ab / std::sqrt(aa * bb) : 0;
}

struct Result {
  double value = 0;
  std::vector<double> dx[2];
};

template <class T>
Result tiled(const Populations& p, double weight = 1, int threads = 3, bool gradient = true) {
  ThreadPool pool(threads);
  PivotScratch<T> scratch;
  std::vector<T> x[2];
  std::vector<Guarded<T>> dx;
  for (int v = 0; v < 2; ++v) {
    x[v].assign(p.x[v].begin(), p.x[v].end());
    dx.emplace_back(x[v].size());
  }
  PivotBatch<T> batch{p.n, p.d, {x[0].data(), x[1].data()}, {}};
  Result out;
  if (gradient)
    for (int v = 0; v < 2; ++v) batch.dx[v] = dx[v].data();
  out.value = distance_correlation<T>(pool, ops<T>(), batch, weight, scratch);
  for (int v = 0; v < 2; ++v) {
    CHECK(dx[v].intact());
    out.dx[v].assign(dx[v].data(), dx[v].data() + dx[v].size());
  }
  return out;
}

double worst(const Result& got, const Result& want) {
  double largest = 0, apart = 0;
  for (int v = 0; v < 2; ++v)
    for (std::size_t i = 0; i < want.dx[v].size(); ++i) {
      largest = std::max(largest, std::abs(want.dx[v][i]));
      const double d = std::abs(got.dx[v][i] - want.dx[v][i]);
      apart = d <= apart ? apart : std::isnan(d) ? INFINITY : d;
    }
  return apart / largest;
}

}  // namespace

// Tiles have 96 rows and 256 columns of the 2n.
TEST(values_against_the_definition) {
  Random random(1);
  for (const int n : {1, 2, 3, 47, 48, 49, 96, 127, 128, 129, 200, 257}) {
    const Populations p = random_populations(random, n, random.integer(1, 12), random.uniform(0, 1));
    const double want = by_definition(p);
    CHECK_FOR(std::abs(tiled<double>(p).value - want) <= 1e-12, std::to_string(n));
    CHECK_FOR(std::abs(tiled<float>(p).value - want) <= 1e-6, std::to_string(n));
    CHECK_FOR(tiled<double>(p).value == tiled<double>(p, 1, 2, false).value, std::to_string(n));
  }
}

TEST(gradients_against_differences) {
  Random random(2);
  Differences differences;
  for (const int n : {2, 3, 60, 130}) {
    Populations p = random_populations(random, n, random.integer(2, 6), random.uniform(0, 1));
    // the second half near the first, as two views of one event are
    for (int i = 0; i < n / 2 * p.d; ++i) p.x[1][i] = p.x[0][i] + 1e-2 * random.normal();
    const Result got = tiled<double>(p, 2.5);
    for (int k = 0; k < 12; ++k) {
      const int v = random.integer(0, 1), at = random.integer(0, n * p.d - 1);
      // 2n numbers share a value of order 1: a difference as large as the derivative itself would pass for n = 130 otherwise
      differences.meet(got.dx[v][at] * n, &p.x[v][at], [&] { return 2.5 * n * by_definition(p); }, std::to_string(n));
    }
    CHECK_FOR(worst(tiled<float>(p, 2.5), got) < 2e-4, std::to_string(worst(tiled<float>(p, 2.5), got)));
  }
  differences.report();
}

TEST(what_it_says) {
  Random random(3);
  Populations same = random_populations(random, 150, 4, 0);
  same.x[1] = same.x[0];
  CHECK(std::abs(tiled<double>(same).value) < 1e-12);
  CHECK(std::abs(tiled<float>(same).value) < 1e-6);
  // the further apart, the more, up to 1; it has no scale and no origin
  double before = 0;
  for (const double shift : {0.5, 1.0, 2.0, 1e3}) {
    const double value = tiled<double>(random_populations(random, 150, 4, shift)).value;
    CHECK(value > before);
    before = value;
  }
  CHECK(before > 0.99 && before <= 1);
  const Populations p = random_populations(random, 100, 3, 0.7);
  Populations other = p;
  for (auto& x : other.x)
    for (double& one : x) one = 1e3 * one + 5e4;
  CHECK(std::abs(tiled<double>(other).value - tiled<double>(p).value) < 1e-10);
  CHECK(std::abs(tiled<float>(other).value - tiled<float>(p).value) < 1e-5);
}

TEST(rows_that_are_all_one_and_what_is_no_number) {
  Populations p{100, 3, {std::vector<double>(300, 0.3), std::vector<double>(300, 0.3)}};
  const Result one = tiled<float>(p);
  CHECK(one.value == 0);
  for (const auto& dx : one.dx)
    for (const double d : dx) CHECK(d == 0);
  p.x[1][7] = NAN;
  CHECK(std::isnan(tiled<float>(p).value));
  p.x[1][7] = INFINITY;
  CHECK(!std::isfinite(tiled<float>(p).value));
}

TEST(threads_change_no_bit) {
  Random random(4);
  const Populations p = random_populations(random, 333, 24, 0.3);
  const Result one = tiled<float>(p, 1, 1);
  for (const int threads : {2, 5}) {
    const Result other = tiled<float>(p, 1, threads);
    CHECK(other.value == one.value);
    for (int v = 0; v < 2; ++v)
      CHECK(std::memcmp(other.dx[v].data(), one.dx[v].data(), one.dx[v].size() * sizeof(double)) == 0);
  }
}

}  // namespace aclr
