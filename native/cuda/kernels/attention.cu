// Self-attention on packed tokens, an event and head a warp. Nearly all events have few tokens, so what counts is that rows
// are read once, in wide loads, and that a warp holds little shared memory.
#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_mma.h"

namespace aclr::cuda {
namespace {

using namespace attention_warp;

// Blocks that share a multiprocessor's registers: where nothing is said, the compiler spills some for one block more.
template <class S, int kMatrices>
constexpr int kResident = sizeof(S) == 8 ? 4 : kMatrices == 1 ? 6 : 5;

template <class S, bool kWide>
__global__ void __launch_bounds__(kWarps* kWarp, kResident<S, 1>)
    attention_kernel(const Attention<S> a, const Plan<S> plan) {
  zero_behind(a.tokens.rows, a.d, a.out);
  const Task task(a.tokens, a.heads, plan.pool);
  if (task.n > 0) forward<S, kWide>(a, plan, task);
}

template <class S, bool kWide>
__global__ void __launch_bounds__(kWarps* kWarp, kResident<S, 2>)
    attention_backward_kernel(const AttentionBackward<S> a, const Plan<S> plan) {
  zero_gradients_behind(a);
  const Task task(a.tokens, a.heads, plan.pool);
  if (task.n > 0) backward<S, kWide>(a, plan, task);
}

}  // namespace

template <class S>
void attention(const Attention<S>& op, cudaStream_t stream) {
  if constexpr (std::is_same_v<S, bf16>)
    if (attention_mma(op, stream)) return;
  const bool wide = all_wide(op.d, op.heads, op.qkv, op.out);
  start<S>("attention", wide ? attention_kernel<S, true> : attention_kernel<S, false>, op, 1, 3, stream);
}

template <class S>
void attention_backward(const AttentionBackward<S>& op, cudaStream_t stream) {
  if constexpr (std::is_same_v<S, bf16>)
    if (attention_backward_mma(op, stream)) return;
  const bool wide = all_wide(op.d, op.heads, op.qkv, op.dout, op.dqkv);
  start<S>("attention backward", wide ? attention_backward_kernel<S, true> : attention_backward_kernel<S, false>, op, 2, 4,
           stream);
}

template void attention<float>(const Attention<float>&, cudaStream_t);
template void attention<double>(const Attention<double>&, cudaStream_t);
template void attention<bf16>(const Attention<bf16>&, cudaStream_t);
template void attention_backward<float>(const AttentionBackward<float>&, cudaStream_t);
template void attention_backward<double>(const AttentionBackward<double>&, cudaStream_t);
template void attention_backward<bf16>(const AttentionBackward<bf16>&, cudaStream_t);

}  // namespace aclr::cuda
