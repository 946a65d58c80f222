// The instructions of cuda/ptx.h: on the emulator its CPU twins, on a device the instructions themselves, against what the
// PTX manual says of them.
#include "cuda/ptx.h"

#include <cmath>

#include "check.h"
#include "cuda/number.h"
#include "device_array.h"
#include "support.h"

namespace aclr::cuda {
namespace {

// ---- cp.async -----------------------------------------------------------------------------------------------------------

// Lane l copies chunk l of which sizes[l] bytes are there; even lanes' in the first group, odd ones' in the second.
__global__ void copy_chunks(const unsigned char* from, const int* sizes, unsigned char* to) {
  unsigned char* const shared = dynamic_shared<unsigned char>();
  const int lane = static_cast<int>(threadIdx.x);
  if (lane % 2 == 0) cp_async_16(shared + 16 * lane, from + 16 * lane, sizes[lane]);
  cp_async_commit();
  if (lane % 2 == 1) cp_async_16(shared + 16 * lane, from + 16 * lane, sizes[lane]);
  cp_async_commit();
  cp_async_wait<1>();
  if (lane % 2 == 0)
    for (int i = 0; i < 16; ++i) to[16 * lane + i] = shared[16 * lane + i];
  cp_async_wait<0>();
  if (lane % 2 == 1)
    for (int i = 0; i < 16; ++i) to[16 * lane + i] = shared[16 * lane + i];
}

TEST(copies_and_zeros) {
  std::vector<unsigned char> bytes(16 * kWarp);
  std::vector<int> sizes(kWarp);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(1 + i % 251);
  for (int l = 0; l < kWarp; ++l) sizes[l] = l % 9 * 2;
  DeviceArray<unsigned char> from(bytes), to(bytes.size());
  DeviceArray<int> counts(sizes);
  launch("copies", copy_chunks, dim3(1), dim3(kWarp), bytes.size(), nullptr, from.data(), counts.data(), to.data());
  const std::vector<unsigned char> got = to.get();
  for (int l = 0; l < kWarp; ++l)
    for (int i = 0; i < 16; ++i) CHECK_NEAR(got[16 * l + i], i < sizes[l] ? bytes[16 * l + i] : 0, 0);
}

// ---- ldmatrix -----------------------------------------------------------------------------------------------------------

__global__ void load_matrices(const std::uint16_t* from, std::uint32_t* plain, std::uint32_t* transposed) {
  constexpr int kRow = 24;  // further apart than the 8 that a row is
  std::uint16_t* const shared = dynamic_shared<std::uint16_t>();
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) shared[lane * kRow + i] = from[lane * 8 + i];
  __syncthreads();
  std::uint32_t out[4];
  ldmatrix_x4(out, shared + lane * kRow);
  for (int i = 0; i < 4; ++i) plain[4 * lane + i] = out[i];
  ldmatrix_x4_trans(out, shared + lane * kRow);
  for (int i = 0; i < 4; ++i) transposed[4 * lane + i] = out[i];
}

TEST(fragments_of_ldmatrix) {
  std::vector<std::uint16_t> matrices(4 * 8 * 8);  // [matrix, row, column]
  for (std::size_t i = 0; i < matrices.size(); ++i) matrices[i] = static_cast<std::uint16_t>(40503 * i + 7);
  DeviceArray<std::uint16_t> from(matrices);
  DeviceArray<std::uint32_t> plain(4 * kWarp), transposed(4 * kWarp);
  launch("ldmatrix", load_matrices, dim3(1), dim3(kWarp), kWarp * 24 * 2, nullptr, from.data(), plain.data(),
         transposed.data());
  const std::vector<std::uint32_t> p = plain.get(), t = transposed.get();
  const auto at = [&](int matrix, int row, int column) { return std::uint32_t{matrices[64 * matrix + 8 * row + column]}; };
  for (int lane = 0; lane < kWarp; ++lane)
    for (int i = 0; i < 4; ++i) {
      const int a = lane / 4, b = lane % 4 * 2;
      CHECK(p[4 * lane + i] == (at(i, a, b) | at(i, a, b + 1) << 16));
      CHECK(t[4 * lane + i] == (at(i, b, a) | at(i, b + 1, a) << 16));
    }
}

// ---- movmatrix ----------------------------------------------------------------------------------------------------------

__global__ void transpose_matrix(const std::uint32_t* from, std::uint32_t* to) {
  to[threadIdx.x] = transpose_8x8(from[threadIdx.x]);
}

TEST(a_transposed_matrix) {
  std::vector<std::uint32_t> matrix(kWarp);  // [row, pair of columns]
  for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = static_cast<std::uint32_t>(2654435761u * (i + 1));
  DeviceArray<std::uint32_t> from(matrix), to(kWarp);
  launch("movmatrix", transpose_matrix, dim3(1), dim3(kWarp), 0, nullptr, from.data(), to.data());
  const std::vector<std::uint32_t> got = to.get();
  const auto at = [](const std::vector<std::uint32_t>& m, int row, int column) {
    return m[4 * row + column / 2] >> 16 * (column % 2) & 0xffff;
  };
  for (int i = 0; i < 8; ++i)
    for (int j = 0; j < 8; ++j) CHECK(at(got, i, j) == at(matrix, j, i));
}

// ---- mma ----------------------------------------------------------------------------------------------------------------

__device__ std::uint32_t pair_of(const bf16* low, const bf16* high) { return pack_bf16(real(*low), real(*high)); }

// c [16, 8] += a [16, 16] b [16, 8], the fragments element by element as the manual lists them.
__global__ void multiply_by_manual(const bf16* a, const bf16* b, float* c) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  std::uint32_t x[4];
  for (int i = 0; i < 4; ++i) {
    const bf16* const first = a + (g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8;
    x[i] = pair_of(first, first + 1);
  }
  const auto y = [&](int k) { return pair_of(b + k * 8 + g, b + (k + 1) * 8 + g); };
  float* const out[4] = {c + g * 8 + 2 * t, c + g * 8 + 2 * t + 1, c + (g + 8) * 8 + 2 * t, c + (g + 8) * 8 + 2 * t + 1};
  float sum[4] = {*out[0], *out[1], *out[2], *out[3]};
  mma_m16n8k16_bf16(sum, x, y(2 * t), y(2 * t + 8));
  for (int i = 0; i < 4; ++i) *out[i] = sum[i];
}

// c [16, 16] += a [16, 16] b [16, 16] by ldmatrix, each factor standing as it is, or transposed.
__global__ void multiply_by_ldmatrix(const bf16* a, bool a_transposed, const bf16* b, bool b_transposed, float* c) {
  bf16* const shared = dynamic_shared<bf16>();  // [2, 16, 16]
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  for (int i = lane; i < 256; i += kWarp) {
    shared[i] = a[i];
    shared[256 + i] = b[i];
  }
  __syncthreads();
  const int matrix = lane / 8, row = lane % 8;
  std::uint32_t x[4], y[4];
  // quarters of a: rows 8 on, then columns 8 on; of b as [n, k]: k 8 on, then n 8 on
  if (a_transposed)
    ldmatrix_x4_trans(x, shared + (row + matrix / 2 * 8) * 16 + matrix % 2 * 8);
  else
    ldmatrix_x4(x, shared + (row + matrix % 2 * 8) * 16 + matrix / 2 * 8);
  if (b_transposed)
    ldmatrix_x4(y, shared + 256 + (row + matrix / 2 * 8) * 16 + matrix % 2 * 8);
  else
    ldmatrix_x4_trans(y, shared + 256 + (row + matrix % 2 * 8) * 16 + matrix / 2 * 8);
  for (int j = 0; j < 2; ++j) {
    float* const first = c + g * 16 + 8 * j + 2 * t;
    float sum[4] = {first[0], first[1], first[128], first[129]};
    mma_m16n8k16_bf16(sum, x, y[2 * j], y[2 * j + 1]);
    first[0] = sum[0];
    first[1] = sum[1];
    first[128] = sum[2];
    first[129] = sum[3];
  }
}

std::vector<bf16> rounded(Random& random, int count) {
  std::vector<bf16> out(count);
  for (bf16& x : out) x = stored<bf16>(static_cast<float>(random.normal()));
  return out;
}

// of matrices [16, 16] and [16, columns], either of which may stand transposed
void check_product(const std::vector<bf16>& a, bool a_transposed, const std::vector<bf16>& b, bool b_transposed, int columns,
                   const std::vector<float>& before, const std::vector<float>& got) {
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < columns; ++j) {
      double sum = before[i * columns + j], size = std::abs(sum);
      for (int k = 0; k < 16; ++k) {
        const double product = double(real(a[a_transposed ? 16 * k + i : 16 * i + k])) *
                               real(b[b_transposed ? 16 * j + k : columns * k + j]);
        sum += product;
        size += std::abs(product);
      }
      CHECK_NEAR(got[i * columns + j], sum, 1e-6 * size);
    }
}

