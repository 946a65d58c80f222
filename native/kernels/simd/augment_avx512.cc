#define ACLR_TARGET avx512
#include "kernels/augment_loops.h"

namespace aclr {
extern const AugmentTable<float> avx512_augment_f32 = avx512::make_augment_table<float>("avx512", AugmentationList{});
}  // namespace aclr
