#include <cstring>
#include <numeric>

#include "binding/classes.h"
#include "binding/group.h"
#include "binding/session.h"
#include "comm/tcp_group.h"

namespace aclr::binding {
namespace {

// What the ranks together may send at once, bytes.
constexpr std::uint64_t kMost = std::uint64_t{1} << 32;

RendezvousConfig rendezvous_config(Napi::Object from) {
  RendezvousConfig config;
  config.ranks = integer_of(from, "ranks", 1, 65536);
  config.rank = integer_of(from, "rank", 0, config.ranks - 1);
  config.address = text_of(from, "address");
  config.port = integer_of(from, "port", 1, 65535);
  const auto token = copy_of<std::uint8_t>(from, "token", config.token.size());
  std::copy(token.begin(), token.end(), config.token.begin());
  config.seconds = number_of(from, "seconds", 1e-3, 1e6);
  config.hint = text_of(from, "hint");
  return config;
}

// Bytes of every rank, in order of ranks.
using Parts = std::vector<std::vector<std::uint8_t>>;

Status gather(Group& group, const std::vector<std::uint8_t>& mine, Parts* parts) {
  const std::size_t ranks = group.ranks();
  std::vector<std::uint64_t> sizes(ranks);
  std::vector<std::size_t> offsets(ranks + 1);
  for (std::size_t r = 0; r <= ranks; ++r) offsets[r] = r * sizeof sizes[0];
  sizes[group.rank()] = mine.size();
  if (Status s = group.all_gather(sizes.data(), offsets.data()); !s.ok()) return s;
  for (std::size_t r = 0; r < ranks; ++r) {
    const std::size_t before = r == 0 ? 0 : offsets[r];
    if (sizes[r] > kMost - before) return Status::invalid("rank " + std::to_string(r) + " sends too much at once");
    offsets[r + 1] = before + sizes[r];
  }
  offsets[0] = 0;
  std::vector<std::uint8_t> all(offsets[ranks]);
  std::copy(mine.begin(), mine.end(), all.begin() + static_cast<std::ptrdiff_t>(offsets[group.rank()]));
  if (Status s = group.all_gather(all.data(), offsets.data()); !s.ok()) return s;
  for (std::size_t r = 0; r < ranks; ++r) parts->emplace_back(all.data() + offsets[r], all.data() + offsets[r + 1]);
  return {};
}

class GroupSession : public Session<GroupSession, TcpGroup> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c525472e8a11004};
  static constexpr const char* kName = "Group";

  explicit GroupSession(const Napi::CallbackInfo& info) : Session(info) {
    const Napi::Object from = argument(info);
    impl_ = std::make_shared<TcpGroup>(rendezvous_config(from), number_of(from, "patience", 1e-3, 1e6));
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Group",
                       {InstanceMethod<&GroupSession::connect>("connect"), InstanceMethod<&GroupSession::gather>("gather"),
                        InstanceMethod<&GroupSession::leave>("leave"), InstanceMethod<&GroupSession::dispose>("dispose")});
  }

  // A plain object may pretend to be one.
  static std::shared_ptr<Group> of(Napi::Value value) {
    const Napi::Object object = object_of(value, "group");
    if (!object.CheckTypeTag(&kTag)) fail(value.Env(), "group must be a Group");
    const auto impl = Unwrap(object)->impl_;
    if (!impl) fail(value.Env(), "this Group was disposed of");
    return impl;
  }

 private:
  Napi::Value connect(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    return run(info.Env(), impl.hold, [group = impl.impl] { return group->connect(); },
               [](Napi::Env env) { return env.Undefined(); });
  }

  Napi::Value gather(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    const auto mine = std::make_shared<std::vector<std::uint8_t>>(copy_of<std::uint8_t>(argument(info), "bytes"));
    const auto parts = std::make_shared<Parts>();
    const auto work = [group = impl.impl, mine, parts] { return binding::gather(*group, *mine, parts.get()); };
    return run(info.Env(), impl.hold, work, [parts](Napi::Env env) {
      Napi::Array out = Napi::Array::New(env, parts->size());
      for (std::uint32_t r = 0; r < parts->size(); ++r) out.Set(r, array_from(env, (*parts)[r]));
      return Napi::Value(out);
    });
  }

  // Beside a call under way, too: that one ends first, and fails.
  Napi::Value leave(const Napi::CallbackInfo& info) {
    const std::shared_ptr<TcpGroup> group = impl_;
    if (!group) fail(info.Env(), "this Group was disposed of");
    const std::string reason = text_of(argument(info), "reason");
    group->interrupt();
    return Worker::start(info.Env(),
                         [group, reason] {
                           group->leave(reason);
                           return Status();
                         },
                         [](Napi::Env env) { return env.Undefined(); });
  }

  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if (impl_) impl_->interrupt();
    return let_go(info);
  }
};

}  // namespace

std::shared_ptr<Group> group_of(Napi::Object from) {
  const Napi::Value given = from.Get("group");
  return given.IsUndefined() ? nullptr : GroupSession::of(given);
}

Napi::Function group_class(Napi::Env env) { return GroupSession::define(env); }

}  // namespace aclr::binding
