// What crosses the library's edge is looked at before anything is made of it: lengths and places, as the other side may be
// of another mind.
#pragma once
#include <string>

#include "kernels/device.h"

namespace aclr::cuda {

struct Invalid {
  std::string what;
};

void check_encoder(const device::Encoder& encoder);
void check_trainer(const device::TrainerConfig& config);
void check_autoencoder(const device::AutoencoderConfig& config);
void check_scorer(const device::ScorerConfig& config);
void check_recipe(const device::Recipe& recipe);
void check_events(const device::Events& events);
// A batch of this rank of so many.
void check_batch(const device::Batch& batch, int rank, int ranks);
void check_tokens(const device::Tokens& tokens);
void check_rows(std::int32_t rows);
void check_precision(device::Precision precision);

}  // namespace aclr::cuda