TEST(mma_with_the_fragments_of_the_manual) {
  Random random(3);
  const std::vector<bf16> a = rounded(random, 256), b = rounded(random, 128);
  const std::vector<float> before = random.normals<float>(128);
  DeviceArray<bf16> da(a), db(b);
  DeviceArray<float> dc(before);
  launch("mma", multiply_by_manual, dim3(1), dim3(kWarp), 0, nullptr, da.data(), db.data(), dc.data());
  check_product(a, false, b, false, 8, before, dc.get());
}

TEST(mma_with_the_fragments_of_ldmatrix) {
  Random random(4);
  for (const bool a_transposed : {false, true})
    for (const bool b_transposed : {false, true}) {
      const std::vector<bf16> a = rounded(random, 256), b = rounded(random, 256);
      const std::vector<float> before = random.normals<float>(256);
      DeviceArray<bf16> da(a), db(b);
      DeviceArray<float> dc(before);
      launch("mma", multiply_by_ldmatrix, dim3(1), dim3(kWarp), 1024, nullptr, da.data(), a_transposed, db.data(),
             b_transposed, dc.data());
      check_product(a, a_transposed, b, b_transposed, 16, before, dc.get());
    }
}

// ---- numbers ------------------------------------------------------------------------------------------------------------

__global__ void pack_pairs(int pairs, const float* x, std::uint32_t* out) {
  if (static_cast<int>(threadIdx.x) < pairs) out[threadIdx.x] = pack_bf16(x[2 * threadIdx.x], x[2 * threadIdx.x + 1]);
}
__global__ void powers_of_two(int count, const float* x, float* out) {
  if (static_cast<int>(threadIdx.x) < count) out[threadIdx.x] = exp2_approximate(x[threadIdx.x]);
}

