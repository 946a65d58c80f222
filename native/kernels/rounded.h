// Products::kBf16 on targets without such instructions: factors rounded to bfloat16 and back, then the target's own gemm.
// A product of two is exact in float, so this is what the instructions do, but for the order of sums and for denormals,
// which they take as 0. Included by each target inside its own namespace, after its gemm.
namespace aclr::ACLR_TARGET {

// To nearest, ties to even; NaN stays NaN.
inline float to_bf16(float x) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;
  return __builtin_bit_cast(float, x == x ? rounded : bits | 0x400000u);
}

inline void pack_rounded(const float* b, std::ptrdiff_t row, std::ptrdiff_t col, int k, int n, float* packed) {
  pack<float>(b, row, col, k, n, packed);
  const std::size_t size = packed_size<float>(k, n);
#pragma omp simd
  for (std::size_t i = 0; i < size; ++i) packed[i] = to_bf16(packed[i]);
}

inline void gemm_rounded(const Gemm<float>& g) {
  constexpr int kChunk = 48;
  const int chunk = g.m < kChunk ? g.m : kChunk;
  struct Rows {
    float* data;
    ~Rows() { delete[] data; }
  } a{new float[static_cast<std::size_t>(chunk) * static_cast<std::size_t>(g.k)]};
  for (int i = 0; i < g.m; i += chunk) {
    const int rows = g.m - i < chunk ? g.m - i : chunk;
    for (int r = 0; r < rows; ++r)
      for (int p = 0; p < g.k; ++p) a.data[std::ptrdiff_t{r} * g.k + p] = to_bf16(g.a[(i + r) * g.a_row + p * g.a_col]);
    Gemm<float> part = g;
    part.m = rows;
    part.a = a.data;
    part.a_row = g.k;
    part.a_col = 1;
    part.c = g.c + i * g.c_row;
    gemm<float>(part);
  }
}

}  // namespace aclr::ACLR_TARGET
