// NCCL's collectives between processes of one machine. Each is work of its stream: its sums are in rank order, and a peer
// that is gone turns up in ncclCommGetAsyncError, as in NCCL.
#include "nccl.h"

#include <sys/random.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "cuda_bf16.h"
#include "device.h"
#include "meeting.h"

namespace {

using emulator::Intent;
using emulator::kMail;
using emulator::Meeting;
using Outcome = Meeting::Outcome;

struct State {  // outlives the handle: work that is queued holds it
  Meeting meeting;
  std::atomic<int> error{ncclSuccess};
};

enum Operation { kAllReduce, kReduceScatter, kAllGather, kBroadcast };

struct Call {
  Operation operation;
  const unsigned char* send;
  unsigned char* receive;
  std::size_t count;  // of elements that a rank sends
  ncclDataType_t type;
  int detail;  // the reduction, or the root
};

std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclInt8:
    case ncclUint8: return 1;
    case ncclInt32:
    case ncclUint32:
    case ncclFloat32: return 4;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64: return 8;
    case ncclBfloat16: return 2;
    default: return 0;  // not emulated
  }
}

// Sums (products, ...) `count` elements of all mailboxes in the order of ranks; bf16 in float.
template <class T, class Wide>
void reduce_as(Meeting& meeting, std::size_t first, std::size_t count, int op, unsigned char* out) {
  for (std::size_t i = 0; i < count; ++i) {
    Wide all{};
    for (int rank = 0; rank < meeting.ranks(); ++rank) {
      T element;
      std::memcpy(static_cast<void*>(&element), meeting.mail(rank) + (first + i) * sizeof(T), sizeof(T));
      const Wide x = static_cast<Wide>(element);
      if (rank == 0)
        all = x;
      else
        all = op == ncclProd ? all * x : op == ncclMax ? std::max(all, x) : op == ncclMin ? std::min(all, x) : all + x;
    }
    if (op == ncclAvg) all = all / static_cast<Wide>(meeting.ranks());
    const T result = static_cast<T>(all);
    std::memcpy(out + i * sizeof(T), static_cast<const void*>(&result), sizeof(T));
  }
}
void reduce(Meeting& meeting, std::size_t first, std::size_t count, ncclDataType_t type, int op, unsigned char* out) {
  switch (type) {
    case ncclInt8: return reduce_as<std::int8_t, std::int8_t>(meeting, first, count, op, out);
    case ncclUint8: return reduce_as<std::uint8_t, std::uint8_t>(meeting, first, count, op, out);
    case ncclInt32: return reduce_as<std::int32_t, std::int32_t>(meeting, first, count, op, out);
    case ncclUint32: return reduce_as<std::uint32_t, std::uint32_t>(meeting, first, count, op, out);
    case ncclInt64: return reduce_as<std::int64_t, std::int64_t>(meeting, first, count, op, out);
    case ncclUint64: return reduce_as<std::uint64_t, std::uint64_t>(meeting, first, count, op, out);
    case ncclFloat32: return reduce_as<float, float>(meeting, first, count, op, out);
    case ncclFloat64: return reduce_as<double, double>(meeting, first, count, op, out);
    default: return reduce_as<__nv_bfloat16, float>(meeting, first, count, op, out);
  }
}

// Takes elements [first, first + count) of the mailboxes to where this rank wants them.
void receive(Meeting& meeting, const Call& call, std::size_t first, std::size_t count) {
  const std::size_t size = size_of(call.type);
  if (call.operation == kAllReduce) return reduce(meeting, 0, count, call.type, call.detail, call.receive + first * size);
  if (call.operation == kBroadcast) {
    std::memcpy(call.receive + first * size, meeting.mail(call.detail), count * size);
    return;
  }
  if (call.operation == kAllGather) {
    for (int rank = 0; rank < meeting.ranks(); ++rank)
      std::memcpy(call.receive + (static_cast<std::size_t>(rank) * call.count + first) * size, meeting.mail(rank),
                  count * size);
    return;
  }
  const std::size_t share = call.count / static_cast<std::size_t>(meeting.ranks());
  const std::size_t begin = std::max(first, share * static_cast<std::size_t>(meeting.rank()));
  const std::size_t end = std::min(first + count, share * (static_cast<std::size_t>(meeting.rank()) + 1));
  if (begin < end)
    reduce(meeting, begin - first, end - begin, call.type, call.detail,
           call.receive + (begin - share * static_cast<std::size_t>(meeting.rank())) * size);
}

