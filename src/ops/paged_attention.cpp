// vkv_paged_attention, _v1 and _v2: entry points and validation. All three become one problem: v1 and v2 are decode
// over x-packed caches under vLLM's parameter names.
#include "ops/paged_attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/entry.hpp"
#include "ops/nvfp4.hpp"

namespace vkv {
namespace {

constexpr int64_t kLongest = 2147483647;  // lengths and positions are int32 on the device

void check_query(PagedAttention& q, const Check& check, const vkv_tensor& query, const vkv_tensor& out) {
  q.query = check.tensor("query", query).rank(3).dtype(kFloats).packed_from(2);
  q.num_tokens = q.query.shape[0];
  q.num_heads = q.query.shape[1];
  q.head_dim = q.query.shape[2];
  if (q.head_dim < 8 || q.head_dim % 8 != 0 || (q.head_dim > 256 && q.head_dim != 512)) {
    check.unsupported("query.shape[2] is %lld; head sizes supported: multiples of 8 up to 256, and 512",
                      static_cast<long long>(q.head_dim));
  }
  q.out = check.tensor("out", out)
              .rank(3)
              .dtype_is(q.query.dtype, "query.dtype")
              .dim(0, q.num_tokens, "query.shape[0]")
              .dim(1, q.num_heads, "query.shape[1]")
              .dim(2, q.head_dim, "query.shape[2]")
              .packed_from(2)
              .written();
  check.not_same("out", q.out, "query", q.query);
}

void check_kv_heads(PagedAttention& q, const Check& check, int dimension) {
  q.num_kv_heads = q.key_cache.shape[dimension];
  if (q.num_heads != 0 && (q.num_kv_heads == 0 || q.num_heads % q.num_kv_heads != 0)) {
    check.invalid("query.shape[1] is %lld, expected a multiple of %lld (key_cache.shape[%d])",
                  static_cast<long long>(q.num_heads), static_cast<long long>(q.num_kv_heads), dimension);
  }
}

void check_strided_caches(PagedAttention& q, const Check& check, const vkv_tensor& key, const vkv_tensor& value,
                          int32_t nvfp4_v_scales) {
  Arg key_cache = check.tensor("key_cache", key);
  key_cache.rank(4).dtype({q.query.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2, VKV_DTYPE_NVFP4});
  const bool nvfp4 = key_cache.get().dtype == VKV_DTYPE_NVFP4;
  if (nvfp4 && q.head_dim % 16 != 0) {
    check.invalid("query.shape[2] is %lld, expected a multiple of 16 (key_cache.dtype is nvfp4)",
                  static_cast<long long>(q.head_dim));
  }
  const int64_t row = nvfp4 ? q.head_dim / 2 + q.head_dim / 16 : q.head_dim;
  const char* why_row = nvfp4 ? "head_dim / 2 + head_dim / 16" : "query.shape[2]";
  q.key_cache = key_cache.dim_at_least(1, 1, "block_size").dim(3, row, why_row).packed_from(3);
  q.num_blocks = q.key_cache.shape[0];
  q.block_size = q.key_cache.shape[1];
  check_kv_heads(q, check, 2);
  q.value_cache = check.tensor("value_cache", value)
                      .rank(4)
                      .dtype_is(q.key_cache.dtype, "key_cache.dtype")
                      .dim(0, q.num_blocks, "key_cache.shape[0]")
                      .dim(1, q.block_size, "key_cache.shape[1]")
                      .dim(2, q.num_kv_heads, "key_cache.shape[2]")
                      .dim(3, row, why_row)
                      .packed_from(3);
  q.nvfp4_swizzled_v = check.option("nvfp4_v_scales", nvfp4_v_scales, VKV_NVFP4_SCALES_LINEAR,
                                    VKV_NVFP4_SCALES_SWIZZLED) == VKV_NVFP4_SCALES_SWIZZLED;
  if (!nvfp4 && nvfp4_v_scales != 0) {
    check.invalid("nvfp4_v_scales is %d, expected 0 (key_cache.dtype is %s)", nvfp4_v_scales,
                  dtype_name(q.key_cache.dtype));
  }
  if (nvfp4) {
    check_nvfp4_strides(check, "key_cache", q.key_cache);
    check_nvfp4_strides(check, "value_cache", q.value_cache);
  }
  if (q.nvfp4_swizzled_v) {
    if (q.head_dim % 64 != 0) {
      check.invalid("query.shape[2] is %lld, expected a multiple of 64 (nvfp4_v_scales is swizzled)",
                    static_cast<long long>(q.head_dim));
    }
    key_cache.dim_multiple_of(1, 4, "nvfp4_v_scales is swizzled");
  }
}

void check_x_packed_caches(PagedAttention& q, const Check& check, const vkv_tensor& key, const vkv_tensor& value) {
  Arg key_cache = check.tensor("key_cache", key);
  key_cache.rank(5).dtype({q.query.dtype, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2});
  const int64_t x = 16 / element_size(key_cache.get().dtype);
  if (q.head_dim % x != 0) {
    check.invalid("query.shape[2] is %lld, expected a multiple of %lld (x of an x-packed %s cache)",
                  static_cast<long long>(q.head_dim), static_cast<long long>(x), dtype_name(key_cache.get().dtype));
  }
  q.key_cache = key_cache.dim(2, q.head_dim / x, "head_dim / x")
                    .dim_at_least(3, 1, "block_size")
                    .dim(4, x, "x = 16 / element bytes")
                    .packed_from(2);
  q.num_blocks = q.key_cache.shape[0];
  q.block_size = q.key_cache.shape[3];
  check_kv_heads(q, check, 1);
  q.value_cache = check.tensor("value_cache", value)
                      .rank(4)
                      .dtype_is(q.key_cache.dtype, "key_cache.dtype")
                      .dim(0, q.num_blocks, "key_cache.shape[0]")
                      .dim(1, q.num_kv_heads, "key_cache.shape[1]")
                      .dim(2, q.head_dim, "query.shape[2]")
                      .dim(3, q.block_size, "key_cache.shape[3]")
                      .packed_from(2);
  q.x_packed = true;
}

void check_padded_table(PagedAttention& q, const Check& check, const char* name, const vkv_tensor& table,
                        const vkv_tensor& seq_lens) {
  q.block_table = check.tensor(name, table).rank(2).dtype({VKV_DTYPE_I32}).packed_from(1);
  q.num_seqs = q.block_table.shape[0];
  q.table_columns = q.block_table.shape[1];
  char why[40];
  std::snprintf(why, sizeof why, "%s.shape[0]", name);
  q.seq_lens = check.tensor("seq_lens", seq_lens).rank(1).dtype({VKV_DTYPE_I32}).dim(0, q.num_seqs, why);
}

void check_csr_table(PagedAttention& q, const Check& check, const vkv_paged_attention_params& p) {
  q.kv_indptr =
      check.tensor("kv_indptr", p.kv_indptr).rank(1).dtype({VKV_DTYPE_I32}).dim_at_least(0, 1, "num_seqs + 1");
  q.kv_indices = check.tensor("kv_indices", p.kv_indices).rank(1).dtype({VKV_DTYPE_I32});
  q.num_seqs = q.kv_indptr.shape[0] - 1;
  q.table_columns = q.kv_indices.shape[0];
  q.kv_last_page_len = check.tensor("kv_last_page_len", p.kv_last_page_len)
                           .rank(1)
                           .dtype({VKV_DTYPE_I32})
                           .dim(0, q.num_seqs, "kv_indptr.shape[0] - 1");
  q.csr = true;
}

Tensor per_head(const PagedAttention& q, const Check& check, const char* name, const vkv_tensor& given) {
  return check.optional(name, given,
                        [&](Arg& arg) { arg.rank(1).dtype({VKV_DTYPE_F32}).dim(0, q.num_heads, "query.shape[1]"); });
}

float finite(const Check& check, const char* name, float value) {
  if (!std::isfinite(value)) check.invalid("%s is %g, expected a finite number", name, static_cast<double>(value));
  return value;
}

// What the three params structs share by name.
template <class Params>
void check_options(PagedAttention& q, const Check& check, const Params& p) {
  q.alibi_slopes = per_head(q, check, "alibi_slopes", p.alibi_slopes);
  q.softmax_scale = finite(check, "softmax_scale", p.softmax_scale);
  if (q.softmax_scale == 0) q.softmax_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(q.head_dim)));
  check.at_least("max_seq_len", p.max_seq_len, 0);
  const int64_t columns = std::min(q.table_columns, kLongest), block_size = std::min(q.block_size, kLongest);
  const int64_t capacity = std::min(columns * block_size, kLongest);
  q.max_seq_len = p.max_seq_len == 0 ? capacity : std::min<int64_t>(p.max_seq_len, capacity);
  check.at_least("tp_rank", p.tp_rank, 0);
  check.at_least("blocksparse_local_blocks", p.blocksparse_local_blocks, 0);
  check.at_least("blocksparse_vert_stride", p.blocksparse_vert_stride, 0);
  check.at_least("blocksparse_block_size", p.blocksparse_block_size, 0);
  q.sparse = {p.tp_rank, p.blocksparse_local_blocks, p.blocksparse_vert_stride,
              p.blocksparse_block_size == 0 ? 64 : p.blocksparse_block_size, p.blocksparse_head_sliding_step};
  q.workspace = p.workspace;
  q.workspace_size = p.workspace_size;
}

