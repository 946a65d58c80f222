// Whether this process may use AMX tiles of bf16. Needs no compiler flags.
#pragma once

#if defined(ACLR_AMX) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace aclr {

// True where processor and system have the tiles and Linux lets this process use them: tile data are 8 KB of a thread's
// state, kept for those that ask. Asked once, for all threads; a refusal (no such kernel, a filter, signal stacks too
// small) means no AMX. ACLR_AMX says that the assembler knows it.
inline bool amx_available() {
#if defined(ACLR_AMX) && defined(__linux__)
  static const bool available = [] {
    unsigned a, b, c, d;
    constexpr unsigned kOsXsave = 1u << 27, kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsXsave)) return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kAmxBf16) || !(d & kAmxTile)) return false;
    constexpr unsigned kTileState = 3u << 17;  // configuration and data, in XCR0
    unsigned low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & kTileState) != kTileState) return false;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return available;
#else
  return false;
#endif
}

}  // namespace aclr
