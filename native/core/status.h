// The outcome of a core call. Core code never throws across its edge, prints or aborts: binding/ turns a Status into a
// JavaScript error with a code.
#pragma once
#include <string>
#include <utility>

namespace aclr {

enum class Code {
  kOk,
  kInvalidArgument,
  kOutOfRange,
  kUndefined,
  kNonFinite,
  kBusy,
  kUnavailable,  // what a call would run on is not there
  kOutOfMemory,  // of a device; what failed left everything as it was
  kDeviceLost,
  kPeerLost,  // another rank
  kFailed     // anything else that a device says
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  static Status invalid(std::string message) { return {Code::kInvalidArgument, std::move(message)}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const char* code_name() const {
    switch (code_) {
      case Code::kOk: return "OK";
      case Code::kInvalidArgument: return "INVALID_ARGUMENT";
      case Code::kOutOfRange: return "OUT_OF_RANGE";
      case Code::kUndefined: return "UNDEFINED";
      case Code::kNonFinite: return "NON_FINITE";
      case Code::kBusy: return "BUSY";
      case Code::kUnavailable: return "UNAVAILABLE";
      case Code::kOutOfMemory: return "OUT_OF_MEMORY";
      case Code::kDeviceLost: return "DEVICE_LOST";
      case Code::kPeerLost: return "PEER_LOST";
      case Code::kFailed: return "FAILED";
    }
    return "UNKNOWN";
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

}  // namespace aclr
