// The outcome of a core call. Core code never throws across its edge, prints or aborts: binding/ turns a Status into a
// JavaScript error with a code.
#pragma once
#include <string>
#include <utility>

namespace aclr {

enum class Code { kOk, kInvalidArgument, kOutOfRange, kUndefined, kNonFinite, kBusy };

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
    }
    return "UNKNOWN";
  }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

}  // namespace aclr
