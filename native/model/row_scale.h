// Rows brought to one scale by their own covariance, and the way back for gradients.
#pragma once
#include <vector>

#include "core/thread_pool.h"

namespace aclr {

// As detectors prepare rows: as they are, each column to variance 1, or all directions to variance 1.
enum class RowScaling { kNone, kStandardise, kWhiten };

// y = L^-1 (x - m) with C = L L^T, C the covariance of the first `fitted` of the rows x and m their mean; kStandardise takes
// the diagonal of C alone. kFloor times the mean variance is added to the diagonal, so that few rows, or a direction without
// variance, do no harm. kNone is y = x - m. In double, whatever T is.
template <class T>
class RowScale {
 public:
  static constexpr double kFloor = 1e-6;

  // x [rows, d] becomes y. False, and x stays, where there is no variance; NaN in x gives NaN.
  bool scale(ThreadPool& pool, RowScaling how, T* x, int rows, int fitted, int d);
  // dx(i) [d] points at row i of a gradient with respect to y, which becomes one with respect to x, through C too; y as
  // scale() left it. Of a function of the distances between rows of y.
  void backward(ThreadPool& pool, const T* y, const std::vector<T*>& dx) const;

 private:
  // v <- L^-1 v, and v <- L^-T v
  void solve(double* v) const;
  void solve_transposed(double* v) const;

  RowScaling how_ = RowScaling::kNone;
  int rows_ = 0, fitted_ = 0, d_ = 0;
  std::vector<double> factor_;  // L [d, d], or its diagonal [d]
};

}  // namespace aclr
