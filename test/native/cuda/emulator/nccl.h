// Stands in for NCCL's header: the names and values that native/cuda uses. Implemented in nccl.cc for processes of one
// machine; a loader asks emulator::symbol where it would ask dlsym.
#pragma once
#include <cstddef>

#include "runtime_api.h"

#define NCCL_MAJOR 2
#define NCCL_VERSION_CODE 22809
#define NCCL_UNIQUE_ID_BYTES 128

extern "C" {

typedef struct ncclComm* ncclComm_t;
typedef struct {
  char internal[NCCL_UNIQUE_ID_BYTES];
} ncclUniqueId;

typedef enum {
  ncclSuccess = 0,
  ncclUnhandledCudaError = 1,
  ncclSystemError = 2,
  ncclInternalError = 3,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6,
  ncclInProgress = 7,
} ncclResult_t;

typedef enum {
  ncclSum = 0,
  ncclProd = 1,
  ncclMax = 2,
  ncclMin = 3,
  ncclAvg = 4,
} ncclRedOp_t;

typedef enum {
  ncclInt8 = 0,
  ncclChar = 0,
  ncclUint8 = 1,
  ncclInt32 = 2,
  ncclInt = 2,
  ncclUint32 = 3,
  ncclInt64 = 4,
  ncclUint64 = 5,
  ncclFloat16 = 6,
  ncclHalf = 6,
  ncclFloat32 = 7,
  ncclFloat = 7,
  ncclFloat64 = 8,
  ncclDouble = 8,
  ncclBfloat16 = 9,
} ncclDataType_t;

#define EMULATOR_NCCL __attribute__((visibility("default")))
EMULATOR_NCCL ncclResult_t ncclGetVersion(int* version);
EMULATOR_NCCL ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
EMULATOR_NCCL ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank);
EMULATOR_NCCL ncclResult_t ncclCommFinalize(ncclComm_t comm);
EMULATOR_NCCL ncclResult_t ncclCommDestroy(ncclComm_t comm);
EMULATOR_NCCL ncclResult_t ncclCommAbort(ncclComm_t comm);
EMULATOR_NCCL ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error);
EMULATOR_NCCL ncclResult_t ncclCommCount(const ncclComm_t comm, int* count);
EMULATOR_NCCL ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank);
EMULATOR_NCCL const char* ncclGetErrorString(ncclResult_t result);
EMULATOR_NCCL const char* ncclGetLastError(ncclComm_t comm);
EMULATOR_NCCL ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op,
                                         ncclComm_t comm, cudaStream_t stream);
EMULATOR_NCCL ncclResult_t ncclReduceScatter(const void* send, void* receive, size_t receive_count, ncclDataType_t type,
                                             ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream);
EMULATOR_NCCL ncclResult_t ncclAllGather(const void* send, void* receive, size_t send_count, ncclDataType_t type,
                                         ncclComm_t comm, cudaStream_t stream);
EMULATOR_NCCL ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type, int root,
                                         ncclComm_t comm, cudaStream_t stream);
EMULATOR_NCCL ncclResult_t ncclGroupStart();
EMULATOR_NCCL ncclResult_t ncclGroupEnd();

}  // extern "C"
