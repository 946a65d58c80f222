#include "cuda/group.h"

#include <nccl.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/group.h"
#include "cuda/launch.h"
#include "cuda/symbols.h"

namespace aclr::cuda {
namespace {

struct Library {
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRank) init_rank;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclCommGetAsyncError) async_error;
  decltype(&ncclAllReduce) all_reduce;
  decltype(&ncclBroadcast) broadcast;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
};
static_assert(sizeof(ncclUniqueId) == kGroupId);

bool open(Library& l) {
  void* handle = nullptr;
#if !defined(ACLR_EMULATED)
  const char* named = std::getenv("ANOMALYCLR_NCCL");
  for (const char* name : {named ? named : "libnccl.so.2", "libnccl.so"})
    if (handle == nullptr) handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
#endif
  return resolve(handle, "ncclGetUniqueId", l.get_unique_id) && resolve(handle, "ncclCommInitRank", l.init_rank) &&
         resolve(handle, "ncclCommDestroy", l.destroy) && resolve(handle, "ncclCommAbort", l.abort) &&
         resolve(handle, "ncclCommGetAsyncError", l.async_error) && resolve(handle, "ncclAllReduce", l.all_reduce) &&
         resolve(handle, "ncclBroadcast", l.broadcast) && resolve(handle, "ncclGroupStart", l.group_start) &&
         resolve(handle, "ncclGroupEnd", l.group_end);
}

const Library& nccl() {
  static Library library;
  static const bool opened = open(library);
  if (!opened)
    throw Unavailable{
        "several GPUs need NCCL, and libnccl.so.2 is not found; install it (pip install nvidia-nccl-cu13, and set "
        "ANOMALYCLR_NCCL to its libnccl.so.2), or train on one"};
  return library;
}

void check_peers(ncclResult_t result, const char* doing) {
  if (result != ncclSuccess && result != ncclInProgress) throw PeerError{doing};
}

std::chrono::duration<double> patience() {
  const char* given = std::getenv("ANOMALYCLR_NCCL_TIMEOUT");
  const double seconds = given ? std::atof(given) : 0;
  return std::chrono::duration<double>(seconds > 0 ? seconds : 300);
}

ncclDataType_t type_of(bool is_double) { return is_double ? ncclFloat64 : ncclFloat32; }

}  // namespace

void make_group_id(std::uint8_t* id) {
  ncclUniqueId made;
  check_peers(nccl().get_unique_id(&made), "making a group of ranks");
  std::memcpy(id, &made, kGroupId);
}

Group::Group(int rank, int ranks, const std::uint8_t* id) : rank_(rank), ranks_(ranks) {
  ncclUniqueId shared;
  std::memcpy(&shared, id, kGroupId);
  ncclComm_t made = nullptr;
  check_peers(nccl().init_rank(&made, ranks, shared, rank), "meeting the other ranks");
  communicator_ = made;
}

Group::~Group() {
  if (communicator_) nccl().destroy(static_cast<ncclComm_t>(communicator_));
}

void Group::gather(void* data, bool is_double, int total, std::size_t row, cudaStream_t stream) const {
  const auto communicator = static_cast<ncclComm_t>(communicator_);
  const std::size_t bytes = is_double ? sizeof(double) : sizeof(float);
  check_peers(nccl().group_start(), "gathering rows");
  for (int r = 0; r < ranks_; ++r) {
    const std::size_t from = share_begin(total, r, ranks_), count = share_begin(total, r + 1, ranks_) - from;
    if (count == 0) continue;
    void* part = static_cast<char*>(data) + from * row * bytes;
    check_peers(nccl().broadcast(part, part, count * row, type_of(is_double), r, communicator, stream), "gathering rows");
  }
  check_peers(nccl().group_end(), "gathering rows");
}

void Group::sum(void* data, bool is_double, std::size_t count, cudaStream_t stream) const {
  check_peers(
      nccl().all_reduce(data, data, count, type_of(is_double), ncclSum, static_cast<ncclComm_t>(communicator_), stream),
      "summing over the ranks");
}

void Group::wait(cudaStream_t stream) {
  check_alive();
  const auto communicator = static_cast<ncclComm_t>(communicator_);
  const auto start = std::chrono::steady_clock::now();
  for (;;) {
    const cudaError_t state = cudaStreamQuery(stream);
    if (state == cudaSuccess) return;
    if (state != cudaErrorNotReady) check(state, "computing");
    ncclResult_t error = ncclSuccess;
    nccl().async_error(communicator, &error);
    const bool late = std::chrono::steady_clock::now() - start > patience();
    if (late || (error != ncclSuccess && error != ncclInProgress)) {
      communicator_ = nullptr;
      nccl().abort(communicator);  // else the stream would wait on
      throw PeerError{late ? "waiting for it" : "computing"};
    }
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace aclr::cuda
