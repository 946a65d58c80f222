// Files mapped into memory: class MappedFile({file}). Each stretch handed out is a mapping of its own, private, so that
// what JavaScript writes into one reaches neither the file nor another, and it lasts for as long as its ArrayBuffer.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "binding/classes.h"
#include "binding/session.h"

namespace aclr::binding {
namespace {

#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

Status failed(const std::string& file, const char* what) {
  return {Code::kUnavailable, file + ": " + what + ": " + std::strerror(errno)};
}

struct OpenFile {
  int handle = -1;
  struct stat found {};

  OpenFile() = default;
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (handle >= 0) close(handle);
  }

  Status open_at(const std::string& file) {
    handle = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not be waited for
    if (handle < 0 || fstat(handle, &found) != 0) return failed(file, "cannot be opened");
    if (!S_ISREG(found.st_mode)) return {Code::kInvalidArgument, file + ": not a regular file"};
    return {};
  }

  // To be asked before what is mapped is looked at: pages beyond the end of a file that was cut are fatal.
  bool unchanged() const {
    struct stat now {};
    return fstat(handle, &now) == 0 && now.st_size == found.st_size && now.st_mtim.tv_sec == found.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == found.st_mtim.tv_nsec;
  }
};

class MappedFile : public Session<MappedFile, OpenFile> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c525472e8a11005};
  static constexpr const char* kName = "MappedFile";

  explicit MappedFile(const Napi::CallbackInfo& info) : Session(info) {
    const std::string file = text_of(argument(info), "file");
    if (file.empty()) fail(info.Env(), "file must be a path");
    auto opened = std::make_shared<OpenFile>();
    check(info.Env(), opened->open_at(file));
    impl_ = std::move(opened);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "MappedFile",
                       {InstanceMethod<&MappedFile::size>("size"), InstanceMethod<&MappedFile::unchanged>("unchanged"),
                        InstanceMethod<&MappedFile::bytes>("bytes"), InstanceMethod<&MappedFile::dispose>("dispose")});
  }

 private:
  Napi::Value size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(use(info)->found.st_size));
  }

  Napi::Value unchanged(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), use(info)->unchanged()); }

  // The bytes [from, to), mapped.
  Napi::Value bytes(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const auto file = use(info);
    const Napi::Object wanted = argument(info);
    const double size = static_cast<double>(file->found.st_size);
    const auto from = static_cast<std::size_t>(whole_of(wanted, "from", 0, size));
    const auto to = static_cast<std::size_t>(whole_of(wanted, "to", static_cast<double>(from), size));
    if (to - from > kMost) fail(env, "to lies more than 2 GiB after from");
    if (from == to) return Napi::ArrayBuffer::New(env, 0);
    if (!file->unchanged()) throw to_error(env, {Code::kUnavailable, "the file has changed since it was opened"});
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t before = from % page, length = before + to - from;
    void* pages = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->handle, static_cast<off_t>(from - before));
    if (pages == MAP_FAILED) throw to_error(env, failed("the file", "cannot be mapped"));
    try {
      return Napi::ArrayBuffer::New(env, static_cast<std::uint8_t*>(pages) + before, to - from,
                                    [pages, length](Napi::Env, void*) { munmap(pages, length); });
    } catch (...) {  // a host that has no such arrays, or no memory
      munmap(pages, length);
      throw;
    }
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) { return let_go(info); }

  // What one array may hold.
  static constexpr std::size_t kMost = std::size_t{1} << 31;
};

}  // namespace

Napi::Function mapped_file_class(Napi::Env env) { return MappedFile::define(env); }

}  // namespace aclr::binding
