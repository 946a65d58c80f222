#include "model/contrast.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "model/linear.h"

namespace aclr {
namespace {

constexpr int kTileRows = 96, kTileCols = 256;

// u = x/|x| with the norm taken over the largest entry, so that 1e25 and 1e-25 neither overflow nor vanish.
template <class T>
T unit_row(const T* x, int d, T* u) {
  T largest = 0;
  for (int c = 0; c < d; ++c) largest = std::max(largest, std::abs(x[c]));
  if (!(largest > 0) || !std::isfinite(largest)) {
    // a zero row has no direction; one that is not finite stays so, for the caller to see
    for (int c = 0; c < d; ++c) u[c] = largest > 0 ? std::numeric_limits<T>::quiet_NaN() : x[c] == x[c] ? T(0) : x[c];
    return 0;
  }
  T square = 0;
  for (int c = 0; c < d; ++c) square += (x[c] / largest) * (x[c] / largest);
  const T norm = largest * std::sqrt(square);
  for (int c = 0; c < d; ++c) u[c] = x[c] / largest / std::sqrt(square);
  return norm;
}

template <class T>
class TiledContrast {
 public:
  TiledContrast(ThreadPool& pool, const LossEntry<T>& loss, const LossWeights& weights, double temperature,
                const ContrastBatch<T>& batch)
      : pool_(pool), loss_(loss), weights_(weights), inverse_temperature_(T(1 / temperature)), batch_(batch),
        n_(batch.n), d_(batch.d), views_(loss.info.uses_anomalous ? 3 : 2) {}

  double run() {
    normalise();
    const bool denominator = loss_.info.denominator != Denominator::kNone;
    if (denominator) log_sum_exp();
    const double value = rows();
    if (gradient_) {
      if (denominator) spread();
      project();
    }
    return value;
  }

 private:
  T* u(int view) { return unit_.data() + std::size_t(view) * n_ * d_; }
  int blocks(int rows) const { return (rows + kTileRows - 1) / kTileRows; }

  void normalise() {
    unit_.resize(std::size_t(views_) * n_ * d_);
    norm_.resize(std::size_t(views_) * n_);
    gradient_ = false;
    for (int v = 0; v < views_; ++v) gradient_ = gradient_ || batch_.dz[v] != nullptr;
    pool_.run(blocks(views_ * n_), [&](int task) {
      for (int i = task * kTileRows; i < std::min(views_ * n_, (task + 1) * kTileRows); ++i) {
        const T* z = batch_.z[i / n_] + (i % n_) * batch_.row;
        norm_[i] = unit_row(z, d_, unit_.data() + std::size_t(i) * d_);
      }
    });
  }

  // s = U_rows . U_cols^T for one tile; an event's own row and its partner are left out (-inf): rows() sees to the pair.
  void cosines(int first, int rows, int col, int cols, const T* packed, T* s) const {
    ops<T>().gemm({rows, cols, d_, unit_.data() + std::size_t(first) * d_, d_, 1, packed, nullptr, s, kTileCols, false,
                   false});
    for (int r = 0; r < rows; ++r)
      for (const int b : {first + r, (first + r + n_) % (2 * n_)})
        if (b >= col && b < col + cols) s[r * kTileCols + b - col] = -std::numeric_limits<T>::infinity();
  }