ncclResult_t exchange(State& state, const Call& call) {
  Meeting& meeting = state.meeting;
  const auto result = [](Outcome outcome) { return outcome == Outcome::kMet ? ncclSuccess : ncclRemoteError; };
  const std::size_t size = size_of(call.type), most = kMail / size;
  meeting.intent(meeting.rank()) = {call.operation, static_cast<std::int64_t>(call.count), call.type, call.detail};
  for (std::size_t first = 0; first < call.count || first == 0; first += most) {
    const std::size_t count = std::min(most, call.count - first);
    if (call.operation != kBroadcast || call.detail == meeting.rank())
      std::memcpy(meeting.mail(meeting.rank()), call.send + first * size, count * size);
    if (const auto error = result(meeting.barrier()); error != ncclSuccess) return error;
    for (int rank = 0; rank < meeting.ranks(); ++rank)
      if (!(meeting.intent(rank) == meeting.intent(meeting.rank()))) {
        std::fprintf(stderr, "emulator: nccl: ranks %d and %d call different collectives\n", meeting.rank(), rank);
        return ncclInvalidUsage;
      }
    receive(meeting, call, first, count);
    if (const auto error = result(meeting.barrier()); error != ncclSuccess) return error;
  }
  return ncclSuccess;
}

thread_local int group_depth = 0;
thread_local std::vector<std::function<ncclResult_t()>> grouped;

}  // namespace

struct ncclComm {
  std::shared_ptr<State> state = std::make_shared<State>();
};

namespace {

ncclResult_t enqueue(Operation operation, const void* send, void* receive, std::size_t count, ncclDataType_t type,
                     int detail, std::size_t receive_count, ncclComm_t comm, cudaStream_t stream) {
  const Call call{operation, static_cast<const unsigned char*>(send), static_cast<unsigned char*>(receive),
                  count,     type,                                    detail};
  const std::size_t size = size_of(call.type);
  if (!comm || size == 0) return ncclInvalidArgument;
  if (comm->state->error != ncclSuccess) return static_cast<ncclResult_t>(comm->state->error.load());
  if (call.count > 0 && (!emulator::on_device(call.receive, receive_count * size) ||
                         ((call.operation != kBroadcast || call.detail == comm->state->meeting.rank()) &&
                          !emulator::on_device(call.send, call.count * size)))) {
    std::fprintf(stderr, "emulator: nccl: a buffer outside device memory\n");
    return ncclInvalidArgument;
  }
  const auto work = [state = comm->state, call, bytes = receive_count * size, stream] {
    return emulator::enqueue(stream, [state, call, bytes] {
      if (state->error == ncclSuccess) state->error = exchange(*state, call);
      if (state->error != ncclSuccess) std::memset(call.receive, 0xFF, bytes);
    }) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
  };
  if (group_depth == 0) return work();
  grouped.push_back(work);
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  if (!id) return ncclInvalidArgument;
  std::uint64_t numbers[2];
  if (getrandom(numbers, sizeof numbers, 0) != sizeof numbers) return ncclSystemError;
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "/anomalyclr-%016llx%016llx", static_cast<unsigned long long>(numbers[0]),
                static_cast<unsigned long long>(numbers[1]));
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  if (!comm || ranks < 1 || ranks > emulator::kMostRanks || rank < 0 || rank >= ranks) return ncclInvalidArgument;
  if (id.internal[0] != '/' || !std::memchr(id.internal, 0, sizeof id.internal)) return ncclInvalidArgument;
  if (emulator::called(emulator::Needs::kDevice, [] { return cudaSuccess; }) != cudaSuccess) return ncclUnhandledCudaError;
  auto made = std::make_unique<ncclComm>();
  const Outcome outcome = made->state->meeting.join(id.internal, ranks, rank, emulator::meeting_timeout());
  if (outcome == Outcome::kSystem) return ncclSystemError;
  if (outcome != Outcome::kMet) return ncclRemoteError;
  *comm = made.release();
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) { return comm ? ncclSuccess : ncclInvalidArgument; }

