// For the prebuilt addon alone: what glibc 2.29 to 2.36 moved, renamed or added, as glibc 2.28 has it, the oldest that
// Node.js 20 runs on. A name that is defined here is asked for nowhere else, not by the C++ library that is linked in
// either. Most call the first version of their symbol, which every later glibc keeps: what moved between libraries (2.34:
// threads, dlopen) and what had its handling of errors changed (2.29: exp, log, pow) computes the same.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#else
#error "the first version of glibc's symbols on this processor is to be named"
#endif

// Under names of their own to C++, so that they need not be what headers say of them (noexcept, restrict).
#define DEFINE(result, name, parameters)                                           \
  [[gnu::visibility("hidden")]] result own_##name parameters __asm__(#name);       \
  result own_##name parameters

#define AS_AT_FIRST(result, name, parameters, arguments)        \
  result first_##name parameters;                               \
  __asm__(".symver first_" #name ", " #name "@" FIRST_VERSION); \
  DEFINE(result, name, parameters) { return first_##name arguments; }

extern "C" {
AS_AT_FIRST(double, exp, (double x), (x))
AS_AT_FIRST(double, log, (double x), (x))
AS_AT_FIRST(double, pow, (double x, double y), (x, y))

AS_AT_FIRST(void*, dlopen, (const char* file, int mode), (file, mode))
AS_AT_FIRST(void*, dlsym, (void* library, const char* name), (library, name))
AS_AT_FIRST(char*, dlerror, (), ())

AS_AT_FIRST(int, pthread_create, (void* thread, const void* attributes, void* (*start)(void*), void* argument),
            (thread, attributes, start, argument))
AS_AT_FIRST(int, pthread_join, (unsigned long thread, void** result), (thread, result))
AS_AT_FIRST(int, pthread_detach, (unsigned long thread), (thread))
AS_AT_FIRST(int, pthread_once, (int* once, void (*start)()), (once, start))
AS_AT_FIRST(int, pthread_key_create, (unsigned* key, void (*end)(void*)), (key, end))
AS_AT_FIRST(int, __pthread_key_create, (unsigned* key, void (*end)(void*)), (key, end))
AS_AT_FIRST(int, pthread_key_delete, (unsigned key), (key))
AS_AT_FIRST(void*, pthread_getspecific, (unsigned key), (key))
AS_AT_FIRST(int, pthread_setspecific, (unsigned key, const void* value), (key, value))
AS_AT_FIRST(int, pthread_mutex_trylock, (void* mutex), (mutex))

// 2.32: whether the process ever had one thread alone, which spares atomic operations. Node.js has several.
extern char own_libc_single_threaded __asm__("__libc_single_threaded");
[[gnu::visibility("hidden")]] char own_libc_single_threaded = 0;

// 2.33: functions; before, inline ones of the headers. The kernel's struct stat is glibc's on these processors.
DEFINE(int, fstat, (int file, void* info)) { return static_cast<int>(syscall(SYS_fstat, file, info)); }
DEFINE(int, fstat64, (int file, void* info)) { return static_cast<int>(syscall(SYS_fstat, file, info)); }
DEFINE(int, stat, (const char* file, void* info)) {
  return static_cast<int>(syscall(SYS_newfstatat, -100 /* AT_FDCWD */, file, info, 0));
}
DEFINE(int, lstat, (const char* file, void* info)) {
  return static_cast<int>(syscall(SYS_newfstatat, -100, file, info, 0x100 /* AT_SYMLINK_NOFOLLOW */));
}

// 2.36: random words of the kernel's, as the source of std::random_device
int getentropy(void* buffer, size_t length);
DEFINE(uint32_t, arc4random, ()) {
  uint32_t word;
  if (getentropy(&word, sizeof word) != 0) std::abort();  // as arc4random does
  return word;
}
}
