// From events to rows of features, with the draws and, in float, the bits of the CPU: the headers of augment/ and
// core/features.h do the work. Compiled without fusing products and sums, as those are there.
#include "augment/list.h"
#include "core/event.h"
#include "core/features.h"
#include "core/rng.h"
#include "cuda/kernels/ops.h"
#include "cuda/launch.h"

namespace aclr::cuda {
namespace {

// Few events are far fewer threads than a device holds: small blocks spread over all of it.
constexpr int kViewThreads = 64;
constexpr int kRowThreads = 256, kRowWarps = kRowThreads / kWarp;

template <class R>
__device__ void apply_step(int augmentation, Event<R>& event, const double* parameters, Draws<R>& draws) {
  AugmentationList::each([&](int i, auto item) {
    if (i == augmentation) decltype(item)::template apply<R>(event, parameters, draws);
  });
}

// As Recipe::apply of augment/recipe.h.
template <class R>
__device__ void apply_recipe(const DeviceRecipe& recipe, int view, const StepInput& input, std::uint32_t id,
                             Event<R>& event) {
  const int first = recipe.first_scenario[view], scenarios = recipe.first_scenario[view + 1] - first;
  if (scenarios == 0) return;
  const std::uint64_t seed = std::uint64_t{input.key1} << 32 | input.key0;
  const auto stream = [view](int step) {
    return stream_id(Purpose::kAugment, static_cast<std::uint32_t>(view), static_cast<std::uint32_t>(step));
  };
  int chosen = first;
  if (scenarios > 1) {
    const double unit = Draws<double>(seed, input.epoch, id, stream(0)).unit();
    for (int s = first; s < first + scenarios; ++s) chosen += recipe.until[s] < unit;
  }
  for (int k = 0; k < recipe.steps[chosen]; ++k) {
    const int step = recipe.first_step[chosen] + k;
    Draws<R> draws(seed, input.epoch, id, stream(k + 1));
    apply_step(recipe.augmentation[step], event, recipe.parameters + step * kMaxParameters, draws);
  }
}

template <class R>
__global__ void __launch_bounds__(kViewThreads, 8) views_kernel(const Views<R> a) {
  const int number = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (number >= a.views * a.batch) return;
  const int view = number / a.batch, i = number - view * a.batch;
  Event<R> event;
  for (int o = a.offsets[i]; o < a.offsets[i + 1]; ++o)
    event.add({a.pt[o], a.eta[o], a.phi[o], static_cast<Kind>(a.kind[o])});
  apply_recipe(a.recipe, a.first_view + view, *a.input, a.ids[i], event);

  const int size = event.size() < a.stride ? event.size() : a.stride;
  const std::ptrdiff_t at = std::ptrdiff_t{number} * a.stride;
  for (int o = 0; o < size; ++o) {
    a.out_pt[at + o] = event[o].pt;
    a.out_eta[at + o] = event[o].eta;
    a.out_phi[at + o] = event[o].phi;
    a.out_kind[at + o] = static_cast<std::int32_t>(event[o].kind);
  }
  a.objects[number] = size;
}

// A warp an event.
template <class R>
__global__ void unpack_kernel(int events, int stride, const R* pt, const R* eta, const R* phi, const std::uint8_t* kind,
                              const std::int32_t* offsets, R* out_pt, R* out_eta, R* out_phi, std::int32_t* out_kind,
                              std::int32_t* objects) {
  const int e = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) / kWarp), lane = threadIdx.x % kWarp;
  if (e >= events) return;
  const int first = offsets[e], there = offsets[e + 1] - first, size = there < stride ? there : stride;
  const std::ptrdiff_t at = std::ptrdiff_t{e} * stride;
  for (int o = lane; o < size; o += kWarp) {
    out_pt[at + o] = pt[first + o];
    out_eta[at + o] = eta[first + o];
    out_phi[at + o] = phi[first + o];
    out_kind[at + o] = kind[first + o];
  }
  if (lane == 0) objects[e] = size;
}

// ---- rows: two launches, in which a block has the same events, one after another ----------------------------------------

