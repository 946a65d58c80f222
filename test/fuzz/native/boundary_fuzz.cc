// The addon's boundary as a hostile JavaScript would use it: every exported function, class and method, from good arguments
// with changes at some places, in any order, while work runs, out of getters, without memory. What must hold: each call
// gives a value or throws, each promise settles, every object goes, and no sanitizer has a word to say.
#include <algorithm>
#include <cstring>
#include <map>

#include "allocation.h"
#include "boundary.h"
#include "records.h"

namespace aclr::fuzz {
namespace {

constexpr const char* kClasses[] = {"Trainer", "Perceptron", "Scorer", "Group"};
// As names of calls have them: "trainer.step".
constexpr const char* kPrefixes[] = {"trainer", "perceptron", "scorer", "group"};
constexpr std::size_t kMostSessions = 6;  // of a class

// All ways into the addon: functions, "new Trainer", "trainer.step"; those of test/boundary, then what the exports have besides.
const std::vector<std::string>& calls() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names;
    for (const Good& good : goods()) names.push_back(good.name);
    const auto add = [&](const std::string& name) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const Property& exported : addon()->properties)
      if (exported.value->type == napi_function && !exported.value->is_class) add(exported.key);
    for (std::size_t c = 0; c < std::size(kClasses); ++c)
      for (const Property& method : own(own(addon(), kClasses[c]), "prototype")->properties)
        if (method.key != "constructor") add(std::string(kPrefixes[c]) + "." + method.key);
    return names;
  }();
  return all;
}

class Script : public World {
 public:
  Script(const std::uint8_t* data, std::size_t size) : records_(size / sizeof(Record)) {
    if (!records_.empty()) std::memcpy(records_.data(), data, records_.size() * sizeof(Record));
  }

  void run() {
    while (next_ < records_.size()) step();
    env()->threads_at_once = false;
    env()->collect_at = env()->fail_in_work = 0;
    if (threads_changed_) set_threads(1);
    finish();
  }

  void nested() override {
    if (depth_ < 3 && next_ < records_.size()) step();
  }

  napi_value session(const std::string& name) override {
    std::vector<napi_value>& there = sessions_[name];
    if (there.empty()) make_session(name);
    return there.empty() ? nullptr : there[last_receiver_ % there.size()];
  }

  napi_value ask(const char* method) override {
    if (receiver_ == nullptr) return nullptr;
    const napi_value function = own(receiver_, method);
    if (function == nullptr || function->type != napi_function) return nullptr;
    return call(function, receiver_, {});
  }

 private:
  void step() {
    const Record record = records_[next_++];
    ++depth_;
    const std::size_t handles = env()->handles.size();
    const napi_value receiver = receiver_;
    switch (record.what % 16) {
      case 10: settle(); break;
      case 11: while (settle()) {} break;
      case 12:
        if (record.which % 2 == 0) kept_.clear(), gather_roots();
        collect(), run_finalizers();
        break;
      case 13: write_into(record); break;
      case 14: settings(record); break;
      case 15: drop(kClasses[record.which % std::size(kClasses)]); break;
      default: one_call(record);
    }
    receiver_ = receiver;
    fail_allocation(0);
    if (depth_ == 1 && record.odd % 8 == 3) run_finalizers();
    env()->handles.resize(handles);
    --depth_;
  }

  // Weights that are not zero, and a recipe, so that there is something to compute.
  void make_session(const std::string& name) {
    if (busy_making_) return;
    busy_making_ = true;
    const std::string prefix = kPrefixes[std::find(std::begin(kClasses), std::end(kClasses), name) - std::begin(kClasses)];
    const napi_value made = construct(own(addon(), name), {good_argument("new " + name)});
    if (made == nullptr) take_exception();
    else {
      keep(name, made);
      for (const char* method : {"setRecipe", "setWeights"}) {
        const napi_value function = own(made, method);
        if (function == nullptr) continue;
        const napi_value argument = good_argument(prefix + "." + method);
        if (const napi_value weights = own(argument, "weights"))
          for (std::size_t i = 0; i < weights->length; ++i)
            set_number_at(weights, i, 0.3 * static_cast<double>(static_cast<int>(i * 7919 % 200) - 100) / 100);
        if (call(function, made, {argument}) == nullptr) take_exception();
      }
    }
    busy_making_ = false;
  }

  void keep(const std::string& name, napi_value made) {
    std::vector<napi_value>& there = sessions_[name];
    if (there.size() >= kMostSessions) there.erase(there.begin());
    there.push_back(made);
    gather_roots();
  }
  void drop(const std::string& name) {
    sessions_[name].clear();
    gather_roots();
  }
  void gather_roots() {
    env()->roots.resize(1);
    for (const auto& [name, list] : sessions_) env()->roots.insert(env()->roots.end(), list.begin(), list.end());
    env()->roots.insert(env()->roots.end(), kept_.begin(), kept_.end());
  }

