// Marks what both the host and a CUDA compiler build. Physics and loss headers carry it, so that one body serves both.
#pragma once
#if defined(__CUDACC__)
#define ACLR_HD __host__ __device__
#else
#define ACLR_HD
#endif
