// Every PTX instruction that the kernels use, each in one function with a CPU twin that does what the PTX manual says.
// All are of sm_80. A warp's 32 lanes call ldmatrix_* and mma_* together.
#pragma once
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>

#include "cuda/launch.h"

namespace aclr::cuda {

// ---- cp.async: 16 bytes from global to shared memory, past the registers and the first cache ---------------------------

// Reads `source_bytes` (0 .. 16), writes 16: the rest are zeros. Both addresses are multiples of 16. What was copied can be
// read by this thread after cp_async_wait, by others after a barrier behind that.
__device__ inline void cp_async_16(void* shared, const void* global, int source_bytes = 16) {
#if defined(ACLR_EMULATED)
  emulator::copy_async(shared, global, 16, static_cast<std::size_t>(source_bytes));
#else
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n"
               :
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(shared))), "l"(global), "r"(source_bytes)
               : "memory");
#endif
}

// Closes a group of this thread's copies, which may be empty.
__device__ inline void cp_async_commit() {
#if defined(ACLR_EMULATED)
  emulator::commit_copies();
#else
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

// Waits until at most the last `kGroups` of this thread's groups are under way.
template <int kGroups>
__device__ inline void cp_async_wait() {
#if defined(ACLR_EMULATED)
  emulator::wait_copies(kGroups);
#else
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kGroups) : "memory");
#endif
}

// ---- ldmatrix: four 8 x 8 matrices of 16-bit numbers -------------------------------------------------------------------

// Lane l names row l % 8 of matrix l / 8: 16 bytes of shared memory, a multiple of 16. Of matrix i
//   ldmatrix_x4        lane l gets into out[i] row l / 4, columns 2 (l % 4) (low half) and 2 (l % 4) + 1 (high half)
//   ldmatrix_x4_trans  the same of the transposed matrix: column l / 4, rows 2 (l % 4) and 2 (l % 4) + 1
#if defined(ACLR_EMULATED)
namespace twin {
struct LoadMatrix {
  const unsigned char* row;
  std::uint32_t* out;
};
template <bool kTransposed>
void load_matrices(void* const* lanes, unsigned) {
  const auto at = [&](int matrix, int row, int column) {
    std::uint16_t bits;
    std::memcpy(&bits, static_cast<LoadMatrix*>(lanes[8 * matrix + row])->row + 2 * column, 2);
    return static_cast<std::uint32_t>(bits);
  };
  for (int l = 0; l < kWarp; ++l)
    for (int i = 0; i < 4; ++i) {
      const int a = l / 4, b = 2 * (l % 4);
      const std::uint32_t low = kTransposed ? at(i, b, a) : at(i, a, b);
      const std::uint32_t high = kTransposed ? at(i, b + 1, a) : at(i, a, b + 1);
      static_cast<LoadMatrix*>(lanes[l])->out[i] = low | high << 16;
    }
}
template <bool kTransposed>
void ldmatrix(std::uint32_t* out, const void* row) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16) emulator::fail("ldmatrix of a row that isn't aligned to 16 bytes");
  LoadMatrix mine{static_cast<const unsigned char*>(row), out};
  emulator::warp_together(kAllLanes, &mine, load_matrices<kTransposed>, emulator::Where::current());
}
}  // namespace twin
#endif

__device__ inline void ldmatrix_x4(std::uint32_t (&out)[4], const void* row) {
#if defined(ACLR_EMULATED)
  twin::ldmatrix<false>(out, row);
#else
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
#endif
}

__device__ inline void ldmatrix_x4_trans(std::uint32_t (&out)[4], const void* row) {
#if defined(ACLR_EMULATED)
  twin::ldmatrix<true>(out, row);
#else
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(static_cast<unsigned>(__cvta_generic_to_shared(row)))
               : "memory");
#endif
}

// ---- movmatrix: one 8 x 8 matrix of 16-bit numbers, transposed between the registers of a warp --------------------------