struct Chunk {
  int first, last;

  __device__ Chunk(int events) {
    const int size = ceil_div(events, static_cast<int>(gridDim.x)), begin = static_cast<int>(blockIdx.x) * size;
    first = begin < events ? begin : events;
    last = events - first < size ? events : first + size;
  }
};

// Bits of the places, from `place` on, whose objects make a row; the whole warp calls it.
template <class R>
__device__ inline unsigned rows_among(const Featurise<R>& a, int e, int place, int lane) {
  const int o = place + lane;
  const bool there = o < a.objects[e];
  const R pt = there ? a.pt[std::ptrdiff_t{e} * a.stride + o] : R(0);
  return __ballot_sync(kAllLanes, FeatureRow<R>::has({pt, 0, 0, Kind::kEmpty}));
}

// offsets[e + 1] = tokens of e; partial[block] = those of its events.
template <class R>
__global__ void __launch_bounds__(kRowThreads) count_kernel(const Featurise<R> a, TokenCounts* partial) {
  __shared__ TokenCounts of_warp[kRowWarps];
  const Chunk chunk(a.events);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  TokenCounts all{0, 0};
  for (int e = chunk.first + warp; e < chunk.last; e += kRowWarps) {
    int n = 0;
    for (int place = 0; place < a.stride; place += kWarp) n += __popc(rows_among(a, e, place, lane));
    if (lane == 0) a.offsets[e + 1] = n;
    all = {all.tokens + n, n > all.most ? n : all.most};
  }
  if (lane == 0) of_warp[warp] = all;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < kRowWarps; ++w)
    all = {all.tokens + of_warp[w].tokens, of_warp[w].most > all.most ? of_warp[w].most : all.most};
  partial[blockIdx.x] = all;
}

// Sums of x over the threads up to this one; the whole block calls it. `of_warp` [kRowWarps] is free again afterwards.
__device__ inline int running_sum(int x, int* of_warp, int& total) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int step = 1; step < kWarp; step *= 2) {
    const int before = __shfl_up_sync(kAllLanes, x, step);
    if (lane >= step) x += before;
  }
  if (lane == kWarp - 1) of_warp[warp] = x;
  __syncthreads();
  total = 0;
  for (int w = 0; w < kRowWarps; ++w) {
    if (w == warp) x += total;
    total += of_warp[w];
  }
  __syncthreads();
  return x;
}

// What all blocks before this one have counted; the first block says what there is in all.
template <class R>
__device__ inline int tokens_before(const Featurise<R>& a, const TokenCounts* partial, int* of_warp) {
  const int blocks = static_cast<int>(gridDim.x), mine = static_cast<int>(blockIdx.x);
  int sum = 0;
  for (int b = static_cast<int>(threadIdx.x); b < mine; b += kRowThreads) sum += partial[b].tokens;
  int total;
  running_sum(sum, of_warp, total);
  if (mine == 0 && threadIdx.x == 0) {
    TokenCounts all{0, 0};
    for (int b = 0; b < blocks; ++b)
      all = {all.tokens + partial[b].tokens, partial[b].most > all.most ? partial[b].most : all.most};
    *a.counts = all;
    a.offsets[0] = 0;
  }
  return total;
}

// Three blocks: for more of them the compiler spills.
template <class R>
__global__ void __launch_bounds__(kRowThreads, 3) rows_kernel(const Featurise<R> a, const TokenCounts* partial) {
  __shared__ int of_warp[kRowWarps];
  const Chunk chunk(a.events);
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  int before = tokens_before(a, partial, of_warp);
  for (int first = chunk.first; first < chunk.last; first += kRowThreads) {
    const int mine = first + static_cast<int>(threadIdx.x);
    const int n = mine < chunk.last ? a.offsets[mine + 1] : 0;
    int total;
    const int end = before + running_sum(n, of_warp, total);
    if (mine < chunk.last) a.offsets[mine + 1] = end;
    // each warp goes on with the events whose offsets its own lanes hold
    for (int l = 0; l < kWarp; ++l) {
      const int e = first + warp * kWarp + l;
      if (e >= chunk.last) break;
      int at = __shfl_sync(kAllLanes, end - n, l);
      for (int place = 0; place < a.objects[e]; place += kWarp) {
        const unsigned rows = rows_among(a, e, place, lane);
        const int r = at + __popc(rows & ((1u << lane) - 1));
        at += __popc(rows);
        if (!(rows >> lane & 1) || r >= a.capacity) continue;
        const std::ptrdiff_t o = std::ptrdiff_t{e} * a.stride + place + lane;
        a.row.write({a.pt[o], a.eta[o], a.phi[o], static_cast<Kind>(a.kind[o])}, a.x + std::ptrdiff_t{r} * a.row.count());
        a.event[r] = e;
      }
    }
    before += total;
  }
}

