// The AMX kernel on emulated tiles, on any machine, and on the processor's where it has them, against the definition.
#include "kernels/amx_available.h"

#include <fstream>
#include <sstream>
#include <thread>

#include "support.h"

#define ACLR_AMX_EMULATED
#define ACLR_TARGET amx_emulated
#include "kernels/simd/amx.h"
#undef ACLR_AMX_EMULATED
#undef ACLR_TARGET
#if defined(ACLR_AMX)
#define ACLR_TARGET amx
#include "kernels/simd/amx.h"
#undef ACLR_TARGET
#endif

namespace aclr {
namespace {

using Bf16 = std::uint16_t;

// To nearest, ties to even.
Bf16 narrow(double x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, static_cast<float>(x));
  return static_cast<Bf16>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}
float widen(Bf16 x) { return __builtin_bit_cast(float, std::uint32_t{x} << 16); }

// `body` meets each form of the kernel that this machine can run.
template <class Body>
void each_form(Body body) {
  body("amx_emulated", [](auto... fields) { amx_emulated::amx_panel(amx_emulated::AmxPanel<Bf16>{fields...}); });
#if defined(ACLR_AMX)
  if (amx_available()) body("amx", [](auto... fields) { amx::amx_panel(amx::AmxPanel<Bf16>{fields...}); });
#endif
}

// A random product of a panel. Buffers end where the contract lets reading end.
struct Case {
  explicit Case(Random& random)
      : rows(random.integer(1, 70)), columns(random.integer(1, 32)), k(random.integer(random.integer(0, 1), 140)),
        kpairs((k + 1) / 2), filled((k + 31) / 32 * 32), a_row(filled + random.integer(0, 5)),
        c_row(columns + random.integer(0, 9)), accumulate(random.coin()), with_bias(random.coin()), relu(random.coin()),
        a(std::size_t(rows - 1) * a_row + filled), panel(std::size_t(kpairs) * 64),
        bias(random.normals<float>(columns)), before(random.normals<float>(std::size_t(rows) * c_row)) {
    for (Bf16& x : a) x = 0x7FC0;  // NaN between the rows
    for (int i = 0; i < rows; ++i)
      for (int p = 0; p < filled; ++p) a[i * a_row + p] = p < k ? narrow(random.normal()) : 0;
    for (int p = 0; p < k; ++p)
      for (int j = 0; j < columns; ++j) panel[(p / 2 * 32 + j) * 2 + p % 2] = narrow(random.normal());
  }

  template <class Panel>
  Guarded<float> run(Panel panel_of) const {
    Guarded<float> c(before);
    panel_of(rows, columns, kpairs, a.data(), a_row, panel.data(), with_bias ? bias.data() : nullptr, c.data(), c_row,
             accumulate, relu);
    return c;
  }

  int rows, columns, k, kpairs, filled;  // filled: k with the zeros after it
  std::ptrdiff_t a_row, c_row;
  bool accumulate, with_bias, relu;
  std::vector<Bf16> a, panel;
  std::vector<float> bias, before;
};

}  // namespace

TEST(amx_panel_by_its_definition) {
  each_form([](const char* form, auto panel) {
    for (int seed = 0; seed < 400; ++seed) {
      Random random(seed);
      const Case g(random);
      const std::string where = std::string(form) + ", case " + std::to_string(seed);
      Guarded<float> c = g.run(panel);
      CHECK_FOR(c.intact(), where);
      for (int i = 0; i < g.rows; ++i) {
        const std::size_t row = i * g.c_row;
        for (int j = g.columns; j < g.c_row; ++j) CHECK_FOR(c[row + j] == g.before[row + j], where);
        for (int j = 0; j < g.columns; ++j) {
          double want = (g.accumulate ? g.before[row + j] : 0) + (g.with_bias ? g.bias[j] : 0);
          double size = std::abs(g.before[row + j]) + std::abs(g.bias[j]);
          for (int p = 0; p < g.k; ++p) {
            const double product = double{widen(g.a[i * g.a_row + p])} * widen(g.panel[(p / 2 * 32 + j) * 2 + p % 2]);
            want += product;
            size += std::abs(product);
          }
          if (g.relu) want = std::max(want, 0.0);
          // at most 16 roundings in a tile's pairs and two a step of k; bias, C and the sum of each add a few
          CHECK_NEAR(c[row + j], want, (22 + g.k / 16.0) * 0x1p-24 * size);
        }
      }
    }
  });
}

TEST(a_row_is_the_same_in_any_company) {
  each_form([](const char* form, auto panel) {
    for (int seed = 0; seed < 20; ++seed) {
      Random random(seed);
      const Case g(random);
      Guarded<float> together = g.run(panel);
      for (int i = 0; i < g.rows; ++i) {
        std::vector<float> alone(g.before.begin() + i * g.c_row, g.before.begin() + (i + 1) * g.c_row);
        panel(1, g.columns, g.kpairs, g.a.data() + i * g.a_row, g.a_row, g.panel.data(),
              g.with_bias ? g.bias.data() : nullptr, alone.data(), g.c_row, g.accumulate, g.relu);
        CHECK_FOR(std::equal(alone.begin(), alone.end(), together.data() + i * g.c_row), form);
      }
    }
  });
}

