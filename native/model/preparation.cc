#include "model/preparation.h"

#include <algorithm>
#include <cmath>

namespace aclr {
namespace {

constexpr int kBlockRows = 128;

}  // namespace

Status PreparationConfig::check() const {
  if (inputs < 1 || inputs > 65536 || outputs < 1 || outputs > 65536)
    return Status::invalid("a preparation's inputs and outputs must lie in 1..65536");
  if (mean.size() != static_cast<std::size_t>(inputs)) return Status::invalid("mean must have one entry for each input");
  if (matrix.empty() && outputs != inputs) return Status::invalid("without a matrix there are as many outputs as inputs");
  if (!matrix.empty() && matrix.size() != static_cast<std::size_t>(inputs) * outputs)
    return Status::invalid("matrix must have inputs * outputs entries");
  return {};
}

// A whitening matrix has large entries along directions in which background hardly varies, so rows are centred before
// the product. What T cannot hold of the mean goes through the matrix in double, into a bias.
template <class T>
Preparation<T>::Preparation(const PreparationConfig& config) : inputs_(config.inputs), outputs_(config.outputs) {
  if (config.matrix.empty()) return;
  mean_.assign(config.mean.begin(), config.mean.end());
  bias_.resize(outputs_);
  for (int o = 0; o < outputs_; ++o) {
    double sum = 0;
    for (int i = 0; i < inputs_; ++i) sum += config.matrix[std::size_t(o) * inputs_ + i] * (mean_[i] - config.mean[i]);
    bias_[o] = static_cast<T>(sum);
  }
  const std::vector<T> matrix(config.matrix.begin(), config.matrix.end());
  packed_.resize(ops<T>().packed_size(inputs_, outputs_));
  ops<T>().pack(matrix.data(), 1, inputs_, inputs_, outputs_, packed_.data());
}

template <class T>
void Preparation<T>::apply(const T* x, std::ptrdiff_t x_row, int rows, Buffer<T>& scratch, T* y) const {
  T* centred = scratch.need(std::size_t(rows) * inputs_);
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < inputs_; ++i) centred[std::size_t(r) * inputs_ + i] = x[r * x_row + i] - mean_[i];
  ops<T>().gemm({rows, outputs_, inputs_, centred, inputs_, 1, packed_.data(), bias_.data(), y, outputs_, false, false});
}

template <class T>
void Preparation<T>::apply(ThreadPool& pool, const T* x, int rows, T* y) const {
  if (none()) {
    std::copy(x, x + std::size_t(rows) * inputs_, y);
    return;
  }
  pool.run((rows + kBlockRows - 1) / kBlockRows, [&](int b) {
    const int first = b * kBlockRows;
    Buffer<T> scratch;
    apply(x + std::size_t(first) * inputs_, inputs_, std::min(kBlockRows, rows - first), scratch,
          y + std::size_t(first) * outputs_);
  });
}

template class Preparation<float>;
template class Preparation<double>;

}  // namespace aclr
