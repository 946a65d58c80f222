// Each target's two tables, filled from the functions of its namespace.
#pragma once
#include "kernels/ops.h"

#define ACLR_TABLE(TARGET, T)                                                                                       \
  {#TARGET,                   TARGET::packed_size<T>,    TARGET::pack<T>,          TARGET::gemm<T>,                 \
   TARGET::layer_norm<T>,     TARGET::layer_norm_backward<T>, TARGET::attention<T>, TARGET::attention_backward<T>,  \
   TARGET::affine<T>,         TARGET::column_sums<T>,    TARGET::dropout<T>,        TARGET::relu_backward<T>, TARGET::dropout_keep,            \
   TARGET::adam<T>,           TARGET::log_sum_exp<T>,    TARGET::weigh<T>,         TARGET::peak<T>}

#define ACLR_DEFINE_TABLES(TARGET)                                 \
  extern const Ops<float> TARGET##_f32 = ACLR_TABLE(TARGET, float); \
  extern const Ops<double> TARGET##_f64 = ACLR_TABLE(TARGET, double);

namespace aclr {
extern const Ops<float> portable_f32, avx2_f32, avx512_f32, neon_f32;
extern const Ops<double> portable_f64, avx2_f64, avx512_f64, neon_f64;
}  // namespace aclr
