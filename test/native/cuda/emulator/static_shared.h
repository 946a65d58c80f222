// __shared__ variables: thread-local ones of this library, of which no list exists. While a grid runs nothing else of the
// library's thread-local data is in use, so all of it is set to 0xFF when the grid starts and put back when it ends.
#pragma once
#include <cstddef>
#include <vector>

namespace emulator {

class StaticShared {
 public:
  StaticShared();
  ~StaticShared();
  StaticShared(const StaticShared&) = delete;
  StaticShared& operator=(const StaticShared&) = delete;

 private:
  unsigned char* begin_ = nullptr;
  std::vector<unsigned char> before_;
};

}  // namespace emulator
