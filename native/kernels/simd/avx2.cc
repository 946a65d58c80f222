// 16 registers of 32 bytes: 6 x 2 accumulators.
#define ACLR_TARGET avx2
#define ACLR_VECTOR_BYTES 32
#define ACLR_ROWS 6
#include "kernels/simd/gemm.h"

namespace aclr {
ACLR_DEFINE_TABLES(avx2)
ACLR_DEFINE_BF16_TABLE(avx2, rounded)
}  // namespace aclr
