// arm64: 32 registers of 16 bytes: 8 x 2 accumulators.
#define ACLR_TARGET neon
#define ACLR_VECTOR_BYTES 16
#define ACLR_ROWS 8
#include "kernels/simd/gemm.h"

namespace aclr {
ACLR_DEFINE_TABLES(neon)
ACLR_DEFINE_BF16_TABLE(neon, rounded)
}  // namespace aclr
