// The losses on the device against their formulas (golden/README.md "loss/") summed pair by pair, one rank and several.
#include <cuda_runtime.h>

#include <algorithm>
#include <memory>

#include "cuda/kernels/ops.h"
#include "cuda/launch.h"
#include "loss/list.h"
#include "support.h"

namespace aclr::cuda {
namespace {

// Device memory between two guard zones that no kernel may touch.
template <class T>
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t count) : count_(count), bytes_(count * sizeof(T)) {
    check(cudaMalloc(reinterpret_cast<void**>(&all_), bytes_ + 2 * kZone), "memory for a test");
    check(cudaMemset(all_, kMark, bytes_ + 2 * kZone), "marks");
  }
  explicit DeviceMemory(const std::vector<T>& inside) : DeviceMemory(inside.size()) { put(inside); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(all_); }
  T* data() { return reinterpret_cast<T*>(all_ + kZone); }
  void put(const std::vector<T>& inside) {
    check(cudaMemcpy(data(), inside.data(), inside.size() * sizeof(T), cudaMemcpyHostToDevice), "to the device");
  }
  std::vector<T> get() {
    std::vector<T> out(count_);
    check(cudaMemcpy(out.data(), data(), bytes_, cudaMemcpyDeviceToHost), "from the device");
    return out;
  }
  bool intact() {
    std::vector<unsigned char> zones(2 * kZone);
    check(cudaMemcpy(zones.data(), all_, kZone, cudaMemcpyDeviceToHost), "first zone");
    check(cudaMemcpy(zones.data() + kZone, all_ + kZone + bytes_, kZone, cudaMemcpyDeviceToHost), "last zone");
    return std::all_of(zones.begin(), zones.end(), [](unsigned char byte) { return byte == kMark; });
  }

 private:
  static constexpr std::size_t kZone = 256;
  static constexpr unsigned char kMark = 0xa5;
  std::size_t count_, bytes_;
  unsigned char* all_ = nullptr;
};

struct ViewRows {
  int n, d;
  std::vector<double> z[3];
};

struct Result {
  double loss = 0;
  std::vector<double> dz[3];
};

ViewRows random_views(Random& random, int n, int d) {
  ViewRows views{n, d, {}};
  for (auto& z : views.z) z = random.normals<double>(std::size_t(n) * d);
  return views;
}

// Partners alike, as in a network that has been trained.
ViewRows similar_views(Random& random, int n, int d, double apart) {
  ViewRows views = random_views(random, n, d);
  for (std::size_t i = 0; i < views.z[1].size(); ++i)
    views.z[1][i] = static_cast<float>(views.z[0][i] + apart * views.z[1][i]);
  return views;
}

int place_of(const std::string& name) {
  for (int i = 0; i < static_cast<int>(std::size(kLosses<double>)); ++i)
    if (name == kLosses<double>[i].info.name) return i;
  return -1;
}
const LossInfo& info_of(int loss) { return kLosses<double>[loss].info; }
int views_of(int loss) { return info_of(loss).uses_anomalous ? 3 : 2; }

// What one rank has on the device.
template <class S>
struct Rank {
  using R = Real<S>;
  Rank(int loss, const ViewRows& views, double temperature, const LossWeights& weights, int first, int count, bool gradient)
      : used(views_of(loss)), rows(std::size_t(used) * views.n), z(rows * views.d), dz(std::size_t(used) * count * views.d),
        unit(rows * Contrast<S>::padded(views.d)), norm(rows), top(2 * views.n), weight(2 * views.n),
        statistics(Contrast<S>::statistics_size(views.n, count)), value(1), scratch(partial_bytes(1) / sizeof(double)) {
    const bool pairs = info_of(loss).denominator != Denominator::kNone;
    std::vector<R> mine;
    for (int v = 0; v < used; ++v)
      for (int i = 0; i < views.n; ++i)
        for (int k = 0; k < views.d; ++k) {
          const bool read = (pairs && v < 2) || (i >= first && i < first + count);
          mine.push_back(read ? R(views.z[v][std::size_t(i) * views.d + k]) : R(NAN));
        }
    z.put(mine);
    job = {views.n, first, count, views.d, used, info_of(loss).denominator, loss, R(1 / temperature), weights, z.data(),
           gradient ? dz.data() : nullptr, unit.data(), norm.data(), top.data(), weight.data(), statistics.data(),
           value.data(), {scratch.data(), partial_bytes(1)}};
  }
  bool intact() {
    return z.intact() && dz.intact() && unit.intact() && norm.intact() && top.intact() && weight.intact() &&
           statistics.intact() && value.intact() && scratch.intact();
  }
  int used;
  std::size_t rows;
  DeviceMemory<R> z, dz;
  DeviceMemory<S> unit;
  DeviceMemory<R> norm, top, weight, statistics;
  DeviceMemory<double> value, scratch;
  Contrast<S> job;
};

