// Streams and events. Work runs late: when a host thread waits for it, and then only what that wait needs (seed 0) or
// whatever comes by a throw (other seeds). So a wait that is missing shows in the numbers.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <set>

#include "device.h"
#include "grid.h"

namespace emulator {
namespace {

constexpr std::size_t kMostQueued = 8192;  // commands of one queue

struct Streams {
  CUstream_st legacy;
  std::set<CUstream_st*> streams;
  std::set<CUevent_st*> events;
  std::vector<std::shared_ptr<Queue>> queues;
  std::uint64_t random = 0, seed = 0;
  Streams() { queues.push_back(legacy.queue); }
};
Streams& all() {
  static auto& streams = *new Streams;  // never destroyed: libraries may call at exit
  return streams;
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool reached(const Point& point) { return !point.queue || point.queue->completed >= point.number; }

void run_front(Queue& queue) {
  Command command = std::move(queue.commands.front());
  queue.commands.pop_front();
  command.run();
  if (lost() == cudaSuccess) ++queue.completed;  // else all has been dropped
}

// Runs the front of `queue`, and before it what that waits for.
void run_needed(Queue& queue) {
  const std::vector<Point> after = std::move(queue.commands.front().after);
  for (const Point& point : after)
    while (!reached(point)) run_needed(*point.queue);
  if (!queue.commands.empty()) run_front(queue);  // a lost device drops what is queued
}

// Runs one command of any queue; false where all are empty.
bool run_any() {
  auto& queues = all().queues;
  std::erase_if(queues, [](const auto& queue) { return queue->destroyed && queue->commands.empty(); });
  const std::size_t first = random_draw() % queues.size();
  for (std::size_t i = 0; i < queues.size(); ++i) {
    Queue& queue = *queues[(first + i) % queues.size()];
    if (queue.commands.empty()) continue;
    const auto& after = queue.commands.front().after;
    if (!std::all_of(after.begin(), after.end(), reached)) continue;
    const auto held = queues[(first + i) % queues.size()];
    run_front(*held);
    return true;
  }
  return false;
}

Point tail(const CUstream_st& stream) { return {stream.queue, stream.queue->queued}; }

}  // namespace

std::uint64_t random_draw() {
  if (all().seed != seed()) all().random = all().seed = seed();
  all().random = all().random * 6364136223846793005u + 1442695040888963407u;
  return all().random >> 33;
}

CUstream_st* stream_of(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return &all().legacy;
  return all().streams.contains(handle) ? handle : nullptr;
}

std::vector<CUstream_st*> live_streams() { return {all().streams.begin(), all().streams.end()}; }

Point push(CUstream_st* stream, Command command) {
  Queue& queue = *stream->queue;
  // The legacy stream comes after, and before, all that is queued in blocking streams.
  if (stream == &all().legacy) {
    for (const auto& other : all().queues)
      if (other->blocking && other.get() != &queue && !other->commands.empty())
        command.after.push_back({other, other->queued});
  } else if (queue.blocking && !all().legacy.queue->commands.empty()) {
    command.after.push_back(tail(all().legacy));
  }
  if (queue.commands.size() >= kMostQueued) run_until({stream->queue, queue.completed + kMostQueued / 2});
  queue.commands.push_back(std::move(command));
  return {stream->queue, ++queue.queued};
}

void run_until(const Point& point) {
  while (!reached(point)) {
    if (seed() == 0)
      run_needed(*point.queue);
    else if (!run_any())
      fail("nothing queued can run");
  }
}

void run_everything() {
  if (seed() == 0) {
    const auto queues = all().queues;
    for (auto queue = queues.rbegin(); queue != queues.rend(); ++queue) run_until({*queue, (*queue)->queued});
  }
  while (run_any()) continue;
}

void drop_everything() {
  for (const auto& queue : all().queues) {
    queue->commands.clear();
    queue->completed = queue->queued;
  }
}

cudaError_t enqueue(cudaStream_t handle, std::function<void()> work) {
  std::lock_guard<std::recursive_mutex> lock(device_mutex());
  if (const cudaError_t error = available(Needs::kDevice); error != cudaSuccess) return error;
  CUstream_st* stream = stream_of(handle);
  if (!stream) return complain(cudaErrorInvalidResourceHandle, "a stream that is none");
  if (stream->capture) {
    Capture& capture = *stream->capture;
    if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
    capture.nodes.push_back({std::move(work), stream->frontier});
    stream->frontier = {static_cast<int>(capture.nodes.size()) - 1};
    return cudaSuccess;
  }
  if (stream == &all().legacy)
    for (CUstream_st* other : live_streams())
      if (other->capture && other->queue->blocking) {
        other->capture->invalid = true;
        return complain(cudaErrorStreamCaptureImplicit, "the legacy stream is used while a blocking stream captures");
      }
  push(stream, {std::move(work), {}});
  return cudaSuccess;
}

}  // namespace emulator

using emulator::called;
using emulator::Needs;

// ---- copies --------------------------------------------------------------------------------------------------------

namespace {

struct Copy {
  char* to;
  std::size_t to_pitch;
  const char* from;
  std::size_t from_pitch, width, height;  // bytes, rows
  void run() const {
    for (std::size_t row = 0; row < height; ++row) std::memmove(to + row * to_pitch, from + row * from_pitch, width);
  }
  std::size_t span(std::size_t pitch) const { return height == 0 || width == 0 ? 0 : (height - 1) * pitch + width; }
};

// Pageable memory is read at once, and written before the call returns, as the real calls do.
cudaError_t copy_async(const Copy& copy, cudaMemcpyKind kind, cudaStream_t handle) {
  using emulator::Space;
  if (copy.height > 1 && (copy.to_pitch < copy.width || copy.from_pitch < copy.width)) return cudaErrorInvalidValue;
  const std::size_t to_bytes = copy.span(copy.to_pitch), from_bytes = copy.span(copy.from_pitch);
  if (to_bytes == 0) return cudaSuccess;
  const cudaError_t error = emulator::check_copy(copy.to, to_bytes, copy.from, from_bytes, kind);
  if (error != cudaSuccess) return error;
  CUstream_st* stream = emulator::stream_of(handle);
  if (!stream || stream->capture) return emulator::enqueue(handle, [copy] { copy.run(); });
  if (emulator::space_of(copy.from, from_bytes) == Space::kPageable) {
    auto staged = std::make_shared<std::vector<char>>(copy.from, copy.from + from_bytes);
    return emulator::enqueue(handle, [copy, staged] {
      Copy from_staged = copy;
      from_staged.from = staged->data();
      from_staged.run();
    });
  }
  const cudaError_t queued = emulator::enqueue(handle, [copy] { copy.run(); });
  if (queued == cudaSuccess && emulator::space_of(copy.to, to_bytes) == Space::kPageable)
    emulator::run_until(emulator::tail(*stream));
  return queued;
}

Copy flat(void* to, const void* from, std::size_t bytes) {
  return {static_cast<char*>(to), bytes, static_cast<const char*>(from), bytes, bytes, 1};
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return called(Needs::kDevice, [&] { return copy_async(flat(to, from, bytes), kind, stream); });
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                              std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return called(Needs::kDevice, [&] {
    const Copy copy{static_cast<char*>(to), to_pitch, static_cast<const char*>(from), from_pitch, width, height};
    return copy_async(copy, kind, stream);
  });
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return called(Needs::kNoCapture, [&] {
    const cudaError_t error = copy_async(flat(to, from, bytes), kind, nullptr);
    if (error != cudaSuccess) return error;
    emulator::run_until(emulator::tail(*emulator::stream_of(nullptr)));
    emulator::check_guards("cudaMemcpy");
    return cudaSuccess;
  });
}

cudaError_t cudaMemsetAsync(void* place, int value, std::size_t bytes, cudaStream_t stream) {
  return called(Needs::kDevice, [&] {
    if (bytes == 0) return cudaSuccess;
    const emulator::Space space = emulator::space_of(place, bytes);
    if (space != emulator::Space::kDevice && space != emulator::Space::kPinned)
      return emulator::complain(cudaErrorInvalidValue, "cudaMemset outside an allocation");
    return emulator::enqueue(stream, [=] { std::memset(place, value, bytes); });
  });
}

cudaError_t cudaMemset(void* place, int value, std::size_t bytes) {
  const cudaError_t error = called(Needs::kNoCapture, [] { return cudaSuccess; });
  return error == cudaSuccess ? cudaMemsetAsync(place, value, bytes, nullptr) : error;
}

// ---- streams -------------------------------------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return called(Needs::kDevice, [&] {
    if (!stream || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
    *stream = new CUstream_st;
    (*stream)->queue->blocking = flags == cudaStreamDefault;
    emulator::all().streams.insert(*stream);
    emulator::all().queues.push_back((*stream)->queue);
    return cudaSuccess;
  });
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

// What is queued in it runs nonetheless.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return called(Needs::kNothing, [&] {
    if (!emulator::all().streams.contains(stream)) return emulator::noted(cudaErrorInvalidResourceHandle);
    if (stream->capture) stream->capture->invalid = true;
    emulator::all().streams.erase(stream);
    stream->queue->destroyed = true;
    delete stream;
    return cudaSuccess;
  });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    if (const cudaError_t error = emulator::capture_forbids(); error != cudaSuccess) return error;
    if (stream == emulator::stream_of(nullptr)) emulator::push(stream, {[] {}, {}});  // behind all blocking streams
    emulator::run_until(emulator::tail(*stream));
    emulator::check_guards("cudaStreamSynchronize");
    return cudaSuccess;
  });
}

