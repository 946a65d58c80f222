// Views and rows of features on the device against the CPU's: to the bit in float.
#include <cstring>

#include "core/features.h"
#include "cuda/kernels/ops.h"
#include "device_array.h"
#include "kernels/augment.h"
#include "support.h"

namespace aclr::cuda {
namespace {

constexpr std::uint64_t kSeed = 0x9abcdef012345678u;
constexpr std::uint32_t kEpoch = 5;

// A recipe as tables in device memory.
template <class T>
class Tables {
 public:
  explicit Tables(const Recipe<T>& recipe) : Tables(flat(recipe)) {}
  DeviceRecipe recipe() {
    DeviceRecipe out{{}, until_, first_step_, steps_, augmentation_, parameters_};
    std::copy(first_scenario_.begin(), first_scenario_.end(), out.first_scenario);
    return out;
  }

 private:
  struct Flat {
    std::vector<int> first_scenario{0};
    std::vector<double> until, parameters;
    std::vector<std::int32_t> first_step, steps, augmentation;
  };
  static Flat flat(const Recipe<T>& recipe) {
    Flat f;
    for (const auto& scenarios : recipe.views) {
      for (const auto& scenario : scenarios) {
        f.until.push_back(scenario.weight);
        f.first_step.push_back(static_cast<std::int32_t>(f.augmentation.size()));
        f.steps.push_back(static_cast<std::int32_t>(scenario.steps.size()));
        for (const RecipeStep<T>& step : scenario.steps) {
          f.augmentation.push_back(step.augmentation);
          f.parameters.insert(f.parameters.end(), step.parameters.begin(), step.parameters.end());
        }
      }
      f.first_scenario.push_back(static_cast<int>(f.until.size()));
    }
    return f;
  }
  explicit Tables(const Flat& f)
      : first_scenario_(f.first_scenario), until_(f.until), parameters_(f.parameters), first_step_(f.first_step),
        steps_(f.steps), augmentation_(f.augmentation) {}

  std::vector<int> first_scenario_;
  DeviceArray<double> until_, parameters_;
  DeviceArray<std::int32_t> first_step_, steps_, augmentation_;
};

// Events with objects of every kind, jets, empty and full ones, and objects of pt 0.
template <class T>
EventColumns<T> odd_events(Random& random, int count) {
  EventColumns<T> events = random_events<T>(random, count);
  for (const int size : {0, kMaxObjects, kMaxObjects - 1, 50}) {
    Event<T> event;
    while (event.size() < size)
      event.add({T(random.uniform(1, 200)), T(random.uniform(-2, 2)), T(random.uniform(-3.14, 3.14)),
                 event.size() == 1 ? Kind::kMet : kVisibleKinds[random.integer(0, 2)]});
    events.append(event);
  }
  for (const int size : {1, 2, 30, kMaxObjects - 1, kMaxObjects}) {
    Event<T> jet;
    while (jet.size() < size)
      jet.add({T(random.uniform(0.1, 200)), T(random.uniform(-0.8, 0.8)), T(random.uniform(-0.8, 0.8)), Kind::kConstituent});
    events.append(jet);
  }
  for (std::size_t o = 0; o < events.pt.size(); o += 11) events.pt[o] = 0;
  return events;
}

std::vector<std::uint32_t> random_ids(Random& random, int count) {
  std::vector<std::uint32_t> ids(count);
  for (std::uint32_t& id : ids) id = static_cast<std::uint32_t>(random.integer(0, 1 << 30));
  return ids;
}

// Objects [events, stride] in device memory.
template <class T>
struct Objects {
  int events, stride;
  DeviceArray<T> pt, eta, phi;
  DeviceArray<std::int32_t> kind, count;

  Objects(int events_, int stride_)
      : events(events_), stride(stride_), pt(places()), eta(places()), phi(places()), kind(places()), count(events_) {}
  std::size_t places() const { return static_cast<std::size_t>(events) * stride; }

