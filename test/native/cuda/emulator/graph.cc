// Captures and graphs: the closures that streams would have queued, with what each comes after.
#include <atomic>

#include "device.h"
#include "grid.h"

struct CUgraph_st {
  std::shared_ptr<const std::vector<emulator::Node>> nodes;
};
struct CUgraphExec_st {
  std::shared_ptr<const std::vector<emulator::Node>> nodes;
};

namespace emulator {

std::uint64_t host_thread() {
  static std::atomic<std::uint64_t> threads{0};
  thread_local const std::uint64_t mine = ++threads;
  return mine;
}

cudaError_t capture_forbids() {
  cudaError_t error = cudaSuccess;
  for (CUstream_st* stream : live_streams()) {
    if (!stream->capture || stream->capture->mode == cudaStreamCaptureModeRelaxed) continue;
    if (stream->capture->mode == cudaStreamCaptureModeThreadLocal && stream->capture->thread != host_thread()) continue;
    stream->capture->invalid = true;
    error = cudaErrorStreamCaptureUnsupported;
  }
  return error;
}

// In an order that the edges allow: the last that may go (seed 0), the first (1), or any.
void run_nodes(const std::vector<Node>& nodes) {
  std::vector<int> open(nodes.size());
  std::vector<std::vector<int>> followers(nodes.size());
  std::vector<int> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    open[i] = static_cast<int>(nodes[i].after.size());
    for (int before : nodes[i].after) followers[static_cast<std::size_t>(before)].push_back(static_cast<int>(i));
    if (open[i] == 0) ready.push_back(static_cast<int>(i));
  }
  const std::uint64_t order = seed();
  while (!ready.empty() && lost() == cudaSuccess) {
    const std::size_t pick = order == 0 ? ready.size() - 1 : order == 1 ? 0 : random_draw() % ready.size();
    const auto node = static_cast<std::size_t>(ready[pick]);
    ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(pick));
    nodes[node].run();
    for (int next : followers[node])
      if (--open[static_cast<std::size_t>(next)] == 0) ready.push_back(next);
  }
}

namespace {

// Does the origin's frontier come after every node? Nodes only come after earlier ones.
bool joined(const Capture& capture, const std::vector<int>& frontier) {
  std::vector<bool> met(capture.nodes.size(), false);
  for (int node : frontier) met[static_cast<std::size_t>(node)] = true;
  for (std::size_t i = capture.nodes.size(); i-- > 0;) {
    if (!met[i]) return false;
    for (int before : capture.nodes[i].after) met[static_cast<std::size_t>(before)] = true;
  }
  return true;
}

}  // namespace
}  // namespace emulator

using emulator::called;
using emulator::Needs;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream == emulator::stream_of(nullptr)) return cudaErrorStreamCaptureUnsupported;
    if (stream->capture) return cudaErrorIllegalState;
    stream->capture = std::make_shared<emulator::Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    stream->capture->thread = emulator::host_thread();
    stream->frontier.clear();
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream || !graph) return cudaErrorInvalidResourceHandle;
    *graph = nullptr;
    if (!stream->capture) return cudaErrorIllegalState;
    const auto capture = stream->capture;
    if (capture->origin != stream) {
      capture->invalid = true;
      return cudaErrorStreamCaptureUnmatched;
    }
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != emulator::host_thread())
      return cudaErrorStreamCaptureWrongThread;
    const bool all_joined = emulator::joined(*capture, stream->frontier);
    capture->ended = true;
    for (CUstream_st* other : emulator::live_streams())
      if (other->capture == capture) {
        other->capture = nullptr;
        other->frontier.clear();
      }
    if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
    if (!all_joined) return cudaErrorStreamCaptureUnjoined;
    *graph = new CUgraph_st{std::make_shared<const std::vector<emulator::Node>>(std::move(capture->nodes))};
    return cudaSuccess;
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream || !status) return cudaErrorInvalidResourceHandle;
    *status = !stream->capture            ? cudaStreamCaptureStatusNone
              : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                         : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  return called(Needs::kDevice, [&] {
    if (!graph || !count || nodes) return cudaErrorInvalidValue;
    *count = graph->nodes->size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return called(Needs::kDevice, [&] {
    if (!executable || !graph) return cudaErrorInvalidValue;
    *executable = new CUgraphExec_st{graph->nodes};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t) {
  return called(Needs::kDevice, [&] { return executable ? cudaSuccess : cudaErrorInvalidValue; });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return called(Needs::kDevice, [&] {
    if (!executable) return cudaErrorInvalidValue;
    return emulator::enqueue(stream, [nodes = executable->nodes] { emulator::run_nodes(*nodes); });
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
