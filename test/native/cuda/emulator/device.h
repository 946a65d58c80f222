// What the emulator's parts share: the lock, the faults that the environment asks for, memory, queues.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime_api.h"

namespace emulator {

// ---- calls: device.cc ----------------------------------------------------------------------------------------------

enum class Needs {
  kNothing,    // answers without a device
  kDevice,
  kNoCapture,  // and must not be called while a stream captures
};

std::recursive_mutex& device_mutex();  // recursive: a host function in a stream may call
cudaError_t available(Needs needs);    // why a call can't be served; cudaSuccess where it can
cudaError_t lost();                    // cudaSuccess while the device is there
cudaError_t noted(cudaError_t error);  // for cudaGetLastError of this host thread
cudaError_t complain(cudaError_t error, const char* what);  // says on stderr what was wrong with the call; gives `error`
bool next_launch_is_lost();            // counts launches for ANOMALYCLR_EMULATED_LOST
bool next_allocation_fails();          // counts allocations for ANOMALYCLR_EMULATED_FAIL_MALLOC
std::size_t memory_limit();            // bytes
constexpr std::size_t kSharedStatic = 48 * 1024, kSharedOptin = 227 * 1024, kSharedOfProcessor = 228 * 1024;

template <class F>
cudaError_t called(Needs needs, F&& body) {
  std::lock_guard<std::recursive_mutex> lock(device_mutex());
  cudaError_t error = available(needs);
  if (error == cudaSuccess) error = body();
  if (needs != Needs::kNothing && lost() != cudaSuccess) error = lost();
  return noted(error);
}

// ---- memory: memory.cc ---------------------------------------------------------------------------------------------

enum class Space { kPageable, kPinned, kDevice, kOutside };  // the last: begins inside an allocation, ends behind it

Space space_of(const void* place, std::size_t bytes);
cudaError_t check_copy(const void* to, std::size_t to_bytes, const void* from, std::size_t from_bytes, cudaMemcpyKind kind);
void check_guards(const char* when);  // aborts where a guard zone is damaged
bool check_after_kernels();           // ANOMALYCLR_EMULATED_CHECK=1
void free_all_memory();

// ---- queues: streams.cc; captures: graph.cc ------------------------------------------------------------------------

struct Queue;
struct Point {  // in a queue; reached once `number` of its commands have run
  std::shared_ptr<Queue> queue;
  std::uint64_t number = 0;
};
struct Command {
  std::function<void()> run;
  std::vector<Point> after;
};
struct Queue {
  std::deque<Command> commands;
  std::uint64_t queued = 0, completed = 0;
  bool blocking = true, destroyed = false;
};

struct Node {
  std::function<void()> run;
  std::vector<int> after;
};
struct Capture {
  std::vector<Node> nodes;
  CUstream_st* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::uint64_t thread = 0;  // of the host
  bool invalid = false, ended = false;
};

CUstream_st* stream_of(cudaStream_t handle);  // null for a handle that is none
Point push(CUstream_st* stream, Command command);
void run_until(const Point& point);
void run_everything();
void drop_everything();  // the device is lost
std::vector<CUstream_st*> live_streams();
cudaError_t capture_forbids();  // a call that no capture allows: invalidates those that are under way
std::uint64_t host_thread();
std::uint64_t random_draw();  // for the order of streams and nodes
void run_nodes(const std::vector<Node>& nodes);

}  // namespace emulator

struct CUstream_st {
  std::shared_ptr<emulator::Queue> queue = std::make_shared<emulator::Queue>();
  std::shared_ptr<emulator::Capture> capture;  // while it captures
  std::vector<int> frontier;                   // nodes that the next one comes after
};
struct CUevent_st {
  emulator::Point at;
  std::shared_ptr<double> time;  // seconds, set when the record runs
  std::shared_ptr<emulator::Capture> capture;
  std::vector<int> nodes;
  bool recorded = false, timing = true;
};