template <class R>
void take_own(std::vector<R>& all, std::vector<R> from, int total, int first, int count) {
  for (int view = 0; view < 2; ++view)
    std::copy_n(from.begin() + view * total + first, count, all.begin() + view * total + first);
}

// The loss as `ranks` processes do it, their events split as evenly as goes.
template <class S>
Result on_device(int loss, const ViewRows& views, double temperature, const LossWeights& weights = {}, int ranks = 1,
                 bool gradient = true) {
  using R = Real<S>;
  const int n = views.n, d = views.d;
  std::vector<std::unique_ptr<Rank<S>>> all;
  std::vector<R> top(2 * n), weight(2 * n);
  Result out;
  for (int r = 0; r < ranks; ++r) {
    const int first = n * r / ranks, count = n * (r + 1) / ranks - first;
    all.push_back(std::make_unique<Rank<S>>(loss, views, temperature, weights, first, count, gradient));
    Rank<S>& rank = *all.back();
    contrast_units(rank.job, nullptr);
    contrast_statistics(rank.job, nullptr);
    contrast_rows(rank.job, nullptr);
    take_own(top, rank.top.get(), n, first, count);
    take_own(weight, rank.weight.get(), n, first, count);
    out.loss += rank.value.get()[0];
  }
  for (int v = 0; v < views_of(loss); ++v) out.dz[v].assign(std::size_t(n) * d, NAN);
  for (auto& rank : all) {
    if (info_of(loss).denominator != Denominator::kNone) rank->top.put(top), rank->weight.put(weight);
    contrast_spread(rank->job, nullptr);
    const std::vector<R> dz = rank->dz.get();
    const std::size_t size = std::size_t(rank->job.count) * d;
    for (int v = 0; v < rank->used; ++v)
      std::copy_n(dz.begin() + v * size, size, out.dz[v].begin() + std::size_t(rank->job.first) * d);
    CHECK(rank->intact());
  }
  return out;
}

double rounded_bf16(double x) { return __bfloat162float(__float2bfloat16(static_cast<float>(x))); }

