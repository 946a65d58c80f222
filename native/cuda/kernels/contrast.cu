// Contrastive losses on the device, for any number of events and any width: what model/contrast.cc does, in four passes. The
// passes over all pairs are plain tiles here; contrast_mma.cu has those of bf16 on tensor cores.
#include "loss/list.h"

#include <cmath>

#include "cuda/kernels/contrast_parts.h"

namespace aclr::cuda {
namespace {

constexpr int kTile = kContrastTile, kDepth = 32, kThreads = 256;
constexpr int kEach = 4;  // a thread of the 16 x 16 has kEach x kEach entries of a tile, 16 apart
constexpr int kRowWarps = 8;
constexpr int kMostSplits = kWarp;  // a lane combines one each
constexpr int kWanted = 512;        // blocks that keep the largest device busy

template <class R>
__device__ R warp_sum(R x) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) x += __shfl_xor_sync(kAllLanes, x, apart);
  return x;
}
// A NaN is passed over.
template <class R>
__device__ R larger(R a, R b) {
  return b > a ? b : a;
}
template <class R>
__device__ R warp_max(R x) {
  for (int apart = kWarp / 2; apart > 0; apart /= 2) x = larger(x, __shfl_xor_sync(kAllLanes, x, apart));
  return x;
}

// ---- units -------------------------------------------------------------------------------------------------------------

// Rows that this rank needs: own ones alone where no view meets others. Row i of those as a row of z, view by view.
template <class S>
__host__ __device__ int unrows(const Contrast<S>& c) {
  return c.denominator == Denominator::kNone ? c.views * c.count : 2 * c.total + (c.views - 2) * c.count;
}
template <class S>
__device__ int unit_row_of(const Contrast<S>& c, int i) {
  if (c.denominator == Denominator::kNone) return i / c.count * c.total + c.first + i % c.count;
  return i < 2 * c.total ? i : i + c.first;
}

// u = x/|x| with the norm taken over the largest entry, a warp a row.
template <class S>
__global__ void __launch_bounds__(kRowWarps* kWarp) units_kernel(Contrast<S> c) {
  using R = Real<S>;
  const int i = blockIdx.x * kRowWarps + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (i >= unrows(c)) return;
  const std::size_t row = unit_row_of(c, i);
  const int padded = Contrast<S>::padded(c.d);
  const R* x = c.z + row * c.d;
  S* u = c.unit + row * padded;
  R largest = 0, square = 0;
  for (int k = lane; k < c.d; k += kWarp) largest = larger(largest, std::abs(x[k]));
  largest = warp_max(largest);
  const bool direction = largest > 0 && largest < R(INFINITY);
  if (direction)
    for (int k = lane; k < c.d; k += kWarp) square += (x[k] / largest) * (x[k] / largest);
  const R root = std::sqrt(warp_sum(square));
  for (int k = lane; k < padded; k += kWarp) {
    R value = 0;
    if (k < c.d) {
      if (direction) value = x[k] / largest / root;
      // a zero row has no direction; one that is not finite stays so, for the caller to see
      else value = largest > 0 ? R(NAN) : x[k] == x[k] ? R(0) : x[k];
    }
    u[k] = stored<S>(value);
  }
  if (lane == 0) c.norm[row] = direction ? largest * root : R(0);
}

// A unit row in Real: rows of bf16 are divided anew, so that what goes event by event is as good as with float.
template <class S>
class UnitRow {
 public:
  __device__ UnitRow(const Contrast<S>& c, int view, int i) {
    const std::size_t row = std::size_t(view) * c.total + c.first + i;
    z_ = c.z + row * c.d;
    unit_ = c.unit + row * Contrast<S>::padded(c.d);
    norm_ = c.norm[row];
  }
  __device__ Real<S> norm() const { return norm_; }
  __device__ Real<S> operator[](int k) const {
    if (std::is_same_v<S, bf16> && norm_ > 0 && norm_ < Real<S>(INFINITY)) return z_[k] / norm_;
    return real(unit_[k]);
  }

 private:
  const Real<S>* z_;
  const S* unit_;
  Real<S> norm_;
};