  EventColumns<T> get() {
    const auto p = pt.get(), h = eta.get(), f = phi.get();
    const auto k = kind.get(), n = count.get();
    EventColumns<T> out;
    for (int e = 0; e < events; ++e) {
      CHECK(n[e] >= 0 && n[e] <= stride);
      Event<T> event;
      for (std::size_t o = std::size_t(e) * stride; o < std::size_t(e) * stride + n[e]; ++o)
        event.add({p[o], h[o], f[o], static_cast<Kind>(k[o])});
      out.append(event);
    }
    return out;
  }
};

template <class T>
struct OnDevice {
  int events;
  DeviceArray<T> pt, eta, phi;
  DeviceArray<std::uint8_t> kind;
  DeviceArray<std::int32_t> offsets;
  explicit OnDevice(const EventColumns<T>& e)
      : events(e.events()), pt(e.pt), eta(e.eta), phi(e.phi), kind(e.kind), offsets(e.offsets) {}
};

template <class T>
EventColumns<T> device_views(const Recipe<T>& recipe, const EventColumns<T>& events, const std::vector<std::uint32_t>& ids,
                             int first_view, int views, int stride = kMaxObjects) {
  Tables<T> tables(recipe);
  OnDevice<T> in(events);
  DeviceArray<std::uint32_t> keys(ids);
  DeviceArray<StepInput> input(std::vector<StepInput>{{std::uint32_t(kSeed), std::uint32_t(kSeed >> 32), kEpoch, 0}});
  Objects<T> out(views * in.events, stride);
  make_views<T>({in.events, views, first_view, in.pt, in.eta, in.phi, in.kind, in.offsets, keys, tables.recipe(), input,
                 stride, out.pt, out.eta, out.phi, out.kind, out.count},
                nullptr);
  return out.get();
}

template <class T>
EventColumns<T> cpu_views(const Recipe<T>& recipe, const EventColumns<T>& events, const std::vector<std::uint32_t>& ids,
                          int first_view, int views) {
  EventColumns<T> out;
  for (int v = first_view; v < first_view + views; ++v)
    augment<T>(recipe, {v, kSeed, kEpoch}, events, ids.data(), 0, events.events(), out);
  return out;
}

void check_column(const std::vector<float>& got, const std::vector<float>& wanted, const std::string& what) {
  CHECK_FOR(got.size() == wanted.size(), what);
  if (got.size() == wanted.size() && !got.empty())
    CHECK_FOR(std::memcmp(got.data(), wanted.data(), got.size() * sizeof(float)) == 0, what);
}
void check_column(const std::vector<double>& got, const std::vector<double>& wanted, const std::string& what) {
  CHECK_FOR(got.size() == wanted.size(), what);
  for (std::size_t i = 0; i < got.size() && i < wanted.size(); ++i)
    CHECK_NEAR(got[i], wanted[i], 1e-12 * (1 + std::abs(wanted[i])));
}
template <class T>
void check_events(const EventColumns<T>& got, const EventColumns<T>& wanted, const std::string& what) {
  CHECK_FOR(got.offsets == wanted.offsets && got.kind == wanted.kind, what);
  check_column(got.pt, wanted.pt, what);
  check_column(got.eta, wanted.eta, what);
  check_column(got.phi, wanted.phi, what);
}

template <class T>
void check_recipe(const Recipe<T>& recipe, const EventColumns<T>& events, const std::string& what) {
  Random random(9);
  const auto ids = random_ids(random, events.events());
  check_events(device_views<T>(recipe, events, ids, 0, kViews), cpu_views<T>(recipe, events, ids, 0, kViews), what);
}

template <class T>
void check_every_augmentation() {
  Random random(1);
  const auto events = odd_events<T>(random, 60);
  AugmentationList::each([&](int place, auto item) {
    using Item = decltype(item);
    RecipeStep<T> standard = recipe_step<T>(place), low = standard, high = standard;
    for (int p = 0; p < Item::info.parameters; ++p) {
      low.parameters[p] = Item::info.parameter[p].low;
      high.parameters[p] = Item::info.parameter[p].high;
    }
    Recipe<T> recipe;
    recipe.views = {{{{1, {standard}}}, {{1, {low}}}, {{1, {high}}}}};
    recipe.seal();
    const auto ids = random_ids(random, events.events());
    const auto got = device_views<T>(recipe, events, ids, 0, kViews);
    check_events(got, cpu_views<T>(recipe, events, ids, 0, kViews), Item::info.name);
    EventColumns<T> first;
    first.append(got, 0, events.events());
    CHECK_FOR(!(first == events), Item::info.name);  // it does something
  });
}

// ---- features -----------------------------------------------------------------------------------------------------------

template <class T>
struct Rows {
  std::vector<T> x;
  std::vector<std::int32_t> offsets, event;
  TokenCounts counts;
};

template <class T>
Rows<T> cpu_rows(const FeatureConfig& config, const EventColumns<T>& events) {
  Rows<T> rows{{}, {0}, {}, {0, 0}};
  for (int e = 0; e < events.events(); ++e) {
    Event<T> event;
    events.load(e, event);
    std::vector<T> x(static_cast<std::size_t>(kMaxObjects) * config.count);
    const int n = write_features(config, event, x.data());
    rows.x.insert(rows.x.end(), x.begin(), x.begin() + std::ptrdiff_t{n} * config.count);
    rows.offsets.push_back(rows.offsets.back() + n);
    rows.event.insert(rows.event.end(), n, e);
    rows.counts = {rows.counts.tokens + n, std::max(rows.counts.most, n)};
  }
  return rows;
}

template <class T>
Rows<T> device_rows(const FeatureConfig& config, Objects<T>& objects, int batch, int capacity, bool pad) {
  const std::size_t rows = static_cast<std::size_t>(capacity);
  DeviceArray<T> x(std::vector<T>(rows * config.count, T(77)));
  DeviceArray<std::int32_t> offsets(std::size_t(objects.events) + 1), event(std::vector<std::int32_t>(rows, 77));
  DeviceArray<TokenCounts> counts(1);
  const std::size_t bytes = partial_bytes(2);
  DeviceArray<unsigned char> scratch(bytes);
  featurise<T>({objects.events, batch, objects.stride, objects.pt, objects.eta, objects.phi, objects.kind, objects.count,
                FeatureRow<T>(config), capacity, x, offsets, event, counts,
                {scratch.data(), bytes}},
               nullptr);
  if (pad) pad_rows<T>(capacity, config.count, counts, x, event, nullptr);
  scratch.get();
  return {x.get(), offsets.get(), event.get(), counts.get()[0]};
}

template <class T>
void unpack(OnDevice<T>& in, Objects<T>& out) {
  unpack_events<T>(in.events, out.stride, in.pt, in.eta, in.phi, in.kind, in.offsets, out.pt, out.eta, out.phi, out.kind,
                   out.count, nullptr);
}

template <class T>
void check_rows(const FeatureConfig& config, const EventColumns<T>& events, int batch, int spare, const std::string& what) {
  OnDevice<T> in(events);
  Objects<T> objects(in.events, kMaxObjects);
  unpack(in, objects);
  Rows<T> wanted = cpu_rows(config, events);
  const int tokens = wanted.counts.tokens, capacity = std::max(0, tokens + spare);
  const Rows<T> got = device_rows(config, objects, batch, capacity, spare >= 0);
  CHECK_FOR(got.counts.tokens == tokens && got.counts.most == wanted.counts.most, what);
  CHECK_FOR(got.offsets == wanted.offsets, what);
  wanted.x.resize(static_cast<std::size_t>(capacity) * config.count, T(0));
  wanted.event.resize(capacity, 0);
  check_column(got.x, wanted.x, what);
  CHECK_FOR(got.event == wanted.event, what);
}

}  // namespace

TEST(every_augmentation_in_float_to_the_bit) { check_every_augmentation<float>(); }
TEST(every_augmentation_in_double) { check_every_augmentation<double>(); }

TEST(recipes_with_weighted_scenarios) {
  Random random(2);
  check_recipe<float>(standard_recipe<float>(), odd_events<float>(random, 500), "float");
  check_recipe<double>(standard_recipe<double>(), odd_events<double>(random, 200), "double");
}

TEST(a_recipe_without_steps_is_the_event) {
  Random random(3);
  const auto events = odd_events<float>(random, 30);
  check_recipe<float>({}, events, "no recipe");
  Recipe<float> bare;
  for (auto& scenarios : bare.views) scenarios = {{1, {}}, {2, {}}};
  bare.seal();
  check_recipe<float>(bare, events, "no steps");
}

TEST(some_views_of_a_batch) {
  Random random(4);
  const auto events = random_events<float>(random, 70);
  const auto ids = random_ids(random, events.events());
  const auto recipe = standard_recipe<float>();
  for (int first = 0; first < kViews; ++first)
    for (int views = 1; first + views <= kViews; ++views)
      check_events(device_views<float>(recipe, events, ids, first, views, 40),
                   cpu_views<float>(recipe, events, ids, first, views), "views from " + std::to_string(first));
}

TEST(the_order_of_a_batch_does_not_matter) {
  Random random(5);
  const auto events = odd_events<float>(random, 100);
  const auto ids = random_ids(random, events.events());
  const auto recipe = standard_recipe<float>();
  const auto order = random_order(random, events.events());
  std::vector<std::uint32_t> moved;
  for (const int i : order) moved.push_back(ids[i]);
  const auto all = device_views<float>(recipe, events, ids, 2, 1);
  check_events(device_views<float>(recipe, take(events, order), moved, 2, 1), take(all, order), "another order");
}

TEST(nothing_at_all) {
  const EventColumns<float> none;
  check_recipe<float>(standard_recipe<float>(), none, "no events");
  check_rows<float>({}, none, 1, 3, "no events");
  EventColumns<float> empty;
  for (int i = 0; i < 5; ++i) empty.append(Event<float>());
  check_rows<float>({}, empty, 5, 2, "empty events");
}

TEST(rows_of_features_to_the_bit) {
  Random random(6);
  for (const int count : {1, 9, 300, 6000})
    for (const int features : {7, 8})
      for (const PtFeature pt : {PtFeature::kLinear, PtFeature::kLog})
        check_rows<float>({features, pt, 37.5}, odd_events<float>(random, count), count, 70,
                          std::to_string(count) + " events");
  check_rows<double>({8, PtFeature::kLog, 40}, odd_events<double>(random, 300), 100, 1, "double");
  check_rows<double>({7, PtFeature::kLinear, 40}, odd_events<double>(random, 300), 100, 0, "double");
  check_rows<float>({7, PtFeature::kLog, 40, 0.4, 0.3}, odd_events<float>(random, 300), 100, 0, "scales of jets");
}

TEST(rows_that_do_not_fit_are_counted_but_not_written) {
  Random random(7);
  const auto events = odd_events<float>(random, 400);
  for (const int missing : {1, 100, 1 << 20})
    check_rows<float>({}, events, 400, -missing, std::to_string(missing) + " missing");
}

TEST(views_become_rows) {
  Random random(8);
  const auto events = odd_events<float>(random, 200);
  const auto ids = random_ids(random, events.events());
  const auto recipe = standard_recipe<float>();
  check_rows<float>({}, device_views<float>(recipe, events, ids, 0, kViews), events.events(), 16, "three views");
  check_rows<float>({}, cpu_views<float>(recipe, events, ids, 0, kViews), events.events(), 16, "three views");
}

TEST(objects_that_find_no_place_are_left_out) {
  Random random(10);
  const auto events = odd_events<float>(random, 20);
  OnDevice<float> in(events);
  Objects<float> out(in.events, 6);
  unpack(in, out);
  EventColumns<float> wanted;
  for (int e = 0; e < events.events(); ++e) {
    Event<float> event, cut;
    events.load(e, event);
    for (int o = 0; o < std::min(6, event.size()); ++o) cut.add(event[o]);
    wanted.append(cut);
  }
  check_events(out.get(), wanted, "six places");
}

}  // namespace aclr::cuda