// Value and gradient by the definition. Rows a of U: u_1..u_N, v_1..v_N. With `bf16_units` what meets all others does so
// rounded as the device stores it: what is left then is the device's own rounding.
Result direct(int loss, const ViewRows& views, double t, const LossWeights& weights, bool bf16_units = false) {
  const LossInfo& info = info_of(loss);
  const int n = views.n, d = views.d, used = views_of(loss);
  std::vector<double> unit[3], coarse[3], dunit[3], norm[3];
  for (int v = 0; v < used; ++v) {
    unit[v] = views.z[v];
    dunit[v].assign(unit[v].size(), 0.0);
    norm[v].assign(n, 0.0);
    for (int i = 0; i < n; ++i) {
      for (int c = 0; c < d; ++c) norm[v][i] += unit[v][i * d + c] * unit[v][i * d + c];
      norm[v][i] = std::sqrt(norm[v][i]);
      for (int c = 0; c < d; ++c) unit[v][i * d + c] = norm[v][i] > 0 ? unit[v][i * d + c] / norm[v][i] : 0;
    }
    coarse[v] = unit[v];
    if (bf16_units)
      for (double& x : coarse[v]) x = rounded_bf16(x);
  }
  const auto cosine = [&](const std::vector<double>* rows, int va, int i, int vb, int j) {
    double sum = 0;
    for (int c = 0; c < d; ++c) sum += rows[va][i * d + c] * rows[vb][j * d + c];
    return sum;
  };
  Result out;
  // dL/ds of one pair goes to both of its rows
  const auto pair = [&](const std::vector<double>* rows, int va, int i, int vb, int j, double ds) {
    for (int c = 0; c < d; ++c) {
      dunit[va][i * d + c] += ds * rows[vb][j * d + c];
      dunit[vb][j * d + c] += ds * rows[va][i * d + c];
    }
  };
  for (int i = 0; i < n; ++i) {
    out.loss -= weights.invariance * cosine(unit, 0, i, 1, i) / t / n;
    // with the positive in both denominators these give 1 - negatives/sum: the 1 goes here, so that nothing cancels
    pair(unit, 0, i, 1, i, (double(info.denominator == Denominator::kWithPositive) - weights.invariance) / t / n);
    if (used == 3) {
      out.loss += weights.anomaly * cosine(unit, 0, i, 2, i) / t / n;
      pair(unit, 0, i, 2, i, weights.anomaly / t / n);
    }
  }
  if (info.denominator != Denominator::kNone)
    for (int a = 0; a < 2 * n; ++a) {
      std::vector<double> e(2 * n, -INFINITY);
      const auto rows = [&](int b) { return b % n == a % n ? unit : coarse; };
      const auto stands = [&](int b) {
        return b != a && (b % n != a % n || info.denominator == Denominator::kWithPositive);
      };
      for (int b = 0; b < 2 * n; ++b)
        if (stands(b)) e[b] = cosine(rows(b), a / n, a % n, b / n, b % n) / t;
      const double top = *std::max_element(e.begin(), e.end());
      double sum = 0, negatives = 0;
      for (int b = 0; b < 2 * n; ++b) {
        e[b] = std::exp(e[b] - top);
        sum += e[b];
        if (b % n != a % n) negatives += e[b];
      }
      out.loss += (std::log(sum) + top) / (2 * n);
      for (int b = 0; b < 2 * n; ++b) {
        const double share = b % n == a % n ? -negatives : e[b];
        if (stands(b)) pair(rows(b), a / n, a % n, b / n, b % n, share / sum / t / (2 * n));
      }
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

// How far gradients are apart: the worst, and the root of the mean square, of what turns a row (dz |z|), against the largest
// of `want` but at least `floor`, so that rounding of a gradient that is zero counts for little.
struct Apart {
  double worst = 0, mean = 0;
  std::string words() const { return ": " + std::to_string(worst) + ", " + std::to_string(mean); }
};
Apart apart(const Result& got, const Result& want, const ViewRows& views, double floor) {
  double largest = 0, square = 0, size = 0;
  Apart out;
  for (int v = 0; v < 3; ++v) {
    if (got.dz[v].size() != want.dz[v].size()) return {INFINITY, INFINITY};
    for (std::size_t i = 0; i < want.dz[v].size(); ++i) {
      double norm = 0;
      for (int c = 0; c < views.d; ++c) {
        const double z = views.z[v][i / views.d * views.d + c];
        norm += z * z;
      }
      norm = std::sqrt(norm);
      const double difference = norm * std::abs(got.dz[v][i] - want.dz[v][i]);
      if (std::isnan(difference)) return {INFINITY, INFINITY};
      out.worst = std::max(out.worst, difference);
      square += difference * difference;
      size += norm * want.dz[v][i] * norm * want.dz[v][i];
      largest = std::max(largest, norm * std::abs(want.dz[v][i]));
    }
  }
  out.worst /= std::max(largest, floor);
  out.mean = std::sqrt(square) / std::max(std::sqrt(size), floor);
  return out;
}

struct Case {
  int n, d;
  double temperature;
  LossWeights weights;
};
// Tiles have 64 rows and columns; units are padded to multiples of 32. 224 has no tensor cores.
constexpr Case kCases[] = {{1, 7, 0.5, {}},          {2, 1, 1, {}},        {2, 160, 0.1, {0.4, 1.9}}, {3, 200, 0.05, {}},
                           {17, 32, 0.07, {1, 2}},   {17, 1, 10, {}},      {31, 90, 0.2, {}},         {64, 64, 0.2, {}},
                           {65, 160, 0.1, {1.5, 1}}, {65, 7, 0.6, {0, 1}}, {130, 32, 0.1, {}},        {130, 200, 3, {}},
                           {33, 128, 0.1, {}},       {18, 180, 0.06, {}}, {35, 250, 0.3, {}}};

std::string name_of(int loss, const Case& c) {
  return std::string(info_of(loss).name) + " of " + std::to_string(c.n) + " x " + std::to_string(c.d) + " at " +
         std::to_string(c.temperature);
}
bool defined(int loss, int n) { return n > 1 || info_of(loss).denominator != Denominator::kWithoutPositive; }

template <class Visit>
void each_loss(Visit visit) {
  for (int loss = 0; loss < static_cast<int>(std::size(kLosses<double>)); ++loss) visit(loss);
}

template <class R>
void against_the_definition(double tolerance) {
  Random random(1);
  for (const Case& c : kCases) {
    const ViewRows views = random_views(random, c.n, c.d);
    each_loss([&](int loss) {
      if (!defined(loss, c.n)) return;
      const Result want = direct(loss, views, c.temperature, c.weights);
      const Result got = on_device<R>(loss, views, c.temperature, c.weights);
      const double scale = 1 / c.temperature;
      CHECK_FOR(std::abs(got.loss - want.loss) <= tolerance * (1 + std::abs(want.loss) + scale), name_of(loss, c));
      const Apart off = apart(got, want, views, scale / c.n);
      CHECK_FOR(off.worst <= tolerance, name_of(loss, c) + off.words());
    });
  }
}

}  // namespace

TEST(double_against_the_definition) { against_the_definition<double>(1e-12); }
TEST(float_against_the_definition) { against_the_definition<float>(1e-5); }

TEST(bf16_against_the_definition) {
  Random random(2);
  for (const Case& c : kCases) {
    const ViewRows views = random_views(random, c.n, c.d);
    each_loss([&](int loss) {
      if (!defined(loss, c.n)) return;
      const Result got = on_device<bf16>(loss, views, c.temperature, c.weights);
      const double scale = 1 / c.temperature;
      const Result want = direct(loss, views, c.temperature, c.weights);
      CHECK_FOR(std::abs(got.loss - want.loss) <= 2e-2 * (1 + std::abs(want.loss)), name_of(loss, c));
      const Apart off = apart(got, want, views, scale / c.n);
      CHECK_FOR(off.worst <= 2e-2 && off.mean <= 1e-2, name_of(loss, c) + off.words());
      const Result coarse = direct(loss, views, c.temperature, c.weights, true);
      CHECK_FOR(std::abs(got.loss - coarse.loss) <= 1e-5 * (1 + std::abs(coarse.loss) + scale), name_of(loss, c));
      const Apart left = apart(got, coarse, views, scale / c.n);
      CHECK_FOR(left.worst <= 4e-3 && left.mean <= 2e-3, name_of(loss, c) + left.words());
    });
  }
}

// dL/dz by central differences, some of each view.
TEST(gradients_against_finite_differences) {
  Random random(3);
  const ViewRows views = random_views(random, 9, 5);
  each_loss([&](int loss) {
    const Result at = on_device<double>(loss, views, 0.3, {0.7, 1.3});
    for (int v = 0; v < views_of(loss); ++v)
      for (int k = 0; k < 6; ++k) {
        const int place = random.integer(0, 9 * 5 - 1);
        const double step = 1e-5;
        ViewRows up = views, down = views;
        up.z[v][place] += step;
        down.z[v][place] -= step;
        const double slope = (on_device<double>(loss, up, 0.3, {0.7, 1.3}, 1, false).loss -
                              on_device<double>(loss, down, 0.3, {0.7, 1.3}, 1, false).loss) / (2 * step);
        CHECK_NEAR(at.dz[v][place], slope, 1e-8);
      }
  });
}

// A small temperature saturates the softmax: nothing overflows, and the gradient does not drown in rounding.
TEST(extreme_temperatures) {
  Random random(4);
  const ViewRows views = random_views(random, 40, 6);
  each_loss([&](int loss) {
    for (const double t : {1e-3, 1e-2, 0.049, 0.051, 10.0, 1e2, 1e6}) {
      const std::string what = info_of(loss).name + std::to_string(t);
      const Result want = direct(loss, views, t, {}), coarse = direct(loss, views, t, {}, true);
      const Result got = on_device<double>(loss, views, t), single = on_device<float>(loss, views, t);
      const Result half = on_device<bf16>(loss, views, t);
      CHECK_NEAR(got.loss, want.loss, 1e-11 * (1 + std::abs(want.loss)));
      CHECK_NEAR(single.loss, want.loss, 1e-5 * (1 + std::abs(want.loss)));
      CHECK_NEAR(half.loss, coarse.loss, 1e-5 * (1 + std::abs(coarse.loss)));
      CHECK_FOR(apart(got, want, views, 0).worst <= 1e-9, what);
      CHECK_FOR(apart(single, want, views, 0).worst <= (t < 0.01 ? 2e-3 : 1e-4), what);
      const Apart left = apart(half, coarse, views, 0);
      CHECK_FOR(left.worst <= 1e-2, what + left.words());
    }
  });
}

// Partners so alike that the positive has all of the denominator but a trace.
TEST(saturated_pairs) {
  Random random(5);
  const int ntxent = place_of("ntxent");
  for (const double t : {0.02, 0.08}) {
    const ViewRows views = similar_views(random, 70, 64, 1e-2);
    const Result want = direct(ntxent, views, t, {});
    CHECK_FOR(apart(on_device<double>(ntxent, views, t), want, views, 0).worst <= 1e-9, std::to_string(t));
    const Apart single = apart(on_device<float>(ntxent, views, t), want, views, 0);
    CHECK_FOR(single.worst <= 1e-4, std::to_string(t) + single.words());
    const Apart half = apart(on_device<bf16>(ntxent, views, t), direct(ntxent, views, t, {}, true), views, 0);
    CHECK_FOR(half.worst <= 1e-2, std::to_string(t) + half.words());
  }
}

TEST(only_the_direction_of_a_row_counts) {
  Random random(6);
  const ViewRows views = random_views(random, 66, 33);
  ViewRows scaled = views;
  for (auto& z : scaled.z)
    for (int i = 0; i < scaled.n; ++i) {
      // 1e-25 .. 1e25: in float, squares would overflow and vanish
      const double by = std::ldexp(1, random.integer(-83, 83));
      for (int c = 0; c < scaled.d; ++c) z[i * scaled.d + c] *= by;
    }
  each_loss([&](int loss) {
    const Result want = direct(loss, scaled, 0.3, {});
    const auto holds = [&](auto s, double tolerance) {
      using S = decltype(s);
      const Result one = on_device<S>(loss, views, 0.3), other = on_device<S>(loss, scaled, 0.3);
      CHECK_NEAR(one.loss, other.loss, 1e-6 * (1 + std::abs(one.loss)));
      CHECK_FOR(apart(other, want, scaled, 0).worst <= tolerance, info_of(loss).name);
    };
    holds(double{}, 1e-12);
    holds(float{}, 1e-5);
    holds(bf16{}, 2e-2);
  });
}

TEST(a_zero_row_has_no_direction_and_gets_no_gradient) {
  Random random(7);
  ViewRows views = random_views(random, 20, 4);
  for (auto& z : views.z) std::fill_n(z.begin() + 4 * 7, 4, 0.0);
  std::fill_n(views.z[1].begin() + 4 * 3, 4, 0.0);
  each_loss([&](int loss) {
    const Result want = direct(loss, views, 0.5, {});
    const auto holds = [&](auto s, double tolerance) {
      const Result got = on_device<decltype(s)>(loss, views, 0.5);
      CHECK_NEAR(got.loss, want.loss, tolerance * (1 + std::abs(want.loss)));
      CHECK_FOR(apart(got, want, views, 0).worst <= tolerance, info_of(loss).name);
      for (int c = 0; c < 4; ++c) CHECK(got.dz[0][4 * 7 + c] == 0 && got.dz[1][4 * 3 + c] == 0);
    };
    holds(double{}, 1e-12);
    holds(float{}, 1e-5);
    holds(bf16{}, 2e-2);
  });
}

TEST(a_row_that_is_not_finite_makes_the_value_nan) {
  Random random(8);
  const auto holds = [&](int loss, int v, int at, double bad, bool whole) {
    ViewRows views = random_views(random, 67, 3);
    for (int c = 0; c < 3; ++c)
      if (whole || c == at % 3) views.z[v][3 * at + c] = bad;
    const std::string what = std::string(info_of(loss).name) + " view " + std::to_string(v) + " at " + std::to_string(at);
    CHECK_FOR(std::isnan(on_device<double>(loss, views, 0.2, {}, 1, false).loss), what);
    CHECK_FOR(std::isnan(on_device<float>(loss, views, 0.2, {}, 1, false).loss), what);
    CHECK_FOR(std::isnan(on_device<bf16>(loss, views, 0.2, {}, 1, false).loss), what);
  };
  each_loss([&](int loss) {
    for (int v = 0; v < views_of(loss); ++v) {
      for (const double bad : {double(NAN), double(INFINITY), -double(INFINITY)}) holds(loss, v, 66, bad, false);
      holds(loss, v, 5, NAN, true);
    }
  });
}

// Some ranks have no event at all where there are more ranks than events.
TEST(several_ranks_are_as_one) {
  Random random(9);
  for (const Case& c : {Case{67, 32, 0.2, {}}, Case{130, 96, 0.03, {1, 0.5}}, Case{2, 5, 0.5, {}}}) {
    const ViewRows views = random_views(random, c.n, c.d);
    each_loss([&](int loss) {
      const auto holds = [&](auto s, double tolerance) {
        using S = decltype(s);
        const Result one = on_device<S>(loss, views, c.temperature, c.weights);
        for (const int ranks : {2, 3}) {
          const Result several = on_device<S>(loss, views, c.temperature, c.weights, ranks);
          CHECK_NEAR(several.loss, one.loss, tolerance * (1 + std::abs(one.loss)));
          CHECK_FOR(apart(several, one, views, 0).worst <= tolerance, name_of(loss, c));
        }
      };
      holds(double{}, 1e-12);
      holds(float{}, 1e-5);
      holds(bf16{}, 1e-5);
    });
  }
}

TEST(the_value_alone_and_the_same_bits_twice) {
  Random random(10);
  const ViewRows views = random_views(random, 66, 64);
  each_loss([&](int loss) {
    const auto holds = [&](auto s) {
      using S = decltype(s);
      const Result one = on_device<S>(loss, views, 0.1), other = on_device<S>(loss, views, 0.1);
      const Result value = on_device<S>(loss, views, 0.1, {}, 1, false);
      CHECK_FOR(one.loss == other.loss && value.loss == one.loss, info_of(loss).name);
      for (int v = 0; v < 3; ++v) CHECK_FOR(one.dz[v] == other.dz[v], info_of(loss).name);
    };
    holds(double{});
    holds(float{});
    holds(bf16{});
  });
}

// One rank in bf16 does half of the pairs, in squares of 256 rows (300 events: 3, the last not whole) and then of more.
TEST(half_of_the_pairs_gives_the_sums_of_all) {
  Random random(11);
  for (const int n : {128, 129, 300, 4200}) {
    const ViewRows views = random_views(random, n, 32);
    Rank<bf16> rank(place_of("clr"), views, 0.1, {}, 0, n, false);
    contrast_units(rank.job, nullptr);
    contrast_statistics(rank.job, nullptr);
    const std::vector<bf16> unit = rank.unit.get();
    const std::vector<float> statistics = rank.statistics.get();
    const int splits = Contrast<bf16>::splits(n, n), rows = 2 * n;
    for (int a = 0; a < rows; a += n < 1000 ? 1 : 61) {
      double want = 0, got = 0;
      for (int b = 0; b < rows; ++b) {
        double s = 0;
        for (int c = 0; c < 32; ++c) s += double(real(unit[a * 32 + c])) * double(real(unit[b * 32 + c]));
        if (b % n != a % n) want += std::exp(s / 0.1 - 10);
      }
      for (int split = 0; split < splits; ++split)
        got += std::exp(double(statistics[split * rows + a]) - 10) * statistics[(splits + split) * rows + a];
      CHECK_NEAR(got, want, 1e-5 * want);
    }
    CHECK(rank.intact());
  }
}

TEST(columns_are_split_where_rows_are_few) {
  for (const int total : {1, 2, 63, 64, 65, 1000, 8192, 65536, 1 << 20})
    for (const int count : {1, 2, 64, total / 2, total}) {
      const int splits = Contrast<float>::splits(total, count);
      CHECK(splits >= 1 && splits <= 32 && splits <= (2 * total + 63) / 64);
      CHECK(Contrast<float>::statistics_size(total, count) >= std::size_t(4) * count * splits);
    }
  CHECK(Contrast<float>::splits(130, 130) > 1);  // what the tests above cover
  CHECK(Contrast<bf16>::splits(65536, 65536) == 1);
}

}  // namespace aclr::cuda
