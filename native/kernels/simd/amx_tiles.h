// The few AMX instructions that amx.h is written in: eight tiles of 16 rows by 64 bytes. No include guard: once per
// target, in its namespace. With ACLR_AMX_EMULATED the tiles are arrays and any machine runs the same kernel; otherwise
// inline assembly, as GCC's intrinsics are, but with tile numbers as template arguments and with memory clobbers, which
// GCC 12's loads lack.
#include <cstddef>
#include <cstdint>

namespace aclr::ACLR_TARGET {

#if defined(ACLR_AMX_EMULATED)

struct Tiles {
  bool configured;
  unsigned char row[8][16][64];
};
inline thread_local Tiles tiles;

// Every tile to zero, as LDTILECFG and TILERELEASE do.
inline void tiles_configure() {
  tiles = {};
  tiles.configured = true;
}
inline void tiles_release() { tiles = {}; }

inline void tiles_in_use() {
  if (!tiles.configured) __builtin_trap();  // an illegal instruction, as on the processor
}

template <int TILE>
void tile_zero() {
  tiles_in_use();
  __builtin_memset(tiles.row[TILE], 0, sizeof tiles.row[TILE]);
}

template <int TILE>
void tile_load(const void* base, std::ptrdiff_t row_bytes) {
  tiles_in_use();
  for (int r = 0; r < 16; ++r)
    __builtin_memcpy(tiles.row[TILE][r], static_cast<const unsigned char*>(base) + r * row_bytes, 64);
}

template <int TILE>
void tile_store(void* base, std::ptrdiff_t row_bytes) {
  tiles_in_use();
  for (int r = 0; r < 16; ++r)
    __builtin_memcpy(static_cast<unsigned char*>(base) + r * row_bytes, tiles.row[TILE][r], 64);
}

// Denormals as zero, coming and going.
inline float normal_or_zero(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  return bits & 0x7F800000u ? x : __builtin_bit_cast(float, bits & 0x80000000u);
}

// A bf16 is the upper half of a float.
inline float widened(const unsigned char* bf16) {
  std::uint16_t bits;
  __builtin_memcpy(&bits, bf16, 2);
  return normal_or_zero(__builtin_bit_cast(float, std::uint32_t{bits} << 16));
}

// TDPBF16PS by Intel's manual: the first and the second of the pairs are summed apart, by fused multiply-add, and their
// sum is added to C.
template <int C, int A, int B>
void tile_dot() {
  tiles_in_use();
  for (int m = 0; m < 16; ++m) {
    float c[16];
    __builtin_memcpy(c, tiles.row[C][m], sizeof c);
    for (int n = 0; n < 16; ++n) {
      float sum[2] = {0, 0};
      for (int k = 0; k < 16; ++k)
        for (int half = 0; half < 2; ++half) {
          const float a = widened(&tiles.row[A][m][4 * k + 2 * half]), b = widened(&tiles.row[B][k][4 * n + 2 * half]);
          sum[half] = normal_or_zero(__builtin_fmaf(a, b, sum[half]));
        }
      c[n] = normal_or_zero(normal_or_zero(c[n]) + normal_or_zero(sum[0] + sum[1]));
    }
    __builtin_memcpy(tiles.row[C][m], c, sizeof c);
  }
}

#else

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

inline void tiles_configure() {
  static constexpr TileConfig config;
  asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
}
inline void tiles_release() { asm volatile("tilerelease" ::: "memory"); }

template <int TILE>
void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(TILE));
}

template <int TILE>
void tile_load(const void* base, std::ptrdiff_t row_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(base), "r"(row_bytes), "i"(TILE) : "memory");
}

template <int TILE>
void tile_store(void* base, std::ptrdiff_t row_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(base), "r"(row_bytes), "i"(TILE) : "memory");
}

// C [16][16] float += A [16][32] bf16 . B [16][16][2] bf16, B as pairs of k.
template <int C, int A, int B>
void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
}

#endif

// The tiles are state of a thread. They are this code's from the outermost scope's beginning to its end, and released
// after it, so that neither another library's configuration nor ours outlives its use.
class TileScope {
 public:
  TileScope() {
    if (depth_++ == 0) tiles_configure();
  }
  ~TileScope() {
    if (--depth_ == 0) tiles_release();
  }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;

 private:
  static inline thread_local int depth_ = 0;
};

}  // namespace aclr::ACLR_TARGET