// Each query lets one command run, so that a loop of them ends.
cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream) return cudaErrorInvalidResourceHandle;
    if (stream->capture) {
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureUnsupported;
    }
    if (stream->queue->commands.empty()) return cudaSuccess;
    emulator::run_any();
    return stream->queue->commands.empty() ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* argument) {
  return called(Needs::kDevice, [&] { return emulator::enqueue(stream, [=] { function(argument); }); });
}

// ---- events --------------------------------------------------------------------------------------------------------

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return called(Needs::kDevice, [&] {
    if (!event) return cudaErrorInvalidValue;
    *event = new CUevent_st;
    (*event)->timing = (flags & cudaEventDisableTiming) == 0;
    emulator::all().events.insert(*event);
    return cudaSuccess;
  });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return called(Needs::kNothing, [&] {
    if (emulator::all().events.erase(event) == 0) return emulator::noted(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream || !emulator::all().events.contains(event)) return cudaErrorInvalidResourceHandle;
    event->recorded = true;
    if (stream->capture) {
      if (stream->capture->invalid) return cudaErrorStreamCaptureInvalidated;
      event->capture = stream->capture;
      event->nodes = stream->frontier;
      return cudaSuccess;
    }
    event->capture = nullptr;
    event->time = std::make_shared<double>(0);
    event->at = emulator::push(stream, {[time = event->time] { *time = emulator::seconds(); }, {}});
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  return called(Needs::kDevice, [&] {
    CUstream_st* stream = emulator::stream_of(handle);
    if (!stream || !emulator::all().events.contains(event)) return cudaErrorInvalidResourceHandle;
    if (event->capture) {  // the stream joins that capture
      if (event->capture->ended) return cudaErrorCapturedEvent;
      if (event->capture->invalid) return cudaErrorStreamCaptureInvalidated;
      if (stream == emulator::stream_of(nullptr)) return cudaErrorStreamCaptureImplicit;
      if (stream->capture && stream->capture != event->capture) {
        stream->capture->invalid = event->capture->invalid = true;
        return cudaErrorStreamCaptureMerge;
      }
      stream->capture = event->capture;
      for (int node : event->nodes)
        if (std::find(stream->frontier.begin(), stream->frontier.end(), node) == stream->frontier.end())
          stream->frontier.push_back(node);
      return cudaSuccess;
    }
    if (stream->capture) {
      if (!event->recorded) return cudaSuccess;
      stream->capture->invalid = true;
      return cudaErrorStreamCaptureIsolation;
    }
    if (event->recorded && !emulator::reached(event->at)) emulator::push(stream, {[] {}, {event->at}});
    return cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return called(Needs::kNoCapture, [&] {
    if (!emulator::all().events.contains(event)) return cudaErrorInvalidResourceHandle;
    if (event->capture) return cudaErrorCapturedEvent;
    emulator::run_until(event->at);
    emulator::check_guards("cudaEventSynchronize");
    return cudaSuccess;
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return called(Needs::kDevice, [&] {
    if (!emulator::all().events.contains(event)) return cudaErrorInvalidResourceHandle;
    if (event->capture) return cudaErrorCapturedEvent;
    if (emulator::reached(event->at)) return cudaSuccess;
    emulator::run_any();
    return emulator::reached(event->at) ? cudaSuccess : cudaErrorNotReady;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return called(Needs::kDevice, [&] {
    const auto& events = emulator::all().events;
    if (!events.contains(start) || !events.contains(end)) return cudaErrorInvalidResourceHandle;
    if (!start->recorded || !end->recorded || !start->timing || !end->timing) return cudaErrorInvalidResourceHandle;
    if (start->capture || end->capture) return cudaErrorCapturedEvent;
    if (!emulator::reached(start->at) || !emulator::reached(end->at)) return cudaErrorNotReady;
    *milliseconds = static_cast<float>((*end->time - *start->time) * 1e3);
    return cudaSuccess;
  });
}
