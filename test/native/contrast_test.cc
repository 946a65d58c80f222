// The tiled losses against their formulas (golden/README.md "loss/") summed pair by pair.
#include "model/contrast.h"

#include <limits>

#include "support.h"

namespace aclr {
namespace {

struct Views {
  int n, d;
  std::vector<double> z[3];
};

struct Result {
  double loss = 0;
  std::vector<double> dz[3];
  Status status;
};

Views random_views(Random& random, int n, int d) {
  Views views{n, d, {}};
  for (auto& z : views.z) z = random.normals<double>(std::size_t(n) * d);
  return views;
}

const LossEntry<double>& loss_named(const char* name) { return *find_loss<double>(name); }

template <class T>
Result tiled(const char* name, const Views& views, double temperature, const LossWeights& weights = {}) {
  static ThreadPool pool(3);
  const LossEntry<T>& loss = *find_loss<T>(name);
  const int used = loss.info.uses_anomalous ? 3 : 2;
  std::vector<T> z[3];
  std::vector<Guarded<T>> dz;
  ContrastBatch<T> batch{views.n, views.d, {}, {}};
  ContrastScratch<T> scratch;
  for (int v = 0; v < used; ++v) {
    z[v].assign(views.z[v].begin(), views.z[v].end());
    dz.emplace_back(z[v].size());
  }
  for (int v = 0; v < used; ++v) {
    batch.z[v] = z[v].data();
    batch.dz[v] = dz[v].data();
  }
  Result out;
  out.status = contrast<T>(pool, ops<T>(), loss, weights, temperature, batch, scratch, &out.loss);
  for (int v = 0; v < used; ++v) {
    CHECK(dz[v].intact());
    out.dz[v].assign(dz[v].data(), dz[v].data() + dz[v].size());
  }
  return out;
}

// Value and gradient by the definition. Rows a of U: u_1..u_N, v_1..v_N.
Result direct(const char* name, const Views& views, double t, const LossWeights& weights) {
  const LossInfo& info = loss_named(name).info;
  const int n = views.n, d = views.d, used = info.uses_anomalous ? 3 : 2;
  std::vector<double> unit[3], dunit[3], norm[3];
  for (int v = 0; v < used; ++v) {
    unit[v] = views.z[v];
    dunit[v].assign(unit[v].size(), 0.0);
    norm[v].assign(n, 0.0);
    for (int i = 0; i < n; ++i) {
      for (int c = 0; c < d; ++c) norm[v][i] += unit[v][i * d + c] * unit[v][i * d + c];
      norm[v][i] = std::sqrt(norm[v][i]);
      for (int c = 0; c < d; ++c) unit[v][i * d + c] = norm[v][i] > 0 ? unit[v][i * d + c] / norm[v][i] : 0;
    }
  }
  const auto cosine = [&](int va, int i, int vb, int j) {
    double sum = 0;
    for (int c = 0; c < d; ++c) sum += unit[va][i * d + c] * unit[vb][j * d + c];
    return sum;
  };
  Result out;
  // dL/ds of one pair goes to both of its rows
  const auto pair = [&](int va, int i, int vb, int j, double ds) {
    for (int c = 0; c < d; ++c) {
      dunit[va][i * d + c] += ds * unit[vb][j * d + c];
      dunit[vb][j * d + c] += ds * unit[va][i * d + c];
    }
  };
  for (int i = 0; i < n; ++i) {
    out.loss -= weights.invariance * cosine(0, i, 1, i) / t / n;
    pair(0, i, 1, i, -weights.invariance / t / n);
    if (used == 3) {
      out.loss += weights.anomaly * cosine(0, i, 2, i) / t / n;
      pair(0, i, 2, i, weights.anomaly / t / n);
    }
  }
  if (info.denominator != Denominator::kNone)
    for (int a = 0; a < 2 * n; ++a) {
      const auto stands = [&](int b) {
        return b != a && (b % n != a % n || info.denominator == Denominator::kWithPositive);
      };
      double sum = 0;
      for (int b = 0; b < 2 * n; ++b)
        if (stands(b)) sum += std::exp(cosine(a / n, a % n, b / n, b % n) / t - 1 / t);
      out.loss += (std::log(sum) + 1 / t) / (2 * n);
      for (int b = 0; b < 2 * n; ++b)
        if (stands(b))
          pair(a / n, a % n, b / n, b % n, std::exp(cosine(a / n, a % n, b / n, b % n) / t - 1 / t) / sum / t / (2 * n));
    }
  for (int v = 0; v < used; ++v) {
    out.dz[v].assign(dunit[v].size(), 0.0);
    for (int i = 0; i < n; ++i) {
      double along = 0;
      for (int c = 0; c < d; ++c) along += dunit[v][i * d + c] * unit[v][i * d + c];
      for (int c = 0; c < d && norm[v][i] > 0; ++c)
        out.dz[v][i * d + c] = (dunit[v][i * d + c] - along * unit[v][i * d + c]) / norm[v][i];
    }
  }
  return out;
}

double worst(const std::vector<double>& got, const std::vector<double>& want) {
  double largest = 0, difference = got.size() == want.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    const double apart = std::abs(got[i] - want[i]);
    difference = apart <= difference ? difference : std::isnan(apart) ? INFINITY : apart;
  }
  return largest > 0 ? difference / largest : difference;
}

constexpr const char* kNames[] = {"clr", "ntxent", "anomclr", "anomclr+"};

}  // namespace

