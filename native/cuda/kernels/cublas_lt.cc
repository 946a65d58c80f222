// Dense: matrix products by cuBLASLt, opened at run time, and by our own kernels where it is missing or does worse.
#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "cuda/kernels/ops.h"
#include "cuda/launch.h"
#include "cuda/symbols.h"

namespace aclr::cuda {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;  // what NVIDIA advises for Hopper
constexpr std::size_t kRemembered = 256;                   // shapes whose algorithm is known

// The library's functions, as its header declares them.
struct Functions {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtMatmulDescCreate) describe;
  decltype(&cublasLtMatmulDescSetAttribute) set;
  decltype(&cublasLtMatmulDescDestroy) forget;
  decltype(&cublasLtMatrixLayoutCreate) lay_out;
  decltype(&cublasLtMatrixLayoutDestroy) forget_layout;
  decltype(&cublasLtMatmulPreferenceCreate) prefer;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) forget_preference;
  decltype(&cublasLtMatmulAlgoGetHeuristic) search;
  decltype(&cublasLtMatmul) multiply;
};

bool resolve_all(void* object, Functions& f) {
  return resolve(object, "cublasLtCreate", f.create) && resolve(object, "cublasLtDestroy", f.destroy) &&
         resolve(object, "cublasLtGetVersion", f.version) && resolve(object, "cublasLtMatmulDescCreate", f.describe) &&
         resolve(object, "cublasLtMatmulDescSetAttribute", f.set) &&
         resolve(object, "cublasLtMatmulDescDestroy", f.forget) &&
         resolve(object, "cublasLtMatrixLayoutCreate", f.lay_out) &&
         resolve(object, "cublasLtMatrixLayoutDestroy", f.forget_layout) &&
         resolve(object, "cublasLtMatmulPreferenceCreate", f.prefer) &&
         resolve(object, "cublasLtMatmulPreferenceSetAttribute", f.set_preference) &&
         resolve(object, "cublasLtMatmulPreferenceDestroy", f.forget_preference) &&
         resolve(object, "cublasLtMatmulAlgoGetHeuristic", f.search) && resolve(object, "cublasLtMatmul", f.multiply);
}

// Objects of the library that end with their owner.
template <class Pointer>
using Owned = std::unique_ptr<std::remove_pointer_t<Pointer>, cublasStatus_t (*)(Pointer)>;
using Description = Owned<cublasLtMatmulDesc_t>;
using Layout = Owned<cublasLtMatrixLayout_t>;
using Preference = Owned<cublasLtMatmulPreference_t>;

// How the library is to compute: its names for the types of factors, of c, and of sums.
struct Types {
  cudaDataType_t factor, c, real;
  cublasComputeType_t compute;
};
constexpr Types types_of(float, float) { return {CUDA_R_32F, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F}; }  // no TF32
constexpr Types types_of(double, double) { return {CUDA_R_64F, CUDA_R_64F, CUDA_R_64F, CUBLAS_COMPUTE_64F}; }
inline Types types_of(bf16, bf16) { return {CUDA_R_16BF, CUDA_R_16BF, CUDA_R_32F, CUBLAS_COMPUTE_32F}; }
inline Types types_of(bf16, float) { return {CUDA_R_16BF, CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F}; }

// What an algorithm is chosen by.
struct Key {
  int factor, c, m, n, k, a_row, b_row, c_row;
  bool a_transposed, b_transposed, bias, relu;
  std::uint32_t a_alignment, b_alignment, c_alignment, bias_alignment;
  auto operator<=>(const Key&) const = default;
};

// Of an address, in bytes, as far as it matters.
constexpr std::uint32_t kMostAligned = 256;
std::uint32_t alignment(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & (~address + 1), kMostAligned));
}

// The vector that the library adds has the type of c.
template <class S, class C>
const void* library_bias(const Product<S, C>& p) {
  if constexpr (sizeof(S) == 2 && sizeof(C) == 2) return p.bias_stored;
  return p.bias;
}

template <class S, class C>
Key key_of(const Product<S, C>& p) {
  const Types types = types_of(S{}, C{});
  return {static_cast<int>(types.factor), static_cast<int>(types.c), p.m, p.n, p.k, p.a_row, p.b_row, p.c_row,
          p.a_transposed, p.b_transposed, p.bias != nullptr, p.relu, alignment(p.a), alignment(p.b), alignment(p.c),
          p.bias ? alignment(library_bias(p)) : kMostAligned};
}