struct Op {
  static constexpr const char* name = "vkv_paged_attention";
  using Params = vkv_paged_attention_params;
  static constexpr uint32_t size_v1 = 1752, flags = 0;
  static constexpr auto row = &Backend::paged_attention;

  static void check_table(PagedAttention& q, const Check& check, const Params& p) {
    const auto given = [](const vkv_tensor& t) { return t.data != nullptr || t.ndim != 0; };
    const bool padded = given(p.block_table) || given(p.seq_lens);
    const bool csr = given(p.kv_indptr) || given(p.kv_indices) || given(p.kv_last_page_len);
    if (padded && csr) check.invalid("block_table or seq_lens and kv_* are both given, expected one table form");
    if (!padded && !csr) check.invalid("block_table and kv_indptr are absent, one table form is required");
    if (csr) check_csr_table(q, check, p);
    else check_padded_table(q, check, "block_table", p.block_table, p.seq_lens);

    const char* sequences = csr ? "kv_indptr.shape[0] - 1" : "block_table.shape[0]";
    q.query_start_loc = check.optional("query_start_loc", p.query_start_loc, [&](Arg& arg) {
      arg.rank(1).dtype({VKV_DTYPE_I32});
      if (arg.get().shape[0] != q.num_seqs + 1) {
        check.invalid("query_start_loc.shape[0] is %lld, expected %lld (%s, and one more)",
                      static_cast<long long>(arg.get().shape[0]), static_cast<long long>(q.num_seqs + 1), sequences);
      }
    });
    check.at_least("max_query_len", p.max_query_len, 0);
    if (!q.query_start_loc.present()) {
      if (q.num_tokens != q.num_seqs) {
        check.invalid("query.shape[0] is %lld, expected %lld (%s, as query_start_loc is absent)",
                      static_cast<long long>(q.num_tokens), static_cast<long long>(q.num_seqs), sequences);
      }
      q.max_query_len = 1;
    } else {
      q.max_query_len = p.max_query_len == 0 ? q.num_tokens : std::min<int64_t>(p.max_query_len, q.num_tokens);
    }
  }

