// The tiled distance correlation against its definition, and its gradient against finite differences.
#include "model/pivot.h"

#include <cstring>

#include "differences.h"

namespace aclr {
namespace {

struct Populations {
  int n, d;
  std::vector<double> x[2];
  RowScaling scaling = RowScaling::kNone;
};

constexpr RowScaling kScalings[] = {RowScaling::kNone, RowScaling::kStandardise, RowScaling::kWhiten};

Populations random_populations(Random& random, int n, int d, double shift, double centre = 0) {
  Populations p{n, d, {}, RowScaling::kNone};
  for (int v = 0; v < 2; ++v) {
    p.x[v] = random.normals<double>(std::size_t(n) * d);
    for (double& x : p.x[v]) x += v * shift + centre;
  }
  return p;
}

// The inverse of the covariance of the first population as it is scaled, by Gauss and Jordan.
std::vector<double> metric_of(const Populations& p) {
  const int d = p.d;
  std::vector<double> c(std::size_t(d) * d, 0.0), inverse(c.size(), 0.0), mean(d, 0.0);
  for (int a = 0; a < d; ++a) inverse[a * d + a] = 1;
  if (p.scaling == RowScaling::kNone) return inverse;
  for (int i = 0; i < p.n * d; ++i) mean[i % d] += p.x[0][i] / p.n;
  for (int i = 0; i < p.n; ++i)
    for (int a = 0; a < d; ++a)
      for (int b = 0; b < d; ++b)
        if (a == b || p.scaling == RowScaling::kWhiten)
          c[a * d + b] += (p.x[0][i * d + a] - mean[a]) * (p.x[0][i * d + b] - mean[b]) / p.n;
  double trace = 0;
  for (int a = 0; a < d; ++a) trace += c[a * d + a];
  for (int a = 0; a < d; ++a) c[a * d + a] += RowScale<double>::kFloor * trace / d;
  for (int a = 0; a < d; ++a) {
    const double pivot = c[a * d + a];
    for (int b = 0; b < d; ++b) {
      c[a * d + b] /= pivot;
      inverse[a * d + b] /= pivot;
    }
    for (int r = 0; r < d; ++r) {
      const double by = c[r * d + a];
      for (int b = 0; r != a && b < d; ++b) {
        c[r * d + b] -= by * c[a * d + b];
        inverse[r * d + b] -= by * inverse[a * d + b];
      }
    }
  }
  return inverse;
}

// Both matrices in full, doubly centred.
double by_definition(const Populations& p) {
  const auto metric = metric_of(p);
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
    const auto apart = [&](int c) { return p.x[i / p.n][i % p.n * p.d + c] - p.x[j / p.n][j % p.n * p.d + c]; };
    double square = 0;
    for (int b = 0; b < p.d; ++b)
      for (int c = 0; c < p.d; ++c) square += apart(b) * metric[b * p.d + c] * apart(c);
    return std::sqrt(std::max(0.0, square));
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
  PivotBatch<T> batch{p.n, p.d, {x[0].data(), x[1].data()}, {}, p.scaling};
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
    Populations p = random_populations(random, n, random.integer(1, 12), random.uniform(0, 1));
    for (int i = 0; i < n * p.d; ++i) p.x[i % 2][i] *= 1 + i % p.d;  // of unequal widths
    for (const RowScaling scaling : kScalings) {
      p.scaling = scaling;
      if (n < 2 && scaling != RowScaling::kNone) continue;  // one row has no covariance
      const double want = by_definition(p);
      const std::string what = std::to_string(n) + " scaling " + std::to_string(static_cast<int>(scaling));
      // a direction without variance is as wide as the floor makes it: where rows are few, rounding is magnified
      CHECK_FOR(std::abs(tiled<double>(p).value - want) <= (n > 2 * p.d ? 1e-12 : 1e-8), what);
      CHECK_FOR(std::abs(tiled<float>(p).value - want) <= (n > 2 * p.d ? 2e-6 : 1e-3), what);
      CHECK_FOR(tiled<double>(p).value == tiled<double>(p, 1, 2, false).value, what);
    }
  }
}

TEST(gradients_against_differences) {
  Random random(2);
  Differences differences;
  for (const int n : {4, 60, 130})
    for (const RowScaling scaling : kScalings) {
      Populations p = random_populations(random, n, random.integer(2, 6), random.uniform(0, 1));
      p.scaling = scaling;
      // the second half near the first, as two views of one event are
      for (int i = 0; i < n / 2 * p.d; ++i) p.x[1][i] = p.x[0][i] + 1e-2 * random.normal();
      if (n < 2 * p.d && scaling != RowScaling::kNone) continue;
      // one direction as narrow as the floor, which then moves with all the others
      for (int i = 0; i < n; ++i)
        for (auto& x : p.x) x[i * p.d] *= scaling == RowScaling::kNone ? 1 : 1e-3;
      const Result got = tiled<double>(p, 2.5);
      const std::string what = std::to_string(n) + " scaling " + std::to_string(static_cast<int>(scaling));
      for (int k = 0; k < 12; ++k) {
        const int v = random.integer(0, 1), at = random.integer(0, n - 1) * p.d + random.integer(1, p.d - 1);
        // 2n rows share a value of order 1: a difference as large as the derivative itself would pass for n = 130 otherwise
        differences.meet(got.dx[v][at] * n, &p.x[v][at], [&] { return 2.5 * n * by_definition(p); }, what);
      }
      CHECK_FOR(worst(tiled<float>(p, 2.5), got) < 5e-4, what + " " + std::to_string(worst(tiled<float>(p, 2.5), got)));
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

// Whitened, no linear change of the rows changes anything; the floor does, a little.
TEST(whitened_rows_have_no_basis) {
  Random random(5);
  Populations p = random_populations(random, 150, 3, 0.4);
  p.scaling = RowScaling::kWhiten;
  Populations other = p;
  for (int v = 0; v < 2; ++v)
    for (int i = 0; i < p.n; ++i) {
      const double* x = p.x[v].data() + i * 3;
      double* y = other.x[v].data() + i * 3;
      y[0] = 10 * x[0] - x[1] + 3;
      y[1] = x[0] + x[2];
      y[2] = 0.3 * x[2] + x[1];
    }
  const Result here = tiled<double>(p), there = tiled<double>(other);
  CHECK_NEAR(there.value, here.value, 1e-4 * here.value);
  p.scaling = other.scaling = RowScaling::kNone;
  CHECK(std::abs(tiled<double>(other).value / tiled<double>(p).value - 1) > 0.1);
}

TEST(rows_that_are_all_one_and_what_is_no_number) {
  for (const RowScaling scaling : kScalings) {
    Populations p{100, 3, {std::vector<double>(300, 0.3), std::vector<double>(300, 0.3)}, scaling};
    const Result one = tiled<float>(p);
    CHECK(one.value == 0);
    for (const auto& dx : one.dx)
      for (const double d : dx) CHECK(d == 0);
    for (const int v : {0, 1})
      for (const double bad : {double(NAN), double(INFINITY)}) {
        Random random(6);
        p = random_populations(random, 100, 3, 0);
        p.scaling = scaling;
        p.x[v][7] = bad;
        CHECK(!std::isfinite(tiled<float>(p).value));
      }
  }
}

TEST(threads_change_no_bit) {
  Random random(4);
  Populations p = random_populations(random, 333, 24, 0.3);
  p.scaling = RowScaling::kWhiten;
  const Result one = tiled<float>(p, 1, 1);
  for (const int threads : {2, 5}) {
    const Result other = tiled<float>(p, 1, threads);
    CHECK(other.value == one.value);
    for (int v = 0; v < 2; ++v)
      CHECK(std::memcmp(other.dx[v].data(), one.dx[v].data(), one.dx[v].size() * sizeof(double)) == 0);
  }
}

}  // namespace aclr
