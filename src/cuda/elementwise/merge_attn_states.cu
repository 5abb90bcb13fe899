// merge_attn_states: a group of lanes owns one (token, head). All of them read both lse before one of them writes the merged
// one, and each reads a unit of the outputs before it writes it, so that outputs may lie on inputs.
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

// [tokens, heads, head_dim]; strides in bytes.
struct Rows {
  char* data;
  int64_t token, head;
  __device__ char* at(int64_t t, uint32_t h) const { return data + t * token + h * head; }
};

// [heads, tokens]; strides in elements.
struct Lse {
  float* data;
  int64_t head, token;
  __device__ float* at(int64_t t, uint32_t h) const { return data + h * head + t * token; }
};

struct Params {
  Rows prefix, suffix, out;
  Lse prefix_lse, suffix_lse, out_lse;  // out_lse.data null: not wanted
  const float* scale;                   // of an e4m3 output
  int64_t tokens, tokens_per_pass;      // a pass has fewer than 2^31 (token, head)
  int64_t merged;                       // tokens from here on take the suffix alone
  FastDiv heads;
  uint32_t lanes, lane_bits;  // of a group: a power of two, at most 32
  uint32_t units;             // of a row
};

// What each side counts for: exp(lse - m), the larger one 1, an empty one 0.
struct Sides {
  bool has_prefix, has_suffix;
  float prefix, suffix, m;

  __device__ Sides(float p, float s, bool no_prefix) {
    constexpr float kInf = __builtin_huge_valf();
    has_prefix = !no_prefix && fabsf(p) != kInf;
    has_suffix = fabsf(s) != kInf;
    m = fmaxf(has_prefix ? p : -kInf, has_suffix ? s : -kInf);  // passes over NaN; the exponentials do not
    prefix = has_prefix ? expf(__fsub_rn(p, m)) : 0.0f;
    suffix = has_suffix ? expf(__fsub_rn(s, m)) : 0.0f;
  }
  __device__ float sum() const { return __fadd_rn(prefix, suffix); }
  __device__ bool is_nan() const { return isnan(sum()); }
  __device__ float lse() const { return has_prefix || has_suffix ? __fadd_rn(m, logf(sum())) : m; }
};

// Output as its own type, or as e4m3 over the scale.
template <class T>
struct Plain {
  using Out = typename T::Storage;
  explicit __device__ Plain(const Params&) {}
  __device__ Out narrow(float x) const { return T::encode(x); }
  __device__ Out take(typename T::Storage x) const { return x; }
};
template <class T>
struct Scaled {
  using Out = uint8_t;
  Divider by;
  explicit __device__ Scaled(const Params& p) : by(__ldg(p.scale)) {}
  __device__ Out narrow(float x) const { return E4M3::encode(by.divide(x)); }
  __device__ Out take(typename T::Storage x) const { return narrow(T::decode(x)); }
};

constexpr int kDepth = 2;  // units of each side that a thread has in flight

