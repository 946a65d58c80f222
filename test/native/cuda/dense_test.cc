// Matrix products of the CUDA engine, by our own kernels and by cuBLASLt, against plain loops in double.
#include "cuda/kernels/ops.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "check.h"
#include "cuda/launch.h"
#include "device_array.h"
#include "support.h"

namespace aclr::cuda {
namespace {

template <class S>
constexpr bool kIsBf16 = sizeof(S) == 2;

// One product: sizes, how much wider than needed the rows are, how many elements off an aligned address the matrices start.
struct Case {
  int m, n, k;
  bool a_transposed = false, b_transposed = false;
  bool bias = false, relu = false, accumulate = false;
  int wider = 0, shift = 0;
};

std::string text(const Case& c) {
  char out[160];
  const char *a = c.a_transposed ? " a^T" : "", *b = c.b_transposed ? " b^T" : "", *bias = c.bias ? " bias" : "";
  const char *relu = c.relu ? " relu" : "", *accumulate = c.accumulate ? " accumulate" : "";
  std::snprintf(out, sizeof out, "[%d, %d] of k %d%s%s%s%s%s wider %d shift %d", c.m, c.n, c.k, a, b, bias, relu, accumulate,
                c.wider, c.shift);
  return out;
}

// A matrix with what lies between its rows and a row before and behind: numbers that are no numbers, which nobody may use or
// change.
template <class S>
struct Matrix {
  int rows, columns, row;
  std::vector<S> values;

