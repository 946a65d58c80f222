// A mutator for inputs that are rows of records: whole records come, go and are copied, so that what stands after a place
// keeps its meaning; and the bytes of one are changed as libFuzzer knows how.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>

#if defined(ACLR_LIBFUZZER)
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace aclr::fuzz {

inline std::size_t mutate_records(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed, std::size_t record) {
  std::minstd_rand random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  const std::size_t room = most / record;
  std::size_t count = std::min(size / record, room);
  if (room == 0) return 0;
  if (count == 0) {
    for (std::size_t i = 0; i < record; ++i) data[i] = static_cast<std::uint8_t>(random());
    return record;
  }
  std::uint8_t* const here = data + below(count) * record;
  const std::size_t after = static_cast<std::size_t>(data + count * record - here);
  switch (below(8)) {
    case 0:  // one goes
      if (count > 1) std::memmove(here, here + record, after - record), --count;
      break;
    case 1:  // one comes, as another is
      if (count < room) {
        std::memmove(here + record, here, after), ++count;
        std::memmove(here, data + below(count) * record, record);
      }
      break;
    case 2:
      std::swap_ranges(here, here + record, data + below(count) * record);
      break;
    case 3:  // what is done and to whom is kept, a change to it comes or goes
      if (record >= 8) {
        std::uint8_t* const change = here + 4 + below(record / 4 - 1) * 4;
        if (below(3) == 0) std::memset(change, 0, 4);
        else
          for (int i = 0; i < 4; ++i) change[i] = static_cast<std::uint8_t>(random());
      }
      break;
    default: {
      const std::size_t left = LLVMFuzzerMutate(here, record, record);
      std::memset(here + left, 0, record - left);
    }
  }
  return count * record;
}

}  // namespace aclr::fuzz

#define ACLR_FUZZ_RECORDS(SIZE)                                                                                          \
  extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) { \
    return aclr::fuzz::mutate_records(data, size, most, seed, SIZE);                                                     \
  }
#else
#define ACLR_FUZZ_RECORDS(SIZE)
#endif
