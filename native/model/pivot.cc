#include "model/pivot.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace aclr {
namespace {

constexpr int kTileRows = 96, kTileCols = 256;
// |x|^2 + |y|^2 - 2 x.y cancels for rows this near, over |x|^2 + |y|^2: these take their differences one by one.
constexpr double kNear = 0.02;

template <class T>
class TiledPivot {
 public:
  TiledPivot(ThreadPool& pool, const Ops<T>& op, const PivotBatch<T>& batch, double weight, PivotScratch<T>& scratch)
      : pool_(pool), op_(op), batch_(batch), weight_(weight), n_(batch.n), d_(batch.d), all_(2 * batch.n),
        tiles_((all_ + kTileCols - 1) / kTileCols), blocks_((all_ + kTileRows - 1) / kTileRows),
        transposed_at_(op.packed_size(d_, kTileCols)), packed_at_(op.packed_size(kTileCols, d_)) {
    rows_ = scratch.rows.need(std::size_t(all_) * d_);
    square_ = scratch.square.need(all_);
    transposed_ = scratch.transposed.need(transposed_at_ * tiles_);
    packed_ = batch.dx[0] != nullptr ? scratch.packed.need(packed_at_ * tiles_) : nullptr;
    double* sums = scratch.sums.need(std::size_t(3) * all_);
    distance_ = sums;
    across_ = sums + all_;
    squares_ = sums + 2 * std::size_t(all_);
  }

  double run() {
    if (!scale()) {
      if (packed_ != nullptr) clear();
      return 0;
    }
    add_up();
    // with r_i the mean of a_ij over j, m that of all: A_ij = a_ij - r_i - r_j + m, mean A^2 = mean a^2 - 2 mean r^2 + m^2
    const double count = all_;
    double sum = 0, across = 0, squares = 0, means = 0;
    for (int i = 0; i < all_; ++i) {
      sum += distance_[i];
      across += across_[i];
      squares += squares_[i];
      distance_[i] /= count;  // r_i from here on
      means += distance_[i] * distance_[i];
    }
    mean_ = sum / count / count;
    const double square = squares / count / count;
    variance_ = square - 2 * means / count + mean_ * mean_;
    covariance_ = 0.5 * (2 * across - sum) / count / count;
    // rounding leaves some variance to rows that are all one; NaN goes on, for the caller to see
    const bool none = variance_ <= 1e-12 * square;
    if (packed_ != nullptr) {
      if (none) clear();
      else spread();
      std::vector<T*> dx(all_);
      for (int i = 0; i < all_; ++i) dx[i] = this->dx(i);
      scale_.backward(pool_, rows_, dx);
    }
    return none ? 0 : 2 * covariance_ / std::sqrt(variance_);
  }

 private:
  T* x(int i) const { return rows_ + std::size_t(i) * d_; }
  T* dx(int i) const { return batch_.dx[i / n_] + std::size_t(i % n_) * d_; }

  // The rows in the scale of the first population, about its mean: distances stay, and squares stand out less above them.
  // False where they are all one.
  bool scale() {
    for (int v = 0; v < 2; ++v) std::copy(batch_.x[v], batch_.x[v] + std::size_t(n_) * d_, x(v * n_));
    if (!scale_.scale(pool_, batch_.scaling, rows_, all_, n_, d_)) return false;
    for (int i = 0; i < all_; ++i) {
      square_[i] = 0;
      for (int c = 0; c < d_; ++c) square_[i] += x(i)[c] * x(i)[c];
    }
    pool_.run(tiles_, [&](int tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all_ - col);
      op_.pack(x(col), 1, d_, d_, cols, transposed_ + transposed_at_ * tile);
      if (packed_ != nullptr) op_.pack(x(col), d_, 1, cols, d_, packed_ + packed_at_ * tile);
    });
    return true;
  }

  // a <- distances of rows first .. to those of a tile.
  void distances(int first, int rows, int tile, T* a) const {
    const int col = tile * kTileCols, cols = std::min(kTileCols, all_ - col);
    op_.gemm({rows, cols, d_, x(first), d_, 1, transposed_ + transposed_at_ * tile, nullptr, a, kTileCols, false, false});
    for (int r = 0; r < rows; ++r) {
      const T own = square_[first + r];
      T* row = a + r * kTileCols;
      bool near = false;
      for (int c = 0; c < cols; ++c) {
        const T both = own + square_[col + c], apart = both - 2 * row[c];
        near |= !(apart > T(kNear) * both);
        row[c] = std::sqrt(apart > 0 ? apart : apart == apart ? T(0) : apart);
      }
      for (int c = 0; near && c < cols; ++c)
        if (is_near(first + r, col + c, row[c])) row[c] = direct(first + r, col + c);
    }
  }
  bool is_near(int i, int j, T apart) const { return !(apart * apart > T(kNear * 1.01) * (square_[i] + square_[j])); }
  T direct(int i, int j) const {
    T square = 0;
    for (int c = 0; c < d_; ++c) square += (x(i)[c] - x(j)[c]) * (x(i)[c] - x(j)[c]);
    return std::sqrt(square);
  }