  void one_call(const Record& record) {
    const std::string& name = calls()[record.which % calls().size()];
    const std::size_t dot = name.find('.');
    const bool makes = name.rfind("new ", 0) == 0;
    napi_value function = nullptr;
    std::string of = makes ? name.substr(4) : "";
    last_receiver_ = record.receiver;
    if (dot == name.npos) {
      receiver_ = addon();
      function = own(addon(), makes ? of : name);
    } else {
      of = kClasses[std::find(std::begin(kPrefixes), std::end(kPrefixes), name.substr(0, dot)) - std::begin(kPrefixes)];
      function = own(own(own(addon(), of), "prototype"), name.substr(dot + 1));
      receiver_ = record.receiver < 224 ? session(of) : odd_receiver(record.receiver, of);
      if (receiver_ == nullptr) return;
    }
    if (function == nullptr) broken("an export is gone");
    const napi_value holder = object({{"argument", good_argument(name)}});
    for (const Change& one : record.changes) change(holder, one, *this);
    const napi_value argument = own(holder, "argument");
    make_short(argument);
    if (name == "setThreads") {
      if (argument->type == napi_number && argument->number > 4 && argument->number <= 1024) return;
      threads_changed_ = true;
    }
    std::vector<napi_value> arguments{argument};
    if (record.odd == 255) arguments.clear();
    if (record.odd == 254) arguments.push_back(argument);
    arm(record);
    napi_value result = nullptr;
    if (makes && record.receiver < 240) {
      result = construct(function, arguments, record.receiver < 224 ? nullptr : odd_target(record.receiver));
      if (result != nullptr) {
        keep(of, result);
      }
    } else {
      result = call(function, makes ? odd_receiver(record.receiver, of) : receiver_, arguments);
    }
    fail_allocation(0);
    env()->collect_at = 0;
    if (result == nullptr) check_exception();
    if (depth_ > 1) return;
    kept_ = typed_arrays(argument);
    gather_roots();
    if (record.odd % 2 == 0) while (settle()) {}
  }

  // Another `this` than a session of the class.
  napi_value odd_receiver(std::uint8_t which, const std::string& of) {
    const napi_value found = odd_receiver_or_none(which, of);
    return found == nullptr ? env()->undefined : found;
  }
  napi_value odd_receiver_or_none(std::uint8_t which, const std::string& of) {
    const napi_value prototype = own(own(addon(), of), "prototype");
    switch (which % 8) {
      case 0: return env()->undefined;
      case 1: return object({});
      case 2: return make_number(1);
      case 3: return prototype;
      case 4: {
        const napi_value child = object({});
        child->prototype = session(of);
        return child;
      }
      case 5: return session(kClasses[which / 8 % std::size(kClasses)]);
      case 6: {
        const napi_value pretender = object({});
        pretender->prototype = prototype;
        return pretender;
      }
      default: return own(addon(), of);
    }
  }
  napi_value odd_target(std::uint8_t which) { return own(addon(), kClasses[which % std::size(kClasses)]); }

  void arm(const Record& record) {
    if (record.odd >= 128 && record.odd < 250) fail_allocation(record.odd - 127);
    else if (record.odd >= 64 && record.odd < 128) env()->fail_in_work = record.odd - 63;
    else if (record.odd >= 32 && record.odd < 64) env()->collect_at = record.odd - 31;
  }

  void check_exception() {
    const napi_value thrown = take_exception();
    if (thrown == nullptr) broken("neither a value nor an exception");
    if (thrown->kind != Kind::kError) return;  // a getter's
    const napi_value message = own(thrown, "message");
    if (message == nullptr || message->text.empty()) broken("an error that says nothing");
  }

  // Into arguments of the call before, or into what it works on.
  void write_into(const Record& record) {
    for (std::size_t k = 0; k < kept_.size(); ++k)
      for (const Change& one : record.changes)
        if (one.kind != 0 && kept_[k]->kind == Kind::kTyped && kept_[k]->length > 0) {
          if (one.kind % 16 == 15) detach(kept_[k]->buffer);
          else set_number_at(kept_[k], one.place % kept_[k]->length, odd_number(one.a));
        }
  }

  static void set_threads(int count) {
    if (call(own(addon(), "setThreads"), addon(), {make_number(count)}) == nullptr) take_exception();
  }

  void settings(const Record& record) {
    switch (record.which % 3) {
      case 0: env()->threads_at_once = record.receiver % 2 == 1; break;
      case 1:
        set_threads(1 + record.receiver % 3);
        threads_changed_ = true;
        break;
      default: env()->collect_at = record.receiver;
    }
  }

  std::vector<Record> records_;
  std::size_t next_ = 0;
  int depth_ = 0;
  std::uint8_t last_receiver_ = 0;
  napi_value receiver_ = nullptr;
  bool busy_making_ = false, threads_changed_ = false;
  std::map<std::string, std::vector<napi_value>> sessions_;
  std::vector<napi_value> kept_;
};

}  // namespace
}  // namespace aclr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aclr::fuzz;
  static const bool once = [] {
    if (call(own(addon(), "setThreads"), addon(), {make_number(1)}) == nullptr) broken("threads cannot be set");
    finish();
    for (napi_value value : env()->heap) value->fixed = true;
    return true;
  }();
  if (!once || size > 40 * sizeof(Record)) return -1;
  const Run running;
  Script(data, size).run();
  return 0;
}

ACLR_FUZZ_RECORDS(sizeof(aclr::fuzz::Record))