  Matrix(Random& random, int rows_, int columns_, int wider, double scale = 1)
      : rows(rows_), columns(columns_), row(columns_ + wider), values(static_cast<std::size_t>(rows_ + 2) * row) {
    if (!values.empty()) std::memset(static_cast<void*>(values.data()), 0xFF, values.size() * sizeof(S));
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) values[at(i, j)] = stored<S>(static_cast<Real<S>>(scale * random.normal()));
  }
  std::size_t at(int i, int j) const { return static_cast<std::size_t>(i + 1) * row + j; }
  double operator()(int i, int j) const { return real(values[at(i, j)]); }
};

// What stands at c[i][j], and by how much it may be off.
struct Wanted {
  double value, error;
};

template <class S, class C>
Wanted wanted(const Case& c, const Matrix<S>& a, const Matrix<S>& b, const Matrix<C>& before,
              const std::vector<Real<S>>& bias, int i, int j) {
  double sum = 0, size = 0;
  for (int p = 0; p < c.k; ++p) {
    const double product = (c.a_transposed ? a(p, i) : a(i, p)) * (c.b_transposed ? b(j, p) : b(p, j));
    sum += product;
    size += std::abs(product);
  }
  const double more[] = {c.bias ? double(bias[j]) : 0, c.accumulate ? before(i, j) : 0};
  for (const double x : more) {
    sum += x;
    size += std::abs(x);
  }
  if (c.relu && sum < 0) sum = 0;
  const double epsilon = sizeof(Real<S>) == 8 ? 1e-14 : 2e-6;
  return {sum, epsilon * size + (kIsBf16<C> ? std::ldexp(std::abs(sum), -8) : 0)};
}

constexpr std::size_t kEnough = std::size_t{1} << 20;
std::size_t scratch_bytes = kEnough;

// Through `dense`, or by our own kernels where it is null.
template <class S, class C>
void check_product(const Case& c, Dense* dense = nullptr) {
  Random random(static_cast<std::uint32_t>(c.m * 31 + c.n * 17 + c.k));
  const Matrix<S> a(random, c.a_transposed ? c.k : c.m, c.a_transposed ? c.m : c.k, c.wider);
  const Matrix<S> b(random, c.b_transposed ? c.n : c.k, c.b_transposed ? c.k : c.n, c.wider);
  const Matrix<C> before(random, c.m, c.n, c.wider, 3);
  std::vector<Real<S>> bias(c.n);
  std::vector<S> bias_stored(c.n);
  for (int j = 0; j < c.n; ++j) bias[j] = real(bias_stored[j] = stored<S>(static_cast<Real<S>>(random.normal())));

  DeviceArray<S> da(a.values, c.shift), db(b.values, c.shift), dbias_stored(bias_stored);
  DeviceArray<Real<S>> dbias(bias);
  DeviceArray<C> dc(before.values, c.shift);
  DeviceArray<char> scratch(scratch_bytes);
  Product<S, C> p{c.m, c.n, c.k, da + a.row, a.row, c.a_transposed, db + b.row, b.row, c.b_transposed, dc + before.row,
                  before.row};
  if (c.bias) p.bias = dbias.data();
  if (c.bias) p.bias_stored = dbias_stored.data();
  p.accumulate = c.accumulate;
  p.relu = c.relu;
  const Scratch memory{scratch.data(), scratch_bytes};
  if (dense)
    dense->multiply(p, memory, nullptr);
  else
    multiply_own(p, memory, nullptr);
  const std::vector<C> got = dc.get();
  if (got.empty()) return;
  for (int i = 0; i < c.m; ++i) {
    for (int j = 0; j < c.n; ++j) {
      const Wanted w = wanted(c, a, b, before, bias, i, j);
      const double x = real(got[before.at(i, j)]);
      if (std::abs(x - w.value) <= w.error) continue;
      char place[80];
      std::snprintf(place, sizeof place, " at %d, %d: %.9g, not %.9g", i, j, x, w.value);
      check::failed(__FILE__, __LINE__, text(c) + place);
    }
    const C *const gap = got.data() + before.at(i, c.n), *const old = before.values.data() + before.at(i, c.n);
    CHECK_FOR(std::memcmp(gap, old, c.wider * sizeof(C)) == 0, text(c) + ": between rows");
  }
  const std::size_t ends = static_cast<std::size_t>(before.row) * sizeof(C), last = got.size() - before.row;
  CHECK_FOR(std::memcmp(got.data(), before.values.data(), ends) == 0, text(c) + ": before the first row");
  CHECK_FOR(std::memcmp(got.data() + last, before.values.data() + last, ends) == 0, text(c) + ": behind the last row");
  if (scratch_bytes < 4096) scratch.get();  // its guard zones
}

template <class S, class C>
void check_all_transposes(Case c, Dense* dense = nullptr) {
  for (const bool a_transposed : {false, true})
    for (const bool b_transposed : {false, true}) {
      c.a_transposed = a_transposed;
      c.b_transposed = b_transposed;
      check_product<S, C>(c, dense);
    }
}

template <class S, class C>
void check_shapes(Dense* dense = nullptr) {
  for (const Case& c : {Case{1, 1, 1}, Case{1, 7, 17}, Case{7, 1, 33}, Case{17, 33, 7}, Case{33, 64, 64}, Case{64, 160, 160},
                        Case{160, 64, 33}, Case{257, 17, 40}, Case{64, 257, 24}, Case{130, 70, 1}})
    check_all_transposes<S, C>(c, dense);
}

template <class S, class C>
void check_finishes(Dense* dense = nullptr) {
  for (int i = 0; i < 8; ++i) {
    Case c{72, 88, 48};
    c.bias = i & 1;
    c.relu = i & 2;
    c.accumulate = i & 4;
    c.b_transposed = i % 3 == 0;
    check_product<S, C>(c, dense);
    c.wider = 8;
    check_product<S, C>(c, dense);
    c.wider = i % 2 ? 3 : 0;
    c.shift = 1;
    c.n = 37;
    check_product<S, C>(c, dense);
  }
}

template <class S, class C>
void check_edges(Dense* dense = nullptr) {
  Case nothing{5, 9, 0};  // c = bias
  nothing.bias = true;
  check_product<S, C>(nothing, dense);
  check_product<S, C>({0, 9, 4}, dense);
  check_product<S, C>({9, 0, 4}, dense);
}

// Long k: parts, with all that c is finished by. Less scratch makes fewer of them.
template <class S, class C>
void check_splits(Dense* dense = nullptr) {
  for (const std::size_t bytes : {kEnough, std::size_t{33 * 40 * 3 * sizeof(Real<S>)}, std::size_t{0}}) {
    scratch_bytes = bytes;
    Case c{33, 40, 2049};
    c.a_transposed = c.bias = c.relu = c.accumulate = true;
    check_product<S, C>(c, dense);
    c.wider = 8;
    c.relu = false;
    check_product<S, C>(c, dense);
  }
  scratch_bytes = kEnough;
}

TEST(own_float) {
  check_shapes<float, float>();
  check_finishes<float, float>();
  check_edges<float, float>();
  check_splits<float, float>();
}

TEST(own_double) {
  check_shapes<double, double>();
  check_finishes<double, double>();
  check_edges<double, double>();
  check_splits<double, double>();
}

TEST(own_bf16) {
  check_shapes<bf16, bf16>();
  check_finishes<bf16, bf16>();
  check_edges<bf16, bf16>();
  check_splits<bf16, bf16>();
}

TEST(own_bf16_to_float) {
  check_shapes<bf16, float>();
  check_finishes<bf16, float>();
  check_edges<bf16, float>();
  check_splits<bf16, float>();
}

// Enough rows for wide tiles of each width, with an edge in every direction.
TEST(own_bf16_wide) {
  const Case forward{13824 / 2 - 5, 160, 40, false, true, true, true}, gradient{13824 / 2 - 5, 160, 40};
  check_product<bf16, bf16>(forward);
  check_product<bf16, bf16>(gradient);
  check_product<bf16, bf16>({13824 - 3, 64, 24, false, true, true});
  check_product<bf16, bf16>({13824 - 3, 64, 24});
  check_product<bf16, bf16>({13824 / 4 - 3, 504, 40, false, true, true});
  check_product<bf16, float>({13824 / 4 - 3, 504, 40});
  check_product<bf16, float>({168, 152, 4099, true});
  check_product<bf16, float>({136, 128, 4099, true});
  check_product<bf16, float>({136, 64, 4099, true});
}

// The same bits each time: parts are added in one order.
TEST(same_again) {
  Random random(5);
  const Matrix<bf16> a(random, 3000, 48, 0), b(random, 3000, 40, 0);
  DeviceArray<bf16> da(a.values), db(b.values);
  DeviceArray<char> scratch(kEnough);
  std::vector<float> first;
  for (int i = 0; i < 3; ++i) {
    DeviceArray<float> dc(48 * 40);
    const Product<bf16, float> p{48, 40, 3000, da + 48, 48, true, db + 40, 40, false, dc, 40};
    multiply_own(p, {scratch, kEnough}, nullptr);
    const std::vector<float> again = dc.get();
    if (i == 0) first = again;
    CHECK(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)) == 0);
  }
}

