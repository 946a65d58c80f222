#include "model/contrast.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

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
  TiledContrast(ThreadPool& pool, const Ops<T>& op, const LossEntry<T>& loss, const LossWeights& weights,
                double temperature, const ContrastBatch<T>& batch, ContrastScratch<T>& scratch)
      : pool_(pool), op_(op), loss_(loss), weights_(weights), inverse_temperature_(T(1 / temperature)), batch_(batch),
        group_(batch.group), n_(group_ ? batch.total : batch.n), own_(batch.n),
        first_(group_ ? share_begin(n_, group_->rank(), group_->ranks()) : 0), d_(batch.d),
        views_(loss.info.uses_anomalous ? 3 : 2), gradient_(batch.dz[0] != nullptr), gathered_(scratch.gathered) {
    const std::size_t all = 2 * static_cast<std::size_t>(n_), rows = static_cast<std::size_t>(views_) * n_;
    unit_ = scratch.unit.need(rows * d_);
    norm_ = scratch.norm.need(rows);
    weight_ = scratch.weight.need(all);
    pair_ = scratch.pair.need(n_);
    if (loss.info.denominator == Denominator::kNone) return;
    const int tiles = (2 * n_ + kTileCols - 1) / kTileCols;
    top_ = scratch.top.need(all);
    sum_ = scratch.sum.need(all);
    negatives_ = scratch.negatives.need(all);
    transposed_at_ = op.packed_size(d_, kTileCols);
    transposed_ = scratch.transposed.need(transposed_at_ * tiles);
    packed_at_ = op.packed_size(kTileCols, d_);
    if (gradient_) packed_ = scratch.packed.need(packed_at_ * tiles);
  }

  Status run(double* value) {
    normalise();
    const bool denominator = loss_.info.denominator != Denominator::kNone;
    if (denominator) {
      if (Status s = gather_units(); !s.ok()) return s;
      log_sum_exp();
    }
    *value = rows();
    if (Status s = gather_rows(value); !s.ok()) return s;
    *value /= n_;
    if (gradient_) {
      if (denominator) spread();
      project();
    }
    return {};
  }

 private:
  T* u(int view) { return unit_ + std::size_t(view) * n_ * d_; }
  // dL/dU of row a of all views, kept where the gradient will stand.
  T* du(int a) const { return batch_.dz[a / n_] + std::size_t(a % n_ - first_) * d_; }
  int blocks(int rows) const { return (rows + kTileRows - 1) / kTileRows; }
  // Where the row stands that is the i-th of all views of this rank.
  int place(int i) const { return i / own_ * n_ + first_ + i % own_; }

  void normalise() {
    pool_.run(blocks(views_ * own_), [&](int task) {
      for (int i = task * kTileRows; i < std::min(views_ * own_, (task + 1) * kTileRows); ++i) {
        const T* z = batch_.z[i / own_] + std::size_t(i % own_) * d_;
        norm_[i] = unit_row(z, d_, unit_ + std::size_t(place(i)) * d_);
      }
    });
  }

  // Every rank's `count` arrays of `width` numbers a row, [n, width] each, from every rank that owns the rows; and one
  // number more of each rank, which becomes the sum.
  Status gather(T* const* arrays, int count, int width, double* number) {
    if (group_ == nullptr) return {};
    const int ranks = group_->ranks();
    const auto begin = [&](int r) { return share_begin(n_, r, ranks); };
    std::vector<std::size_t> at(ranks + 1, 0);
    for (int r = 0; r < ranks; ++r)
      at[r + 1] = at[r] + std::size_t(begin(r + 1) - begin(r)) * width * count * sizeof(T) + sizeof *number;
    char* all = gathered_.need(at[ranks]);
    const auto each = [&](int r, auto&& copy) {
      const std::size_t bytes = std::size_t(begin(r + 1) - begin(r)) * width * sizeof(T);
      for (int a = 0; a < count; ++a)
        copy(all + at[r] + a * bytes, reinterpret_cast<char*>(arrays[a] + std::size_t(begin(r)) * width), bytes);
    };
    each(group_->rank(), [](char* there, char* here, std::size_t bytes) { std::memcpy(there, here, bytes); });
    std::memcpy(all + at[group_->rank() + 1] - sizeof *number, number, sizeof *number);
    if (Status s = group_->all_gather(all, at.data()); !s.ok()) return s;
    *number = 0;
    for (int r = 0; r < ranks; ++r) {
      double one;
      std::memcpy(&one, all + at[r + 1] - sizeof one, sizeof one);
      *number += one;
      if (r != group_->rank()) each(r, [](char* there, char* here, std::size_t bytes) { std::memcpy(here, there, bytes); });
    }
    return {};
  }

  // The unit rows of the first two views, which stand in the denominators.
  Status gather_units() {
    T* const arrays[] = {u(0), u(1)};
    double nothing = 0;
    return gather(arrays, 2, d_, &nothing);
  }

  // What rows() found: the value, and of each row what its column in other ranks' gradients needs.
  Status gather_rows(double* value) {
    if (!gradient_ || loss_.info.denominator == Denominator::kNone) return gather(nullptr, 0, 1, value);
    T* const arrays[] = {top_, top_ + n_, weight_, weight_ + n_};
    return gather(arrays, 4, 1, value);
  }

  // s = U_rows . U_cols^T for one tile; an event's own row and its partner are left out (-inf): rows() sees to the pair.
  void cosines(int first, int rows, int col, int cols, const T* packed, T* s) const {
    op_.gemm({rows, cols, d_, unit_ + std::size_t(first) * d_, d_, 1, packed, nullptr, s, kTileCols, false,
                   false});
    for (int r = 0; r < rows; ++r)
      for (const int b : {first + r, (first + r + n_) % (2 * n_)})
        if (b >= col && b < col + cols) s[r * kTileCols + b - col] = -std::numeric_limits<T>::infinity();
  }

  void log_sum_exp() {
    const int all = 2 * n_, tiles = (all + kTileCols - 1) / kTileCols;
    // this rank's rows: all in one range, or a range in each view
    const int ranges = own_ == n_ ? 1 : 2, range = own_ == n_ ? all : own_;
    std::fill(negatives_, negatives_ + all, T(0));
    pool_.run(tiles, [&](int tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
      op_.pack(unit_ + std::size_t(col) * d_, 1, d_, d_, cols, transposed_ + transposed_at_ * tile);
    });
    pool_.run(ranges * blocks(range), [&](int task) {
      const int from = task % blocks(range) * kTileRows, rows = std::min(kTileRows, range - from);
      const int first = task / blocks(range) * n_ + first_ + from;
      std::vector<T> s(std::size_t(kTileRows) * kTileCols), sum(rows, T(0));
      std::vector<T> top(rows, -std::numeric_limits<T>::infinity());
      for (int tile = 0; tile < tiles; ++tile) {
        const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
        cosines(first, rows, col, cols, transposed_ + transposed_at_ * tile, s.data());
        op_.log_sum_exp({rows, cols, s.data(), kTileCols, inverse_temperature_, top.data(), sum.data(), nullptr, nullptr,
                        nullptr, nullptr});
      }
      std::copy(top.begin(), top.end(), top_ + first);
      std::copy(sum.begin(), sum.end(), sum_ + first);
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

  // N times the value, and dL/dU from the terms that pair each event with itself.
  double rows() {
    std::vector<double> partial(blocks(own_), 0.0);
    const T share = T(1) / T(n_);
    const bool denominator = loss_.info.denominator != Denominator::kNone;
    pool_.run(blocks(own_), [&](int task) {
      for (int i = first_ + task * kTileRows; i < first_ + std::min(own_, (task + 1) * kTileRows); ++i) {
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
        T *dui = du(i), *dvi = du(i + n_), *dwi = wi ? du(i + 2 * n_) : nullptr;
        for (int c = 0; c < d_; ++c) {
          dui[c] = pair_[i] * vi[c] + (wi ? share * r.d_uw * wi[c] : T(0));
          dvi[c] = pair_[i] * ui[c];
          if (wi) dwi[c] = share * r.d_uw * ui[c];
        }
      }
    });
    double value = 0;
    for (const double p : partial) value += p;
    return value;
  }

  // dU_a += sum_b (G_ab + G_ba) U_b with G_ab = weight_a exp(s_ab/t - top_a)/t. s is symmetric, so one tile has both.
  // Maximum and sum stay apart: their logarithm would round away what a saturated loss has left.
  void spread() {
    const int all = 2 * n_, tiles = (all + kTileCols - 1) / kTileCols;
    pool_.run(tiles, [&](int tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
      op_.pack(unit_ + std::size_t(col) * d_, d_, 1, cols, d_, packed_ + packed_at_ * tile);
    });
    // rows of one view only, as the gradients of views stand apart
    pool_.run(2 * blocks(own_), [&](int task) {
      const int view = task / blocks(own_), from = (task % blocks(own_)) * kTileRows;
      const int first = view * n_ + first_ + from, rows = std::min(kTileRows, own_ - from);
      std::vector<T> s(std::size_t(kTileRows) * kTileCols);
      for (int tile = 0; tile < tiles; ++tile) {
        const int col = tile * kTileCols, cols = std::min(kTileCols, all - col);
        cosines(first, rows, col, cols, transposed_ + transposed_at_ * tile, s.data());
        op_.weigh({rows, cols, s.data(), kTileCols, inverse_temperature_, nullptr, nullptr, top_ + first,
                  top_ + col, weight_ + first, weight_ + col});
        op_.gemm({rows, d_, cols, s.data(), kTileCols, 1, packed_ + packed_at_ * tile, nullptr,
                 du(first), d_, true, false});
      }
    });
  }

  // dz = (g - (g.u) u)/|z|
  void project() {
    pool_.run(blocks(views_ * own_), [&](int task) {
      for (int i = task * kTileRows; i < std::min(views_ * own_, (task + 1) * kTileRows); ++i) {
        T* g = du(place(i));
        const T* ui = unit_ + std::size_t(place(i)) * d_;
        T along = 0;
        for (int c = 0; c < d_; ++c) along += g[c] * ui[c];
        const T norm = norm_[i];
        for (int c = 0; c < d_; ++c) g[c] = norm > 0 ? (g[c] - along * ui[c]) / norm : T(0) * ui[c];
      }
    });
  }

  ThreadPool& pool_;
  const Ops<T>& op_;
  const LossEntry<T>& loss_;
  const LossWeights& weights_;
  const T inverse_temperature_;
  const ContrastBatch<T>& batch_;
  Group* const group_;
  const int n_, own_, first_, d_, views_;  // rows of a view in the whole batch, this rank's, and where these begin
  const bool gradient_;
  Buffer<char>& gathered_;
  T *unit_, *norm_, *weight_, *pair_;
  T *top_ = nullptr, *sum_ = nullptr, *negatives_ = nullptr, *transposed_ = nullptr, *packed_ = nullptr;
  std::size_t transposed_at_ = 0, packed_at_ = 0;
};

}  // namespace

template <class T>
const LossEntry<T>* find_loss(const char* name) {
  for (const LossEntry<T>& entry : kLosses<T>)
    if (std::strcmp(entry.info.name, name) == 0) return &entry;
  return nullptr;
}

template <class T>
Status contrast(ThreadPool& pool, const Ops<T>& op, const LossEntry<T>& loss, const LossWeights& weights,
                double temperature, const ContrastBatch<T>& batch, ContrastScratch<T>& scratch, double* value) {
  const int n = batch.group ? batch.total : batch.n;
  if (n < 1 || batch.d < 1) return Status::invalid("a contrastive loss needs at least one event");
  if (!(temperature > 0)) return Status::invalid("temperature must be above 0");
  if (n == 1 && loss.info.denominator == Denominator::kWithoutPositive)
    return {Code::kUndefined, std::string(loss.info.name) + " is undefined for a single event: it has no negatives"};
  return TiledContrast<T>(pool, op, loss, weights, temperature, batch, scratch).run(value);
}

template const LossEntry<float>* find_loss<float>(const char*);
template const LossEntry<double>* find_loss<double>(const char*);
template Status contrast<float>(ThreadPool&, const Ops<float>&, const LossEntry<float>&, const LossWeights&, double,
                                const ContrastBatch<float>&, ContrastScratch<float>&, double*);
template Status contrast<double>(ThreadPool&, const Ops<double>&, const LossEntry<double>&, const LossWeights&, double,
                                 const ContrastBatch<double>&, ContrastScratch<double>&, double*);

}  // namespace aclr
