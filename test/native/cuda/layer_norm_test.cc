// Layer norm of tokens, and what goes into a layer of the head, against the portable oracle in double.
#include "differences.h"
#include "row_support.h"

namespace aclr::cuda {
namespace {

constexpr int kSite = 9;

// One layer norm and its oracle, in numbers of S.
template <class S>
struct Case {
  Ragged ragged;
  int d, threshold;
  std::vector<double> x, branch, dout, gain, offset;
  std::vector<double> out, normal, rstd, ds, dbranch, dgain, doffset;  // wanted

  Case(Random& random, int rows, int d_, int threshold_, bool with_branch)
      : ragged(random, rows), d(d_), threshold(threshold_), x(random_numbers<S>(random, count())),
        dout(random_numbers<S>(random, count())), gain(random_numbers<Real<S>>(random, d)),
        offset(random_numbers<Real<S>>(random, d)), out(count()), normal(count()), rstd(rows), ds(count()), dbranch(count()),
        dgain(d), doffset(d) {
    if (with_branch) branch = random_numbers<S>(random, count());
    const std::vector<std::uint8_t> keeps = ragged.keeps(d, threshold, kSite);
    const std::uint8_t* keep = threshold > 0 ? keeps.data() : nullptr;
    portable_f64.layer_norm({rows, d, x.data(), with_branch ? branch.data() : nullptr, gain.data(), offset.data(),
                             out.data(), normal.data(), rstd.data(), keep, keep_scale(threshold)});
    std::vector<double> given(count()), given_rstd(rows);  // what the device keeps of the forward
    for (std::size_t i = 0; i < given.size(); ++i) given[i] = as<S>(normal[i]);
    for (int r = 0; r < rows; ++r) given_rstd[r] = as<Real<S>>(rstd[r]);
    portable_f64.layer_norm_backward({rows, d, dout.data(), given.data(), given_rstd.data(), gain.data(), ds.data(),
                                      dgain.data(), doffset.data(), keep, keep_scale(threshold), dbranch.data()});
  }
  std::size_t count() const { return static_cast<std::size_t>(ragged.count) * d; }
  std::vector<S> rows_of(const std::vector<double>& x) const {
    return narrow<S>(poisoned(x, ragged.capacity, d));
  }
  std::string name() const {
    return std::string(name_of<S>()) + " d " + std::to_string(d) + " rows " + std::to_string(ragged.count) + " threshold " +
           std::to_string(threshold);
  }
};

// A variance near 0 makes rstd, and with it all errors, large: by at most 1 / sqrt(eps) = 316.
template <class S>
double largest_rstd(const Case<S>& c) {
  double most = 1;
  for (const double r : c.rstd) most = std::max(most, r);
  return most;
}

template <class S>
void check_forward(const Case<S>& c, int shift, bool in_place) {
  DeviceRagged on(c.ragged);
  DeviceArray<S> x(c.rows_of(c.x), shift), branch(c.rows_of(c.branch), shift);
  DeviceArray<Real<S>> gain(narrow<Real<S>>(c.gain), 1), offset(narrow<Real<S>>(c.offset), 3);
  DeviceArray<S> out(std::size_t(c.ragged.capacity) * c.d, shift), normal(std::size_t(c.ragged.capacity) * c.d, shift);
  DeviceArray<Real<S>> rstd(c.ragged.capacity);
  S* branch_at = c.branch.empty() && c.ragged.count > 0 ? nullptr : branch.data();
  LayerNorm<S> a{on.tokens(), c.d, x, branch_at, gain, offset, in_place ? x.data() : out.data(), normal, rstd,
                 on.dropout(c.threshold, kSite)};
  layer_norm(a, nullptr);
  const auto got = in_place ? x.get() : out.get();
  const double room = largest_rstd(c);
  check_rows(got, c.out, c.ragged.capacity, c.d, near_stored<S>() * (1 + 1e-3 * room), "out " + c.name());
  check_rows(normal.get(), c.normal, c.ragged.capacity, c.d, near_stored<S>() * (1 + 1e-3 * room),
             "normal " + c.name());
  check_rows(rstd.get(), c.rstd, c.ragged.capacity, 1, near_real<S>(), "rstd " + c.name());
  if (in_place) return;
  // again, in place of the branch where there is one, without a backward to come
  a.out = branch_at ? branch_at : x.data();
  a.normal = nullptr;
  a.rstd = nullptr;
  layer_norm(a, nullptr);
  CHECK_FOR(same_bits(branch_at ? branch.get() : x.get(), got), c.name());
}

template <class S>
void check_backward(const Case<S>& c, int shift, bool in_place) {
  DeviceRagged on(c.ragged);
  const std::size_t all = std::size_t(c.ragged.capacity) * c.d;
  DeviceArray<S> dout(c.rows_of(c.dout), shift), normal(c.rows_of(c.normal), shift), ds(all, shift), dbranch(all, shift);
  DeviceArray<Real<S>> rstd(narrow<Real<S>>(poisoned(c.rstd, c.ragged.capacity, 1))), gain(narrow<Real<S>>(c.gain), 1),
      dgain(c.d, 1), doffset(c.d, 2);
  Partials partials(2 * c.d);
  LayerNormBackward<S> a{on.tokens(), c.d, dout, normal, rstd, gain, ds, c.threshold > 0 ? dbranch.data() : nullptr, dgain,
                         doffset, on.dropout(c.threshold, kSite), partials.scratch()};
  layer_norm_backward(a, nullptr);
  const auto first = ds.get();
  const auto first_dgain = dgain.get(), first_doffset = doffset.get();
  const double room = largest_rstd(c);
  check_rows(first, c.ds, c.ragged.capacity, c.d, near_stored<S>() * room, "ds " + c.name());
  if (a.dbranch)
    check_rows(dbranch.get(), c.dbranch, c.ragged.capacity, c.d, near_stored<S>() * room, "dbranch " + c.name());
  const double sums = near_real<S>() * std::sqrt(1.0 + c.ragged.count);
  check_near(first_dgain, c.dgain, sums, "dgain " + c.name());
  check_near(first_doffset, c.doffset, sums, "doffset " + c.name());
  partials.check();
  // again, perhaps in place: the same bits
  if (in_place) a.ds = dout;
  layer_norm_backward(a, nullptr);
  CHECK_FOR(same_bits(in_place ? dout.get() : ds.get(), first), c.name());
  CHECK_FOR(same_bits(dgain.get(), first_dgain) && same_bits(doffset.get(), first_doffset), c.name());
}

TEST(layer_norm_meets_the_oracle) {
  Random random(1);
  for_all_numbers([&]<class S>(S) {
    for (const int d : kSizes)
      for (const int rows : kCounts) {
        if (rows == 300 && d % 32 == 1) continue;
        check_forward<S>({random, rows, d, 0, random.coin()}, 0, random.coin());
        check_forward<S>({random, rows, d, 77, true}, random.integer(0, 1), random.coin());
      }
  });
}

TEST(layer_norm_of_long_rows) {
  Random random(2);
  for_all_numbers([&]<class S>(S) {
    for (const int d : {256, 512, 1024, 1300, 2050, 4096})
      for (const int threshold : {0, 26}) {
        const Case<S> c(random, 6, d, threshold, true);
        check_forward(c, threshold == 0, false);
        check_backward(c, threshold == 0, true);
      }
  });
}

TEST(layer_norm_backward_meets_the_oracle) {
  Random random(3);
  for_all_numbers([&]<class S>(S) {
    for (const int d : kSizes)
      for (const int rows : kCounts) {
        if (rows == 300 && d % 32 == 1) continue;
        check_backward<S>({random, rows, d, 0, true}, 0, random.coin());
        check_backward<S>({random, rows, d, 77, true}, random.integer(0, 1), random.coin());
      }
  });
}

// More rows than the blocks of a grid take at once.
TEST(layer_norm_walks_over_many_rows) {
  Random random(4);
  const Case<float> wide(random, 20000, 33, 26, true), narrow(random, 9000, 129, 26, true);
  check_forward(wide, 0, false);
  check_backward(wide, 0, false);
  check_backward(narrow, 0, false);
}

// ---- the head -----------------------------------------------------------------------------------------------------------

template <class S>
void check_head(Random& random, int rows, int in, bool norm) {
  using R = Real<S>;
  const int x_row = in + 5, dx_row = in + 2;
  const std::size_t count = std::size_t(rows) * in;
  const std::string name = std::string(name_of<S>()) + " in " + std::to_string(in) + " rows " + std::to_string(rows);
  const auto x = random_numbers<R>(random, std::size_t(rows) * x_row), gain = random_numbers<R>(random, in),
             offset = random_numbers<R>(random, in), dout = random_numbers<S>(random, count),
             before = random_numbers<R>(random, std::size_t(rows) * dx_row);
  DeviceArray<R> x_at(narrow<R>(x)), gain_at(narrow<R>(gain)), offset_at(narrow<R>(offset)), rstd(rows);
  DeviceArray<S> out(count), normal(count);
  head_input<S>({rows, in, x_row, x_at, norm ? gain_at.data() : nullptr, offset_at, out, normal, rstd}, nullptr);

  std::vector<double> dense(count), wanted(count), wanted_normal(count), wanted_rstd(rows);
  for (std::size_t i = 0; i < count; ++i) dense[i] = x[i / in * x_row + i % in];
  if (norm)
    portable_f64.layer_norm({rows, in, dense.data(), nullptr, gain.data(), offset.data(), wanted.data(),
                             wanted_normal.data(), wanted_rstd.data()});
  else wanted = dense;
  for (double& y : wanted) y = std::max(y, 0.0);
  double room = 1;
  for (const double r : wanted_rstd) room = std::max(room, r);
  const auto got = out.get();
  check_near(got, wanted, near_stored<S>() * (1 + 1e-3 * room), "out " + name);
  if (norm) {
    check_near(normal.get(), wanted_normal, near_stored<S>() * (1 + 1e-3 * room), "normal " + name);
    check_near(rstd.get(), wanted_rstd, near_real<S>(), "rstd " + name);
  }

  // backward, from what the forward gave
  std::vector<double> ds(count), dgain(in), doffset(in), kept_normal(count), kept_rstd(rows), wanted_dx = before;
  for (std::size_t i = 0; i < count; ++i) ds[i] = static_cast<double>(real(got[i])) > 0 ? dout[i] : 0;
  if (norm) {
    const auto kept = normal.get();
    const auto kept_r = rstd.get();
    for (std::size_t i = 0; i < count; ++i) kept_normal[i] = static_cast<double>(real(kept[i]));
    for (int r = 0; r < rows; ++r) kept_rstd[r] = static_cast<double>(kept_r[r]);
    portable_f64.layer_norm_backward({rows, in, ds.data(), kept_normal.data(), kept_rstd.data(), gain.data(), ds.data(),
                                      dgain.data(), doffset.data()});
  }
  for (std::size_t i = 0; i < count; ++i) wanted_dx[i / in * dx_row + i % in] += ds[i];
  DeviceArray<S> dout_at(narrow<S>(dout));
  DeviceArray<R> dx(narrow<R>(before)), dgain_at(in), doffset_at(in);
  Partials partials(2 * in);
  HeadInputBackward<S> a{rows, in, dx_row, dout_at, out, normal, rstd, norm ? gain_at.data() : nullptr, dx, dgain_at,
                         doffset_at, partials.scratch()};
  head_input_backward(a, nullptr);
  check_near(dx.get(), wanted_dx, near_real<S>() * room, "dx " + name);
  if (!norm) return;
  const auto first = dgain_at.get();
  check_near(first, dgain, near_real<S>() * std::sqrt(1.0 + rows), "dgain " + name);
  check_near(doffset_at.get(), doffset, near_real<S>() * std::sqrt(1.0 + rows), "doffset " + name);
  head_input_backward(a, nullptr);
  CHECK_FOR(same_bits(dgain_at.get(), first), name);
  partials.check();
}

TEST(head_meets_the_oracle) {
  Random random(5);
  for_all_numbers([&]<class S>(S) {
    for (const int in : kSizes)
      for (const int rows : {0, 1, 5, 90})
        for (const bool norm : {false, true}) check_head<S>(random, rows, in, norm);
    check_head<S>(random, 7, 4096, true);
  });
}

TEST(head_meets_differences) {
  Random random(6);
  const int rows = 3, in = 6;
  std::vector<double> x = random.normals<double>(rows * in), gain = random.normals<double>(in),
      offset = random.normals<double>(in);
  const std::vector<double> dout = random.normals<double>(rows * in);
  DeviceArray<double> x_at(rows * in), gain_at(in), offset_at(in), out(rows * in), normal(rows * in), rstd(rows),
      dout_at(dout);
  const auto value = [&] {
    x_at.set(x);
    gain_at.set(gain);
    offset_at.set(offset);
    head_input<double>({rows, in, in, x_at, gain_at, offset_at, out, normal, rstd}, nullptr);
    const std::vector<double> y = out.get();
    double sum = 0;
    for (int i = 0; i < rows * in; ++i) sum += y[i] * dout[i];
    return sum;
  };
  value();
  DeviceArray<double> dx(std::vector<double>(rows * in, 0.0)), dgain(in), doffset(in);
  Partials partials(2 * in);
  head_input_backward<double>({rows, in, in, dout_at, out, normal, rstd, gain_at, dx, dgain, doffset, partials.scratch()},
                              nullptr);
  Differences differences;
  const std::vector<double> by_x = dx.get(), by_gain = dgain.get(), by_offset = doffset.get();
  for (int i = 0; i < rows * in; ++i) differences.meet(by_x[i], &x[i], value, "dx");
  for (int i = 0; i < in; ++i) {
    differences.meet(by_gain[i], &gain[i], value, "dgain");
    differences.meet(by_offset[i], &offset[i], value, "doffset");
  }
  differences.report();
}

TEST(rows_are_stored) {
  Random random(7);
  for_all_numbers([&]<class S>(S) {
    const auto x = random_numbers<Real<S>>(random, 11 * 9);
    DeviceArray<Real<S>> x_at(narrow<Real<S>>(x));
    DeviceArray<S> out(11 * 7);
    store_rows<S>(11, 7, x_at, 9, out, nullptr);
    std::vector<double> wanted;
    for (int r = 0; r < 11; ++r)
      for (int c = 0; c < 7; ++c) wanted.push_back(as<S>(x[r * 9 + c]));
    check_near(out.get(), wanted, 0, name_of<S>());
  });
}

}  // namespace
}  // namespace aclr::cuda
