// The encoder (model/encoder.h) on the device: all views of a batch at once, on packed tokens.
#pragma once
#include <vector>

#include "cuda/kernels/ops.h"
#include "cuda/memory.h"
#include "kernels/device.h"

namespace aclr::cuda {

// What the parts of a session share.
struct Workbench {
  explicit Workbench(std::size_t widest);  // columns of the widest partial sums
  Moves moves;
  Dense dense;
  DeviceBuffer<unsigned char> scratch_memory;
  Scratch scratch;
};

// Weights as they are updated, and as S, which is what products take.
template <class S>
struct Weights {
  const Real<S>* real;
  const S* stored;  // the same memory where S is Real
};

// Tokens with their features x [rows, features] Real.
template <class R>
struct TokenRows {
  Tokens tokens;
  const R* x;
};

// Columns of the widest partial sums of such an encoder.
std::size_t widest_sums(const device::Encoder& encoder);

template <class S>
class Encoder {
 public:
  using R = Real<S>;

  Encoder(const device::Encoder& shape, Workbench& bench);

  int rep_row() const { return shape_.width + shape_.head_layers * shape_.output; }
  int rep_width(int level) const { return level == 0 ? shape_.width : shape_.output; }
  int rep_offset(int level) const { return level == 0 ? 0 : shape_.width + (level - 1) * shape_.output; }
  const device::Encoder& shape() const { return shape_; }

  // Memory for such batches; `keep` where a backward is to come, `levels` of the head, dx: gradients of features too.
  void reserve(int capacity, int events, bool keep, bool dx = false);

  // reps [events, rep_row], the levels 0 .. levels. input and ids: see Dropout; a null input is no dropout.
  void forward(const Weights<S>&, const TokenRows<R>&, int levels, bool keep, const StepInput* input,
               const std::uint32_t* ids, R* reps, cudaStream_t);
  // After a forward that kept, with the same arguments. From dreps [events, rep_row] (overwritten): dweights, all of
  // them, and dx [rows, features] or null.
  void backward(const Weights<S>&, const TokenRows<R>&, const StepInput* input, const std::uint32_t* ids, R* dreps,
                R* dweights, R* dx, cudaStream_t);

 private:
  // What the backward needs of a layer.
  struct Tape {
    explicit Tape(Moves& m) : qkv(m), mixed(m), normal1(m), mid(m), hidden(m), normal2(m), out(m), rstd1(m), rstd2(m) {}
    DeviceBuffer<S> qkv, mixed, normal1, mid, hidden, normal2, out;
    DeviceBuffer<R> rstd1, rstd2;
  };
  struct HeadTape {
    explicit HeadTape(Moves& m) : in(m), normal(m), rstd(m) {}
    DeviceBuffer<S> in, normal;
    DeviceBuffer<R> rstd;
  };

  bool continuous() const { return shape_.continuous != 0; }
  Dropout dropped(int layer, int place, const StepInput* input, const std::uint32_t* ids) const;
  // y [rows, out] = x W^T + b; dx [rows, in] = dy W; dW = dy^T x and db.
  template <class C>
  void apply(const Weights<S>&, const device::Linear&, int rows, const S* x, C* y, int y_row, bool relu, cudaStream_t);
  void input_gradient(const Weights<S>&, const device::Linear&, int rows, const S* dy, S* dx, bool accumulate, cudaStream_t);
  void weight_gradient(const device::Linear&, Rows rows, const S* dy, const S* x, R* dweights, cudaStream_t);
  void head_forward(const Weights<S>&, int events, int levels, R* reps, cudaStream_t);
  void head_backward(const Weights<S>&, int events, R* dreps, R* dweights, cudaStream_t);

  device::Encoder shape_;
  std::vector<device::EncoderLayer> layers_;
  std::vector<device::HeadLayer> heads_;
  Workbench& bench_;
  DeviceBuffer<S> embedded_, branch_, dtoken_, masked_, dhidden_, dqkv_, head_dy_, head_dx_;
  DeviceBuffer<R> key_bias_, dkey_bias_;
  std::vector<Tape> tapes_;
  std::vector<HeadTape> head_tapes_;
};

}  // namespace aclr::cuda
