// cuBLASLt's matrix product, D = epilogue(alpha op(A) op(B) + beta C), by plain loops on the emulator's streams. Refuses
// what the manual calls invalid or unsupported.
#include "cublasLt.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <vector>

#include "cuda_bf16.h"
#include "device.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")  // the only loops here that take time
#endif

struct cublasLtContext {
  int version;
};
struct EmulatedMatmulDesc {
  cublasComputeType_t compute;
  cudaDataType_t scale;
  std::int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N, transpose_c = CUBLAS_OP_N;
  std::int32_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  std::int32_t bias_type = -1;  // as D
  const void* bias = nullptr;
};
struct EmulatedMatrixLayout {
  std::uint32_t type;
  std::int32_t order = CUBLASLT_ORDER_COL;
  std::uint64_t rows, cols;
  std::int64_t ld;
  std::int32_t batches = 1;
  std::int64_t batch_offset = 0;  // elements
};
struct EmulatedMatmulPreference {
  std::uint64_t workspace = 0;
  std::uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C, D
};

namespace {

using Layout = EmulatedMatrixLayout;
constexpr std::uint64_t kAlgorithm = 0x656d756c61746564;  // data[0]; data[1]: alignment in bytes, data[2]: workspace

cublasStatus_t refuse(cublasStatus_t status, const char* what) {
  std::fprintf(stderr, "emulator: cublasLt: %s: %s\n", cublasLtGetStatusName(status), what);
  return status;
}

std::size_t size_of(std::uint32_t type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

bool fits(const Layout& m) {
  const std::uint64_t inner = m.order == CUBLASLT_ORDER_COL ? m.rows : m.cols;
  return m.rows > 0 && m.cols > 0 && m.ld > 0 && static_cast<std::uint64_t>(m.ld) >= inner && m.batches > 0;
}

// Bytes from the first to behind the last element of all batches.
std::size_t span(const Layout& m) {
  const std::uint64_t inner = m.order == CUBLASLT_ORDER_COL ? m.rows : m.cols, outer = m.rows * m.cols / inner;
  const std::uint64_t batches = static_cast<std::uint64_t>(m.batches - 1) * static_cast<std::uint64_t>(m.batch_offset);
  return (batches + (outer - 1) * static_cast<std::uint64_t>(m.ld) + inner) * size_of(m.type);
}

// The types that the manual's table pairs, TF32's and half precision's left out.
cublasStatus_t check_types(const EmulatedMatmulDesc& desc, const Layout& a, const Layout& b, const Layout& c,
                           const Layout& d) {
  const bool wide = desc.compute == CUBLAS_COMPUTE_64F || desc.compute == CUBLAS_COMPUTE_64F_PEDANTIC;
  const bool single = desc.compute == CUBLAS_COMPUTE_32F || desc.compute == CUBLAS_COMPUTE_32F_PEDANTIC;
  if (!wide && !single) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a compute type that is not emulated");
  if (a.type != b.type || c.type != d.type)
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "A and B, or C and D, differ in type");
  if (wide && (desc.scale != CUDA_R_64F || a.type != CUDA_R_64F || d.type != CUDA_R_64F))
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "64-bit computation of other types");
  const bool bf16 = a.type == CUDA_R_16BF && (d.type == CUDA_R_16BF || d.type == CUDA_R_32F);
  if (single && (desc.scale != CUDA_R_32F || !(bf16 || (a.type == CUDA_R_32F && d.type == CUDA_R_32F))))
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "32-bit computation of these types");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_epilogue(const EmulatedMatmulDesc& desc, const Layout& d) {
  const bool known = desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT || desc.epilogue == CUBLASLT_EPILOGUE_RELU ||
                     desc.epilogue == CUBLASLT_EPILOGUE_BIAS || desc.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  if (!known) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "an epilogue that is not emulated");
  if (desc.epilogue == CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_SUCCESS;
  if (d.order == CUBLASLT_ORDER_ROW) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "an epilogue where D is row-major");
  if (!(desc.epilogue & CUBLASLT_EPILOGUE_BIAS)) return CUBLAS_STATUS_SUCCESS;
  if (desc.bias_type != -1 && static_cast<std::uint32_t>(desc.bias_type) != d.type)
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a bias of another type than D");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t check_problem(const EmulatedMatmulDesc& desc, const Layout& a, const Layout& b, const Layout& c,
                             const Layout& d) {
  if (!fits(a) || !fits(b) || !fits(c) || !fits(d))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "a matrix is empty or its leading dimension too small");
  const std::uint64_t m = desc.transpose_a ? a.cols : a.rows, k = desc.transpose_a ? a.rows : a.cols;
  const std::uint64_t n = desc.transpose_b ? b.rows : b.cols, k_of_b = desc.transpose_b ? b.cols : b.rows;
  if (k != k_of_b || d.rows != m || d.cols != n || c.rows != m || c.cols != n)
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "the sizes of A, B, C and D don't agree");
  if (a.batches != d.batches || b.batches != d.batches || c.batches != d.batches)
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "the numbers of batches differ");
  if (c.order != d.order) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "C and D differ in order");
  if (desc.transpose_c != CUBLAS_OP_N || desc.pointer_mode != CUBLASLT_POINTER_MODE_HOST)
    return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "a transposed C or a pointer mode that is not emulated");
  const cublasStatus_t types = check_types(desc, a, b, c, d);
  return types == CUBLAS_STATUS_SUCCESS ? check_epilogue(desc, d) : types;
}