// ---- tiles of cosines ----------------------------------------------------------------------------------------------------

template <class R>
struct Factors {
  R a[kDepth][kTile + 1], b[kDepth][kTile + 1];  // the odd length spreads a column over the banks
};

// s[i][j] = U_a . U_b for own row `row` + ty + 16 i and row `col` + tx + 16 j of U, thread (ty, tx) of 16 x 16; -inf for the
// row itself, its partner, and columns that there are not.
template <class S>
__device__ void cosines(const Contrast<S>& c, int row, int col, Factors<Real<S>>& shared, Real<S> (&s)[kEach][kEach]) {
  using R = Real<S>;
  const int thread = threadIdx.x, tx = thread % 16, ty = thread / 16, k = thread % kDepth;
  const int rows = 2 * c.count, all = 2 * c.total, padded = Contrast<S>::padded(c.d);
  for (auto& line : s)
    for (R& entry : line) entry = 0;
  for (int from = 0; from < padded; from += kDepth) {
    __syncthreads();  // what stood here has been read
    const S* u = c.unit + from + k;
    for (int i = thread / kDepth; i < kTile; i += kThreads / kDepth) {
      shared.a[k][i] = row + i < rows ? real(u[std::size_t(row_of(c, row + i)) * padded]) : R(0);
      shared.b[k][i] = col + i < all ? real(u[std::size_t(col + i) * padded]) : R(0);
    }
    __syncthreads();
    for (int p = 0; p < kDepth; ++p)
      for (int i = 0; i < kEach; ++i) {
        const R a = shared.a[p][ty + 16 * i];
        for (int j = 0; j < kEach; ++j) s[i][j] += a * shared.b[p][tx + 16 * j];
      }
  }
  for (int i = 0; i < kEach; ++i) {
    const int a = row_of(c, row + ty + 16 * i), partner = partner_of(c, a);
    for (int j = 0; j < kEach; ++j) {
      const int b = col + tx + 16 * j;
      if (b == a || b == partner || b >= all) s[i][j] = R(-INFINITY);
    }
  }
}

// Running maximum and sum of exp(s/t) of own rows over the columns of one split: statistics [max, sum][split][2 count].
template <class S>
__global__ void __launch_bounds__(kThreads) statistics_kernel(Contrast<S> c) {
  using R = Real<S>;
  Factors<R>& shared = *dynamic_shared<Factors<R>>();
  const int thread = threadIdx.x, tx = thread % 16, ty = thread / 16, row = blockIdx.x * kTile;
  const int tiles = ceil_div(2 * c.total, kTile), split = blockIdx.y, splits = gridDim.y;
  R top[kEach], sum[kEach];
  for (int i = 0; i < kEach; ++i) top[i] = R(-INFINITY), sum[i] = 0;
  for (int tile = first_tile(tiles, split, splits); tile < first_tile(tiles, split + 1, splits); ++tile) {
    R s[kEach][kEach];
    cosines(c, row, tile * kTile, shared, s);
    for (int i = 0; i < kEach; ++i) {
      R maximum = top[i];
      for (int j = 0; j < kEach; ++j) maximum = larger(maximum, s[i][j] * c.inverse_temperature);
      if (maximum > top[i]) sum[i] *= std::exp(top[i] - maximum);
      top[i] = maximum;
      for (int j = 0; j < kEach; ++j)
        if (s[i][j] != R(-INFINITY)) sum[i] += std::exp(s[i][j] * c.inverse_temperature - maximum);
    }
  }
  for (int i = 0; i < kEach; ++i) {
    R maximum = top[i];
    for (int apart = 8; apart > 0; apart /= 2) maximum = larger(maximum, __shfl_xor_sync(kAllLanes, maximum, apart));
    R total = top[i] == maximum ? sum[i] : sum[i] * std::exp(top[i] - maximum);
    for (int apart = 8; apart > 0; apart /= 2) total += __shfl_xor_sync(kAllLanes, total, apart);
    const int own = row + ty + 16 * i, rows = 2 * c.count;
    if (tx != 0 || own >= rows) continue;
    c.statistics[std::size_t(split) * rows + own] = maximum;
    c.statistics[std::size_t(splits + split) * rows + own] = total;
  }
}

