#define ACLR_TARGET portable
#include "kernels/augment_loops.h"

namespace aclr {
extern const AugmentTable<float> portable_augment_f32 = portable::make_augment_table<float>("portable", AugmentationList{});
extern const AugmentTable<double> portable_augment_f64 = portable::make_augment_table<double>("portable", AugmentationList{});
}  // namespace aclr