  static PagedAttention check(const Params& p, const Check& check) {
    PagedAttention q{};
    q.op = VKV_OP_PAGED_ATTENTION;
    check_query(q, check, p.query, p.out);
    q.lse = check.optional("lse", p.lse, [&](Arg& arg) {
      arg.rank(2)
          .dtype({VKV_DTYPE_F32})
          .dim(0, q.num_tokens, "query.shape[0]")
          .dim(1, q.num_heads, "query.shape[1]")
          .written();
    });
    check.not_same("lse", q.lse, "query", q.query);
    check.not_same("lse", q.lse, "out", q.out);
    const int32_t layout =
        check.option("cache_layout", p.cache_layout, VKV_CACHE_LAYOUT_STRIDED, VKV_CACHE_LAYOUT_X_PACKED);
    if (layout == VKV_CACHE_LAYOUT_X_PACKED) {
      if (p.nvfp4_v_scales != 0)
        check.invalid("nvfp4_v_scales is %d, expected 0 (cache_layout is x-packed)", p.nvfp4_v_scales);
      check_x_packed_caches(q, check, p.key_cache, p.value_cache);
    } else {
      check_strided_caches(q, check, p.key_cache, p.value_cache, p.nvfp4_v_scales);
    }
    q.k_scale = check.scale("k_scale", p.k_scale, q.num_kv_heads);
    q.v_scale = check.scale("v_scale", p.v_scale, q.num_kv_heads);
    check_table(q, check, p);
    q.sinks = per_head(q, check, "sinks", p.sinks);
    check_options(q, check, p);
    q.logit_softcap = finite(check, "logit_softcap", p.logit_softcap);
    if (q.logit_softcap < 0)
      check.invalid("logit_softcap is %g, expected 0 or more", static_cast<double>(q.logit_softcap));
    check.at_least("sliding_window", p.sliding_window, 0);
    q.sliding_window = p.sliding_window;
    return q;
  }
};

