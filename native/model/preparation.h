// y = matrix (x - mean): brings rows to one scale before a detector reads them, fitted on background alone.
#pragma once
#include <vector>

#include "core/buffer.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "kernels/ops.h"

namespace aclr {

struct PreparationConfig {
  int inputs = 0, outputs = 0;
  std::vector<double> mean, matrix;  // [inputs], [outputs, inputs]; without a matrix y is x, whatever the mean

  Status check() const;
};

template <class T>
class Preparation {
 public:
  explicit Preparation(const PreparationConfig& config);

  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  bool none() const { return packed_.empty(); }

  // x [rows, inputs], x_row apart -> y [rows, outputs], dense. Not to be called where none() is true.
  void apply(const T* x, std::ptrdiff_t x_row, int rows, Buffer<T>& scratch, T* y) const;
  // The same for dense x of any length, on the pool; a copy where none() is true.
  void apply(ThreadPool& pool, const T* x, int rows, T* y) const;

 private:
  int inputs_, outputs_;
  std::vector<T> mean_, bias_, packed_;
};

}  // namespace aclr
