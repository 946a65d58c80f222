// The Scorer as JavaScript sees it: class Scorer(config), float or double by config.precision.
#include "binding/classes.h"
#include "binding/device_args.h"
#include "binding/model_args.h"
#include "binding/on_cpu.h"
#include "binding/recipe_args.h"
#include "binding/session.h"
#include "device/scorer.h"

namespace aclr::binding {
namespace {

// What scoreNow takes at most: it holds up the event loop, about 40 us an event of the published encoder.
constexpr int kMostNow = 64;

class AnyScorer {
 public:
  virtual ~AnyScorer() = default;
  virtual Call score(Napi::Object) = 0;
  virtual Napi::Value score_now(Napi::Object) = 0;
  virtual Call embed(Napi::Object) = 0;
};

// Model: CpuScorer or DeviceScorer.
template <class Model>
class TypedScorer : public AnyScorer, public std::enable_shared_from_this<TypedScorer<Model>> {
 public:
  using T = typename Model::Number;
  TypedScorer(std::unique_ptr<Model> scorer, bool reads_events) : scorer_(std::move(scorer)), reads_events_(reads_events) {}

  Call score(Napi::Object from) override {
    auto input = std::make_shared<Input>(input_of(from));
    auto score = std::make_shared<std::vector<T>>(input->count);
    return {[self = this->shared_from_this(), input, score] {
              return self->run(*input, score->data(), false);
            },
            [score](Napi::Env env) { return array_from(env, *score); }};
  }

  Napi::Value score_now(Napi::Object from) override {
    const Input input = input_of(from);
    if (input.count > kMostNow)
      fail(from.Env(), "scoreNow takes at most " + std::to_string(kMostNow) + " events, was given " +
                           std::to_string(input.count) + "; use score");
    T score[kMostNow];
    check(from.Env(), run(input, score, true));
    return array_from(from.Env(), score, input.count);
  }

  Call embed(Napi::Object from) override {
    if (!reads_events_) fail(from.Env(), "this Scorer has no encoder");
    auto input = std::make_shared<Input>(input_of(from));
    auto out = std::make_shared<std::vector<T>>(std::size_t(input->count) * scorer_->inputs());
    return {[self = this->shared_from_this(), input, out] {
              return self->scorer_->embed(input->events, out->data());
            },
            [out](Napi::Env env) { return array_from(env, *out); }};
  }

 private:
  // Events, or without an encoder rows.
  struct Input {
    EventColumns<T> events;
    std::shared_ptr<std::vector<T>> rows;
    int count;
  };
  Input input_of(Napi::Object from) const {
    if (!reads_events_) {
      auto rows = rows_of<T>(from, scorer_->inputs());
      return {{}, rows, static_cast<int>(rows->size() / scorer_->inputs())};
    }
    EventColumns<T> events = events_of<T>(from);
    const int count = events.events();
    return {std::move(events), nullptr, count};
  }
  Status run(const Input& input, T* score, bool alone) {
    if (reads_events_) return scorer_->score(input.events, score, alone);
    return scorer_->score_rows(input.rows->data(), input.count, score, alone);
  }

  std::unique_ptr<Model> scorer_;
  bool reads_events_;
};

MemberConfig member_config(Napi::Object from) {
  MemberConfig member;
  member.network = perceptron_config(from);
  member.logarithm = flag_of(from, "logarithm");
  member.mean = number_of(from, "mean", -1e300, 1e300);
  member.deviation = number_of(from, "deviation", 1e-300, 1e300);
  return member;
}

// Class codes, each at most once; none where left out.
std::vector<Kind> sums_of(Napi::Object from) {
  std::vector<Kind> kinds;
  if (from.Get("sums").IsUndefined()) return kinds;
  for (const std::int32_t code : copy_of<std::int32_t>(from, "sums")) {
    if (code < 1 || code > kKinds) fail(from.Env(), "sums has the class " + std::to_string(code) + ", which is none");
    const Kind kind = static_cast<Kind>(code);
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
      fail(from.Env(), "sums has the class " + std::to_string(code) + " twice");
    kinds.push_back(kind);
  }
  return kinds;
}

template <class T>
std::shared_ptr<AnyScorer> make(const ScorerConfig& config, Napi::Object from, const std::vector<Napi::Object>& members) {
  std::vector<T> encoder;
  if (config.encoder)
    encoder = copy_of<T>(object_of(from.Get("encoder"), "encoder"), "weights", Encoder<T>(*config.encoder).weight_count());
  std::vector<std::vector<T>> of_members;
  for (std::size_t m = 0; m < members.size(); ++m)
    of_members.push_back(copy_of<T>(members[m], "weights", Perceptron<T>(config.members[m].network).weight_count()));
  const bool reads_events = config.encoder.has_value();
  if (const auto place = place_of(from))
    return std::make_shared<TypedScorer<DeviceScorer<T>>>(
        made_by<DeviceScorer<T>>(
            from.Env(), [&](auto& out) { return DeviceScorer<T>::make(*place, config, encoder, of_members, out); }),
        reads_events);
  return std::make_shared<TypedScorer<CpuScorer<T>>>(
      std::make_unique<CpuScorer<T>>(config, std::move(encoder), std::move(of_members)), reads_events);
}

class ScorerSession : public Session<ScorerSession, AnyScorer> {
 public:
  static constexpr napi_type_tag kTag{0x616e6f6d616c7943, 0x4c525363e8a11003};
  static constexpr const char* kName = "Scorer";

  explicit ScorerSession(const Napi::CallbackInfo& info) : Session(info) {
    const Napi::Object from = argument(info);
    ScorerConfig config;
    const Napi::Value encoder = from.Get("encoder");
    if (!encoder.IsUndefined()) {
      const Napi::Object given = object_of(encoder, "encoder");
      config.encoder = encoder_config(given);
      config.from = integer_of(given, "from", 0, 1 << 20);
      config.to = integer_of(given, "to", 0, 1 << 20);
      config.sums = sums_of(given);
    }
    config.preparation = preparation_config(object_of(from.Get("preparation"), "preparation"));
    const List list(from.Get("members"), 64, "a detector has an array of members");
    std::vector<Napi::Object> members;
    for (std::uint32_t m = 0; m < list.length; ++m) {
      members.push_back(object_of(list.array.Get(m), "a member"));
      config.members.push_back(member_config(members.back()));
    }
    const Precision precision = precision_of(from);
    config.products = precision.products;
    check(info.Env(), config.check());
    impl_ = precision.is_double ? make<double>(config, from, members) : make<float>(config, from, members);
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Scorer",
                       {InstanceMethod<&ScorerSession::call<&AnyScorer::score>>("score"),
                        InstanceMethod<&ScorerSession::score_now>("scoreNow"),
                        InstanceMethod<&ScorerSession::call<&AnyScorer::embed>>("embed"),
                        InstanceMethod<&ScorerSession::dispose>("dispose")});
  }

 private:
  Napi::Value dispose(const Napi::CallbackInfo& info) { return let_go(info); }
  Napi::Value score_now(const Napi::CallbackInfo& info) { return use(info)->score_now(argument(info)); }
  template <Call (AnyScorer::*METHOD)(Napi::Object)>
  Napi::Value call(const Napi::CallbackInfo& info) {
    const auto impl = use(info);
    Call made = ((*impl).*METHOD)(argument(info));
    return run(info.Env(), impl.hold, std::move(made.work), std::move(made.done));
  }
};

}  // namespace

Napi::Function scorer_class(Napi::Env env) { return ScorerSession::define(env); }

}  // namespace aclr::binding