// ---- event by event ------------------------------------------------------------------------------------------------------

template <class R>
struct RowSum {
  R top, sum, negatives;
  __device__ R lse() const { return top + std::log(sum); }
};

// The denominator of own row `own`: its splits and, where the loss has it there, the positive pair.
template <class S>
__device__ RowSum<Real<S>> close_denominator(const Contrast<S>& c, int splits, int own, Real<S> positive, int lane) {
  using R = Real<S>;
  const int rows = 2 * c.count;
  RowSum<R> row{R(-INFINITY), 0, 0};
  if (lane < splits) {
    row.top = c.statistics[std::size_t(lane) * rows + own];
    row.sum = c.statistics[std::size_t(splits + lane) * rows + own];
  }
  const R top = warp_max(row.top);
  row.sum = warp_sum(row.top == top ? row.sum : row.sum * std::exp(row.top - top));
  row.top = top;
  if (c.denominator == Denominator::kWithPositive) {
    row.top = larger(top, positive);
    row.negatives = row.sum == 0 ? R(0) : row.sum * std::exp(top - row.top);
    row.sum = row.negatives + std::exp(positive - row.top);
  }
  return row;
}

// What contrast_spread multiplies exp(s/t - top) by, and that top.
template <class S>
__device__ void store_weight(const Contrast<S>& c, int own, Real<S> d_lse, const RowSum<Real<S>>& row) {
  const int a = row_of(c, own);
  c.weight[a] = d_lse / row.sum * (one_top(c) ? std::exp(c.inverse_temperature - row.top) : Real<S>(1));
  c.top[a] = one_top(c) ? c.inverse_temperature : row.top;
}

// The loss of own event i, and dL/dU of its rows from the terms that pair it with itself.
template <class S>
__device__ double event_row(const Contrast<S>& c, int splits, int i, int lane) {
  using R = Real<S>;
  const UnitRow<S> u(c, 0, i), v(c, 1, i), w(c, c.views - 1, i);
  const bool anomalous = c.views == 3;
  R uv = 0, uw = 0;
  for (int k = lane; k < c.d; k += kWarp) {
    uv += u[k] * v[k];
    if (anomalous) uw += u[k] * w[k];
  }
  uv = warp_sum(uv);
  uw = warp_sum(uw);
  const R share = R(1) / R(c.total), positive = uv * c.inverse_temperature;
  const bool denominator = c.denominator != Denominator::kNone;
  RowSum<R> row_u{0, 1, 0}, row_v{0, 1, 0};
  if (denominator) {
    row_u = close_denominator(c, splits, i, positive, lane);
    row_v = close_denominator(c, splits, c.count + i, positive, lane);
  }
  const LossRow<R> r =
      LossList::row<R>(c.loss, uv, uw, denominator ? row_u.lse() : R(0), denominator ? row_v.lse() : R(0),
                       c.inverse_temperature, c.weights);
  R pair = share * r.d_uv;
  if (c.denominator == Denominator::kWithPositive) {
    // d lse/d uv = p/t with p = 1 - negatives/sum: written so that a saturated pair does not cancel to noise
    const R both = share * c.inverse_temperature * r.d_lse;
    pair = (pair + 2 * both) - both * (row_u.negatives / row_u.sum + row_v.negatives / row_v.sum);
  }
  if (denominator && lane == 0) {
    store_weight(c, i, share * r.d_lse, row_u);
    store_weight(c, c.count + i, share * r.d_lse, row_v);
  }
  if (c.dz) {
    const R repel = share * r.d_uw;
    R* du = c.dz + std::size_t(i) * c.d;
    const std::size_t view = std::size_t(c.count) * c.d;
    for (int k = lane; k < c.d; k += kWarp) {
      du[k] = pair * v[k] + (anomalous ? repel * w[k] : R(0));
      du[view + k] = pair * u[k];
      if (anomalous) du[2 * view + k] = repel * u[k];
    }
  }
  return static_cast<double>(r.value);
}

