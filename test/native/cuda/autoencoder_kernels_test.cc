// The autoencoder's kernels against plain loops in double.
#include "differences.h"
#include "row_support.h"

namespace aclr::cuda {
namespace {

double activated(Activation kind, double x) {
  if (kind == Activation::kNone || x > 0) return x;
  return kind == Activation::kRelu ? 0 : kind == Activation::kLeakyRelu ? 0.01 * x : std::expm1(x);
}

template <class Body>
void for_float_and_double(const Body& body) {
  body(float{});
  body(double{});
}

TEST(activations_meet_plain_loops) {
  Random random(1);
  for_float_and_double([&]<class R>(R) {
    for (const Activation kind : {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu, Activation::kElu})
      for (const std::size_t count : {0, 1, 33, 3001}) {
        std::vector<double> x = random_numbers<R>(random, count), wanted;
        for (std::size_t i = 0; i < count; i += 7) x[i] *= i % 2 ? 1e-6 : 30;  // elu near 0 and saturated
        for (const double value : x) wanted.push_back(activated(kind, as<R>(value)));
        DeviceArray<R> y(narrow<R>(x), 1);
        activate<R>(kind, count, y, nullptr);
        const auto got = y.get();
        for (std::size_t i = 0; i < count; ++i) CHECK_NEAR(got[i], wanted[i], 10 * near_real<R>() * std::abs(wanted[i]));
      }
  });
}

TEST(activations_meet_differences) {
  Random random(2);
  for (const Activation kind : {Activation::kNone, Activation::kRelu, Activation::kLeakyRelu, Activation::kElu}) {
    const std::size_t count = 40;
    const std::vector<double> x = random.normals<double>(count), dy = random.normals<double>(count);
    DeviceArray<double> y(x), slope(dy);
    activate<double>(kind, count, y, nullptr);
    activate_backward<double>(kind, count, y, slope, nullptr);
    const std::vector<double> got = slope.get();
    Differences differences;
    for (std::size_t i = 0; i < count; ++i) {
      double at = x[i];
      const auto value = [&] {
        DeviceArray<double> one(std::vector<double>{at});
        activate<double>(kind, 1, one, nullptr);
        return dy[i] * one.get()[0];
      };
      differences.meet(got[i], &at, value, "activation " + std::to_string(static_cast<int>(kind)));
    }
    differences.report();
  }
}

template <class R>
void check_errors(Random& random, int rows, int d) {
  const int x_row = d + 4;
  const std::string name = std::string(name_of<R>()) + " d " + std::to_string(d) + " rows " + std::to_string(rows);
  const auto out = random_numbers<R>(random, std::size_t(rows) * d),
      x = random_numbers<R>(random, std::size_t(rows) * x_row);
  std::vector<double> scores(rows), dense(out.size()), dout(out.size());
  double mean = 0;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < d; ++c) {
      const std::size_t i = std::size_t(r) * d + c;
      dense[i] = x[std::size_t(r) * x_row + c];
      const double error = out[i] - dense[i];
      scores[r] += error * error / d;
      dout[i] = 2 * error / (double(rows) * d);
      mean += error * error / (double(rows) * d);
    }
  DeviceArray<R> out_at(narrow<R>(out)), x_at(narrow<R>(x)), dense_at(narrow<R>(dense)), score(rows), dout_at(out.size());
  row_errors<R>(rows, d, out_at, x_at, x_row, score, nullptr);
  check_near(score.get(), scores, near_real<R>(), "scores " + name);
  if (rows == 0) return;
  DeviceArray<double> value(1);
  Partials partials(1);
  mean_error<R>(rows, d, out_at, dense_at, dout_at, value, partials.scratch(), nullptr);
  const std::vector<double> first = value.get();
  check_near(first, {mean}, near_real<R>(), "value " + name);
  const auto got = dout_at.get();
  for (std::size_t i = 0; i < dout.size(); ++i)
    CHECK_NEAR(got[i], dout[i], near_real<R>() * (std::abs(dout[i]) + 2 / (double(rows) * d)));
  mean_error<R>(rows, d, out_at, dense_at, dout_at, value, partials.scratch(), nullptr);
  CHECK_FOR(same_bits(value.get(), first), name);
  partials.check();
}

TEST(errors_meet_plain_loops) {
  Random random(3);
  for_float_and_double([&]<class R>(R) {
    for (const int d : kSizes)
      for (const int rows : kCounts) check_errors<R>(random, rows, d);
    check_errors<R>(random, 3000, 192);
  });
}

TEST(rows_are_centred) {
  Random random(4);
  for_float_and_double([&]<class R>(R) {
    const auto x = random_numbers<R>(random, 50 * 9), mean = random_numbers<R>(random, 6);
    DeviceArray<R> x_at(narrow<R>(x)), mean_at(narrow<R>(mean)), out(50 * 6);
    centre<R>(50, 6, x_at, 9, mean_at, out, nullptr);
    std::vector<double> wanted;
    for (int r = 0; r < 50; ++r)
      for (int c = 0; c < 6; ++c) wanted.push_back(x[r * 9 + c] - mean[c]);
    check_near(out.get(), wanted, near_real<R>(), name_of<R>());
  });
}

}  // namespace
}  // namespace aclr::cuda
