// 32 registers of 64 bytes: 12 x 2 accumulators.
#define ACLR_TARGET avx512
#define ACLR_VECTOR_BYTES 64
#define ACLR_ROWS 12
#include "kernels/simd/gemm.h"

namespace aclr {
ACLR_DEFINE_TABLES(avx512)
ACLR_DEFINE_BF16_TABLE(avx512, rounded)
}  // namespace aclr
