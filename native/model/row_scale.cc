#include "model/row_scale.h"

#include <algorithm>
#include <cmath>

namespace aclr {
namespace {

constexpr int kRows = 64;  // of a task

// L of the symmetric, positive matrix c [d, d] in its lower half.
void cholesky(std::vector<double>& c, int d) {
  for (int j = 0; j < d; ++j) {
    double* row = c.data() + std::size_t(j) * d;
    for (int k = 0; k < j; ++k) {
      const double* other = c.data() + std::size_t(k) * d;
      double sum = row[k];
      for (int p = 0; p < k; ++p) sum -= row[p] * other[p];
      row[k] = sum / other[k];
    }
    double square = row[j];
    for (int p = 0; p < j; ++p) square -= row[p] * row[p];
    row[j] = std::sqrt(square);
  }
}

}  // namespace

template <class T>
bool RowScale<T>::scale(ThreadPool& pool, RowScaling how, T* x, int rows, int fitted, int d) {
  how_ = how;
  rows_ = rows;
  fitted_ = fitted;
  d_ = d;
  std::vector<double> mean(d, 0.0);
  for (int i = 0; i < fitted; ++i)
    for (int c = 0; c < d; ++c) mean[c] += x[std::size_t(i) * d + c];
  for (double& m : mean) m /= fitted;
  if (how != RowScaling::kNone) {
    const bool whole = how == RowScaling::kWhiten;
    factor_.assign(whole ? std::size_t(d) * d : d, 0.0);
    pool.run(d, [&](int a) {
      double* row = factor_.data() + (whole ? std::size_t(a) * d : a);
      for (int i = 0; i < fitted; ++i) {
        const T* from = x + std::size_t(i) * d;
        const double left = from[a] - mean[a];
        if (!whole) row[0] += left * left;
        for (int b = 0; whole && b <= a; ++b) row[b] += left * (from[b] - mean[b]);
      }
      for (int b = 0; b <= (whole ? a : 0); ++b) row[b] /= fitted;
    });
    const std::size_t step = whole ? std::size_t(d) + 1 : 1;
    double trace = 0;
    for (int a = 0; a < d; ++a) trace += factor_[a * step];
    if (trace == 0) return false;
    for (int a = 0; a < d; ++a) factor_[a * step] += kFloor * trace / d;
    if (whole) cholesky(factor_, d);
    else for (double& f : factor_) f = std::sqrt(f);
  }
  pool.run((rows + kRows - 1) / kRows, [&](int block) {
    std::vector<double> v(d);
    for (int i = block * kRows; i < std::min(rows, (block + 1) * kRows); ++i) {
      T* row = x + std::size_t(i) * d;
      for (int c = 0; c < d; ++c) v[c] = row[c] - mean[c];
      solve(v.data());
      for (int c = 0; c < d; ++c) row[c] = static_cast<T>(v[c]);
    }
  });
  return true;
}

template <class T>
void RowScale<T>::solve(double* v) const {
  if (how_ == RowScaling::kNone) return;
  for (int a = 0; a < d_; ++a) {
    if (how_ == RowScaling::kStandardise) {
      v[a] /= factor_[a];
      continue;
    }
    const double* row = factor_.data() + std::size_t(a) * d_;
    double sum = v[a];
    for (int b = 0; b < a; ++b) sum -= row[b] * v[b];
    v[a] = sum / row[a];
  }
}

template <class T>
void RowScale<T>::solve_transposed(double* v) const {
  if (how_ == RowScaling::kNone) return;
  for (int a = d_ - 1; a >= 0; --a) {
    if (how_ == RowScaling::kStandardise) {
      v[a] /= factor_[a];
      continue;
    }
    const double* row = factor_.data() + std::size_t(a) * d_;
    v[a] /= row[a];
    for (int b = 0; b < a; ++b) v[b] -= row[b] * v[a];
  }
}

// With S = sum_i y_i dy_i^T, what C does to the function is dC = -L^-T S L^-1/2 (its diagonal alone for kStandardise), and
// the rows that C is of get 2/fitted dC (x - m), in terms of y: dy_i -= S y_i/fitted. The floor is a share of the trace.
template <class T>
void RowScale<T>::backward(ThreadPool& pool, const T* y, const std::vector<T*>& dx) const {
  if (how_ == RowScaling::kNone) return;
  const bool whole = how_ == RowScaling::kWhiten;
  const int d = d_;
  std::vector<double> s(whole ? std::size_t(d) * d : d, 0.0), inverse(d, 0.0);
  pool.run(d, [&](int a) {
    double* row = s.data() + (whole ? std::size_t(a) * d : a);
    for (int i = 0; i < rows_; ++i) {
      const double left = y[std::size_t(i) * d + a];
      if (!whole) row[0] += left * dx[i][a];
      for (int b = 0; whole && b < d; ++b) row[b] += left * dx[i][b];
    }
    // the trace of L^-T S L^-1 is that of S L^-1 L^-T, whose diagonal this is
    if (!whole) inverse[a] = row[0] / (factor_[a] * factor_[a]);
  });
  if (whole)
    pool.run(d, [&](int a) {
      std::vector<double> v(s.begin() + std::size_t(a) * d, s.begin() + std::size_t(a + 1) * d);
      std::vector<double> unit(d, 0.0);
      solve_transposed(v.data());
      unit[a] = 1;
      solve_transposed(unit.data());
      for (int b = 0; b < d; ++b) inverse[a] += v[b] * unit[b];
    });
  double trace = 0;
  for (const double one : inverse) trace += one;
  const double floor = -kFloor * trace / d / fitted_;
  pool.run((rows_ + kRows - 1) / kRows, [&](int block) {
    std::vector<double> v(d), centred(d);
    for (int i = block * kRows; i < std::min(rows_, (block + 1) * kRows); ++i) {
      const T* own = y + std::size_t(i) * d;
      for (int a = 0; a < d; ++a) v[a] = dx[i][a];
      if (i < fitted_)
        for (int a = 0; a < d; ++a) {
          double sum = 0;
          if (!whole) sum = s[a] * own[a];
          for (int b = 0; whole && b < d; ++b) sum += s[std::size_t(a) * d + b] * own[b];
          v[a] -= sum / fitted_;
        }
      solve_transposed(v.data());
      if (i < fitted_)
        for (int a = 0; a < d; ++a) {  // x - m = L y
          double sum = 0;
          if (!whole) sum = factor_[a] * own[a];
          for (int b = 0; whole && b <= a; ++b) sum += factor_[std::size_t(a) * d + b] * own[b];
          v[a] += floor * sum;
        }
      for (int a = 0; a < d; ++a) dx[i][a] = static_cast<T>(v[a]);
    }
  });
}

template class RowScale<float>;
template class RowScale<double>;

}  // namespace aclr