double load(const void* base, std::uint32_t type, std::size_t i) {
  if (type == CUDA_R_64F) return static_cast<const double*>(base)[i];
  if (type == CUDA_R_32F) return static_cast<const float*>(base)[i];
  return static_cast<float>(static_cast<const __nv_bfloat16*>(base)[i]);
}
void store(void* base, std::uint32_t type, std::size_t i, double x) {
  if (type == CUDA_R_64F)
    static_cast<double*>(base)[i] = x;
  else if (type == CUDA_R_32F)
    static_cast<float*>(base)[i] = static_cast<float>(x);
  else
    static_cast<__nv_bfloat16*>(base)[i] = __nv_bfloat16(static_cast<float>(x));
}

// Where element (row, column) of batch `batch` lies.
std::size_t place(const Layout& m, std::size_t batch, std::size_t row, std::size_t column) {
  const auto ld = static_cast<std::size_t>(m.ld);
  const std::size_t first = batch * static_cast<std::size_t>(m.batch_offset);
  return first + (m.order == CUBLASLT_ORDER_COL ? row + column * ld : row * ld + column);
}

struct Product {
  EmulatedMatmulDesc desc;
  Layout a, b, c, d;
  const void *a_data, *b_data, *c_data;
  void *d_data, *workspace;
  std::size_t workspace_bytes;
  double alpha, beta;
};

// op(A) as [k, m] and op(B) as [n, k], then a row of D's transpose at a time, summed over k in order.
template <class T>
void multiply(const Product& p, std::size_t batch) {
  const std::size_t m = p.d.rows, n = p.d.cols, k = p.desc.transpose_a ? p.a.rows : p.a.cols;
  std::vector<T> a(k * m), b(k), sum(m);
  for (std::size_t q = 0; q < k; ++q)
    for (std::size_t i = 0; i < m; ++i)
      a[q * m + i] = static_cast<T>(
          load(p.a_data, p.a.type, p.desc.transpose_a ? place(p.a, batch, q, i) : place(p.a, batch, i, q)));
  for (std::size_t j = 0; j < n; ++j) {
    for (std::size_t q = 0; q < k; ++q)
      b[q] = static_cast<T>(
          load(p.b_data, p.b.type, p.desc.transpose_b ? place(p.b, batch, j, q) : place(p.b, batch, q, j)));
    std::fill(sum.begin(), sum.end(), T(0));
    for (std::size_t q = 0; q < k; ++q) {
      const T* row = a.data() + q * m;
      for (std::size_t i = 0; i < m; ++i) sum[i] += row[i] * b[q];
    }
    for (std::size_t i = 0; i < m; ++i) {
      T x = static_cast<T>(p.alpha) * sum[i];
      if (p.beta != 0) x += static_cast<T>(p.beta * load(p.c_data, p.c.type, place(p.c, batch, i, j)));
      if (p.desc.epilogue & CUBLASLT_EPILOGUE_BIAS) x += static_cast<T>(load(p.desc.bias, p.d.type, i));
      if ((p.desc.epilogue & CUBLASLT_EPILOGUE_RELU) && x < 0) x = 0;
      store(p.d_data, p.d.type, place(p.d, batch, i, j), static_cast<double>(x));
    }
  }
}

void run(const Product& p) {
  if (p.workspace_bytes > 0) std::memset(p.workspace, 0xFF, p.workspace_bytes);  // shared with others by mistake, it shows
  for (std::size_t batch = 0; batch < static_cast<std::size_t>(p.d.batches); ++batch)
    p.desc.compute == CUBLAS_COMPUTE_64F || p.desc.compute == CUBLAS_COMPUTE_64F_PEDANTIC ? multiply<double>(p, batch)
                                                                                          : multiply<float>(p, batch);
}