  void log_sum_exp() {
    const Ops<T>& op = ops<T>();
    const int all = 2 * n_, tiles = (all + kTileCols - 1) / kTileCols;
    top_.resize(all);
    sum_.resize(all);
    negatives_.assign(all, T(0));
    transposed_at_ = op.packed_size(d_, kTileCols);
    transposed_.resize(transposed_at_ * tiles);
    pool_.run(tiles, [&](int tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
      op.pack(unit_.data() + std::size_t(col) * d_, 1, d_, d_, cols, transposed_.data() + transposed_at_ * tile);
    });
    pool_.run(blocks(all), [&](int task) {
      const int first = task * kTileRows, rows = std::min(kTileRows, all - first);
      std::vector<T> s(std::size_t(kTileRows) * kTileCols), sum(rows, T(0));
      std::vector<T> top(rows, -std::numeric_limits<T>::infinity());
      for (int tile = 0; tile < tiles; ++tile) {
        const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
        cosines(first, rows, col, cols, transposed_.data() + transposed_at_ * tile, s.data());
        op.log_sum_exp({rows, cols, s.data(), kTileCols, inverse_temperature_, top.data(), sum.data(), nullptr, nullptr,
                        nullptr, nullptr});
      }
      std::copy(top.begin(), top.end(), top_.begin() + first);
      std::copy(sum.begin(), sum.end(), sum_.begin() + first);
    });
  }

  // lse of row a, from the negatives found by log_sum_exp() and, where the loss has it there, the positive pair.
  T close_denominator(int a, T uv, bool with_positive) {
    if (with_positive) {
      const T positive = uv * inverse_temperature_, top = std::max(top_[a], positive);
      negatives_[a] = sum_[a] > 0 ? sum_[a] * std::exp(top_[a] - top) : T(0);
      sum_[a] = negatives_[a] + std::exp(positive - top);
      top_[a] = top;
    }
    return top_[a] + std::log(sum_[a]);
  }

  // Value, and dL/dU from the terms that pair each event with itself.
  double rows() {
    if (gradient_) dunit_.assign(std::size_t(views_) * n_ * d_, T(0));
    weight_.assign(2 * std::size_t(n_), T(0));
    pair_.resize(n_);
    std::vector<double> partial(blocks(n_), 0.0);
    const T share = T(1) / T(n_);
    const bool denominator = loss_.info.denominator != Denominator::kNone;
    pool_.run(blocks(n_), [&](int task) {
      for (int i = task * kTileRows; i < std::min(n_, (task + 1) * kTileRows); ++i) {
        const T *ui = u(0) + std::size_t(i) * d_, *vi = u(1) + std::size_t(i) * d_;
        const T* wi = views_ == 3 ? u(2) + std::size_t(i) * d_ : nullptr;
        T uv = 0, uw = 0;
        for (int c = 0; c < d_; ++c) uv += ui[c] * vi[c];
        if (wi)
          for (int c = 0; c < d_; ++c) uw += ui[c] * wi[c];
        const bool with_positive = loss_.info.denominator == Denominator::kWithPositive;
        const T lse_u = denominator ? close_denominator(i, uv, with_positive) : T(0);
        const T lse_v = denominator ? close_denominator(i + n_, uv, with_positive) : T(0);
        const LossRow<T> r = loss_.row(uv, uw, lse_u, lse_v, inverse_temperature_, weights_);
        partial[task] += static_cast<double>(r.value);
        pair_[i] = share * r.d_uv;
        if (denominator) {
          weight_[i] = share * r.d_lse / sum_[i];
          weight_[i + n_] = share * r.d_lse / sum_[i + n_];
          // d lse/d uv = p/t with p = 1 - negatives/sum: written so that a saturated pair does not cancel to noise
          const T both = share * inverse_temperature_ * r.d_lse;
          if (with_positive) pair_[i] = (pair_[i] + 2 * both) - both * (negatives_[i] / sum_[i] + negatives_[i + n_] / sum_[i + n_]);
        }
        if (!gradient_) continue;
        T *du = dunit_.data() + std::size_t(i) * d_, *dv = du + std::size_t(n_) * d_, *dw = dv + std::size_t(n_) * d_;
        for (int c = 0; c < d_; ++c) {
          du[c] = pair_[i] * vi[c] + (wi ? share * r.d_uw * wi[c] : T(0));
          dv[c] = pair_[i] * ui[c];
          if (wi) dw[c] = share * r.d_uw * ui[c];
        }
      }
    });
    double value = 0;
    for (const double p : partial) value += p;
    return value / n_;
  }

