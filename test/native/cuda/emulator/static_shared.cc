#include "static_shared.h"

#include <link.h>

#include <cstdint>
#include <cstring>

namespace emulator {

#if defined(__SANITIZE_ADDRESS__)  // whose own thread-local data may lie there
StaticShared::StaticShared() = default;
StaticShared::~StaticShared() = default;
#else
namespace {

thread_local volatile char touched = 0;  // makes the system provide this thread's data

struct Range {
  unsigned char* begin;
  std::size_t bytes;
};

// Takes the calling thread's data of the library (or program) that holds this code.
int find(dl_phdr_info* info, std::size_t, void* out) {
  const auto here = reinterpret_cast<std::uintptr_t>(&find);
  bool holds = false;
  std::size_t bytes = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    holds = holds || (header.p_type == PT_LOAD && here >= begin && here < begin + header.p_memsz);
    if (header.p_type == PT_TLS) bytes = header.p_memsz;
  }
  if (!holds) return 0;
  *static_cast<Range*>(out) = {static_cast<unsigned char*>(info->dlpi_tls_data), info->dlpi_tls_data ? bytes : 0};
  return 1;
}

}  // namespace

StaticShared::StaticShared() {
  touched = 1;
  Range range{};
  dl_iterate_phdr(find, &range);
  begin_ = range.begin;
  before_.assign(range.begin, range.begin + range.bytes);
  std::memset(begin_, 0xFF, before_.size());
}

StaticShared::~StaticShared() { std::memcpy(begin_, before_.data(), before_.size()); }
#endif

}  // namespace emulator