TEST(every_loss_is_listed) {
  CHECK(std::size(kLosses<double>) == std::size(kNames));
  for (const char* name : kNames) CHECK_FOR(find_loss<float>(name) != nullptr && find_loss<double>(name) != nullptr, name);
  CHECK(find_loss<float>("anomclr++") == nullptr && find_loss<float>("") == nullptr);
}

// Tiles have 96 rows and 256 columns of the 2N.
TEST(tiles_against_the_definition) {
  Random random(1);
  for (const int n : {2, 3, 47, 48, 49, 95, 96, 97, 127, 128, 129, 192, 255, 256, 257}) {
    const Views views = random_views(random, n, random.integer(2, 12));
    const double temperature = n % 2 == 0 ? 0.1 : 0.6;
    const LossWeights weights = n % 3 == 0 ? LossWeights{1, 1} : LossWeights{0.4, 1.9};
    for (const char* name : kNames) {
      const std::string what = std::string(name) + " of " + std::to_string(n);
      const Result want = direct(name, views, temperature, weights), got = tiled<double>(name, views, temperature, weights),
                   single = tiled<float>(name, views, temperature, weights);
      CHECK_FOR(std::abs(got.loss - want.loss) <= 1e-12 * (1 + std::abs(want.loss)), what);
      CHECK_FOR(std::abs(single.loss - want.loss) <= 1e-5 * (1 + std::abs(want.loss)), what);
      for (int v = 0; v < 3; ++v) {
        CHECK_FOR(worst(got.dz[v], want.dz[v]) <= 1e-11, what);
        CHECK_FOR(worst(single.dz[v], want.dz[v]) <= 1e-5, what);
      }
    }
  }
}

TEST(swapping_the_physical_views_swaps_the_gradients) {
  Random random(2);
  for (const char* name : {"clr", "ntxent"}) {
    Views views = random_views(random, 101, 5);
    const Result one = tiled<double>(name, views, 0.2);
    std::swap(views.z[0], views.z[1]);
    const Result other = tiled<double>(name, views, 0.2);
    CHECK_NEAR(one.loss, other.loss, 1e-13);
    CHECK(worst(one.dz[0], other.dz[1]) < 1e-12 && worst(one.dz[1], other.dz[0]) < 1e-12);
  }
}

TEST(only_the_direction_of_a_row_counts) {
  Random random(3);
  const Views views = random_views(random, 60, 7);
  for (const char* name : kNames) {
    Views scaled = views;
    std::vector<double> by;
    for (auto& z : scaled.z)
      for (int i = 0; i < scaled.n; ++i) {
        by.push_back(std::pow(10, random.uniform(-30, 30)));  // in float, squares would overflow and vanish
        for (int c = 0; c < scaled.d; ++c) z[i * scaled.d + c] *= by.back();
      }
    const Result one = tiled<double>(name, views, 0.3), other = tiled<double>(name, scaled, 0.3);
    CHECK_NEAR(one.loss, other.loss, 1e-12);
    CHECK_NEAR(tiled<float>(name, scaled, 0.3).loss, one.loss, 1e-5 * (1 + std::abs(one.loss)));
    for (int v = 0; v < (loss_named(name).info.uses_anomalous ? 3 : 2); ++v)
      for (int i = 0; i < views.n * views.d; ++i)  // a longer row turns less
        CHECK_NEAR(other.dz[v][i] * by[std::size_t(v) * views.n + i / views.d], one.dz[v][i], 1e-12);
  }
}

