// The views of a batch as rows of features, made in tasks of some events each, which may run among other work.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "augment/recipe.h"
#include "kernels/augment.h"
#include "model/encoder.h"

namespace aclr {

// The events of one batch, and the key of each: its place in the training sample.
template <class T>
struct TrainBatch {
  EventColumns<T> events;
  std::vector<std::uint32_t> ids;
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  // Of a rank's share: how many events stand before it in the batch of all ranks, and how many that has. 0, 0 of one rank.
  std::int32_t first = 0, total = 0;

  bool operator==(const TrainBatch& other) const = default;
};

template <class T>
using ViewRows = std::array<TokenRows<T>, kViews>;

template <class T>
class ViewMaker {
 public:
  // What run() will make. `recipe` and `batch` must outlive it.
  void begin(const FeatureConfig& features, const Recipe<T>& recipe, int views, const TrainBatch<T>& batch) {
    features_ = features;
    recipe_ = &recipe;
    batch_ = &batch;
    views_ = views;
    chunks_ = (batch.events.events() + kChunk - 1) / kChunk;
    if (pieces_.size() < static_cast<std::size_t>(tasks())) pieces_.resize(tasks());
  }
  int tasks() const { return views_ * chunks_; }

  void run(int task) {
    const int view = task / chunks_, first = (task % chunks_) * kChunk;
    const int last = std::min(batch_->events.events(), first + kChunk);
    Piece& piece = pieces_[task];
    piece.events.clear();
    augment<T>(*recipe_, {view, batch_->seed, batch_->epoch}, batch_->events, batch_->ids.data(), first, last - first,
               piece.events);
    piece.lengths.clear();
    piece.x.need(piece.events.pt.size() * features_.count);
    piece.tokens = 0;
    for (int i = 0; i < last - first; ++i) {
      Event<T> event;
      piece.events.load(i, event);
      const int rows = write_features(features_, event, piece.x.data() + std::size_t(piece.tokens) * features_.count);
      piece.lengths.push_back(rows);
      piece.tokens += rows;
    }
  }

  // Puts the pieces together, once all tasks are done.
  void finish(ViewRows<T>& rows) {
    for (int v = 0; v < views_; ++v) {
      TokenRows<T>& out = rows[v];
      out.x.clear();
      out.offsets.assign(1, 0);
      out.ids = batch_->ids;
      for (int c = 0; c < chunks_; ++c) {
        const Piece& piece = pieces_[v * chunks_ + c];
        out.x.insert(out.x.end(), piece.x.data(), piece.x.data() + std::size_t(piece.tokens) * features_.count);
        for (const int n : piece.lengths) out.offsets.push_back(out.offsets.back() + n);
      }
    }
  }

 private:
  static constexpr int kChunk = 128;
  struct Piece {
    EventColumns<T> events;
    Buffer<T> x;
    std::vector<int> lengths;
    int tokens = 0;
  };
  FeatureConfig features_;
  const Recipe<T>* recipe_ = nullptr;
  const TrainBatch<T>* batch_ = nullptr;
  int views_ = 0, chunks_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace aclr
