// The emulated cuBLASLt against a plain product, and the emulated NCCL between processes.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "check.h"
#include "cublasLt.h"
#include "cuda_bf16.h"
#include "cuda_runtime.h"
#include "nccl.h"

namespace {

// ---- cuBLASLt ------------------------------------------------------------------------------------------------------

struct Problem {
  int m, n, k;
  bool transpose_a, transpose_b, row_major;
  cudaDataType_t in, out;
  std::uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  double alpha = 1, beta = 0;
  int batches = 1, extra = 0;  // elements that each leading dimension is longer
};

std::size_t size_of(cudaDataType_t type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }
double rounded(double x, cudaDataType_t type) {
  return type == CUDA_R_64F ? x : type == CUDA_R_32F ? static_cast<float>(x) : static_cast<float>(__nv_bfloat16(x));
}

// A matrix of each batch on the device, every element of which is known as a double.
struct Matrix {
  int rows, cols, ld, batches;
  bool row_major;
  cudaDataType_t type;
  void* data = nullptr;
  std::vector<double> values;

  Matrix(int rows_, int cols_, const Problem& p, cudaDataType_t type_, unsigned seed)
      : Matrix(rows_, cols_, p.extra, p.batches, p.row_major, type_, seed) {}
  Matrix(int rows_, int cols_, int extra, int batches_, bool row_major_, cudaDataType_t type_, unsigned seed)
      : rows(rows_), cols(cols_), ld((row_major_ ? cols_ : rows_) + extra), batches(batches_), row_major(row_major_),
        type(type_), values(stride() * static_cast<std::size_t>(batches)) {
    for (double& x : values) {
      seed = seed * 1664525u + 1013904223u;
      x = rounded(static_cast<double>(seed >> 8) / (1 << 23) - 1, type);
    }
    std::vector<unsigned char> bytes(values.size() * size_of(type));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == CUDA_R_64F) reinterpret_cast<double*>(bytes.data())[i] = values[i];
      if (type == CUDA_R_32F) reinterpret_cast<float*>(bytes.data())[i] = static_cast<float>(values[i]);
      if (type == CUDA_R_16BF) reinterpret_cast<__nv_bfloat16*>(bytes.data())[i] = __nv_bfloat16(values[i]);
    }
    CHECK(cudaMalloc(&data, bytes.size()) == cudaSuccess);
    CHECK(cudaMemcpy(data, bytes.data(), bytes.size(), cudaMemcpyHostToDevice) == cudaSuccess);
  }
  ~Matrix() { cudaFree(data); }
  std::size_t stride() const { return static_cast<std::size_t>(ld) * static_cast<std::size_t>(row_major ? rows : cols); }
  std::size_t at(int batch, int i, int j) const {
    return static_cast<std::size_t>(batch) * stride() + static_cast<std::size_t>(row_major ? i * ld + j : i + j * ld);
  }
  std::vector<double> host() const {
    std::vector<unsigned char> bytes(values.size() * size_of(type));
    CHECK(cudaMemcpy(bytes.data(), data, bytes.size(), cudaMemcpyDeviceToHost) == cudaSuccess);
    std::vector<double> out(values.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (type == CUDA_R_64F) out[i] = reinterpret_cast<const double*>(bytes.data())[i];
      if (type == CUDA_R_32F) out[i] = reinterpret_cast<const float*>(bytes.data())[i];
      if (type == CUDA_R_16BF) out[i] = static_cast<float>(reinterpret_cast<const __nv_bfloat16*>(bytes.data())[i]);
    }
    return out;
  }
  cublasLtMatrixLayout_t layout() const {
    cublasLtMatrixLayout_t out = nullptr;
    cublasLtMatrixLayoutCreate(&out, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(cols), ld);
    const std::int32_t order = row_major ? CUBLASLT_ORDER_ROW : CUBLASLT_ORDER_COL;
    const auto offset = static_cast<std::int64_t>(stride());
    const auto set = [out](auto attribute, const void* value, std::size_t bytes) {
      CHECK(cublasLtMatrixLayoutSetAttribute(out, attribute, value, bytes) == CUBLAS_STATUS_SUCCESS);
    };
    set(CUBLASLT_MATRIX_LAYOUT_ORDER, &order, 4);
    set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batches, 4);
    set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, 8);
    return out;
  }
};

