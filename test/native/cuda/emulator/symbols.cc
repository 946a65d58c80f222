// The functions of cuBLASLt and NCCL by name. A table, so that they are linked in and found whatever is exported.
#include <cstring>

#include "cublasLt.h"
#include "nccl.h"

namespace emulator {

void* symbol(const char* name) {
  static const struct {
    const char* name;
    void* address;
  } kAll[] = {
#define EMULATOR_SYMBOL(function) {#function, reinterpret_cast<void*>(&function)},
      EMULATOR_SYMBOL(cublasLtCreate)
      EMULATOR_SYMBOL(cublasLtDestroy)
      EMULATOR_SYMBOL(cublasLtGetVersion)
      EMULATOR_SYMBOL(cublasLtGetStatusName)
      EMULATOR_SYMBOL(cublasLtGetStatusString)
      EMULATOR_SYMBOL(cublasLtMatmulDescCreate)
      EMULATOR_SYMBOL(cublasLtMatmulDescDestroy)
      EMULATOR_SYMBOL(cublasLtMatmulDescSetAttribute)
      EMULATOR_SYMBOL(cublasLtMatrixLayoutCreate)
      EMULATOR_SYMBOL(cublasLtMatrixLayoutDestroy)
      EMULATOR_SYMBOL(cublasLtMatrixLayoutSetAttribute)
      EMULATOR_SYMBOL(cublasLtMatmulPreferenceCreate)
      EMULATOR_SYMBOL(cublasLtMatmulPreferenceDestroy)
      EMULATOR_SYMBOL(cublasLtMatmulPreferenceSetAttribute)
      EMULATOR_SYMBOL(cublasLtMatmulAlgoGetHeuristic)
      EMULATOR_SYMBOL(cublasLtMatmul)
      EMULATOR_SYMBOL(ncclGetVersion)
      EMULATOR_SYMBOL(ncclGetUniqueId)
      EMULATOR_SYMBOL(ncclCommInitRank)
      EMULATOR_SYMBOL(ncclCommFinalize)
      EMULATOR_SYMBOL(ncclCommDestroy)
      EMULATOR_SYMBOL(ncclCommAbort)
      EMULATOR_SYMBOL(ncclCommGetAsyncError)
      EMULATOR_SYMBOL(ncclCommCount)
      EMULATOR_SYMBOL(ncclCommUserRank)
      EMULATOR_SYMBOL(ncclGetErrorString)
      EMULATOR_SYMBOL(ncclGetLastError)
      EMULATOR_SYMBOL(ncclAllReduce)
      EMULATOR_SYMBOL(ncclReduceScatter)
      EMULATOR_SYMBOL(ncclAllGather)
      EMULATOR_SYMBOL(ncclBroadcast)
      EMULATOR_SYMBOL(ncclGroupStart)
      EMULATOR_SYMBOL(ncclGroupEnd)
#undef EMULATOR_SYMBOL
  };
  for (const auto& entry : kAll)
    if (std::strcmp(entry.name, name) == 0) return entry.address;
  return nullptr;
}

}  // namespace emulator
