// Each target's tables, filled from the functions of its namespace.
#pragma once
#include "kernels/ops.h"

// PACKED_SIZE, PACK, GEMM and PEAK go together; all else is the same for every kind of product.
#define ACLR_TABLE(TARGET, T, PACKED_SIZE, PACK, GEMM, PEAK)                                                        \
  {#TARGET,                   TARGET::PACKED_SIZE,       TARGET::PACK,             TARGET::GEMM,                    \
   TARGET::layer_norm<T>,     TARGET::layer_norm_backward<T>, TARGET::attention<T>, TARGET::attention_backward<T>,  \
   TARGET::affine<T>,         TARGET::column_sums<T>,    TARGET::dropout<T>,       TARGET::relu_backward<T>,        \
   TARGET::dropout_keep,      TARGET::adam<T>,           TARGET::log_sum_exp<T>,   TARGET::weigh<T>,                \
   TARGET::PEAK}

#define ACLR_DEFINE_TABLES(TARGET)                                                                           \
  extern const Ops<float> TARGET##_f32 = ACLR_TABLE(TARGET, float, packed_size<float>, pack<float>, gemm<float>, peak<float>); \
  extern const Ops<double> TARGET##_f64 = ACLR_TABLE(TARGET, double, packed_size<double>, pack<double>, gemm<double>, peak<double>);

// FORM: bf16 by instructions of the target (simd/bf16.h), or rounded (rounded.h).
#define ACLR_DEFINE_BF16_TABLE(TARGET, FORM) ACLR_DEFINE_BF16_TABLE_##FORM(TARGET)
#define ACLR_DEFINE_BF16_TABLE_bf16(TARGET) \
  extern const Ops<float> TARGET##_bf16 = ACLR_TABLE(TARGET, float, packed_size_bf16, pack_bf16, gemm_bf16, peak_bf16);
#define ACLR_DEFINE_BF16_TABLE_rounded(TARGET) \
  extern const Ops<float> TARGET##_bf16 = ACLR_TABLE(TARGET, float, packed_size<float>, pack_rounded, gemm_rounded, peak<float>);

namespace aclr {
extern const Ops<float> portable_f32, avx2_f32, avx512_f32, neon_f32;
extern const Ops<double> portable_f64, avx2_f64, avx512_f64, neon_f64;
extern const Ops<float> portable_bf16, avx2_bf16, avx512_bf16, avx512bf16_bf16, amx_bf16, neon_bf16;
}  // namespace aclr