// What the manual says of TDPBF16PS beyond a sum of products.
TEST(arithmetic_of_the_tiles) {
  each_form([](const char* form, auto panel) {
    const auto element = [&](std::vector<float> a, std::vector<float> b, float c, bool relu) {
      std::vector<Bf16> row(32), packed(16 * 64);
      for (std::size_t p = 0; p < a.size(); ++p) {
        row[p] = narrow(a[p]);
        packed[p / 2 * 64 + p % 2] = narrow(b[p]);
      }
      panel(1, 1, 16, row.data(), 32, packed.data(), nullptr, &c, 1, true, relu);
      return c;
    };
    // firsts and seconds of the pairs apart: 2^24 + 1 has no float
    CHECK_FOR(element({0x1p24f, -0x1p24f, 1}, {1, 1, 1}, 0, false) == 0, form);
    CHECK_FOR(element({0x1p24f, 1, -0x1p24f}, {1, 1, 1}, 0, false) == 1, form);
    CHECK_FOR(element({0x1p-130f}, {0x1p100f}, 3, false) == 3, form);   // a denormal is zero
    CHECK_FOR(element({0x1p-100f}, {0x1p-30f}, 0, false) == 0, form);   // and so is one that comes out
    CHECK_FOR(element({1}, {0}, 0x1p-130f, false) == 0, form);
    CHECK_FOR(element({0x1p100f}, {0x1p100f}, 0, false) == INFINITY, form);
    CHECK_FOR(std::isnan(element({INFINITY}, {0}, 0, false)), form);
    CHECK_FOR(element({INFINITY}, {0}, 0, true) == 0, form);  // relu of NaN, as every target's
  });
}

TEST(rows_that_are_not_finite_leave_the_others_alone) {
  each_form([](const char* form, auto panel) {
    for (int seed = 0; seed < 20; ++seed) {
      Random random(seed);
      Case g(random);
      if (g.k == 0) continue;
      g.relu = false;
      Guarded<float> before = g.run(panel);
      const int bad = random.integer(0, g.rows - 1);
      g.a[bad * g.a_row + random.integer(0, g.k - 1)] = narrow(INFINITY);
      Guarded<float> after = g.run(panel);
      for (int i = 0; i < g.rows; ++i)
        for (int j = 0; j < g.columns; ++j) {
          const std::size_t at = i * g.c_row + j;
          if (i == bad) CHECK_FOR(!std::isfinite(after[at]), form);
          else CHECK_FOR(after[at] == before[at], form);
        }
    }
  });
}

TEST(each_thread_has_tiles_of_its_own) {
  each_form([](const char* form, auto panel) {
    std::vector<Case> cases;
    std::vector<std::vector<float>> wanted;
    for (int seed = 0; seed < 4; ++seed) {
      Random random(seed);
      cases.emplace_back(random);
      Guarded<float> c = cases.back().run(panel);
      wanted.emplace_back(c.data(), c.data() + c.size());
    }
    std::vector<int> differing(cases.size());
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < cases.size(); ++t)
      threads.emplace_back([&, t] {
        for (int again = 0; again < 10; ++again) {
          Guarded<float> c = cases[t].run(panel);
          differing[t] += !c.intact() || !std::equal(wanted[t].begin(), wanted[t].end(), c.data());
        }
      });
    for (std::thread& thread : threads) thread.join();
    for (const int count : differing) CHECK_FOR(count == 0, form);
  });
}

TEST(an_outer_scope_outlasts_the_panels_in_it) {
  Random random(1);
  const Case g(random);
  const auto panel = [](auto... fields) { amx_emulated::amx_panel(amx_emulated::AmxPanel<Bf16>{fields...}); };
  {
    const amx_emulated::TileScope scope;
    g.run(panel);
    CHECK(amx_emulated::tiles.configured);
    g.run(panel);
  }
  CHECK(!amx_emulated::tiles.configured);
}

#if defined(ACLR_AMX)
TEST(the_processor_agrees_with_the_emulation_to_the_bit) {
  if (!amx_available()) return;
  for (int seed = 0; seed < 400; ++seed) {
    Random random(seed);
    const Case g(random);
    Guarded<float> emulated = g.run([](auto... f) { amx_emulated::amx_panel(amx_emulated::AmxPanel<Bf16>{f...}); });
    Guarded<float> real = g.run([](auto... f) { amx::amx_panel(amx::AmxPanel<Bf16>{f...}); });
    CHECK_FOR(std::memcmp(emulated.data(), real.data(), real.size() * sizeof(float)) == 0, std::to_string(seed));
  }
}

TEST(amx_is_not_seen_where_linux_does_not_list_it) {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream text;
  text << file.rdbuf();
  if (text.str().find("amx_bf16") == std::string::npos) CHECK(!amx_available());
}
#endif

}  // namespace aclr