// Runs the product, compares every element, padding included, and gives the status.
cublasStatus_t multiply(const Problem& p, int shift_a = 0) {
  const bool wide = p.in == CUDA_R_64F;
  const Matrix a(p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p, p.in, 1);
  const Matrix b(p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p, p.in, 2);
  const Matrix c(p.m, p.n, p, p.out, 3), d(p.m, p.n, p, p.out, 4);
  const Matrix bias(p.m, 1, 0, 1, false, p.out, 5);
  cublasLtHandle_t handle = nullptr;
  CHECK(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatmulDescCreate(&desc, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, wide ? CUDA_R_64F : CUDA_R_32F);
  const std::int32_t ta = p.transpose_a, tb = p.transpose_b;
  CHECK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &ta, 4) == CUBLAS_STATUS_SUCCESS);
  CHECK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, &tb, 4) == CUBLAS_STATUS_SUCCESS);
  CHECK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &p.epilogue, 4) == CUBLAS_STATUS_SUCCESS);
  if (p.epilogue & CUBLASLT_EPILOGUE_BIAS)
    CHECK(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias.data, 8) == CUBLAS_STATUS_SUCCESS);
  const auto la = a.layout(), lb = b.layout(), lc = c.layout(), ld = d.layout();
  cublasLtMatmulPreference_t preference = nullptr;
  cublasLtMatmulPreferenceCreate(&preference);
  const std::uint64_t most = 1 << 20;
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, 8);
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, desc, la, lb, lc, ld, preference, 1, &found, &count);
  void* workspace = nullptr;
  if (status == CUBLAS_STATUS_SUCCESS && count == 1) {
    CHECK(cudaMalloc(&workspace, found.workspaceSize) == cudaSuccess);
    const float alpha = static_cast<float>(p.alpha), beta = static_cast<float>(p.beta);
    status = cublasLtMatmul(handle, desc, wide ? static_cast<const void*>(&p.alpha) : &alpha,
                            static_cast<char*>(a.data) + shift_a, la, b.data, lb,
                            wide ? static_cast<const void*>(&p.beta) : &beta, c.data, lc, d.data, ld, &found.algo, workspace,
                            found.workspaceSize, nullptr);
  }
  const auto got = d.host();
  std::vector<double> wanted = d.values;
  for (int batch = 0; batch < p.batches && status == CUBLAS_STATUS_SUCCESS; ++batch)
    for (int j = 0; j < p.n; ++j)
      for (int i = 0; i < p.m; ++i) {
        double sum = 0;
        for (int q = 0; q < p.k; ++q)
          sum += a.values[p.transpose_a ? a.at(batch, q, i) : a.at(batch, i, q)] *
                 b.values[p.transpose_b ? b.at(batch, j, q) : b.at(batch, q, j)];
        double x = p.alpha * sum + p.beta * c.values[c.at(batch, i, j)];
        if (p.epilogue & CUBLASLT_EPILOGUE_BIAS) x += bias.values[static_cast<std::size_t>(i)];
        if (p.epilogue & CUBLASLT_EPILOGUE_RELU) x = x > 0 ? x : 0;
        wanted[d.at(batch, i, j)] = x;
      }
  const double tolerance = p.out == CUDA_R_16BF ? 2e-2 : wide ? 1e-13 : 1e-5;
  for (std::size_t i = 0; i < wanted.size(); ++i) CHECK_NEAR(got[i], wanted[i], tolerance);
  cudaFree(workspace);
  cublasLtMatmulPreferenceDestroy(preference);
  for (auto layout : {la, lb, lc, ld}) cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulDescDestroy(desc);
  cublasLtDestroy(handle);
  return status;
}

}  // namespace

TEST(products_of_all_orders_and_types) {
  const std::pair<cudaDataType_t, cudaDataType_t> kTypes[] = {
      {CUDA_R_32F, CUDA_R_32F}, {CUDA_R_64F, CUDA_R_64F}, {CUDA_R_16BF, CUDA_R_16BF}, {CUDA_R_16BF, CUDA_R_32F}};
  for (const bool ta : {false, true})
    for (const bool tb : {false, true})
      for (const bool row_major : {false, true})
        for (const auto& [in, out] : kTypes)
          CHECK(multiply({7, 5, 11, ta, tb, row_major, in, out, CUBLASLT_EPILOGUE_DEFAULT, 1.5, 0.25, 2, 3}) ==
                CUBLAS_STATUS_SUCCESS);
  for (const std::uint32_t epilogue : {CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU_BIAS})
    for (const auto type : {CUDA_R_32F, CUDA_R_16BF})
      CHECK(multiply({6, 9, 4, true, false, false, type, type, epilogue}) == CUBLAS_STATUS_SUCCESS);
}

