// The parts of a training step one by one, on one thread: npm run bench:kernels [bf16]. Published encoder (width and
// feed-forward 160, 4 heads); 320 tokens of events with multiplicities as in the sample's three views. Times are of the
// median call. "cold" writes its result where nothing of it is in a cache, as a step does that keeps it for the backward.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "core/buffer.h"
#include "kernels/ops.h"
#include "model/contrast.h"

namespace aclr {
namespace {

constexpr int kTokens = 320, kWidth = 160, kHeads = 4;
constexpr int kCold = 64;  // buffers in turn: more than a cache holds

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double seconds(const std::function<void(int)>& call) {
  std::vector<double> times;
  for (int i = 0; i < 400; ++i) {
    const double start = now();
    call(i);
    times.push_back(now() - start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

Buffer<float> filled(std::size_t count, float value = 0.3f) {
  Buffer<float> out;
  std::fill_n(out.need(count), count, value);
  return out;
}

class Bench {
 public:
  explicit Bench(Products products) : op_(ops<float>(products)) {
    for (int i = 0; i < 20; ++i) {
      const double start = now(), done = op_.peak(500000);
      peak_ = std::max(peak_, done / (now() - start));
    }
    std::vector<char> from(1 << 28, 1), to(1 << 28);
    double copy = 1;
    for (int i = 0; i < 3; ++i) {
      const double start = now();
      std::memcpy(to.data(), from.data(), from.size());
      copy = std::min(copy, now() - start);
    }
    std::printf("%s: multiply-adds out of registers %.0f GFLOP/s, copy %.1f GB/s (read and write)\n\n", target_name(),
                peak_ / 1e9, 2.0 * (1 << 28) / copy / 1e9);
    std::printf("%-44s %12s %10s %8s\n", "", "ns/token", "GFLOP/s", "of peak");
  }

  void run() {
    for (const bool cold : {false, true}) {
      product("in_proj 160 -> 480, forward", kTokens, 3 * kWidth, kWidth, cold);
      product("other layers 160 -> 160, forward", kTokens, kWidth, kWidth, cold);
    }
    product("in_proj, gradient of the input", kTokens, kWidth, 3 * kWidth, false);
    for (const int out : {3 * kWidth, kWidth}) weight_gradient(out);
    attention();
    rows();
    loss();
  }

 private:
  void show(const char* what, double time, double flop) const {
    std::printf("%-44s %12.1f", what, time * 1e9 / kTokens);
    if (flop > 0) std::printf(" %10.1f %7.0f%%", flop / time / 1e9, 100 * flop / time / peak_);
    std::printf("\n");
  }

  void product(const char* what, int m, int n, int k, bool cold) const {
    const auto a = filled(std::size_t(m) * k), b = filled(std::size_t(n) * k), bias = filled(n);
    auto packed = filled(op_.packed_size(k, n)), c = filled(std::size_t(m) * n * (cold ? kCold : 1));
    op_.pack(b.data(), 1, k, k, n, packed.data());
    const double time = seconds([&](int i) {
      float* out = c.data() + (cold ? std::size_t(i % kCold) * m * n : 0);
      op_.gemm({m, n, k, a.data(), k, 1, packed.data(), bias.data(), out, n, false, false});
    });
    show((std::string(what) + (cold ? ", cold" : "")).c_str(), time, 2.0 * m * n * k);
  }

  void weight_gradient(int out) const {
    const auto dy = filled(std::size_t(kTokens) * out), x = filled(std::size_t(kTokens) * kWidth);
    auto packed = filled(op_.packed_size(kTokens, kWidth)), dw = filled(std::size_t(out) * kWidth), db = filled(out);
    const double time = seconds([&](int) {
      op_.pack(x.data(), kWidth, 1, kTokens, kWidth, packed.data());
      op_.gemm({out, kWidth, kTokens, dy.data(), 1, out, packed.data(), nullptr, dw.data(), kWidth, true, false});
      op_.column_sums(dy.data(), kTokens, out, db.data());
    });
    show(out == kWidth ? "other layers, gradient of weight and bias" : "in_proj, gradient of weight and bias", time,
         2.0 * out * kWidth * kTokens);
  }

  void attention() const {
    std::mt19937 random(1);
    std::poisson_distribution<int> more(3.3);
    std::vector<std::int32_t> offsets{0};
    std::size_t pairs = 0;
    double flop = 0;
    while (offsets.back() < kTokens) {
      const int n = std::min(1 + more(random), kTokens - offsets.back());
      offsets.push_back(offsets.back() + n);
      pairs += std::size_t(kHeads) * n * padded_keys(n);
      flop += 4.0 * n * n * kWidth;
    }
    const int events = static_cast<int>(offsets.size()) - 1;
    const auto qkv = filled(3 * kTokens * kWidth), dout = filled(kTokens * kWidth);
    auto probs = filled(pairs), out = filled(kTokens * kWidth), dqkv = filled(3 * kTokens * kWidth);
    const std::vector<std::uint8_t> keep(pairs, 1);
    show("attention, forward", seconds([&](int) {
           op_.attention({events, kHeads, kWidth, offsets.data(), qkv.data(), nullptr, keep.data(), 1.1f, probs.data(), out.data()});
         }), flop);
    show("attention, backward", seconds([&](int) {
           op_.attention_backward({events, kHeads, kWidth, offsets.data(), qkv.data(), probs.data(), dout.data(), keep.data(),
                                   1.1f, dqkv.data(), nullptr});
         }), 2 * flop);
  }

  void rows() const {
    const std::size_t count = std::size_t(kTokens) * kWidth;
    auto x = filled(count), out = filled(count), normal = filled(count), branch = filled(count), rstd = filled(kTokens);
    for (std::size_t i = 0; i < count; ++i) x.data()[i] = static_cast<float>(i % 17);
    auto gain = filled(kWidth), offset = filled(kWidth);
    std::vector<std::uint8_t> keep(count, 1);
    show("LayerNorm with residual and dropout, forward", seconds([&](int) {
           op_.layer_norm({kTokens, kWidth, x.data(), branch.data(), gain.data(), offset.data(), out.data(), normal.data(),
                           rstd.data(), keep.data(), 1.1f});
         }), 0);
    show("LayerNorm with residual and dropout, backward", seconds([&](int) {
           op_.layer_norm_backward({kTokens, kWidth, x.data(), normal.data(), rstd.data(), gain.data(), out.data(), gain.data(),
                                    offset.data(), keep.data(), 1.1f, branch.data()});
         }), 0);
    show("a layer's input from its normalised rows", seconds([&](int) {
           op_.affine(normal.data(), gain.data(), offset.data(), kTokens, kWidth, out.data());
         }), 0);
    show("bytes of dropout, one place of 160", seconds([&](int i) {
           op_.dropout_keep({1, 2, 3, static_cast<std::uint32_t>(i), 5, static_cast<int>(count), 26, keep.data()});
         }), 0);
    show("relu and its dropout, backward", seconds([&](int) { op_.relu_backward(x.data(), out.data(), 1.1f, count); }), 0);
    constexpr std::size_t kWeights = 673600;  // of the published encoder
    auto w = filled(kWeights), m = filled(kWeights), v = filled(kWeights), g = filled(kWeights);
    const double adam = seconds([&](int) {
      op_.adam({kWeights, w.data(), m.data(), v.data(), g.data(), 1, 0, 0.9f, 0.1f, 0.999f, 0.001f, 1, 1e-6f, 1, 1e-8f});
    });
    std::printf("%-44s %9.2f ms a step, %.1f GB/s\n", "Adam", adam * 1e3, 7.0 * 4 * kWeights / adam / 1e9);
  }

  // Value and gradient of anomclr for 4,096 events, beside its products alone: the cosines of all rows of two views with
  // all, twice, and the gradient's product, by the same tiles.
  void loss() const {
    constexpr int n = 4096, all = 2 * n, kRows = 96, kCols = 256;
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    Buffer<float> z[3], dz[3];
    ContrastBatch<float> batch{n, kWidth, {}, {}};
    for (int v = 0; v < 3; ++v) {
      float* x = z[v].need(std::size_t(n) * kWidth);
      for (int i = 0; i < n * kWidth; ++i) x[i] = normal(random);
      batch.z[v] = x;
      batch.dz[v] = dz[v].need(std::size_t(n) * kWidth);
    }
    ThreadPool pool(1);
    ContrastScratch<float> scratch;
    const auto rows = filled(std::size_t(all) * kWidth);
    auto turned = filled(op_.packed_size(kWidth, kCols)), straight = filled(op_.packed_size(kCols, kWidth));
    auto s = filled(std::size_t(kRows) * kCols), d = filled(std::size_t(all) * kWidth);
    std::vector<double> whole, products;
    for (int round = 0; round < 5; ++round) {
      double value = 0, start = now();
      if (!contrast<float>(pool, op_, *find_loss<float>("anomclr"), {}, 0.1, batch, scratch, &value).ok()) return;
      whole.push_back(now() - start);
      start = now();
      for (int first = 0; first < all; first += kRows) {
        const int m = std::min(kRows, all - first);
        const float* a = rows.data() + std::size_t(first) * kWidth;
        for (int pass = 0; pass < 2; ++pass)
          for (int col = 0; col < all; col += kCols) {
            op_.gemm({m, kCols, kWidth, a, kWidth, 1, turned.data(), nullptr, s.data(), kCols, false, false});
            if (pass == 1)
              op_.gemm({m, kWidth, kCols, s.data(), kCols, 1, straight.data(), nullptr, d.data() + std::size_t(first) * kWidth,
                        kWidth, true, false});
          }
      }
      products.push_back(now() - start);
    }
    std::sort(whole.begin(), whole.end());
    std::sort(products.begin(), products.end());
    std::printf("%-44s %9.0f ms, its products alone %.0f ms: %.2f times (medians), %.2f times (fastest)\n", "loss anomclr, 4,096 events",
                whole[2] * 1e3, products[2] * 1e3, whole[2] / products[2], whole[0] / products[0]);
  }

  const Ops<float>& op_;
  double peak_ = 0;
};

}  // namespace
}  // namespace aclr

int main(int argc, char** argv) {
  const bool bf16 = argc > 1 && std::strcmp(argv[1], "bf16") == 0;
  aclr::Bench(bf16 ? aclr::Products::kBf16 : aclr::Products::kExact).run();
}
