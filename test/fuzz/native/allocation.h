// Memory of the process as C++ asks for it, with a limit, and an allocation that fails on request: the sanitizer's own
// operator new ends the process where there is none.
#pragma once
#include <cstddef>

namespace aclr::fuzz {

// No single block is larger than this; beyond it std::bad_alloc.
inline constexpr std::size_t kLargestBlock = std::size_t{32} << 20;

// The n-th allocation from here by this thread while `inside` the addon fails, once; 0 for none.
void fail_allocation(long n);

// One input, whose memory must all be let go of.
class Run {
 public:
  Run();
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
};

// Marks code of the addon on this thread: what the fake Node-API allocates never fails on request.
class Inside {
 public:
  explicit Inside(bool inside);
  ~Inside();
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  bool before_;
};

}  // namespace aclr::fuzz