// Captured in a graph, which is then run on other numbers: nothing is allocated or read on the way.
void check_capture(Dense& dense, int m, int k) {
  Random random(6);
  const Matrix<bf16> b(random, k, 64, 0);
  DeviceArray<bf16> da(static_cast<std::size_t>(m) * k), db(b.values);
  DeviceArray<float> dc(static_cast<std::size_t>(m) * 64);
  DeviceArray<char> scratch(kEnough);
  const Product<bf16, float> p{m, 64, k, da, m, true, db + 64, 64, false, dc, 64};
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  check(cudaStreamCreate(&stream), "a stream");
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "the start of a capture");
  dense.multiply(p, {scratch, kEnough}, stream);
  check(cudaStreamEndCapture(stream, &graph), "the end of a capture");
  check(cudaGraphInstantiate(&ready, graph, 0), "a graph");
  for (int i = 0; i < 2; ++i) {
    const Matrix<bf16> a(random, k, m, 0);
    da.set({a.values.begin() + m, a.values.end() - m});
    check(cudaGraphLaunch(ready, stream), "a graph's run");
    const std::vector<float> got = dc.get();
    const Case c{m, 64, k, true};
    for (int j = 0; j < 64; ++j) {
      const Wanted w = wanted<bf16, float>(c, a, b, Matrix<float>(random, m, 64, 0), {}, m - 1, j);
      CHECK_NEAR(got[(m - 1) * 64 + j], w.value, w.error);
    }
  }
  cudaGraphExecDestroy(ready);
  cudaGraphDestroy(graph);
  cudaStreamDestroy(stream);
}

void check_dense(Dense& dense) {
  check_capture(dense, 40, 72);
  check_capture(dense, 16, 1024);  // in parts

  check_shapes<float, float>(&dense);
  check_finishes<float, float>(&dense);
  check_finishes<double, double>(&dense);
  check_finishes<bf16, bf16>(&dense);
  check_finishes<bf16, float>(&dense);
  check_shapes<bf16, bf16>(&dense);
  check_edges<float, float>(&dense);
  check_splits<float, float>(&dense);
  check_splits<bf16, float>(&dense);
  for (int i = 0; i < 260; ++i)  // more than are remembered
    check_product<float, float>({16 + i % 130, 16, 16 + i / 130}, &dense);
  check_product<float, float>({16, 16, 16}, &dense);
}

TEST(without_library) {
  const char* const before = std::getenv("ANOMALYCLR_CUBLASLT");
  const std::string named = before ? before : "";
  setenv("ANOMALYCLR_CUBLASLT", "off", 1);
  {
    Dense dense;
    CHECK(std::string(dense.describe()) == "own kernels");
    check_dense(dense);
  }
  setenv("ANOMALYCLR_CUBLASLT", "no/such/library.so", 1);
  {
    Dense dense;
    CHECK(std::string(dense.describe()).find("own kernels (no/such/library.so") == 0);
    check_finishes<float, float>(&dense);
  }
  if (before)
    setenv("ANOMALYCLR_CUBLASLT", named.c_str(), 1);
  else
    unsetenv("ANOMALYCLR_CUBLASLT");
}

// Whatever library there is.
TEST(with_library) {
  Dense dense;
  std::printf("with_library: %s\n", dense.describe());
  check_dense(dense);
}

}  // namespace
}  // namespace aclr::cuda
