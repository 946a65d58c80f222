// Chooses the table of kernels. Built without wide-vector flags: nothing here may need what it looks for.
#include <cstdlib>
#include <string>

#include "kernels/amx_available.h"
#include "kernels/targets.h"

namespace aclr {
namespace {

struct Target {
  const char* name;
  bool supported;
  const Ops<float>* f32;
  const Ops<double>* f64;
  const Ops<float>* bf16;
};

struct Choice {
  Target chosen{"portable", true, &portable_f32, &portable_f64, &portable_bf16};
  std::string error, available, features;

  Choice() {
#if defined(ACLR_X86)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    // these two differ from avx512 in products of bf16 alone
    const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
    const Target targets[] = {
#if defined(ACLR_AMX)
        {"amx", bf16 && amx_available(), &avx512_f32, &avx512_f64, &amx_bf16},
#endif
        {"avx512bf16", bf16, &avx512_f32, &avx512_f64, &avx512bf16_bf16},
        {"avx512", avx512, &avx512_f32, &avx512_f64, &avx512_bf16},
        {"avx2", avx2, &avx2_f32, &avx2_f64, &avx2_bf16},
        chosen};
    if (avx2) features += "avx2 fma ";
    if (avx512) features += "avx512f avx512bw avx512dq avx512vl ";
    if (__builtin_cpu_supports("avx512bf16")) features += "avx512bf16 ";
    if (amx_available()) features += "amx_bf16 ";
    if (__builtin_cpu_supports("avx512vnni")) features += "avx512vnni ";
#elif defined(ACLR_ARM64)
    const Target targets[] = {{"neon", true, &neon_f32, &neon_f64, &neon_bf16}, chosen};
    features += "neon ";
#else
    const Target targets[] = {chosen};
#endif
    const char* variable = std::getenv("ANOMALYCLR_TARGET");
    const std::string wanted = variable ? variable : "";
    bool found = false;
    for (const Target& target : targets) {
      if (!target.supported) continue;
      available += std::string(available.empty() ? "" : " ") + target.name;
      if (found || !(wanted.empty() || wanted == target.name)) continue;
      chosen = target;
      found = true;
    }
    if (!found)
      error = "ANOMALYCLR_TARGET=" + wanted + ": this machine can run " + available + "; unset it or name one of these";
    if (!features.empty()) features.pop_back();
  }
};

const Choice& choice() {
  static const Choice made;
  return made;
}

}  // namespace

template <>
const Ops<float>& ops<float>(Products products) {
  return products == Products::kBf16 ? *choice().chosen.bf16 : *choice().chosen.f32;
}
template <>
const Ops<double>& ops<double>(Products) {
  return *choice().chosen.f64;
}
const char* target_error() { return choice().error.empty() ? nullptr : choice().error.c_str(); }
const char* target_name() { return choice().chosen.name; }
const char* available_targets() { return choice().available.c_str(); }
const char* cpu_features() { return choice().features.c_str(); }

}  // namespace aclr