TEST(turning_all_rows_together_changes_nothing) {
  Random random(4);
  const Views views = random_views(random, 33, 2);
  Views turned = views;
  const double c = std::cos(0.7), s = std::sin(0.7);
  for (auto& z : turned.z)
    for (int i = 0; i < views.n; ++i) {
      const double x = z[2 * i], y = z[2 * i + 1];
      z[2 * i] = c * x - s * y;
      z[2 * i + 1] = s * x + c * y;
    }
  for (const char* name : kNames) CHECK_NEAR(tiled<double>(name, views, 0.1).loss, tiled<double>(name, turned, 0.1).loss, 1e-12);
}

TEST(closed_forms) {
  const double t = 0.25;
  for (const int n : {2, 5, 96, 130}) {
    // all rows alike
    Views alike{n, 3, {}};
    for (auto& z : alike.z) z.assign(3 * n, 0.7);
    CHECK_NEAR(tiled<double>("ntxent", alike, t).loss, std::log(2 * n - 1), 1e-12);
    CHECK_NEAR(tiled<double>("clr", alike, t).loss, std::log(2 * n - 2), 1e-12);
    CHECK_NEAR(tiled<double>("anomclr", alike, t).loss, std::log(2 * n - 2) + 1 / t, 1e-12);
    CHECK_NEAR(tiled<double>("anomclr+", alike, t).loss, 0, 1e-12);
    for (const double g : tiled<double>("ntxent", alike, t).dz[0]) CHECK_NEAR(g, 0, 1e-14);
    // events at right angles, partners alike, anomalies opposite
    Views apart{n, n, {}};
    for (int v = 0; v < 3; ++v) {
      apart.z[v].assign(std::size_t(n) * n, 0.0);
      for (int i = 0; i < n; ++i) apart.z[v][std::size_t(i) * n + i] = v == 2 ? -3 : 2;
    }
    CHECK_NEAR(tiled<double>("ntxent", apart, t).loss, std::log(std::exp(1 / t) + 2 * n - 2) - 1 / t, 1e-12);
    CHECK_NEAR(tiled<double>("clr", apart, t).loss, std::log(2 * n - 2) - 1 / t, 1e-12);
    CHECK_NEAR(tiled<double>("anomclr", apart, t).loss, std::log(2 * n - 2) - 2 / t, 1e-12);
    CHECK_NEAR(tiled<double>("anomclr+", apart, t).loss, -2 / t, 1e-12);
  }
}

TEST(a_zero_row_has_no_direction_and_gets_no_gradient) {
  Random random(5);
  Views views = random_views(random, 20, 4);
  for (auto& z : views.z) std::fill_n(z.begin() + 4 * 7, 4, 0.0);
  std::fill_n(views.z[1].begin() + 4 * 3, 4, 0.0);
  for (const char* name : kNames) {
    const Result want = direct(name, views, 0.5, {}), got = tiled<double>(name, views, 0.5);
    CHECK_NEAR(got.loss, want.loss, 1e-12 * (1 + std::abs(want.loss)));
    for (int v = 0; v < 3; ++v) CHECK_FOR(worst(got.dz[v], want.dz[v]) <= 1e-12, name);
    for (int c = 0; c < 4; ++c) CHECK(got.dz[0][4 * 7 + c] == 0 && got.dz[1][4 * 3 + c] == 0);
  }
}

TEST(one_event) {
  Random random(6);
  const Views views = random_views(random, 1, 3);
  for (const char* name : {"clr", "anomclr"}) {
    const Result got = tiled<double>(name, views, 0.5);
    CHECK(got.status.code() == Code::kUndefined);
    CHECK(got.status.message().find(name) != std::string::npos);
  }
  const Result contrasted = tiled<double>("ntxent", views, 0.5);
  CHECK(contrasted.status.ok());
  CHECK_NEAR(contrasted.loss, 0, 1e-15);  // the pair alone stands in its denominator
  for (const double g : contrasted.dz[0]) CHECK_NEAR(g, 0, 1e-15);
  const Result plus = tiled<double>("anomclr+", views, 0.5), want = direct("anomclr+", views, 0.5, {});
  CHECK_NEAR(plus.loss, want.loss, 1e-14);
}

TEST(bad_sizes_and_temperatures_are_refused) {
  Random random(7);
  const Views views = random_views(random, 4, 3);
  CHECK(!tiled<double>("clr", Views{0, 3, {}}, 0.5).status.ok());
  CHECK(!tiled<double>("clr", Views{4, 0, {}}, 0.5).status.ok());
  for (const double t : {0.0, -1.0, double(NAN)}) CHECK(!tiled<double>("clr", views, t).status.ok());
}