template <class Params>
PagedAttention check_decode(const Params& p, const Check& check, int32_t op) {
  PagedAttention q{};
  q.op = op;
  check.zero("reserved0", p.reserved0);
  check_query(q, check, p.query, p.out);
  check_x_packed_caches(q, check, p.key_cache, p.value_cache);
  const auto agrees = [&](const char* name, int32_t given, int64_t expected, const char* why) {
    if (given != 0 && given != expected) {
      check.invalid("%s is %d, expected %lld (%s)", name, given, static_cast<long long>(expected), why);
    }
  };
  agrees("num_kv_heads", p.num_kv_heads, q.num_kv_heads, "key_cache.shape[1]");
  agrees("block_size", p.block_size, q.block_size, "key_cache.shape[3]");
  q.k_scale = check.scale("k_scale", p.k_scale);
  q.v_scale = check.scale("v_scale", p.v_scale);
  check_padded_table(q, check, "block_tables", p.block_tables, p.seq_lens);
  if (q.num_tokens != q.num_seqs) {
    check.invalid("query.shape[0] is %lld, expected %lld (block_tables.shape[0])", static_cast<long long>(q.num_tokens),
                  static_cast<long long>(q.num_seqs));
  }
  q.max_query_len = 1;
  check_options(q, check, p);
  return q;
}

struct OpV1 {
  static constexpr const char* name = "vkv_paged_attention_v1";
  using Params = vkv_paged_attention_v1_params;
  static constexpr uint32_t size_v1 = 1072, flags = 0;
  static constexpr auto row = &Backend::paged_attention;

  static PagedAttention check(const Params& p, const Check& check) {
    return check_decode(p, check, VKV_OP_PAGED_ATTENTION_V1);
  }
};

struct OpV2 {
  static constexpr const char* name = "vkv_paged_attention_v2";
  using Params = vkv_paged_attention_v2_params;
  static constexpr uint32_t size_v1 = 1408, flags = 0;
  static constexpr auto row = &Backend::paged_attention;

  static PagedAttention check(const Params& p, const Check& check) {
    PagedAttention q = check_decode(p, check, VKV_OP_PAGED_ATTENTION_V2);
    // vLLM's scratch tensors are neither read nor written, but one of the wrong kind is a mistake worth telling.
    const auto scratch = [&](const char* tensor, const vkv_tensor& given, int rank, vkv_dtype dtype, const char* why) {
      check.optional(tensor, given, [&](Arg& arg) {
        arg.rank(rank)
            .dtype_is(dtype, why)
            .dim(0, q.num_seqs, "block_tables.shape[0]")
            .dim(1, q.num_heads, "query.shape[1]");
      });
    };
    scratch("exp_sums", p.exp_sums, 3, VKV_DTYPE_F32, "always");
    scratch("max_logits", p.max_logits, 3, VKV_DTYPE_F32, "always");
    scratch("tmp_out", p.tmp_out, 4, q.query.dtype, "query.dtype");
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_paged_attention(const vkv_context* ctx, const vkv_paged_attention_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_paged_attention_workspace_size(const vkv_context* ctx, const vkv_paged_attention_params* params,
                                              size_t* bytes) {
  return vkv::workspace_size<vkv::Op>(ctx, params, bytes);
}

vkv_status vkv_paged_attention_supported(const vkv_context* ctx, const vkv_paged_attention_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}

vkv_status vkv_paged_attention_v1(const vkv_context* ctx, const vkv_paged_attention_v1_params* params,
                                  vkv_stream stream) {
  return vkv::enqueue<vkv::OpV1>(ctx, params, stream);
}

vkv_status vkv_paged_attention_v1_workspace_size(const vkv_context* ctx, const vkv_paged_attention_v1_params* params,
                                                 size_t* bytes) {
  return vkv::workspace_size<vkv::OpV1>(ctx, params, bytes);
}

vkv_status vkv_paged_attention_v1_supported(const vkv_context* ctx, const vkv_paged_attention_v1_params* params) {
  return vkv::supported<vkv::OpV1>(ctx, params);
}

vkv_status vkv_paged_attention_v2(const vkv_context* ctx, const vkv_paged_attention_v2_params* params,
                                  vkv_stream stream) {
  return vkv::enqueue<vkv::OpV2>(ctx, params, stream);
}

vkv_status vkv_paged_attention_v2_workspace_size(const vkv_context* ctx, const vkv_paged_attention_v2_params* params,
                                                 size_t* bytes) {
  return vkv::workspace_size<vkv::OpV2>(ctx, params, bytes);
}

vkv_status vkv_paged_attention_v2_supported(const vkv_context* ctx, const vkv_paged_attention_v2_params* params) {
  return vkv::supported<vkv::OpV2>(ctx, params);
}