// One row of the output: nothing, the bits of `a`, or the sum of `a` and `b` by their shares.
template <class T, class To, int kElements, int kSides>
__device__ void merge_row(const Params& p, uint32_t lane, const char* a, const char* b, float a_counts, float b_counts, char* out,
                          const To& to) {
  using In = typename T::Storage;
  using Out = typename To::Out;
  constexpr int kIn = kElements * static_cast<int>(sizeof(In)), kOut = kElements * static_cast<int>(sizeof(Out));
  Pack<kIn> x[kDepth], y[kDepth];
  const auto load = [&](uint32_t first) {
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      // Past the end the last unit is read again: no load hangs on a condition, so all are in flight.
      const int64_t at = static_cast<int64_t>(min(first + i * p.lanes, p.units - 1)) * kIn;
      if (kSides > 0) x[i].load(a + at);
      if (kSides > 1) y[i].load(b + at);
    }
  };
  load(lane);
  // Behind the first loads, which need not wait for it.
  const float whole = __frcp_rn(__fadd_rn(a_counts, b_counts)), a_share = __fmul_rn(a_counts, whole);
  const float b_share = __fmul_rn(b_counts, whole);
  for (uint32_t first = lane; first < p.units; first += p.lanes * kDepth) {
    if (first != lane) load(first);
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      const uint32_t unit = first + i * p.lanes;
      if (unit >= p.units) continue;
      Pack<kOut> z;
#pragma unroll
      for (int j = 0; j < kElements; ++j) {
        Out& value = z.template as<Out>()[j];
        if constexpr (kSides == 2) {
          const float from_a = __fmul_rn(T::decode(x[i].template as<In>()[j]), a_share);
          value = to.narrow(__fmaf_rn(T::decode(y[i].template as<In>()[j]), b_share, from_a));
        } else if constexpr (kSides == 1) {
          value = to.take(x[i].template as<In>()[j]);
        } else {
          value = to.narrow(0.0f);
        }
      }
      z.store_to(out + static_cast<int64_t>(unit) * kOut);
    }
  }
}

// Starts this lane's first units of a row on their way to L2, without reading them.
template <int kBytes>
__device__ void prefetch_row(const Params& p, uint32_t lane, const char* row) {
#pragma unroll
  for (int i = 0; i < kDepth; ++i) {
    prefetch(row + static_cast<int64_t>(min(lane + i * p.lanes, p.units - 1)) * kBytes);
  }
}

// Grid: any. Block: kThreads, in groups of p.lanes lanes, one (token, head) each and step. A unit is kElements elements.
template <class T, class To, int kElements>
__global__ void __launch_bounds__(kThreads) merge_kernel(const __grid_constant__ Params p) {
  const uint32_t lane = threadIdx.x & (p.lanes - 1), groups = kThreads >> p.lane_bits;
  const To to(p);
  for (int64_t first = 0; first < p.tokens; first += p.tokens_per_pass) {
    const auto items = static_cast<uint32_t>(min(p.tokens - first, p.tokens_per_pass) * p.heads.divisor);
    // The lanes of a warp stay in the loop together: the barrier is the warp's.
    for (uint32_t base = blockIdx.x * groups; base < items; base += gridDim.x * groups) {
      const uint32_t item = base + (threadIdx.x >> p.lane_bits);
      uint32_t head;
      const int64_t token = first + p.heads.divide(min(item, items - 1), head);
      const bool no_prefix = token >= p.merged;
      const float prefix_lse = no_prefix ? 0.0f : *p.prefix_lse.at(token, head);
      const float suffix_lse = *p.suffix_lse.at(token, head);
      // Which rows are wanted is known when the lse are here; nearly always it is both, so they come meanwhile.
      constexpr int kUnitBytes = kElements * static_cast<int>(sizeof(typename T::Storage));
      if (!no_prefix) prefetch_row<kUnitBytes>(p, lane, p.prefix.at(token, head));
      prefetch_row<kUnitBytes>(p, lane, p.suffix.at(token, head));
      __syncwarp();
      if (item < items) {
        const Sides sides(prefix_lse, suffix_lse, no_prefix);
        const char* prefix = sides.has_prefix ? p.prefix.at(token, head) : p.suffix.at(token, head);
        const char* suffix = sides.has_suffix ? p.suffix.at(token, head) : prefix;
        char* out = p.out.at(token, head);
        if ((sides.has_prefix && sides.has_suffix) || sides.is_nan()) {
          merge_row<T, To, kElements, 2>(p, lane, prefix, suffix, sides.prefix, sides.suffix, out, to);
        } else if (sides.has_prefix || sides.has_suffix) {
          merge_row<T, To, kElements, 1>(p, lane, prefix, suffix, 1.0f, 0.0f, out, to);
        } else {
          merge_row<T, To, kElements, 0>(p, lane, nullptr, nullptr, 1.0f, 0.0f, out, to);
        }
        if (lane == 0 && p.out_lse.data != nullptr) *p.out_lse.at(token, head) = sides.lse();
      }
    }
  }
}