// What the library wants for one shape. Without an algorithm it has declined.
struct Plan {
  Description description{nullptr, nullptr};
  Layout a{nullptr, nullptr}, b{nullptr, nullptr}, c{nullptr, nullptr};
  cublasLtMatmulAlgo_t algorithm;
  bool served = false;
  std::uint64_t used = 0;  // when last
};

// Which products go to the library: those that its tiles suit. Thin ones are a matter of reading and writing, for which it
// pads; rows of bf16 that don't start on 16 bytes it reads in a slow way, as we do, and no layer of ours has them but thin
// ones. A bias that was not handed over as the library wants it is left to us.
template <class S, class C>
bool suits_library(const Product<S, C>& p) {
  constexpr int kThin = 16;
  if (p.m < kThin || p.n < kThin || p.k < kThin) return false;
  if (p.bias && !library_bias(p)) return false;
  if constexpr (sizeof(S) != 2) return true;
  const auto whole = [](const void* x, int row, std::size_t size) { return alignment(x) >= 16 && row * size % 16 == 0; };
  return whole(p.a, p.a_row, sizeof(S)) && whole(p.b, p.b_row, sizeof(S)) && whole(p.c, p.c_row, sizeof(C));
}

}  // namespace

struct Dense::Library {
  Functions f = {};
  std::string text = "own kernels";
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
  std::map<Key, Plan> plans;
  std::uint64_t clock = 0;

  Library() = default;
  ~Library();
  bool open(const char* name);
  void start();
  Plan& plan_of(const Key&, const Types&, const void* bias);
  bool search(Plan&, const Key&, const Types&, const void* bias);
  Layout layout(cudaDataType_t type, int rows, int columns, int row);
  template <class S, class C>
  bool multiply(const Product<S, C>&, cudaStream_t);
};

Dense::Library::~Library() {
  plans.clear();
  if (handle) f.destroy(handle);
  if (workspace) cudaFree(workspace);
  // The library stays open: it has put code on the device, and the next session wants it again.
}

bool Dense::Library::open(const char* name) {
  void* const object = name ? dlopen(name, RTLD_NOW | RTLD_LOCAL) : nullptr;
  return (object || !name) && resolve_all(object, f) && f.create(&handle) == CUBLAS_STATUS_SUCCESS;
}

void Dense::Library::start() {
  const char* const named = std::getenv("ANOMALYCLR_CUBLASLT");
  if (named && std::strcmp(named, "off") == 0) return;
  if (named && *named) {
    if (!open(named)) text = "own kernels (" + std::string(named) + " is not a cuBLASLt that opens here)";
  } else {
#if defined(ACLR_EMULATED)
    open(nullptr);
#endif
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"})
      if (!handle) open(name);
  }
  if (!handle) return;
  check(cudaMalloc(&workspace, kWorkspace), "taking memory for matrix products");
  const std::size_t version = f.version();  // 130100 is 13.1
  text = "cuBLASLt " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100);
}

// A row-major matrix is a column-major one transposed: its rows are columns, `row` apart.
Layout Dense::Library::layout(cudaDataType_t type, int rows, int columns, int row) {
  cublasLtMatrixLayout_t out = nullptr;
  const auto down = static_cast<std::uint64_t>(columns), across = static_cast<std::uint64_t>(rows);
  if (f.lay_out(&out, type, down, across, row) != CUBLAS_STATUS_SUCCESS) out = nullptr;
  return {out, f.forget_layout};
}

