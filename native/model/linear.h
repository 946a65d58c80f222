// A dense layer over packed weights: y = x W^T + b, W [out, in] row-major as in the weight file.
#pragma once
#include <cstddef>

#include "core/buffer.h"
#include "kernels/ops.h"

namespace aclr {

template <class T>
struct Linear {
  int in = 0, out = 0;
  std::size_t weight = 0, bias = 0;  // offsets into the flat weights

  // Packs both ways round, once per change of the weights.
  void pack(const Ops<T>& op, const T* weights, bool backward) {
    const T* w = weights + weight;
    op.pack(w, 1, in, in, out, forward_packed_.need(op.packed_size(in, out)));
    if (backward) pack_backward(op, weights);
  }
  void pack_backward(const Ops<T>& op, const T* weights) {
    op.pack(weights + weight, in, 1, out, in, backward_packed_.need(op.packed_size(out, in)));
  }
  void forward(const Ops<T>& op, const T* weights, const T* x, std::ptrdiff_t x_row, int rows, T* y, std::ptrdiff_t y_row,
               bool relu) const {
    op.gemm({rows, out, in, x, x_row, 1, forward_packed_.data(), weights + bias, y, y_row, false, relu});
  }
  // dx = dy W, or added to dx.
  void backward_input(const Ops<T>& op, const T* dy, std::ptrdiff_t dy_row, int rows, T* dx, std::ptrdiff_t dx_row,
                      bool accumulate) const {
    op.gemm({rows, in, out, dy, dy_row, 1, backward_packed_.data(), nullptr, dx, dx_row, accumulate, false});
  }
  // dW += dy^T x, db += column sums of dy [rows, out] (dense rows).
  void backward_weights(const Ops<T>& op, const T* dy, const T* x, std::ptrdiff_t x_row, int rows, T* dweights,
                        Buffer<T>& scratch) const {
    T* packed = scratch.need(op.packed_size(rows, in));
    op.pack(x, x_row, 1, rows, in, packed);
    op.gemm({out, in, rows, dy, 1, out, packed, nullptr, dweights + weight, in, true, false});
    op.column_sums(dy, rows, out, dweights + bias);
  }

 private:
  Buffer<T> forward_packed_, backward_packed_;
};

}  // namespace aclr