template <class S>
__global__ void __launch_bounds__(kRowWarps* kWarp, 2) rows_kernel(Contrast<S> c, int splits, double* partial) {
  __shared__ double sums[kRowWarps];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  double value = 0;
  for (int i = blockIdx.x * kRowWarps + warp; i < c.count; i += gridDim.x * kRowWarps)
    value += event_row(c, splits, i, lane);
  if (lane == 0) sums[warp] = value;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int other = 1; other < kRowWarps; ++other) value += sums[other];
  partial[blockIdx.x] = value;
}

__global__ void value_kernel(const double* partial, int count, int total, double* value) {
  double sum = 0;
  for (int i = threadIdx.x; i < count; i += kWarp) sum += partial[i];
  sum = warp_sum(sum);
  if (threadIdx.x == 0) *value = sum / total;
}

// ---- gradients -----------------------------------------------------------------------------------------------------------

template <class R>
struct SpreadShared {
  union {
    Factors<R> factors;
    R u[kTile][kTile + 1];  // rows of the tile's columns, some of their entries
  };
  R g[kTile][kTile + 1];
};

// g = G + G^T of a tile, G_ab = weight_a exp(s_ab/t - top_a)/t: s is symmetric, so one tile has both.
// Maximum and sum stay apart: their logarithm would round away what a saturated loss has left.
template <class S>
__device__ void weigh(const Contrast<S>& c, int row, int col, const Real<S> (&s)[kEach][kEach],
                      Real<S> (&g)[kTile][kTile + 1]) {
  using R = Real<S>;
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16, rows = 2 * c.count;
  for (int i = 0; i < kEach; ++i) {
    const int own = row + ty + 16 * i, a = row_of(c, own < rows ? own : 0);
    for (int j = 0; j < kEach; ++j) {
      R entry = 0;
      if (own < rows && s[i][j] != R(-INFINITY)) {
        const int b = col + tx + 16 * j;
        const R logit = s[i][j] * c.inverse_temperature;
        entry = c.inverse_temperature *
                (c.weight[a] * std::exp(logit - c.top[a]) + c.weight[b] * std::exp(logit - c.top[b]));
      }
      g[ty + 16 * i][tx + 16 * j] = entry;
    }
  }
}

// dU_a += sum_b (G_ab + G_ba) U_b, in dz; a block does kTile rows, tile after tile of columns.
template <class S>
__global__ void __launch_bounds__(kThreads, 2) spread_kernel(Contrast<S> c) {
  using R = Real<S>;
  SpreadShared<R>& shared = *dynamic_shared<SpreadShared<R>>();
  const int thread = threadIdx.x, tx = thread % 16, ty = thread / 16, row = blockIdx.x * kTile;
  const int rows = 2 * c.count, all = 2 * c.total, padded = Contrast<S>::padded(c.d);
  for (int col = 0; col < all; col += kTile) {
    R s[kEach][kEach];
    cosines(c, row, col, shared.factors, s);
    weigh(c, row, col, s, shared.g);
    for (int from = 0; from < c.d; from += kTile) {
      __syncthreads();  // g is whole, and what stood in u has been read
      for (int b = thread / kTile; b < kTile; b += kThreads / kTile) {
        const int k = thread % kTile;
        shared.u[b][k] = col + b < all && from + k < c.d ? real(c.unit[std::size_t(col + b) * padded + from + k]) : R(0);
      }
      __syncthreads();
      R sum[kEach][kEach] = {};
      for (int b = 0; b < kTile; ++b)
        for (int i = 0; i < kEach; ++i) {
          const R g = shared.g[ty + 16 * i][b];
          for (int j = 0; j < kEach; ++j) sum[i][j] += g * shared.u[b][tx + 16 * j];
        }
      for (int i = 0; i < kEach; ++i)
        for (int j = 0; j < kEach; ++j) {
          const int own = row + ty + 16 * i, k = from + tx + 16 * j;
          if (own < rows && k < c.d) c.dz[std::size_t(own) * c.d + k] += sum[i][j];
        }
    }
  }
}

