// Every kernel on every target that this CPU has against the portable one: shapes, masks and values are the input's, NaN,
// infinities, subnormals and huge numbers among them. Each buffer is a block of exactly its size, so that a lane too many
// is seen.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "allocation.h"
#include "bytes.h"
#include "kernels/amx_available.h"
#include "kernels/targets.h"

namespace aclr::fuzz {
namespace {

bool there(const char* target) {
  const std::string all = std::string(" ") + available_targets() + " ";
  return all.find(std::string(" ") + target + " ") != all.npos;
}

template <class T>
std::vector<const Ops<T>*> others() {
  std::vector<const Ops<T>*> found;
  const auto add = [&](const char* name, const Ops<float>* f32, const Ops<double>* f64) {
    if (!there(name)) return;
    if constexpr (std::is_same_v<T, float>) found.push_back(f32);
    else found.push_back(f64);
  };
#if defined(ACLR_X86)
  add("avx2", &avx2_f32, &avx2_f64);
  add("avx512", &avx512_f32, &avx512_f64);
#elif defined(ACLR_ARM64)
  add("neon", &neon_f32, &neon_f64);
#endif
  return found;
}
std::vector<const Ops<float>*> bf16_others() {
  std::vector<const Ops<float>*> found;
#if defined(ACLR_X86)
  if (there("avx2")) found.push_back(&avx2_bf16);
  if (there("avx512")) found.push_back(&avx512_bf16);
  if (there("avx512bf16")) found.push_back(&avx512bf16_bf16);
#if defined(ACLR_AMX)
  if (there("amx")) found.push_back(&amx_bf16);
#endif
#elif defined(ACLR_ARM64)
  found.push_back(&neon_bf16);
#endif
  return found;
}

// Numbers of one case, the same for each target that draws them: plain ones, and odd ones at some places.
class Draw {
 public:
  Draw(const std::uint8_t* data, std::size_t size) : bytes_(data, size), random_(bytes_.raw<std::uint32_t>() | 1u) {
    for (std::size_t& place : places_) place = bytes_.raw<std::uint16_t>();
    odd_ = bytes_.byte();
  }
  int size(int most) { return static_cast<int>(bytes_.below(static_cast<std::size_t>(most) + 1)); }
  bool coin() { return bytes_.below(2) == 1; }
  // Results can be held to a tolerance: odd numbers, if any, are NaN and subnormal. What overflows in one order of a sum may
  // not in another.
  bool comparable() const { return odd_ % 4 < 2; }

  template <class T>
  std::vector<T> numbers(std::size_t count, double low = -2, double high = 2) {
    std::vector<T> out(count);
    for (T& x : out) x = static_cast<T>(low + (high - low) * static_cast<double>(random_() % 4096) / 4095);
    if (odd_ % 4 != 0 && count > 0)
      for (std::size_t i = 0; i < odd_ / 64u + 1; ++i)
        out[places_[i] % count] = odd<T>((places_[i] / 256 + i) % (comparable() ? kMild : kOdd));
    return out;
  }
  std::vector<std::uint8_t> keeps(std::size_t count) {
    std::vector<std::uint8_t> out(count);
    for (std::uint8_t& k : out) k = random_() % 5 > 0;
    return out;
  }

 private:
  template <class T>
  static T odd(std::size_t which) {
    using L = std::numeric_limits<T>;
    const T all[kOdd] = {L::quiet_NaN(), L::denorm_min(), -L::denorm_min(), L::min() / 2, T(0), T(-0.0), L::infinity(), -L::infinity(),
                         L::max(), -L::max(), T(88), T(-104), T(709), T(1e-20), T(1e20), T(1e30)};
    return all[which];
  }
  static constexpr std::size_t kMild = 6, kOdd = 16;