TEST(products_that_cublaslt_refuses) {
  const Problem right{6, 9, 4, true, false, false, CUDA_R_32F, CUDA_R_32F};
  CHECK(multiply(right) == CUBLAS_STATUS_SUCCESS);
  Problem p = right;
  p.row_major = true;
  p.epilogue = CUBLASLT_EPILOGUE_BIAS;
  CHECK(multiply(p) == CUBLAS_STATUS_NOT_SUPPORTED);
  p = right;
  p.out = CUDA_R_16BF;
  CHECK(multiply(p) == CUBLAS_STATUS_NOT_SUPPORTED);
  p = right;
  p.epilogue = CUBLASLT_EPILOGUE_DRELU;
  CHECK(multiply(p) == CUBLAS_STATUS_NOT_SUPPORTED);
  p = right;
  p.extra = -1;  // leading dimensions too small
  CHECK(multiply(p) == CUBLAS_STATUS_INVALID_VALUE);
  CHECK(multiply(right, 4) == CUBLAS_STATUS_INVALID_VALUE);   // alignment
  CHECK(multiply(right, 16) == CUBLAS_STATUS_INVALID_VALUE);  // over the end
}

TEST(functions_are_found_by_name) {
  auto* version = reinterpret_cast<std::size_t (*)()>(emulator::symbol("cublasLtGetVersion"));
  CHECK(version && version() >= 130000);
  CHECK(emulator::symbol("ncclAllReduce") == reinterpret_cast<void*>(&ncclAllReduce));
  CHECK(emulator::symbol("cublasLtMatrixTransform") == nullptr);
}

// ---- NCCL ----------------------------------------------------------------------------------------------------------

namespace {

// Runs `body(rank, id)` in a process for each rank; true where all of them return `true`.
template <class F>
bool in_processes(int ranks, F body) {
  ncclUniqueId id;
  if (ncclGetUniqueId(&id) != ncclSuccess) return false;
  std::fflush(stdout);
  std::vector<pid_t> children;
  for (int rank = 0; rank < ranks; ++rank) {
    const pid_t child = fork();
    if (child == 0) _exit(body(rank, id) ? 0 : 1);
    children.push_back(child);
  }
  bool all = true;
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    all = all && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return all;
}

template <class T>
T* on_device(const std::vector<T>& from) {
  T* place = nullptr;
  cudaMalloc(&place, from.size() * sizeof(T));
  cudaMemcpy(place, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice);
  return place;
}
template <class T>
std::vector<T> from_device(const T* place, std::size_t count) {
  std::vector<T> out(count);
  cudaMemcpy(out.data(), place, count * sizeof(T), cudaMemcpyDeviceToHost);
  return out;
}

// More elements than a mailbox holds, so that a collective takes several rounds.
constexpr std::size_t kMany = 150000;

template <class T>
bool reduces(ncclComm_t comm, cudaStream_t stream, int rank, int ranks, ncclDataType_t type) {
  std::vector<T> mine(kMany);
  const auto value = [](int of, std::size_t i) { return static_cast<T>((of + 1) * static_cast<double>(i % 1000) * 0.3); };
  for (std::size_t i = 0; i < kMany; ++i) mine[i] = value(rank, i);
  T* x = on_device(mine);
  if (ncclAllReduce(x, x, kMany, type, ncclSum, comm, stream) != ncclSuccess) return false;
  if (cudaStreamSynchronize(stream) != cudaSuccess) return false;
  const auto got = from_device(x, kMany);
  cudaFree(x);
  for (std::size_t i = 0; i < kMany; ++i) {
    T sum = 0;
    for (int r = 0; r < ranks; ++r) sum += value(r, i);
    if (got[i] != sum) return false;
  }
  return true;
}

bool gathers(ncclComm_t comm, cudaStream_t stream, int rank, int ranks) {
  const auto n = static_cast<std::size_t>(ranks);
  float* mine = on_device(std::vector<float>(kMany, static_cast<float>(rank)));
  float* all = on_device(std::vector<float>(kMany * n, -1.f));
  float* root = on_device(std::vector<float>(kMany, static_cast<float>(10 * rank)));
  float* share = on_device(std::vector<float>(kMany, -1.f));
  ncclGroupStart();
  ncclAllGather(mine, all, kMany, ncclFloat, comm, stream);
  ncclBroadcast(root, root, kMany, ncclFloat, ranks - 1, comm, stream);
  if (ncclGroupEnd() != ncclSuccess) return false;
  if (ncclReduceScatter(all, share, kMany, ncclFloat, ncclSum, comm, stream) != ncclSuccess) return false;
  if (cudaStreamSynchronize(stream) != cudaSuccess) return false;
  bool right = true;
  const auto got = from_device(all, kMany * n);
  for (std::size_t i = 0; i < got.size(); ++i) right = right && got[i] == static_cast<float>(i / kMany);
  for (float x : from_device(root, kMany)) right = right && x == static_cast<float>(10 * (ranks - 1));
  for (float x : from_device(share, kMany)) right = right && x == static_cast<float>(rank * ranks);
  for (float* place : {mine, all, root, share}) cudaFree(place);
  return right;
}

}  // namespace

