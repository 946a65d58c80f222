#include "device/library.h"

#include <dlfcn.h>

#include <filesystem>
#include <map>
#include <mutex>

namespace aclr::device {
namespace {

using Entry = const Api* (*)(std::uint32_t abi);

constexpr const char* kRebuild = "build it again: npm run build:cuda";

std::string last_error() {
  const char* error = dlerror();
  std::string line = error == nullptr ? "unknown error" : error;
  for (char& c : line)
    if (c == '\n') c = ' ';
  return line;
}

// The runtime in the library would look for it too, but only once all its code is mapped.
bool driver_there() { return dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr; }

bool needs_driver(const std::string& path) {
  return !std::filesystem::path(path).stem().string().ends_with("_emulated");
}

// What ABI number a library has that refuses ours; ours itself where none is found.
std::uint32_t number_of(Entry entry) {
  constexpr std::uint32_t kMost = 255;
  for (std::uint32_t abi = 0; abi <= kMost; ++abi)
    if (entry(abi) != nullptr) return abi;
  return kAbi;
}

const Api* load(const std::string& path, std::string& why) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    why = "the CUDA library is not built (" + path + "): npm run build:cuda";
    return nullptr;
  }
  if (needs_driver(path) && !driver_there()) {
    why = "there is no NVIDIA driver (libcuda.so.1): install the driver of your GPU";
    return nullptr;
  }
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    why = "the CUDA library does not load: " + last_error();
    return nullptr;
  }
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, kSymbol));
  if (entry == nullptr) {
    why = path + " is no CUDA library of this package, it has no " + kSymbol + "; " + kRebuild;
    return nullptr;
  }
  const Api* const api = entry(kAbi);
  if (api == nullptr || api->abi != kAbi) {
    const std::uint32_t theirs = api == nullptr ? number_of(entry) : api->abi;
    why = "the CUDA library has ABI " + (theirs == kAbi ? std::string("unknown") : std::to_string(theirs)) +
          ", this addon needs " + std::to_string(kAbi) + "; " + kRebuild;
    return nullptr;
  }
  if (api->size != sizeof(Api)) {
    why = "the CUDA library's table has " + std::to_string(api->size) + " bytes, this addon needs " +
          std::to_string(sizeof(Api)) + "; " + kRebuild;
    return nullptr;
  }
  return api;
}

}  // namespace

const Api* open(const std::string& path, std::string& why) {
  static std::mutex mutex;
  static auto* const opened = new std::map<std::string, const Api*>;  // never destroyed: sessions may outlive it
  const std::lock_guard lock(mutex);
  const auto found = opened->find(path);
  if (found != opened->end()) return found->second;
  const Api* const api = load(path, why);
  if (api != nullptr) opened->emplace(path, api);
  return api;
}

Status status_of(const Outcome& outcome) {
  std::string message = text_in(outcome.message);
  const auto status = [&](aclr::Code code, const char* otherwise) {
    return Status(code, message.empty() ? otherwise : std::move(message));
  };
  switch (outcome.code) {
    case Code::kOk: return {};
    case Code::kInvalid: return status(aclr::Code::kInvalidArgument, "the device refused the arguments");
    case Code::kUndefined: return status(aclr::Code::kUndefined, "the loss of this batch is undefined");
    case Code::kMemory: return status(aclr::Code::kOutOfMemory, "the device is out of memory; a smaller batch needs less");
    case Code::kLost: return status(aclr::Code::kDeviceLost, "the device does not answer any more");
    case Code::kPeer: return status(aclr::Code::kPeerLost, "another rank is gone");
    case Code::kFailed: break;
  }
  return status(aclr::Code::kFailed, "the device failed");
}

}  // namespace aclr::device