TEST(a_row_that_is_not_finite_makes_the_value_nan) {
  Random random(8);
  for (const char* name : kNames)
    for (const double bad : {double(NAN), double(INFINITY), -double(INFINITY)})
      for (const int at : {0, 1, 95, 96, 129})
        for (int v = 0; v < (loss_named(name).info.uses_anomalous ? 3 : 2); ++v) {
          Views views = random_views(random, 130, 3);
          views.z[v][3 * at + at % 3] = bad;
          CHECK_FOR(std::isnan(tiled<double>(name, views, 0.2).loss), std::string(name) + " view " + std::to_string(v));
          CHECK_FOR(std::isnan(tiled<float>(name, views, 0.2).loss), std::string(name) + " view " + std::to_string(v));
        }
}

TEST(a_row_of_nothing_but_nan_makes_the_value_nan) {
  Random random(12);
  for (const char* name : kNames)
    for (const double others : {0.0, double(NAN)}) {
      Views views = random_views(random, 20, 3);
      views.z[1][3] = NAN;
      views.z[1][4] = views.z[1][5] = others;
      CHECK_FOR(std::isnan(tiled<double>(name, views, 0.2).loss), name);
      CHECK_FOR(std::isnan(tiled<float>(name, views, 0.2).loss), name);
    }
}

// A small temperature saturates the softmax: nothing overflows, and the gradient does not drown in rounding.
TEST(extreme_temperatures) {
  Random random(9);
  const Views views = random_views(random, 40, 6);
  for (const char* name : kNames)
    for (const double t : {1e-3, 1e-2, 1e2, 1e6}) {
      const Result want = direct(name, views, t, {}), got = tiled<double>(name, views, t), single = tiled<float>(name, views, t);
      CHECK_NEAR(got.loss, want.loss, 1e-11 * (1 + std::abs(want.loss)));
      CHECK_NEAR(single.loss, want.loss, 1e-5 * (1 + std::abs(want.loss)));
      CHECK_FOR(worst(got.dz[0], want.dz[0]) <= 1e-9, name + std::to_string(t));
      CHECK_FOR(worst(single.dz[0], want.dz[0]) <= (t < 0.01 ? 2e-3 : 1e-4), name + std::to_string(t));
    }
}

// Without gradients, with them in place of the rows, and in memory that larger and smaller batches used before.
TEST(every_way_to_ask) {
  Random random(10);
  ThreadPool pool(2);
  ContrastScratch<double> used;
  for (const int n : {30, 400, 7})
    for (const char* name : kNames) {
      const Views views = random_views(random, n, 4);
      const LossEntry<double>& loss = loss_named(name);
      const Result all = tiled<double>(name, views, 0.3);
      ContrastBatch<double> batch{views.n, views.d, {views.z[0].data(), views.z[1].data(), views.z[2].data()}, {}};
      double value = 0;
      CHECK(contrast(pool, ops<double>(), loss, {}, 0.3, batch, used, &value).ok());
      CHECK_FOR(value == all.loss, name);
      std::vector<double> rows[3] = {views.z[0], views.z[1], views.z[2]};
      const int count = loss.info.uses_anomalous ? 3 : 2;
      for (int v = 0; v < count; ++v) batch.z[v] = batch.dz[v] = rows[v].data();
      CHECK(contrast(pool, ops<double>(), loss, {}, 0.3, batch, used, &value).ok());
      for (int v = 0; v < count; ++v) CHECK_FOR(value == all.loss && rows[v] == all.dz[v], name);
    }
}

TEST(the_same_for_any_count_of_threads) {
  Random random(11);
  const Views views = random_views(random, 300, 8);
  for (const char* name : kNames) {
    std::vector<std::vector<float>> seen;
    for (const int threads : {1, 2, 3, 5}) {
      ThreadPool pool(threads);
      std::vector<float> z[3], dz(300 * 8), others[2] = {dz, dz};
      for (int v = 0; v < 3; ++v) z[v].assign(views.z[v].begin(), views.z[v].end());
      double value = 0;
      ContrastScratch<float> scratch;
      CHECK(contrast<float>(pool, ops<float>(), *find_loss<float>(name), {}, 0.1,
                            {300, 8, {z[0].data(), z[1].data(), z[2].data()}, {dz.data(), others[0].data(), others[1].data()}},
                            scratch, &value).ok());
      for (const auto& other : others) dz.insert(dz.end(), other.begin(), other.end());
      dz.push_back(static_cast<float>(value));
      seen.push_back(dz);
    }
    for (const auto& one : seen) CHECK_FOR(one == seen[0], name);
  }
}

}  // namespace aclr