  // dU_a += sum_b (G_ab + G_ba) U_b with G_ab = weight_a exp(s_ab/t - top_a)/t. s is symmetric, so one tile has both.
  // Maximum and sum stay apart: their logarithm would round away what a saturated loss has left.
  void spread() {
    const Ops<T>& op = ops<T>();
    const int all = 2 * n_, tiles = (all + kTileCols - 1) / kTileCols;
    const std::size_t at = op.packed_size(kTileCols, d_);
    std::vector<T> packed(at * tiles);
    pool_.run(tiles, [&](int tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
      op.pack(unit_.data() + std::size_t(col) * d_, d_, 1, cols, d_, packed.data() + at * tile);
    });
    pool_.run(blocks(all), [&](int task) {
      const int first = task * kTileRows, rows = std::min(kTileRows, all - first);
      std::vector<T> s(std::size_t(kTileRows) * kTileCols);
      for (int tile = 0; tile < tiles; ++tile) {
        const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
        cosines(first, rows, col, cols, transposed_.data() + transposed_at_ * tile, s.data());
        op.weigh({rows, cols, s.data(), kTileCols, inverse_temperature_, nullptr, nullptr, top_.data() + first,
                  top_.data() + col, weight_.data() + first, weight_.data() + col});
        op.gemm({rows, d_, cols, s.data(), kTileCols, 1, packed.data() + at * tile, nullptr,
                 dunit_.data() + std::size_t(first) * d_, d_, true, false});
      }
    });
  }

  // dz = (g - (g.u) u)/|z|
  void project() {
    pool_.run(blocks(views_ * n_), [&](int task) {
      for (int i = task * kTileRows; i < std::min(views_ * n_, (task + 1) * kTileRows); ++i) {
        T* dz = batch_.dz[i / n_];
        if (dz == nullptr) continue;
        dz += std::size_t(i % n_) * d_;
        const T *g = dunit_.data() + std::size_t(i) * d_, *ui = unit_.data() + std::size_t(i) * d_;
        T along = 0;
        for (int c = 0; c < d_; ++c) along += g[c] * ui[c];
        const T norm = norm_[i];
        for (int c = 0; c < d_; ++c) dz[c] = norm > 0 ? (g[c] - along * ui[c]) / norm : T(0) * ui[c];
      }
    });
  }

  ThreadPool& pool_;
  const LossEntry<T>& loss_;
  const LossWeights& weights_;
  const T inverse_temperature_;
  const ContrastBatch<T>& batch_;
  const int n_, d_, views_;
  bool gradient_ = false;
  std::vector<T> unit_, dunit_, norm_, top_, sum_, weight_, pair_, negatives_, transposed_;
  std::size_t transposed_at_ = 0;
};

}  // namespace

template <class T>
const LossEntry<T>* find_loss(const char* name) {
  for (const LossEntry<T>& entry : kLosses<T>)
    if (std::strcmp(entry.info.name, name) == 0) return &entry;
  return nullptr;
}

template <class T>
Status contrast(ThreadPool& pool, const LossEntry<T>& loss, const LossWeights& weights, double temperature,
                const ContrastBatch<T>& batch, double* value) {
  if (batch.n < 1 || batch.d < 1) return Status::invalid("a contrastive loss needs at least one event");
  if (!(temperature > 0)) return Status::invalid("temperature must be above 0");
  if (batch.n == 1 && loss.info.denominator == Denominator::kWithoutPositive)
    return {Code::kUndefined, std::string(loss.info.name) + " is undefined for a single event: it has no negatives"};
  *value = TiledContrast<T>(pool, loss, weights, temperature, batch).run();
  return {};
}

template const LossEntry<float>* find_loss<float>(const char*);
template const LossEntry<double>* find_loss<double>(const char*);
template Status contrast<float>(ThreadPool&, const LossEntry<float>&, const LossWeights&, double,
                                const ContrastBatch<float>&, double*);
template Status contrast<double>(ThreadPool&, const LossEntry<double>&, const LossWeights&, double,
                                 const ContrastBatch<double>&, double*);

}  // namespace aclr
