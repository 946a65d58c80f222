// Marks what both the host and a CUDA compiler build. Physics and loss headers carry it, so that one body serves both.
#pragma once
#if defined(__CUDACC__)
#define ACLR_HD __host__ __device__
#else
#define ACLR_HD
#endif

// What vector loops call too. Always inlined: a file built with wide-vector flags must leave no copy of a function that
// others share, as the linker might take that copy for theirs.
#define ACLR_LANE ACLR_HD inline __attribute__((always_inline))

// Before a loop of `count` rounds that is to be written out; a CUDA compiler does so unasked.
#if defined(__CUDACC__)
#define ACLR_UNROLL(count)
#else
#define ACLR_PRAGMA(text) _Pragma(#text)
#define ACLR_UNROLL(count) ACLR_PRAGMA(GCC unroll count)
#endif
