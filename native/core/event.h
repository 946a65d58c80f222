// One event while it is worked on, and a ragged set of events at rest.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/host_device.h"
#include "core/rng.h"

namespace aclr {

enum class Kind : std::uint8_t { kEmpty = 0, kMet = 1, kElectron = 2, kMuon = 3, kJet = 4 };
inline constexpr Kind kVisibleKinds[] = {Kind::kElectron, Kind::kMuon, Kind::kJet};

// The most objects that an event may have: room for what augmentations add to the 19 of ADC2021.
inline constexpr int kMaxObjects = 64;

// How many of a kind ADC2021 keeps, and its selection: GeV and |eta|.
ACLR_HD constexpr int capacity(Kind kind) { return kind == Kind::kMet ? 1 : kind == Kind::kJet ? 10 : 4; }
ACLR_HD constexpr double min_pt(Kind kind) { return kind == Kind::kJet ? 15.0 : kind == Kind::kMet ? 0.0 : 3.0; }
ACLR_HD constexpr double max_abs_eta(Kind kind) {
  return kind == Kind::kElectron ? 3.0 : kind == Kind::kMuon ? 2.1 : 4.0;
}

// pt in GeV, phi in rad on [-pi, pi].
template <class T>
struct Object {
  T pt, eta, phi;
  Kind kind;
};

// Back into [-pi, pi]. One turn is enough but for the widest smearing.
template <class T>
ACLR_HD T wrap_phi(T phi) {
  if (phi > T(kPi)) phi -= T(2 * kPi);
  else if (phi < T(-kPi)) phi += T(2 * kPi);
  return std::abs(phi) <= T(kPi) ? phi : std::remainder(phi, T(2 * kPi));
}

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

  ACLR_HD int count(Kind kind) const {
    int n = 0;
    for (const Object<T>& o : *this) n += o.kind == kind;
    return n;
  }
  // How many more of a kind the event can hold.
  ACLR_HD int room(Kind kind) const {
    const int n = capacity(kind) - count(kind), places = kMaxObjects - size_;
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
  template <class Predicate>
  ACLR_HD void remove_if(Predicate&& drop) {
    int kept = 0;
    for (int i = 0; i < size_; ++i)
      if (!drop(objects_[i])) objects_[kept++] = objects_[i];
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
};

}  // namespace aclr