// c^T = op(b)^T op(a)^T: the library's first factor is our b.
bool Dense::Library::search(Plan& plan, const Key& key, const Types& types, const void* bias) {
  cublasLtMatmulDesc_t description = nullptr;
  if (f.describe(&description, types.compute, types.real) != CUBLAS_STATUS_SUCCESS) return false;
  plan.description = {description, f.forget};
  plan.a = layout(types.factor, key.a_transposed ? key.k : key.m, key.a_transposed ? key.m : key.k, key.a_row);
  plan.b = layout(types.factor, key.b_transposed ? key.n : key.k, key.b_transposed ? key.k : key.n, key.b_row);
  plan.c = layout(types.c, key.m, key.n, key.c_row);
  cublasLtMatmulPreference_t made = nullptr;
  if (!plan.a || !plan.b || !plan.c || f.prefer(&made) != CUBLAS_STATUS_SUCCESS) return false;
  const Preference preference{made, f.forget_preference};

  bool good = true;
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    good = good && f.set(description, name, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t name, const auto& value) {
    good = good && f.set_preference(made, name, &value, sizeof value) == CUBLAS_STATUS_SUCCESS;
  };
  const cublasOperation_t plain = CUBLAS_OP_N, transposed = CUBLAS_OP_T;
  set(CUBLASLT_MATMUL_DESC_TRANSA, key.b_transposed ? transposed : plain);
  set(CUBLASLT_MATMUL_DESC_TRANSB, key.a_transposed ? transposed : plain);
  const cublasLtEpilogue_t epilogue = key.bias ? (key.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                               : (key.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT);
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  if (key.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspace);
  // Split sums in the type that is computed in and in one order, so that a result is the same each time.
  prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.b_alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.a_alignment);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.c_alignment);
  // the bias is read as c is written, of which the library is told nothing else
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::min(key.c_alignment, key.bias_alignment));
  if (!good) return false;

  cublasLtMatmulHeuristicResult_t best = {};
  int found = 0;
  const cublasStatus_t status =
      f.search(handle, description, plan.b.get(), plan.a.get(), plan.c.get(), plan.c.get(), made, 1, &best, &found);
  plan.algorithm = best.algo;
  return status == CUBLAS_STATUS_SUCCESS && found > 0 && best.state == CUBLAS_STATUS_SUCCESS &&
         best.workspaceSize <= kWorkspace;
}

Plan& Dense::Library::plan_of(const Key& key, const Types& types, const void* bias) {
  const auto known = plans.find(key);
  if (known != plans.end()) {
    known->second.used = ++clock;
    return known->second;
  }
  if (plans.size() >= kRemembered)  // the one that was not used for longest goes
    plans.erase(std::min_element(plans.begin(), plans.end(),
                                 [](const auto& x, const auto& y) { return x.second.used < y.second.used; }));
  Plan& plan = plans[key];
  plan.used = ++clock;
  plan.served = search(plan, key, types, bias);
  return plan;
}

// Whether it did.
template <class S, class C>
bool Dense::Library::multiply(const Product<S, C>& p, cudaStream_t stream) {
  const void* const bias = library_bias(p);
  Plan& plan = plan_of(key_of(p), types_of(S{}, C{}), bias);
  if (!plan.served) return false;
  if (p.bias) f.set(plan.description.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
  const Real<S> alpha = 1, beta = p.accumulate ? 1 : 0;
  const cublasStatus_t status =
      f.multiply(handle, plan.description.get(), &alpha, p.b, plan.b.get(), p.a, plan.a.get(), &beta, p.c, plan.c.get(), p.c,
                 plan.c.get(), &plan.algorithm, workspace, kWorkspace, stream);
  const bool declined = status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE;
  if (declined) plan.served = false;
  if (!declined && status != CUBLAS_STATUS_SUCCESS) throw Error{cudaErrorUnknown, "a matrix product of cuBLASLt"};
  return plan.served;
}

Dense::Dense() {
  auto library = std::make_unique<Library>();
  library->start();
  library_ = library.release();
}
Dense::~Dense() { delete library_; }

const char* Dense::describe() const { return library_->text.c_str(); }

template <class S, class C>
void Dense::multiply(const Product<S, C>& p, Scratch scratch, cudaStream_t stream) {
  if (library_->handle && suits_library(p) && library_->multiply(p, stream)) return;
  multiply_own(p, scratch, stream);
}

template void Dense::multiply(const Product<float, float>&, Scratch, cudaStream_t);
template void Dense::multiply(const Product<double, double>&, Scratch, cudaStream_t);
template void Dense::multiply(const Product<bf16, bf16>&, Scratch, cudaStream_t);
template void Dense::multiply(const Product<bf16, float>&, Scratch, cudaStream_t);

}  // namespace aclr::cuda
