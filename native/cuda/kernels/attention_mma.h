// Attention by tensor cores. False where shapes or addresses don't suit: nothing was launched then.
#pragma once
#include "cuda/kernels/ops.h"

namespace aclr::cuda {

bool attention_mma(const Attention<bf16>&, cudaStream_t);
bool attention_backward_mma(const AttentionBackward<bf16>&, cudaStream_t);

}  // namespace aclr::cuda
