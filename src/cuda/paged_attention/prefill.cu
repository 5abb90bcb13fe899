// Prefill: what it serves, its grid, and the kernel over mma.sync, which every architecture has.
#include "cuda/paged_attention/prefill.cuh"

namespace vkv::cuda {
namespace {

// Two stages: what fits into the shared memory of every architecture.
constexpr int kStages = 2;

template <class Number>
struct WarpProduct {
  using Type = Number;

  template <int kDims>
  static __device__ void scores(PrefillScores& s, const uint32_t (&query)[kDims / 16][4], const char* keys) {
    const int lane = threadIdx.x % 32;
    const uint32_t tile = shared_address(keys);
#pragma unroll
    for (int i = 0; i < kScoreBlocks; ++i) {
#pragma unroll
      for (int e = 0; e < 4; ++e) s[i][e] = 0;
    }
#pragma unroll
    for (int k = 0; k < kDims / 16; ++k) {
#pragma unroll
      for (int i = 0; i < kScoreBlocks; i += 2) {
        uint32_t b[4];
        ldmatrix_x4(b, tile + piece_offset<kPrefillTokens>(8 * i + lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2));
        Type::run(s[i], query[k], {b[0], b[1]});
        Type::run(s[i + 1], query[k], {b[2], b[3]});
      }
    }
  }

  template <int kDims>
  static __device__ void values(float (&sums)[kDims / 8][4], const PrefillWeights& weights, const char* values) {
    const int lane = threadIdx.x % 32;
    const uint32_t tile = shared_address(values);
#pragma unroll
    for (int k = 0; k < kPrefillTokens / 16; ++k) {
#pragma unroll
      for (int d = 0; d < kDims / 8; d += 2) {
        uint32_t b[4];
        ldmatrix_x4_trans(b, tile + piece_offset<kPrefillTokens>(16 * k + lane % 16, d + lane / 16));
        Type::run(sums[d], weights[k], {b[0], b[1]});
        Type::run(sums[d + 1], weights[k], {b[2], b[3]});
      }
    }
  }

  template <int kUnderWay, class... Registers>
  static __device__ void wait(Registers&...) {}
  static __device__ void before_wait(float) {}
  static __device__ void publish() {}
};

template <class Number>
void launch_generic(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream) {
  const auto run = params.attention.head_dim <= 64 ? launch_prefill_kernel<WarpProduct<Number>, 64, kStages>
                                                   : launch_prefill_kernel<WarpProduct<Number>, 128, kStages>;
  run(ctx, params, ctas, stream);
}

int64_t group_of(const PagedAttention& p) { return p.num_heads / p.num_kv_heads; }

// Work items: sequences of many tokens have at most so many tiles of rows.
int64_t work_items(const PagedAttention& p) {
  const int64_t group = group_of(p), sequences = std::min(p.num_seqs, p.num_tokens / kPrefillQueries);
  return std::min(ceil_div(p.max_query_len * group, kPrefillRows) * sequences,
                  p.num_tokens * group / kPrefillRows + sequences);
}

bool pieces(const Tensor& t, int packed_from) { return Alignment().add(t, packed_from).bytes() == 16; }

}  // namespace

bool prefill_serves(const PagedAttention& p) {
  constexpr int64_t kMost = int64_t{1} << 31;
  const vkv_dtype dtype = p.query.dtype;
  if (p.empty() || !p.query_start_loc.present() || p.max_query_len < kPrefillQueries) return false;
  return (dtype == VKV_DTYPE_F16 || dtype == VKV_DTYPE_BF16) && p.key_cache.dtype == dtype && p.head_dim <= 128 &&
         p.sparse.vert_stride <= 1 && p.num_tokens * group_of(p) + kPrefillRows < kMost &&
         work_items(p) * p.num_kv_heads < kMost;
}

void launch_prefill(const CudaContext& ctx, const PagedAttention& p, const AttentionParams& attention,
                    vkv_stream stream) {
  const int64_t ctas = work_items(p) * p.num_kv_heads;
  if (ctas == 0) return;
  PrefillParams params{};
  params.attention = attention;
  params.kv_heads = FastDiv(static_cast<uint32_t>(p.num_kv_heads));
  params.query_pieces = pieces(p.query, 2);
  params.out_pieces = pieces(p.out, 2);
  params.key_pieces = pieces(p.key_cache, p.x_packed ? 2 : 3);
  params.value_pieces = !p.x_packed && pieces(p.value_cache, 3);
#ifdef VKV_HAS_SM90A
  if (ctx.cc_major == 9) return launch_prefill_sm90(ctx, params, ctas, stream);
#endif
  const auto run = p.query.dtype == VKV_DTYPE_F16 ? launch_generic<PrefillF16> : launch_generic<PrefillBF16>;
  run(ctx, params, ctas, stream);
}

}  // namespace vkv::cuda
