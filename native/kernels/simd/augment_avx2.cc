#define ACLR_TARGET avx2
#include "kernels/augment_loops.h"

namespace aclr {
extern const AugmentTable<float> avx2_augment_f32 = avx2::make_augment_table<float>("avx2", AugmentationList{});
}  // namespace aclr
