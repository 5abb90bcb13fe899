#include "cuda/paged_attention/params.hpp"

#include <algorithm>
#include <cstdlib>

namespace vkv::cuda {
namespace {

Integers integers(const Tensor& t) { return {t.as<const int32_t>(), t.present() ? t.stride[0] : 0}; }

CacheSide side(const PagedAttention& p, const Tensor& cache, bool value) {
  const int64_t size = element_size(cache.dtype);
  CacheSide s = {};
  s.data = cache.as<const char>();
  s.block = cache.stride[0] * size;
  s.pitch = 16;
  if (p.x_packed) {
    s.head = cache.stride[1] * size;
    s.token = value ? size : 16;
    s.pitch = p.block_size * s.token;
  } else if (cache.dtype == VKV_DTYPE_NVFP4) {
    // Row (token, head) of a block is row token * stride / f + head * stride / f of its data and of its scales.
    const int64_t f = cache.shape[3], data = p.head_dim / 2, scales = p.head_dim / 16;
    s.token = cache.stride[1] / f * data;
    s.head = cache.stride[2] / f * data;
    s.scales = p.num_kv_heads * p.block_size * data;
    s.scale_token = cache.stride[1] / f * scales;
    s.scale_head = cache.stride[2] / f * scales;
  } else {
    s.token = cache.stride[1] * size;
    s.head = cache.stride[2] * size;
  }
  return s;
}

struct Scale {
  const float* data;
  int64_t stride;
};

// Absent where bits are attended to as they are.
Scale scale(const PagedAttention& p, const Tensor& t) {
  if (!t.present() || p.key_cache.dtype == p.query.dtype) return {nullptr, 0};
  return {t.as<const float>(), t.shape[0] == 1 ? 0 : t.stride[0]};
}

AttentionSparse sparse(const BlockSparse& rule, int64_t num_heads, int64_t num_kv_heads) {
  AttentionSparse s = {};
  s.vert_stride = rule.vert_stride;
  if (rule.vert_stride <= 1) return s;
  s.local_blocks = rule.local_blocks;
  s.block_size = FastDiv(static_cast<uint32_t>(rule.block_size));
  const int64_t step = rule.head_sliding_step, stride = rule.vert_stride;
  s.by_kv_head = step < 0;
  s.step = static_cast<int32_t>(std::abs(step) % stride);
  s.rank = static_cast<int32_t>(rule.tp_rank % stride * ((s.by_kv_head ? num_kv_heads : num_heads) % stride) % stride);
  return s;
}

}  // namespace

AttentionParams attention_params(const CudaContext& ctx, const PagedAttention& p) {
  const int64_t query_size = element_size(p.query.dtype);
  AttentionParams a = {};
  a.query = p.query.as<const char>();
  a.out = p.out.as<char>();
  a.lse = p.lse.as<float>();
  a.query_token = p.query.stride[0] * query_size;
  a.query_head = p.query.stride[1] * query_size;
  a.out_token = p.out.stride[0] * query_size;
  a.out_head = p.out.stride[1] * query_size;
  a.lse_token = p.lse.stride[0];
  a.lse_head = p.lse.stride[1];
  a.key = side(p, p.key_cache, false);
  a.value = side(p, p.value_cache, true);
  const Scale k = scale(p, p.k_scale), v = scale(p, p.v_scale);
  a.k_scale = k.data;
  a.k_scale_stride = k.stride;
  a.v_scale = v.data;
  a.v_scale_stride = v.stride;
  a.alibi_slopes = p.alibi_slopes.as<const float>();
  a.alibi_stride = p.alibi_slopes.present() ? p.alibi_slopes.stride[0] : 0;
  a.sinks = p.sinks.as<const float>();
  a.sink_stride = p.sinks.present() ? p.sinks.stride[0] : 0;

  a.sequences = {integers(p.seq_lens),
                 integers(p.kv_indptr),
                 integers(p.kv_last_page_len),
                 integers(p.query_start_loc),
                 p.num_tokens,
                 p.table_columns,
                 p.block_size,
                 static_cast<int32_t>(p.max_seq_len),
                 static_cast<int32_t>(p.max_query_len),
                 p.op,
                 ctx.report};
  // Positions are below 2^31, so a block that is larger is as good as one of that size.
  const FastDiv block_size(static_cast<uint32_t>(std::min<int64_t>(p.block_size, 0x7FFFFFFF)));
  const auto num_blocks = static_cast<uint32_t>(std::min<int64_t>(p.num_blocks, int64_t{1} << 31));
  if (p.csr) {
    a.pages = {p.kv_indices.as<const int32_t>(), 0, p.kv_indices.stride[0], 0, block_size, num_blocks, true, p.op, ctx.report};
  } else {
    a.pages = {p.block_table.as<const int32_t>(), p.block_table.stride[0], 1, p.table_columns, block_size, num_blocks, false,
               p.op, ctx.report};
  }
  a.sparse = sparse(p.sparse, p.num_heads, p.num_kv_heads);
  a.softmax_scale = p.softmax_scale;
  a.softcap = p.logit_softcap;
  a.sliding_window = static_cast<int32_t>(p.sliding_window);
  a.num_seqs = static_cast<int32_t>(p.num_seqs);
  a.num_heads = static_cast<int32_t>(p.num_heads);
  a.num_kv_heads = static_cast<int32_t>(p.num_kv_heads);
  a.head_dim = static_cast<int32_t>(p.head_dim);
  a.group = FastDiv(static_cast<uint32_t>(p.num_heads / p.num_kv_heads));
  a.query_dtype = p.query.dtype;
  a.cache_dtype = p.key_cache.dtype;
  a.x_packed = p.x_packed;
  a.swizzled_v = p.nvfp4_swizzled_v;
  return a;
}

}  // namespace vkv::cuda