// dz = (g - (g.u) u)/|z|, a warp a row.
template <class S>
__global__ void __launch_bounds__(kRowWarps* kWarp) project_kernel(Contrast<S> c) {
  using R = Real<S>;
  const int own = blockIdx.x * kRowWarps + threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  if (own >= c.views * c.count) return;
  const UnitRow<S> u(c, own / c.count, own % c.count);
  R* g = c.dz + std::size_t(own) * c.d;
  R along = 0;
  for (int k = lane; k < c.d; k += kWarp) along += g[k] * u[k];
  along = warp_sum(along);
  for (int k = lane; k < c.d; k += kWarp) g[k] = u.norm() > 0 ? (g[k] - along * u[k]) / u.norm() : R(0) * u[k];
}

}  // namespace

template <class S>
int Contrast<S>::splits(int total, int count) {
  const int row_tiles = ceil_div(2 * count, kTile), column_tiles = ceil_div(2 * total, kTile);
  const int wanted = ceil_div(kWanted, row_tiles < 1 ? 1 : row_tiles), most = column_tiles / 2;
  const int some = wanted < most ? wanted : most;
  return some < 1 ? 1 : some > kMostSplits ? kMostSplits : some;
}

template <class S>
std::size_t Contrast<S>::statistics_size(int total, int count) {
  const std::size_t halves = std::is_same_v<S, bf16> ? half_squares(total, count) : 0;
  return (4 * std::size_t(splits(total, count)) + 2 * halves) * count;
}

template <class S>
void contrast_units(const Contrast<S>& c, cudaStream_t stream) {
  launch("contrast_units", units_kernel<S>, ceil_div(unrows(c), kRowWarps), kRowWarps * kWarp, 0, stream, c);
}

template <class S>
void contrast_statistics(const Contrast<S>& c, cudaStream_t stream) {
  if (c.denominator == Denominator::kNone) return;
  if constexpr (std::is_same_v<S, bf16>)
    if (contrast_statistics_mma(c, stream)) return;
  const dim3 grid(ceil_div(2 * c.count, kTile), Contrast<S>::splits(c.total, c.count));
  launch("contrast_statistics", statistics_kernel<S>, grid, kThreads, sizeof(Factors<Real<S>>), stream, c);
}

template <class S>
void contrast_rows(const Contrast<S>& c, cudaStream_t stream) {
  double* partial = static_cast<double*>(c.scratch.data);
  const int wanted = ceil_div(c.count, kRowWarps), blocks = wanted < kPartials ? wanted : kPartials;
  const int splits = Contrast<S>::splits(c.total, c.count);
  launch("contrast_rows", rows_kernel<S>, blocks, kRowWarps * kWarp, 0, stream, c, splits, partial);
  launch("contrast_rows", value_kernel, 1, kWarp, 0, stream, partial, blocks, c.total, c.value);
}

template <class S>
void contrast_spread(const Contrast<S>& c, cudaStream_t stream) {
  if (!c.dz) return;
  bool spread = c.denominator == Denominator::kNone;
  if constexpr (std::is_same_v<S, bf16>) spread = spread || contrast_spread_mma(c, stream);
  if (!spread) {
    const int blocks = ceil_div(2 * c.count, kTile);
    launch("contrast_spread", spread_kernel<S>, blocks, kThreads, sizeof(SpreadShared<Real<S>>), stream, c);
  }
  launch("contrast_spread", project_kernel<S>, ceil_div(c.views * c.count, kRowWarps), kRowWarps * kWarp, 0, stream, c);
}

#define ACLR_CONTRAST(S)                                             \
  template int Contrast<S>::splits(int, int);                        \
  template std::size_t Contrast<S>::statistics_size(int, int);       \
  template void contrast_units<S>(const Contrast<S>&, cudaStream_t); \
  template void contrast_statistics<S>(const Contrast<S>&, cudaStream_t); \
  template void contrast_rows<S>(const Contrast<S>&, cudaStream_t);  \
  template void contrast_spread<S>(const Contrast<S>&, cudaStream_t);
ACLR_CONTRAST(float)
ACLR_CONTRAST(double)
ACLR_CONTRAST(bf16)
#undef ACLR_CONTRAST

}  // namespace aclr::cuda
