// The update of all weights against model/optimiser.h in double, step after step.
#include "model/optimiser.h"

#include "row_support.h"

namespace aclr::cuda {
namespace {

struct Setting {
  const char* name;
  OptimiserConfig config;
};

std::vector<Setting> settings() {
  std::vector<Setting> all{{"adam", {}}, {"adamw, clipped", {}}, {"adam with l2, not clipped", {}}, {"sgd", {}},
                           {"sgd with l2", {}}};
  all[1].config.weight_decay = 0.1;
  all[1].config.clip = 0.5;
  all[2].config.l2 = 0.01;
  all[2].config.clip = 1e6;
  all[2].config.beta1 = 0.8;
  all[3].config.kind = all[4].config.kind = OptimiserKind::kSgd;
  all[3].config.momentum = 0.5;
  all[4].config.l2 = 0.05;
  all[4].config.clip = 1;
  return all;
}

// Weights and what goes with them on the device, `shift` numbers past an aligned place.
template <class S>
struct Learned {
  using R = Real<S>;
  DeviceArray<R> w, m, v, g;
  DeviceArray<S> copy;
  DeviceArray<StepInput> input{std::vector<StepInput>{{0, 0, 0, 0}}};
  DeviceArray<aclr::cuda::OptimiserState> state{std::vector<aclr::cuda::OptimiserState>{{0, -1}}};
  Partials partials{1};

  Learned(const std::vector<double>& weights, int shift)
      : w(narrow<R>(weights), shift), m(std::vector<R>(weights.size()), shift), v(std::vector<R>(weights.size()), shift),
        g(weights.size(), shift), copy(weights.size(), shift) {}
  void step(const OptimiserConfig& c, const std::vector<double>& gradient, double rate, bool with_copy) {
    g.set(narrow<R>(gradient));
    input.set({{0, 0, 0, rate}});
    update_weights<S>({gradient.size(), w, m, v, g, with_copy ? copy.data() : nullptr, c.kind == OptimiserKind::kSgd,
                       c.beta1, c.beta2, c.eps, c.momentum, c.weight_decay, c.l2, c.clip, input, state, partials.scratch()},
                      nullptr);
    partials.check();
  }
};

template <class R>
void check_relative(const std::vector<R>& got, const std::vector<double>& wanted, double tolerance,
                    const std::string& what) {
  double most = 1e-30;
  for (const double x : wanted) most = std::max(most, std::abs(x));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (!(std::abs(static_cast<double>(got[i]) - wanted[i]) <= tolerance * (std::abs(wanted[i]) + 0.01 * most))) {
      CHECK_FOR(false, what + " [" + std::to_string(i) + "]: " + std::to_string(got[i]) + ", not " +
                           std::to_string(wanted[i]));
      return;
    }
}

template <class S>
void check_steps(ThreadPool& pool, const Setting& setting, std::size_t count, int shift) {
  using R = Real<S>;
  Random random(static_cast<std::uint32_t>(count));
  const std::string name = std::string(name_of<S>()) + " " + setting.name + " " + std::to_string(count);
  std::vector<double> w = random_numbers<R>(random, count);
  Learned<S> on(w, shift);
  aclr::OptimiserState<double> state;
  const bool with_copy = shift == 0;
  for (int step = 0; step < 4; ++step) {
    const std::vector<double> g = random_numbers<R>(random, count, 0.1);
    const double rate = 0.02 / (1 + step);
    const double norm = update(pool, setting.config, rate, g.data(), w.data(), count, state);
    on.step(setting.config, g, rate, with_copy);
    const auto got = on.state.get()[0];
    CHECK_FOR(got.steps == step + 1, name);
    CHECK_NEAR(got.norm, norm, 1e-12 * norm);
  }
  const double room = std::is_same_v<R, double> ? 1e-12 : 5e-5;
  const auto got_w = on.w.get();
  check_relative(got_w, w, room, "w " + name);
  check_relative(on.m.get(), state.m, 10 * room, "m " + name);
  if (setting.config.kind == OptimiserKind::kAdam) check_relative(on.v.get(), state.v, room, "v " + name);
  else CHECK(same_bits(on.v.get(), std::vector<R>(count)));
  if (!with_copy) return;
  std::vector<S> copy;
  for (const R x : got_w) copy.push_back(stored<S>(x));
  CHECK_FOR(same_bits(on.copy.get(), copy), name);
}

TEST(updates_meet_the_optimiser) {
  ThreadPool pool(1);
  for (const Setting& setting : settings())
    for_all_numbers([&]<class S>(S) {
      for (const std::size_t count : {1, 7, 4098}) check_steps<S>(pool, setting, count, static_cast<int>(count % 2));
    });
  check_steps<float>(pool, settings()[1], 300001, 0);
}

TEST(updates_repeat_bit_for_bit) {
  Random random(3);
  const std::size_t count = 30001;
  const auto w = random_numbers<float>(random, count), g = random_numbers<float>(random, count);
  Learned<bf16> one(w, 0), other(w, 0);
  for (int step = 0; step < 2; ++step)
    for (Learned<bf16>* learned : {&one, &other}) learned->step(settings()[1].config, g, 0.01, true);
  CHECK(same_bits(one.w.get(), other.w.get()) && same_bits(one.m.get(), other.m.get()) &&
        same_bits(one.v.get(), other.v.get()));
  CHECK(one.state.get()[0].norm == other.state.get()[0].norm);
}

// The step after one that was refused is as if that had never been.
TEST(a_norm_that_is_not_finite_changes_nothing) {
  Random random(4);
  const std::size_t count = 999;
  const auto w = random_numbers<float>(random, count), g = random_numbers<float>(random, count);
  for (const Setting& setting : {settings()[1], settings()[4]})
    for (const double bad : {std::nan(""), double(INFINITY), -double(INFINITY)}) {
      Learned<bf16> one(w, 0), other(w, 0);
      one.step(setting.config, g, 0.01, true);
      other.step(setting.config, g, 0.01, true);
      const auto w_before = one.w.get(), m_before = one.m.get(), v_before = one.v.get();
      one.copy.set(narrow<bf16>(std::vector<double>(count, 5)));
      std::vector<double> broken = g;
      broken[count - 1] = bad;
      one.step(setting.config, broken, 0.01, true);
      CHECK(same_bits(one.w.get(), w_before) && same_bits(one.m.get(), m_before) && same_bits(one.v.get(), v_before));
      CHECK(one.state.get()[0].steps == 1 && !std::isfinite(one.state.get()[0].norm));
      CHECK(same_bits(one.copy.get(), other.copy.get()));  // made anew all the same
      one.step(setting.config, g, 0.01, true);
      other.step(setting.config, g, 0.01, true);
      CHECK(same_bits(one.w.get(), other.w.get()) && one.state.get()[0].steps == 2);
    }
}

TEST(weights_are_copied) {
  Random random(5);
  for_all_numbers([&]<class S>(S) {
    const auto w = random_numbers<Real<S>>(random, 1025);
    DeviceArray<Real<S>> from(narrow<Real<S>>(w), 1);
    DeviceArray<S> copy(1025, 1);
    copy_weights<S>(1025, from, copy, nullptr);
    CHECK(same_bits(copy.get(), narrow<S>(w)));
  });
}

}  // namespace
}  // namespace aclr::cuda