  Bytes bytes_;
  std::minstd_rand random_;
  std::size_t places_[4];
  std::uint8_t odd_;
};

[[noreturn]] void differ(const char* kernel, const char* target, std::size_t at, double got, double want) {
  std::fprintf(stderr, "BROKEN: %s of %s gives %.9g at %zu, portable %.9g\n", kernel, target, got, at, want);
  std::abort();
}

// Results of one kernel, held to a tolerance relative to 1 + their size.
template <class T>
struct Results {
  std::vector<std::vector<T>> of;
  bool nan_spreads = false;  // how far within an event is a target's own affair
};
template <class T>
void meet(const char* kernel, const char* target, const Results<T>& got, const Results<T>& want, bool comparable, double tolerance) {
  if (!comparable) return;
  std::size_t at = 0;
  for (std::size_t r = 0; r < want.of.size(); ++r)
    for (std::size_t i = 0; i < want.of[r].size(); ++i, ++at) {
      const double g = got.of[r][i], w = want.of[r][i];
      if (want.nan_spreads && (std::isnan(g) || std::isnan(w))) continue;
      if (std::isnan(g) != std::isnan(w) || std::abs(g - w) > tolerance * (1 + std::abs(w))) differ(kernel, target, at, g, w);
    }
}

template <class T, class Kernel>
void on_all(const char* name, const Draw& draw, double tolerance, const std::vector<const Ops<T>*>& targets, const Ops<T>& portable,
            const Kernel& kernel) {
  Draw first = draw;
  const Results<T> want = kernel(portable, first);
  for (const Ops<T>* one : targets) {
    Draw again = draw;
    meet(name, one->target, kernel(*one, again), want, draw.comparable(), tolerance);
  }
}

template <class T>
Results<T> gemm(const Ops<T>& op, Draw& draw) {
  const int m = draw.size(80), n = draw.size(70), k = draw.size(70), spare = draw.size(3), c_row = n + draw.size(5);
  const bool turned = draw.coin(), b_turned = draw.coin(), bias = draw.coin(), accumulate = draw.coin(), relu = draw.coin();
  const auto a = draw.numbers<T>(std::size_t(m + spare) * (k + spare)), b = draw.numbers<T>(std::size_t(n + spare) * (k + spare));
  const auto biases = draw.numbers<T>(n);
  auto c = draw.numbers<T>(std::size_t(m) * c_row);
  if (m == 0 || n == 0) return {{c}};
  const std::ptrdiff_t a_row = turned ? 1 : k + spare, a_col = turned ? m + spare : 1;
  const std::ptrdiff_t b_row = b_turned ? 1 : n + spare, b_col = b_turned ? k + spare : 1;
  std::vector<T> packed(std::max<std::size_t>(op.packed_size(k, n), 1));  // with k of 0, a place to begin at
  op.pack(b.data(), b_row, b_col, k, n, packed.data());
  op.gemm({m, n, k, a.data(), a_row, a_col, packed.data(), bias ? biases.data() : nullptr, c.data(), c_row, accumulate, relu});
  return {{c}};
}

template <class T>
Results<T> layer_norm(const Ops<T>& op, Draw& draw) {
  const int rows = draw.size(9), d = 1 + draw.size(70);
  const std::size_t count = std::size_t(rows) * d;
  const bool with_branch = draw.coin(), with_keep = with_branch && draw.coin();
  const auto x = draw.numbers<T>(count), branch = draw.numbers<T>(count), gain = draw.numbers<T>(d), offset = draw.numbers<T>(d);
  const auto keep = draw.keeps(count);
  std::vector<T> out(count), normal(count), rstd(rows), again(count);
  op.layer_norm({rows, d, x.data(), with_branch ? branch.data() : nullptr, gain.data(), offset.data(), out.data(), normal.data(),
                 rstd.data(), with_keep ? keep.data() : nullptr, T(1.25)});
  op.affine(normal.data(), gain.data(), offset.data(), rows, d, again.data());
  return {{out, normal, again}};
}

template <class T>
Results<T> layer_norm_backward(const Ops<T>& op, Draw& draw) {
  const int rows = draw.size(9), d = 1 + draw.size(70);
  const std::size_t count = std::size_t(rows) * d;
  const bool with_keep = draw.coin();
  const auto dout = draw.numbers<T>(count), normal = draw.numbers<T>(count), gain = draw.numbers<T>(d);
  const auto rstd = draw.numbers<T>(rows, 0.1, 3);
  const auto keep = draw.keeps(count);
  auto dgain = draw.numbers<T>(d), doffset = draw.numbers<T>(d);
  std::vector<T> ds(count), dbranch(with_keep ? count : 0);
  op.layer_norm_backward({rows, d, dout.data(), normal.data(), rstd.data(), gain.data(), ds.data(), dgain.data(), doffset.data(),
                          with_keep ? keep.data() : nullptr, T(1.25), with_keep ? dbranch.data() : nullptr});
  return {{ds, dgain, doffset, dbranch}};
}

template <class T>
Results<T> attention(const Ops<T>& op, Draw& draw) {
  const int heads = 1 + draw.size(3), d = heads * (1 + draw.size(20)), events = draw.size(5);
  std::vector<std::int32_t> offsets{0};
  std::size_t pairs = 0;
  for (int e = 0; e < events; ++e) {
    const int n = draw.size(draw.coin() ? kMostKeys : 9);
    offsets.push_back(offsets.back() + n);
    pairs += std::size_t(heads) * n * padded_keys(n);
  }
  const auto tokens = static_cast<std::size_t>(offsets.back());
  const bool with_bias = draw.coin(), with_keep = draw.coin();
  const auto qkv = draw.numbers<T>(tokens * 3 * d, -1, 1), bias = draw.numbers<T>(tokens), dout = draw.numbers<T>(tokens * d);
  const auto keep = draw.keeps(pairs);
  std::vector<T> probs(pairs), out(tokens * d), dqkv(tokens * 3 * d), dbias(tokens);
  const std::uint8_t* const kept = with_keep ? keep.data() : nullptr;
  op.attention({events, heads, d, offsets.data(), qkv.data(), with_bias ? bias.data() : nullptr, kept, T(1.25), probs.data(),
                out.data()});
  op.attention_backward({events, heads, d, offsets.data(), qkv.data(), probs.data(), dout.data(), kept, T(1.25), dqkv.data(),
                         with_bias ? dbias.data() : nullptr});
  return {{probs, out, dqkv, dbias}, true};
}

template <class T>
Results<T> adam(const Ops<T>& op, Draw& draw) {
  const auto count = static_cast<std::size_t>(draw.size(200));
  auto w = draw.numbers<T>(count), m = draw.numbers<T>(count), v = draw.numbers<T>(count, 0, 2);
  const auto g = draw.numbers<T>(count);
  op.adam({count, w.data(), m.data(), v.data(), g.data(), T(0.5), T(0.01), T(0.9), T(0.1), T(0.999), T(0.001), T(0.99), T(1e-3),
           T(3), T(1e-3)});
  return {{w, m, v}};
}

template <class T>
Results<T> small_ones(const Ops<T>& op, Draw& draw) {
  const int rows = draw.size(12), cols = draw.size(70);
  const std::size_t count = std::size_t(rows) * cols;
  auto x = draw.numbers<T>(count), dx = draw.numbers<T>(count), sums = draw.numbers<T>(cols);
  const auto out = draw.numbers<T>(count);
  const auto keep = draw.keeps(count);
  op.column_sums(x.data(), rows, cols, sums.data());
  op.dropout(x.data(), keep.data(), T(1.25), count);
  op.relu_backward(dx.data(), out.data(), T(1.25), count);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(draw.size(255)));
  op.dropout_keep({1, 2, 3, 4, 5, static_cast<int>(bytes.size()), draw.size(255), bytes.data()});
  return {{x, dx, sums, {bytes.begin(), bytes.end()}}};
}

template <class T>
Results<T> contrast(const Ops<T>& op, Draw& draw) {
  const int rows = draw.size(12), cols = draw.size(70), s_row = cols + draw.size(5);
  auto s = draw.numbers<T>(std::size_t(rows) * s_row, -1, 1);
  const auto row = draw.numbers<T>(rows, 1, 4), col = draw.numbers<T>(cols, 1, 4), g_row = draw.numbers<T>(rows), g_col = draw.numbers<T>(cols);
  if (draw.coin())
    for (int i = 0; i < std::min(rows, cols); ++i) s[std::size_t(i) * s_row + i] = -std::numeric_limits<T>::infinity();
  std::vector<T> maximum(rows, T(-4)), sum(rows, T(1));
  if (rows == 0 || cols == 0) return {};
  op.log_sum_exp({rows, cols, s.data(), s_row, T(2), maximum.data(), sum.data(), nullptr, nullptr, nullptr, nullptr});
  std::vector<T> weighed = s;
  op.weigh({rows, cols, weighed.data(), s_row, T(2), nullptr, nullptr, row.data(), col.data(), g_row.data(), g_col.data()});
  for (T& x : weighed)
    if (std::isinf(x)) x = 0;
  return {{maximum, sum, weighed}};
}

template <class T>
void one_of(std::uint8_t which, const Draw& draw, const Ops<T>& portable) {
  const double fine = std::is_same_v<T, float> ? 2e-4 : 1e-10;
  const auto targets = others<T>();
  switch (which % 7) {
    case 0: return on_all<T>("gemm", draw, fine, targets, portable, gemm<T>);
    case 1: return on_all<T>("layer_norm", draw, 10 * fine, targets, portable, layer_norm<T>);
    case 2: return on_all<T>("layer_norm_backward", draw, 10 * fine, targets, portable, layer_norm_backward<T>);
    case 3: return on_all<T>("attention", draw, 10 * fine, targets, portable, attention<T>);
    case 4: return on_all<T>("adam", draw, fine, targets, portable, adam<T>);
    case 5: return on_all<T>("small kernels", draw, fine, targets, portable, small_ones<T>);
    default: return on_all<T>("contrast", draw, 10 * fine, targets, portable, contrast<T>);
  }
}

}  // namespace
}  // namespace aclr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aclr;
  using namespace aclr::fuzz;
  if (size < 14 || size > 256) return -1;
  const Run run;
  const Draw draw(data + 1, size - 1);
  if (data[0] >= 224) on_all<float>("gemm of bf16", draw, 2e-4, bf16_others(), portable_bf16, gemm<float>);
  else if (data[0] % 2 == 0) one_of<float>(data[0] / 2, draw, portable_f32);
  else one_of<double>(data[0] / 2, draw, portable_f64);
  return 0;
}