// ---- Launch

Rows make_rows(const Tensor& t) {
  const int64_t size = element_size(t.dtype);
  return {t.as<char>(), t.stride[0] * size, t.stride[1] * size};
}

Lse make_lse(const Tensor& t) { return {t.as<float>(), t.stride[0], t.stride[1]}; }

// The width of a group: kDepth units a lane, with the fewest left over; 8 lanes or more where there is work for them.
uint32_t group_lane_bits(int64_t units) {
  uint32_t best = 0;
  int64_t least = 0;
  for (uint32_t bits = 0; bits <= 5; ++bits) {
    const int64_t step = int64_t{kDepth} << bits, padded = ceil_div(units, step) * step;
    if (bits <= 3 ? step / 2 < units : padded <= least) {
      best = bits;
      least = padded;
    }
  }
  return best;
}

template <class T, class To, int kElements>
void merge(const CudaContext& ctx, const MergeAttnStates& q, vkv_stream stream) {
  constexpr int64_t kMostItems = int64_t{1} << 30;  // a pass: room below 2^31 for the last step of the grid
  if (q.num_heads > kMostItems) {
    fail(VKV_ERROR_NOT_SUPPORTED, "vkv_merge_attn_states: %lld heads, this version takes at most %lld",
         static_cast<long long>(q.num_heads), static_cast<long long>(kMostItems));
  }
  Params p;
  p.prefix = make_rows(q.prefix_output);
  p.suffix = make_rows(q.suffix_output);
  p.out = make_rows(q.output);
  p.prefix_lse = make_lse(q.prefix_lse);
  p.suffix_lse = make_lse(q.suffix_lse);
  p.out_lse = make_lse(q.output_lse);
  p.scale = q.output_scale.as<const float>();
  p.tokens = q.num_tokens;
  p.tokens_per_pass = kMostItems / q.num_heads;
  p.merged = q.num_merged;
  p.heads = FastDiv(static_cast<uint32_t>(q.num_heads));
  p.units = static_cast<uint32_t>(q.head_dim / kElements);
  p.lane_bits = group_lane_bits(p.units);
  p.lanes = 1u << p.lane_bits;
  const int64_t items = std::min(p.tokens, p.tokens_per_pass) * q.num_heads;
  launch(ctx, merge_kernel<T, To, kElements>, spread(items << p.lane_bits, 1, ctx.num_sms), kThreads, 0, stream, p);
}

template <class T>
void merge_type(const CudaContext& ctx, const MergeAttnStates& q, vkv_stream stream) {
  constexpr int kIn = sizeof(typename T::Storage), kVector = 16 / kIn;
  const bool scaled = q.output.dtype == VKV_DTYPE_FP8_E4M3;
  const bool vectors = q.head_dim % kVector == 0 &&
                       Alignment().add(q.prefix_output, 2).add(q.suffix_output, 2).bytes() == 16 &&
                       Alignment().add(q.output, 2).bytes() >= (scaled ? kVector : 16);
  if (scaled) return vectors ? merge<T, Scaled<T>, kVector>(ctx, q, stream) : merge<T, Scaled<T>, 1>(ctx, q, stream);
  vectors ? merge<T, Plain<T>, kVector>(ctx, q, stream) : merge<T, Plain<T>, 1>(ctx, q, stream);
}

}  // namespace

void run(const Context& context, const MergeAttnStates& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  switch (q.prefix_output.dtype) {
    case VKV_DTYPE_F16: return merge_type<F16>(ctx, q, stream);
    case VKV_DTYPE_BF16: return merge_type<BF16>(ctx, q, stream);
    default: return merge_type<F32>(ctx, q, stream);
  }
}

}  // namespace vkv::cuda
