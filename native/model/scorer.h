// Events to anomaly scores: encoder, representation, preparation, detector, a block of events at a time, so that what
// a block needs stays in a core's cache and memory does not grow with the batch. A row's score depends on its event
// alone: any batch and any count of threads give the same bits.
#pragma once
#include <functional>
#include <optional>

#include "core/event.h"
#include "core/leases.h"
#include "core/sums.h"
#include "model/encoder.h"
#include "model/perceptron.h"
#include "model/preparation.h"

namespace aclr {

// What a detector adds up: (f - mean) / deviation of the network's score of a prepared row, or of its logarithm.
struct MemberConfig {
  PerceptronConfig network;
  bool logarithm = false;  // f = log(score), of an autoencoder's mean squared error
  double mean = 0, deviation = 1;

  Status check() const;
  // Whether f is the score as it is.
  bool plain() const { return !logarithm && mean == 0 && deviation == 1; }
};

struct ScorerConfig {
  std::optional<EncoderConfig> encoder;  // without one, rows of numbers take the place of events
  Products products = Products::kExact;  // the encoder's
  int from = 0, to = 0;                  // which columns of the encoder's representations (rep_row) are read
  std::vector<Kind> sums;                // kinds whose sums (core/sums.h) are read behind these
  PreparationConfig preparation;
  std::vector<MemberConfig> members;

  Status check() const;
};

template <class T>
class Scorer {
 public:
  // Weights in the layouts of Encoder (all head layers; empty without an encoder) and of each member's Perceptron.
  Scorer(const ScorerConfig& config, std::vector<T> encoder_weights, std::vector<std::vector<T>> member_weights);

  // Numbers of a row: those of representation and sums, or those that score_rows reads.
  int inputs() const { return preparation_.inputs(); }

  // All on the pool; without one, and for few events, on the calling thread.
  // score [events]: the sum of the members on each prepared row.
  void score(ThreadPool* pool, const EventColumns<T>& events, T* score);
  // The rows that score() prepares: out [events, inputs].
  void embed(ThreadPool* pool, const EventColumns<T>& events, T* out);
  // Without an encoder: x [rows, inputs] -> score [rows].
  void score_rows(ThreadPool* pool, const T* x, int rows, T* score);

 private:
  struct Workspace {
    TokenRows<T> tokens;
    EncoderTape<T> tape;
    EncoderScratch<T> scratch;
    Buffer<T> joined, centred, prepared, of_member;
    Buffer<double> sums;
    typename Perceptron<T>::Tape tape_of_member;
  };
  // Rows `inputs` long, `row` apart.
  struct Rows {
    const T* x;
    std::ptrdiff_t row;
  };

  // Calls body(first, last, workspace) for every block of [0, count); next(i) is the end of the block that begins at i.
  void each_block(ThreadPool* pool, int count, const std::function<int(int)>& next,
                  const std::function<void(int, int, Workspace&)>& body);
  void on_events(ThreadPool* pool, const EventColumns<T>& events, const std::function<void(int, int, Rows, Workspace&)>& use);
  Rows encode(const EventColumns<T>& events, int first, int last, Workspace& work) const;
  void detect(Rows rows, int count, Workspace& work, T* score) const;

  std::optional<Encoder<T>> encoder_;
  int from_, width_, levels_ = 0;
  std::vector<Kind> sums_;
  std::vector<T> encoder_weights_;
  Preparation<T> preparation_;
  struct Member {
    Perceptron<T> network;
    std::vector<T> weights;
    MemberConfig config;
  };
  std::vector<Member> members_;
  Leases<Workspace> workspaces_;
};

}  // namespace aclr