  // Of every row, sums of its distances, of those to the other population, and of their squares.
  void add_up() {
    pool_.run(blocks_, [&](int block) {
      const int first = block * kTileRows, rows = std::min(kTileRows, all_ - first);
      std::vector<T> a(std::size_t(kTileRows) * kTileCols);
      std::fill(distance_ + first, distance_ + first + rows, 0.0);
      std::fill(across_ + first, across_ + first + rows, 0.0);
      std::fill(squares_ + first, squares_ + first + rows, 0.0);
      for (int tile = 0; tile < tiles_; ++tile) {
        const int col = tile * kTileCols, cols = std::min(kTileCols, all_ - col);
        distances(first, rows, tile, a.data());
        const int border = std::clamp(n_ - col, 0, cols);  // where the second population begins
        for (int r = 0; r < rows; ++r) {
          const T* row = a.data() + r * kTileCols;
          double part[2] = {0, 0}, squares = 0;
          for (int c = 0; c < border; ++c) part[0] += row[c];
          for (int c = border; c < cols; ++c) part[1] += row[c];
          for (int c = 0; c < cols; ++c) squares += double(row[c]) * row[c];
          const int i = first + r;
          distance_[i] += part[0] + part[1];
          across_[i] += part[i < n_ ? 1 : 0];
          squares_[i] += squares;
        }
      }
    });
  }

  void clear() {
    for (int v = 0; v < 2; ++v) std::fill(batch_.dx[v], batch_.dx[v] + std::size_t(n_) * d_, T(0));
  }

  // dD/da_ij = 2/M^2 (B_ij/sqrt(V) - C A_ij/V^(3/2)) with C = sum A B/M^2, and a_ij = a_ji:
  //   dx_i = sum_j w_ij (x_i - x_j),   w_ij = 2 weight dD/da_ij / a_ij
  void spread() {
    const double root = std::sqrt(variance_), scale = 4 * weight_ / (double(all_) * all_ * root);
    const T half = T(0.5 * scale), slope = T(scale * covariance_ / variance_);
    pool_.run(blocks_, [&](int block) {
      // rows of one population only, as their gradients stand apart
      for (int first = block * kTileRows, end = std::min(all_, first + kTileRows); first < end;) {
        const int rows = (first < n_ ? std::min(end, n_) : end) - first;
        spread(first, rows, half, slope);
        first += rows;
      }
    });
  }

  void spread(int first, int rows, T half, T slope) {
    std::vector<T> w(std::size_t(kTileRows) * kTileCols), total(rows, T(0));
    std::fill(dx(first), dx(first) + std::size_t(rows) * d_, T(0));
    for (int tile = 0; tile < tiles_; ++tile) {
      const int col = tile * kTileCols, cols = std::min(kTileCols, all_ - col);
      distances(first, rows, tile, w.data());
      for (int r = 0; r < rows; ++r) {
        const int i = first + r;
        const T mean = static_cast<T>(distance_[i] - mean_);
        T* row = w.data() + r * kTileCols;
        T sum = 0;
        for (int c = 0; c < cols; ++c) {
          const int j = col + c;
          const T a = row[c], b = (i < n_) == (j < n_) ? -half : half;
          const T by = a > 0 ? (b - slope * (a - mean - static_cast<T>(distance_[j]))) / a : T(0) * a;
          if (is_near(i, j, a)) {
            for (int k = 0; k < d_; ++k) dx(i)[k] += by * (x(i)[k] - x(j)[k]);
            row[c] = 0;
          } else {
            sum += by;
            row[c] = -by;
          }
        }
        total[r] += sum;
      }
      op_.gemm({rows, d_, cols, w.data(), kTileCols, 1, packed_ + packed_at_ * tile, nullptr, dx(first), d_, true, false});
    }
    for (int r = 0; r < rows; ++r)
      for (int k = 0; k < d_; ++k) dx(first + r)[k] += total[r] * x(first + r)[k];
  }

  ThreadPool& pool_;
  const Ops<T>& op_;
  const PivotBatch<T>& batch_;
  const double weight_;
  const int n_, d_, all_, tiles_, blocks_;
  const std::size_t transposed_at_, packed_at_;
  T *rows_, *square_, *transposed_, *packed_;
  double *distance_, *across_, *squares_;
  double mean_ = 0, variance_ = 0, covariance_ = 0;
  RowScale<T> scale_;
};

}  // namespace

template <class T>
double distance_correlation(ThreadPool& pool, const Ops<T>& op, const PivotBatch<T>& batch, double weight,
                            PivotScratch<T>& scratch) {
  if (batch.n < 1 || batch.d < 1) return 0;
  return TiledPivot<T>(pool, op, batch, weight, scratch).run();
}

template double distance_correlation<float>(ThreadPool&, const Ops<float>&, const PivotBatch<float>&, double,
                                            PivotScratch<float>&);
template double distance_correlation<double>(ThreadPool&, const Ops<double>&, const PivotBatch<double>&, double,
                                             PivotScratch<double>&);

}  // namespace aclr