// What is queued still runs: only then has this rank left.
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm) return ncclInvalidArgument;
  {
    std::lock_guard<std::recursive_mutex> lock(emulator::device_mutex());
    emulator::run_everything();
  }
  comm->state->meeting.leave(false);
  delete comm;
  return ncclSuccess;
}

// Takes no lock: another thread may be waiting for the peers, holding the device.
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (!comm) return ncclInvalidArgument;
  int none = ncclSuccess;
  comm->state->error.compare_exchange_strong(none, ncclRemoteError);
  comm->state->meeting.leave(true);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  if (!comm || !error) return ncclInvalidArgument;
  *error = static_cast<ncclResult_t>(comm->state->error.load());
  return ncclSuccess;
}
ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  *count = comm->state->meeting.ranks();
  return ncclSuccess;
}
ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  *rank = comm->state->meeting.rank();
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess: return "no error";
    case ncclUnhandledCudaError: return "unhandled cuda error";
    case ncclSystemError: return "unhandled system error";
    case ncclInternalError: return "internal error";
    case ncclInvalidArgument: return "invalid argument";
    case ncclInvalidUsage: return "invalid usage";
    case ncclRemoteError: return "remote process exited or there was a network error";
    case ncclInProgress: return "NCCL operation in progress";
  }
  return "unknown result code";
}
const char* ncclGetLastError(ncclComm_t) { return ""; }

ncclResult_t ncclAllReduce(const void* send, void* receive, size_t count, ncclDataType_t type, ncclRedOp_t op,
                           ncclComm_t comm, cudaStream_t stream) {
  return enqueue(kAllReduce, send, receive, count, type, op, count, comm, stream);
}
ncclResult_t ncclReduceScatter(const void* send, void* receive, size_t receive_count, ncclDataType_t type, ncclRedOp_t op,
                               ncclComm_t comm, cudaStream_t stream) {
  if (!comm) return ncclInvalidArgument;
  const std::size_t count = receive_count * static_cast<std::size_t>(comm->state->meeting.ranks());
  return enqueue(kReduceScatter, send, receive, count, type, op, receive_count, comm, stream);
}
ncclResult_t ncclAllGather(const void* send, void* receive, size_t send_count, ncclDataType_t type, ncclComm_t comm,
                           cudaStream_t stream) {
  if (!comm) return ncclInvalidArgument;
  const std::size_t count = send_count * static_cast<std::size_t>(comm->state->meeting.ranks());
  return enqueue(kAllGather, send, receive, send_count, type, 0, count, comm, stream);
}
ncclResult_t ncclBroadcast(const void* send, void* receive, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                           cudaStream_t stream) {
  if (!comm || root < 0 || root >= comm->state->meeting.ranks()) return ncclInvalidArgument;
  return enqueue(kBroadcast, send, receive, count, type, root, count, comm, stream);
}

ncclResult_t ncclGroupStart() {
  ++group_depth;
  return ncclSuccess;
}
ncclResult_t ncclGroupEnd() {
  if (group_depth == 0) return ncclInvalidUsage;
  if (--group_depth > 0) return ncclSuccess;
  ncclResult_t first = ncclSuccess;
  for (const auto& work : grouped)
    if (const ncclResult_t result = work(); first == ncclSuccess) first = result;
  grouped.clear();
  return first;
}