template <class T>
cublasStatus_t set(T& member, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an attribute of another size");
  std::memcpy(&member, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

bool aligned(const void* data, std::uint64_t bytes) { return reinterpret_cast<std::uintptr_t>(data) % bytes == 0; }

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  const auto works = emulator::called(emulator::Needs::kDevice, [] { return cudaSuccess; });
  if (works != cudaSuccess) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext{CUDART_VERSION};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion(void) { return 130000; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR: return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_LICENSE_ERROR: return "CUBLAS_STATUS_LICENSE_ERROR";
  }
  return "unknown status";
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* desc, cublasComputeType_t compute, cudaDataType_t scale) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  *desc = new EmulatedMatmulDesc{compute, scale};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE: return set(desc->compute, value, bytes);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE: return set(desc->scale, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE: return set(desc->pointer_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(desc->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(desc->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSC: return set(desc->transpose_c, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(desc->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(desc->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return set(desc->bias_type, value, bytes);
    default: return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "an attribute of a product that is not emulated");
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows, uint64_t cols,
                                          int64_t ld) {
  if (!layout) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new Layout{.type = static_cast<std::uint32_t>(type), .rows = rows, .cols = cols, .ld = ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  if (!layout) return CUBLAS_STATUS_INVALID_VALUE;
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE: return set(layout->type, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER: return set(layout->order, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS: return set(layout->rows, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS: return set(layout->cols, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD: return set(layout->ld, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return set(layout->batches, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET: return set(layout->batch_offset, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  if (!preference) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = new EmulatedMatmulPreference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  if (!preference) return CUBLAS_STATUS_INVALID_VALUE;
  std::uint32_t ignored;
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_SEARCH_MODE:
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK: return set(ignored, value, bytes);
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES: return set(preference->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES: return set(preference->alignment[0], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES: return set(preference->alignment[1], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES: return set(preference->alignment[2], value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES: return set(preference->alignment[3], value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

// One algorithm: it takes 64 KiB of workspace where it may, and pointers aligned to 16 bytes or to what was promised.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !a || !b || !c || !d || !preference || requested < 1 || !results || !returned)
    return CUBLAS_STATUS_INVALID_VALUE;
  *returned = 0;
  if (const cublasStatus_t status = check_problem(*desc, *a, *b, *c, *d); status != CUBLAS_STATUS_SUCCESS) return status;
  std::uint64_t alignment = 16;
  for (std::uint32_t promised : preference->alignment) alignment = std::min<std::uint64_t>(alignment, promised);
  results[0] = {};
  results[0].workspaceSize = std::min<std::size_t>(preference->workspace, 64 * 1024);
  results[0].algo.data[0] = kAlgorithm;
  results[0].algo.data[1] = alignment;
  results[0].algo.data[2] = results[0].workspaceSize;
  results[0].state = CUBLAS_STATUS_SUCCESS;
  results[0].wavesCount = 1;
  *returned = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !a_layout || !b_layout || !c_layout || !d_layout || !alpha || !beta || !a || !b || !d)
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "a null argument");
  Product p{*desc, *a_layout, *b_layout, *c_layout, *d_layout, a, b, c, d, workspace, algo ? algo->data[2] : 0, 0, 0};
  if (const auto status = check_problem(p.desc, p.a, p.b, p.c, p.d); status != CUBLAS_STATUS_SUCCESS) return status;
  p.alpha = load(alpha, static_cast<std::uint32_t>(desc->scale), 0);
  p.beta = load(beta, static_cast<std::uint32_t>(desc->scale), 0);
  if (algo && algo->data[0] != kAlgorithm) return refuse(CUBLAS_STATUS_INVALID_VALUE, "an algorithm of another library");
  const std::uint64_t alignment = algo ? algo->data[1] : 16;
  if (!aligned(a, alignment) || !aligned(b, alignment) || !aligned(d, alignment) || (p.beta != 0 && !aligned(c, alignment)))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "a pointer with less alignment than the algorithm needs");
  const bool bias = p.desc.epilogue & CUBLASLT_EPILOGUE_BIAS;
  if (bias && (!p.desc.bias || !emulator::on_device(p.desc.bias, p.d.rows * size_of(p.d.type))))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "a bias outside device memory");
  if (!emulator::on_device(a, span(p.a)) || !emulator::on_device(b, span(p.b)) || !emulator::on_device(d, span(p.d)) ||
      (p.beta != 0 && !emulator::on_device(c, span(p.c))))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "a matrix outside device memory");
  if (p.beta != 0 && c == d && p.c.ld != p.d.ld)
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "C in place of D, laid out otherwise");
  if (p.workspace_bytes > workspace_bytes || (p.workspace_bytes > 0 && !emulator::on_device(workspace, p.workspace_bytes)))
    return refuse(CUBLAS_STATUS_INVALID_VALUE, "less workspace than the algorithm needs");
  return emulator::enqueue(stream, [p] { run(p); }) == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