TEST(rounding_to_pairs) {
  // exact; half-way to even down and up; to infinity; and the lower one first
  const std::vector<float> x = {1, -2, 1.00390625f, 1.01171875f, 3.4e38f, -0.0f};
  DeviceArray<float> from(x);
  DeviceArray<std::uint32_t> to(3);
  launch("pairs", pack_pairs, dim3(1), dim3(kWarp), 0, nullptr, 3, from.data(), to.data());
  const std::vector<std::uint32_t> got = to.get();
  CHECK(got[0] == 0xC0003F80u);
  CHECK(got[1] == 0x3F823F80u);
  CHECK(got[2] == 0x80007F80u);
}

TEST(powers) {
  const float infinity = HUGE_VALF;
  const std::vector<float> x = {0, 1, -1, 0.5f, -30.25f, 100.125f, -125.5f, -140, -infinity, 200};
  DeviceArray<float> from(x), to(x.size());
  launch("powers", powers_of_two, dim3(1), dim3(kWarp), 0, nullptr, static_cast<int>(x.size()), from.data(), to.data());
  const std::vector<float> got = to.get();
  for (int i = 0; i < 7; ++i) CHECK_NEAR(got[i] / std::exp2(double(x[i])), 1, 4e-7);
  CHECK(got[7] == 0 && got[8] == 0 && got[9] == infinity);
}

}  // namespace
}  // namespace aclr::cuda
