// One event while it is worked on, and a ragged set of events at rest.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/host_device.h"
#include "core/math.h"
#include "core/rng.h"

namespace aclr {

// As wide as a float, so that vector loops need no conversion.
// kConstituent is one of a jet's own: pt in GeV, eta and phi relative to the jet's axis. Such an event is a jet, and has no
// objects of another kind.
enum class Kind : std::int32_t { kEmpty = 0, kMet = 1, kElectron = 2, kMuon = 3, kJet = 4, kConstituent = 5 };
inline constexpr int kKinds = 5;  // codes 1 .. kKinds
inline constexpr Kind kVisibleKinds[] = {Kind::kElectron, Kind::kMuon, Kind::kJet};
// The k-th of them, on a device too.
ACLR_HD constexpr Kind visible_kind(int k) { return static_cast<Kind>(static_cast<int>(Kind::kElectron) + k); }
static_assert(visible_kind(1) == kVisibleKinds[1] && visible_kind(2) == kVisibleKinds[2]);

// The most objects that an event may have: room for what augmentations add to the 19 of ADC2021.
inline constexpr int kMaxObjects = 64;

// How many of a kind ADC2021 keeps, and its selection: GeV and |eta|. Constituents have no limits but the room of an event;
// their eta never nears the widest.
ACLR_HD constexpr int capacity(Kind kind) {
  return kind == Kind::kMet ? 1 : kind == Kind::kJet ? 10 : kind == Kind::kConstituent ? kMaxObjects : 4;
}
ACLR_HD constexpr double min_pt(Kind kind) {
  return kind == Kind::kJet ? 15.0 : kind == Kind::kMet || kind == Kind::kConstituent ? 0.0 : 3.0;
}
template <class T = double>
ACLR_LANE constexpr T max_abs_eta(Kind kind) {
  return math::select(kind == Kind::kElectron, T(3.0), math::select(kind == Kind::kMuon, T(2.1), T(4.0)));
}

// pt in GeV, phi in rad on [-pi, pi].
template <class T>
struct Object {
  T pt, eta, phi;
  Kind kind;
};

template <class T>
class Event {
 public:
  ACLR_HD int size() const { return size_; }
  ACLR_HD Object<T>* begin() { return objects_; }
  ACLR_HD Object<T>* end() { return objects_ + size_; }
  ACLR_HD const Object<T>* begin() const { return objects_; }
  ACLR_HD const Object<T>* end() const { return objects_ + size_; }
  ACLR_HD Object<T>& operator[](int i) { return objects_[i]; }
  ACLR_HD void clear() { size_ = 0; }

  // How many objects of each kind there are.
  struct Counts {
    int of[kKinds + 1] = {};
    ACLR_HD int operator[](Kind kind) const { return of[static_cast<int>(kind)]; }
  };
  ACLR_HD Counts counts() const {
    Counts counts;
    for (const Object<T>& o : *this) ++counts.of[static_cast<int>(o.kind)];
    return counts;
  }
  // How many more of a kind the event can hold.
  ACLR_HD int room(Kind kind) const {
    const int n = capacity(kind) - counts()[kind], places = kMaxObjects - size_;
    return n < 0 ? 0 : n < places ? n : places;
  }
  ACLR_HD Object<T>* met() {
    for (Object<T>& o : *this)
      if (o.kind == Kind::kMet) return &o;
    return nullptr;
  }
  // Largest pt of all objects, MET included; 0 without objects.
  ACLR_HD T largest_pt() const {
    T largest = 0;
    for (const Object<T>& o : *this) largest = o.pt > largest ? o.pt : largest;
    return largest;
  }
  // False where there is no place left.
  ACLR_HD bool add(const Object<T>& object) {
    if (size_ >= kMaxObjects) return false;
    objects_[size_++] = object;
    return true;
  }
  // Calls keep(object) for each in turn, which may change it, and drops those for which it says false.
  template <class Keep>
  ACLR_HD void keep_if(Keep&& keep) {
    int kept = 0;
    for (int i = 0; i < size_; ++i)
      if (keep(objects_[i])) objects_[kept++] = objects_[i];
    size_ = kept;
  }

 private:
  int size_ = 0;
  Object<T> objects_[kMaxObjects];
};

// Events as columns over all objects; objects of event i are offsets[i] .. offsets[i+1]-1.
template <class T>
struct EventColumns {
  std::vector<T> pt, eta, phi;
  std::vector<std::uint8_t> kind;
  std::vector<std::int32_t> offsets{0};

  bool operator==(const EventColumns& other) const = default;
  int events() const { return static_cast<int>(offsets.size()) - 1; }
  void clear() {
    for (std::vector<T>* column : {&pt, &eta, &phi}) column->clear();
    kind.clear();
    offsets.assign(1, 0);
  }
  // Room for so many more.
  void reserve(std::size_t more_events, std::size_t more_objects) {
    for (std::vector<T>* column : {&pt, &eta, &phi}) column->reserve(column->size() + more_objects);
    kind.reserve(kind.size() + more_objects);
    offsets.reserve(offsets.size() + more_events);
  }
  void load(int i, Event<T>& event) const {
    event.clear();
    for (int o = offsets[i]; o < offsets[i + 1]; ++o)
      event.add({pt[o], eta[o], phi[o], static_cast<Kind>(kind[o])});
  }
  void append(const Event<T>& event) {
    for (const Object<T>& o : event) {
      pt.push_back(o.pt);
      eta.push_back(o.eta);
      phi.push_back(o.phi);
      kind.push_back(static_cast<std::uint8_t>(o.kind));
    }
    offsets.push_back(static_cast<std::int32_t>(pt.size()));
  }
  // Adds the events first .. last-1 of `from`, another set.
  void append(const EventColumns& from, int first, int last) {
    const std::int32_t shift = static_cast<std::int32_t>(pt.size()) - from.offsets[first];
    const auto add = [begin = from.offsets[first], end = from.offsets[last]](auto& to, const auto& column) {
      to.insert(to.end(), column.begin() + begin, column.begin() + end);
    };
    add(pt, from.pt);
    add(eta, from.eta);
    add(phi, from.phi);
    add(kind, from.kind);
    for (int i = first; i < last; ++i) offsets.push_back(shift + from.offsets[i + 1]);
  }
};

}  // namespace aclr