TEST(collectives_between_processes) {
  for (const int ranks : {1, 3})
    CHECK(in_processes(ranks, [ranks](int rank, const ncclUniqueId& id) {
      ncclComm_t comm = nullptr;
      cudaStream_t stream = nullptr;
      if (ncclCommInitRank(&comm, ranks, id, rank) != ncclSuccess) return false;
      cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
      const bool right = reduces<float>(comm, stream, rank, ranks, ncclFloat) &&
                         reduces<double>(comm, stream, rank, ranks, ncclDouble) &&
                         reduces<std::int32_t>(comm, stream, rank, ranks, ncclInt32) &&
                         reduces<std::int64_t>(comm, stream, rank, ranks, ncclInt64) && gathers(comm, stream, rank, ranks);
      float* x = on_device(std::vector<float>(4, 1.f));
      float host = 0;
      const bool checked = ncclAllReduce(&host, x, 1, ncclFloat, ncclSum, comm, stream) == ncclInvalidArgument;
      return ncclCommDestroy(comm) == ncclSuccess && right && checked;
    }));
}

TEST(a_captured_collective_replays) {
  CHECK(in_processes(2, [](int rank, const ncclUniqueId& id) {
    ncclComm_t comm = nullptr;
    cudaStream_t stream = nullptr;
    if (ncclCommInitRank(&comm, 2, id, rank) != ncclSuccess) return false;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    double* x = on_device(std::vector<double>(3, rank + 1.));
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    ncclAllReduce(x, x, 3, ncclDouble, ncclSum, comm, stream);
    if (cudaStreamEndCapture(stream, &graph) != cudaSuccess) return false;
    cudaGraphInstantiate(&executable, graph);
    for (int i = 0; i < 3; ++i) cudaGraphLaunch(executable, stream);
    cudaStreamSynchronize(stream);
    return from_device(x, 3)[2] == 12 && ncclCommDestroy(comm) == ncclSuccess;  // 3, 6, 12
  }));
}

TEST(a_peer_that_dies_is_an_error_not_a_hang) {
  setenv("ANOMALYCLR_EMULATED_NCCL_TIMEOUT", "2", 1);
  for (const bool killed : {true, false})
    CHECK(in_processes(2, [killed](int rank, const ncclUniqueId& id) {
      ncclComm_t comm = nullptr;
      if (ncclCommInitRank(&comm, 2, id, rank) != ncclSuccess) return false;
      if (rank == 1) {
        if (!killed) ncclCommAbort(comm);
        _exit(0);
      }
      float* x = on_device(std::vector<float>(4, 1.f));
      ncclResult_t error = ncclSuccess;
      if (ncclAllReduce(x, x, 4, ncclFloat, ncclSum, comm, nullptr) != ncclSuccess) return false;
      cudaStreamSynchronize(nullptr);
      ncclCommGetAsyncError(comm, &error);
      const bool later = ncclAllReduce(x, x, 4, ncclFloat, ncclSum, comm, nullptr) == ncclRemoteError;
      return error == ncclRemoteError && later && std::isnan(from_device(x, 4)[0]) && ncclCommAbort(comm) == ncclSuccess;
    }));
  CHECK(in_processes(1, [](int, const ncclUniqueId& id) {  // the other rank never comes
    ncclComm_t comm = nullptr;
    return ncclCommInitRank(&comm, 2, id, 0) == ncclRemoteError && comm == nullptr;
  }));
  unsetenv("ANOMALYCLR_EMULATED_NCCL_TIMEOUT");
}

TEST(different_collectives_are_found) {
  CHECK(in_processes(2, [](int rank, const ncclUniqueId& id) {
    ncclComm_t comm = nullptr;
    if (ncclCommInitRank(&comm, 2, id, rank) != ncclSuccess) return false;
    float* x = on_device(std::vector<float>(8, 1.f));
    ncclAllReduce(x, x, rank == 0 ? 4 : 8, ncclFloat, ncclSum, comm, nullptr);
    cudaStreamSynchronize(nullptr);
    ncclResult_t error = ncclSuccess;
    ncclCommGetAsyncError(comm, &error);
    return error == ncclInvalidUsage && ncclCommAbort(comm) == ncclSuccess;
  }));
}
