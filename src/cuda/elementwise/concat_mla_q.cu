// concat_mla_q: each row (token, head) of q_out is two runs of units, copied.
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/fast_div.cuh"
#include "cuda/primitives/memory.cuh"

namespace vkv::cuda {
namespace {

struct Run {
  const char* base;  // less what lies before it in a row of q_out
  int64_t token, head;  // bytes
};

struct Params {
  Run nope, rope;
  char* out;
  int64_t out_token, out_head;  // bytes
  FastDiv units_per_row, heads;
  uint32_t nope_units;
  int64_t tokens, tokens_per_pass;  // a pass has fewer than 2^31 units
};

constexpr int kDepth = 4;

// Grid: any. Block: kThreads. A thread copies kDepth units of kBytes at once.
template <int kBytes>
__global__ void __launch_bounds__(kThreads) concat_kernel(const __grid_constant__ Params p) {
  const uint32_t step = gridDim.x * kThreads;
  for (int64_t first = 0; first < p.tokens; first += p.tokens_per_pass) {
    const int64_t tokens = min(p.tokens - first, p.tokens_per_pass);
    const auto units = static_cast<uint32_t>(tokens * p.heads.divisor * p.units_per_row.divisor);
    for (uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < units; item += step * kDepth) {
      Pack<kBytes> value[kDepth];
      char* to[kDepth];
#pragma unroll
      for (int i = 0; i < kDepth; ++i) {
        // Threads past the end repeat the last unit: no load hangs on a condition, so all are in flight.
        const uint32_t u = min(item + i * step, units - 1);
        uint32_t unit, head;
        const int64_t token = first + p.heads.divide(p.units_per_row.divide(u, unit), head);
        const bool is_nope = unit < p.nope_units;
        const int64_t by_token = is_nope ? p.nope.token : p.rope.token, by_head = is_nope ? p.nope.head : p.rope.head;
        const char* base = is_nope ? p.nope.base : p.rope.base;
        value[i].load(base + token * by_token + head * by_head + static_cast<int64_t>(unit) * kBytes);
        to[i] = p.out + token * p.out_token + head * p.out_head + static_cast<int64_t>(unit) * kBytes;
      }
#pragma unroll
      for (int i = 0; i < kDepth; ++i) {
        if (item + i * step < units) value[i].store_to(to[i]);
      }
    }
  }
}

template <int kBytes>
void concat(const CudaContext& ctx, const ConcatMlaQ& q, vkv_stream stream) {
  constexpr int64_t kMostUnits = int64_t{1} << 30;  // a pass: room below 2^31 for the last steps of the grid
  const int64_t size = element_size(q.q_out.dtype), units = (q.nope_dim + q.rope_dim) * size / kBytes;
  if (units == 0) return;
  if (units * q.num_heads > kMostUnits) {
    fail(VKV_ERROR_NOT_SUPPORTED, "vkv_concat_mla_q: a token is %lld pieces of %d bytes, this version takes at most %lld",
         static_cast<long long>(units * q.num_heads), kBytes, static_cast<long long>(kMostUnits));
  }
  Params p;
  p.nope = {q.ql_nope.as<const char>(), q.ql_nope.stride[0] * size, q.ql_nope.stride[1] * size};
  p.rope = {q.q_pe.as<const char>() - q.nope_dim * size, q.q_pe.stride[0] * size, q.q_pe.stride[1] * size};
  p.out = q.q_out.as<char>();
  p.out_token = q.q_out.stride[0] * size;
  p.out_head = q.q_out.stride[1] * size;
  p.nope_units = static_cast<uint32_t>(q.nope_dim * size / kBytes);
  p.units_per_row = FastDiv(static_cast<uint32_t>(units));
  p.heads = FastDiv(static_cast<uint32_t>(q.num_heads));
  p.tokens = q.num_tokens;
  p.tokens_per_pass = kMostUnits / (units * q.num_heads);
  const int64_t items = std::min(p.tokens, p.tokens_per_pass) * q.num_heads * units;
  launch(ctx, concat_kernel<kBytes>, spread(items, kDepth, ctx.num_sms), kThreads, 0, stream, p);
}

}  // namespace

void run(const Context& context, const ConcatMlaQ& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const int64_t size = element_size(q.q_out.dtype);
  switch (Alignment().add(q.ql_nope, 2).add(q.q_pe, 2).add(q.q_out, 2).add(q.nope_dim * size).add(q.rope_dim * size).bytes()) {
    case 16: return concat<16>(ctx, q, stream);
    case 8: return concat<8>(ctx, q, stream);
    case 4: return concat<4>(ctx, q, stream);
    default: return concat<2>(ctx, q, stream);
  }
}

}  // namespace vkv::cuda