template <class R>
__global__ void pad_kernel(int capacity, int features, const TokenCounts* counts, R* x, std::int32_t* event) {
  const std::ptrdiff_t step = std::ptrdiff_t{gridDim.x} * blockDim.x, begin = counts->tokens;
  const std::ptrdiff_t mine = std::ptrdiff_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (std::ptrdiff_t i = begin * features + mine; i < std::ptrdiff_t{capacity} * features; i += step) x[i] = 0;
  for (std::ptrdiff_t i = begin + mine; i < capacity; i += step) event[i] = 0;
}

}  // namespace

template <class R>
void make_views(const Views<R>& op, cudaStream_t stream) {
  launch("views", views_kernel<R>, dim3(static_cast<unsigned>(ceil_div(op.views * op.batch, kViewThreads))), kViewThreads, 0,
         stream, op);
}

template <class R>
void featurise(const Featurise<R>& op, cudaStream_t stream) {
  static_assert(kPartials * sizeof(TokenCounts) <= partial_bytes(1));
  const int wanted = ceil_div(op.events, kRowWarps), most = wanted < kPartials ? wanted : kPartials;
  const dim3 blocks(static_cast<unsigned>(most > 0 ? most : 1));
  TokenCounts* partial = static_cast<TokenCounts*>(op.scratch.data);
  launch("token counts", count_kernel<R>, blocks, kRowThreads, 0, stream, op, partial);
  launch("rows of features", rows_kernel<R>, blocks, kRowThreads, 0, stream, op, partial);
}

template <class R>
void pad_rows(int capacity, int features, const TokenCounts* counts, R* x, std::int32_t* event, cudaStream_t stream) {
  const long long wanted = ceil_div(static_cast<long long>(capacity) * features, 4ll * kRowThreads);
  launch("rows behind the last", pad_kernel<R>, dim3(static_cast<unsigned>(wanted < kPartials ? wanted : kPartials)),
         kRowThreads, 0, stream, capacity, features, counts, x, event);
}

template <class R>
void unpack_events(int events, int stride, const R* pt, const R* eta, const R* phi, const std::uint8_t* kind,
                   const std::int32_t* offsets, R* out_pt, R* out_eta, R* out_phi, std::int32_t* out_kind,
                   std::int32_t* objects, cudaStream_t stream) {
  const dim3 blocks(static_cast<unsigned>(ceil_div(events, kRowWarps)));
  launch("events as objects", unpack_kernel<R>, blocks, kRowThreads, 0, stream, events, stride, pt, eta, phi, kind, offsets,
         out_pt, out_eta, out_phi, out_kind, objects);
}

#define ACLR_INSTANTIATE(R)                                                                                               \
  template void make_views<R>(const Views<R>&, cudaStream_t);                                                             \
  template void featurise<R>(const Featurise<R>&, cudaStream_t);                                                          \
  template void pad_rows<R>(int, int, const TokenCounts*, R*, std::int32_t*, cudaStream_t);                               \
  template void unpack_events<R>(int, int, const R*, const R*, const R*, const std::uint8_t*, const std::int32_t*, R*,    \
                                 R*, R*, std::int32_t*, std::int32_t*, cudaStream_t);
ACLR_INSTANTIATE(float)
ACLR_INSTANTIATE(double)
#undef ACLR_INSTANTIATE

}  // namespace aclr::cuda
