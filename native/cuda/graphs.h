// Sequences of launches, captured once for each shape and then started as a whole: a step of a small model is some hundred
// kernels of a few microseconds, and starting each by itself would take longer than they run.
#pragma once
#include <array>
#include <map>

#include "cuda/memory.h"

namespace aclr::cuda {

class Graphs {
 public:
  using Key = std::array<std::int64_t, 6>;

  ~Graphs() { clear(); }

  // Runs what record(stream) enqueues. The first time with a key it runs as it is, as kernels are loaded and libraries plan
  // at their first use, which a capture does not bear; it is captured the second time.
  template <class Record>
  void run(const Key& key, std::uint64_t moves, cudaStream_t stream, const Record& record) {
    if (moves != moves_ || graphs_.size() > kMost) clear();
    moves_ = moves;
    const auto [place, fresh] = graphs_.try_emplace(key, nullptr);
    if (fresh) {
      try {
        return record(stream);
      } catch (...) {
        graphs_.erase(place);
        throw;
      }
    }
    if (place->second == nullptr) place->second = capture(stream, record);
    check(cudaGraphLaunch(place->second, stream), "starting a step");
  }

 private:
  static constexpr std::size_t kMost = 48;

  template <class Record>
  static cudaGraphExec_t capture(cudaStream_t stream, const Record& record) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a step");
    cudaGraph_t graph = nullptr;
    try {
      record(stream);
    } catch (...) {
      if (cudaStreamEndCapture(stream, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
      cudaGetLastError();
      throw;
    }
    check(cudaStreamEndCapture(stream, &graph), "recording a step");
    cudaGraphExec_t made = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&made, graph, 0);
    cudaGraphDestroy(graph);
    check(error, "recording a step");
    return made;
  }
  void clear() {
    for (auto& [key, graph] : graphs_)
      if (graph) cudaGraphExecDestroy(graph);
    graphs_.clear();
  }

  std::map<Key, cudaGraphExec_t> graphs_;
  std::uint64_t moves_ = 0;
};

}  // namespace aclr::cuda
