// A test harness in one header: TEST(name) { CHECK(condition); CHECK_NEAR(got, wanted, tolerance); }
// Each test file is a program of its own; its arguments, if any, are the names of the tests to run.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
inline const char* running = "";
inline int failures = 0;  // of the running test

struct Register {
  Register(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

inline void failed(const char* file, int line, const std::string& what) {
  constexpr int kShown = 8;
  if (++failures > kShown) return;
  const char* slash = std::strrchr(file, '/');
  std::printf("FAILED %s: %s:%d %s\n", running, slash ? slash + 1 : file, line, what.c_str());
}

// NaN is near nothing.
inline void near(double got, double wanted, double tolerance, const char* file, int line, const char* what) {
  if (std::abs(got - wanted) <= tolerance || got == wanted) return;
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, ": %.9g, not %.9g within %.2g", got, wanted, tolerance);
  failed(file, line, what + std::string(numbers));
}

inline int run(int count, char** names) {
  int bad = 0;
  for (const Test& test : tests()) {
    bool wanted = count == 0;
    for (int i = 0; i < count; ++i) wanted = wanted || std::strcmp(names[i], test.name) == 0;
    if (!wanted) continue;
    running = test.name;
    failures = 0;
    test.body();
    if (failures == 0) std::printf("ok %s\n", test.name);
    if (failures > 0) std::printf("FAILED %s: %d checks\n", test.name, failures);
    std::fflush(stdout);
    bad += failures > 0;
  }
  return bad > 0 || tests().empty() ? 1 : 0;
}

}  // namespace check

#define TEST(name)                                             \
  static void test_##name();                                   \
  static const check::Register register_##name{#name, test_##name}; \
  static void test_##name()
#define CHECK(condition) \
  do {                   \
    if (!(condition)) check::failed(__FILE__, __LINE__, #condition); \
  } while (false)
#define CHECK_FOR(condition, what) \
  do {                             \
    if (!(condition)) check::failed(__FILE__, __LINE__, std::string(#condition " for ") + (what)); \
  } while (false)
#define CHECK_NEAR(got, wanted, tolerance) \
  check::near(static_cast<double>(got), static_cast<double>(wanted), tolerance, __FILE__, __LINE__, #got)

int main(int argc, char** argv) { return check::run(argc - 1, argv + 1); }