// Lane l gives row l / 4, columns 2 (l % 4) (low half) and 2 (l % 4) + 1 (high half), and gets the same of the transposed.
#if defined(ACLR_EMULATED)
namespace twin {
inline void movmatrix(void* const* lanes, unsigned) {
  std::uint32_t given[kWarp];
  for (int l = 0; l < kWarp; ++l) given[l] = *static_cast<std::uint32_t*>(lanes[l]);
  const auto at = [&](int row, int column) { return given[4 * row + column / 2] >> 16 * (column % 2) & 0xffff; };
  for (int l = 0; l < kWarp; ++l) {
    const int a = l / 4, b = 2 * (l % 4);
    *static_cast<std::uint32_t*>(lanes[l]) = at(b, a) | at(b + 1, a) << 16;
  }
}
}  // namespace twin
#endif

__device__ inline std::uint32_t transpose_8x8(std::uint32_t x) {
#if defined(ACLR_EMULATED)
  emulator::warp_together(kAllLanes, &x, twin::movmatrix, emulator::Where::current());
  return x;
#else
  std::uint32_t y;
  asm("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;\n" : "=r"(y) : "r"(x));
  return y;
#endif
}

// ---- mma: c [16, 8] += a [16, 16] b [16, 8], factors bf16, sums float ---------------------------------------------------

// With g = lane / 4 and t = lane % 4 a lane holds, the lower index in the lower half of each register,
//   a[0] = A[g][2t, 2t+1]   a[1] = A[g+8][2t, 2t+1]   a[2] = A[g][2t+8, 2t+9]   a[3] = A[g+8][2t+8, 2t+9]
//   b0 = B[2t, 2t+1][g]     b1 = B[2t+8, 2t+9][g]
//   c[0], c[1] = C[g][2t, 2t+1]     c[2], c[3] = C[g+8][2t, 2t+1]
// So a comes from row-major A by ldmatrix_x4 of its quarters (rows 0-7 and 8-15 of columns 0-7, then of 8-15); b0 and b1 of
// a B that stands as [n, k] by ldmatrix_x4, of one that stands as [k, n] by ldmatrix_x4_trans.
#if defined(ACLR_EMULATED)
namespace twin {
struct Mma {
  float* c;
  std::uint32_t a[4], b[2];
};
inline float half_of(std::uint32_t pair, int which) {
  const std::uint32_t bits = which ? pair & 0xffff0000u : pair << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
// The sums' order and rounding is the device's own; here they go from k = 0 to 15.
inline void mma(void* const* lanes, unsigned) {
  const auto lane = [&](int g, int t) { return static_cast<Mma*>(lanes[4 * g + t]); };
  float a[16][16], b[8][16];  // b as [n, k]
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k) a[i][k] = half_of(lane(i % 8, k % 8 / 2)->a[i / 8 + 2 * (k / 8)], k % 2);
  for (int j = 0; j < 8; ++j)
    for (int k = 0; k < 16; ++k) b[j][k] = half_of(lane(j, k % 8 / 2)->b[k / 8], k % 2);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      float& c = lane(i % 8, j / 2)->c[i / 8 * 2 + j % 2];
      for (int k = 0; k < 16; ++k) c += a[i][k] * b[j][k];
    }
}
}  // namespace twin
#endif

__device__ inline void mma_m16n8k16_bf16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
#if defined(ACLR_EMULATED)
  twin::Mma mine{c, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  emulator::warp_together(kAllLanes, &mine, twin::mma, emulator::Where::current());
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};\n"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// ---- numbers ------------------------------------------------------------------------------------------------------------

// Two floats rounded to nearest even, `low` in the lower half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
#if defined(ACLR_EMULATED)
  const __nv_bfloat16 halves[2] = {__float2bfloat16(low), __float2bfloat16(high)};
  std::uint32_t pair;
  std::memcpy(&pair, halves, 4);
  return pair;
#else
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#endif
}

// 2^x to about 2 in 10^7 of the result; below 2^-126 zero.
__device__ inline float exp2_approximate(float x) {
#if defined(ACLR_EMULATED)
  return x < -126.0f ? 0.0f : exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
#endif
}

}  // namespace aclr::cuda
