// vkv_cp_gather_and_upconvert_fp8_kv_cache: entry points and validation.
#include "ops/cp_gather_and_upconvert_fp8_kv_cache.hpp"

#include "core/entry.hpp"

namespace vkv {
namespace {

struct Op {
  static constexpr const char* name = "vkv_cp_gather_and_upconvert_fp8_kv_cache";
  using Params = vkv_cp_gather_and_upconvert_fp8_kv_cache_params;
  static constexpr uint32_t size_v1 = 568, flags = 0;
  static constexpr auto row = &Backend::cp_gather_and_upconvert_fp8_kv_cache;

  static CpGatherAndUpconvertFp8KvCache check(const Params& p, const Check& check) {
    CpGatherAndUpconvertFp8KvCache q{};
    q.src_cache = check.tensor("src_cache", p.src_cache)
                      .rank(3)
                      .dtype({VKV_DTYPE_FP8_DS_MLA})
                      .dim(2, DsMlaEntry::kBytes, "bytes of an fp8_ds_mla entry")
                      .packed_from(2)
                      .aligned(4);
    q.num_blocks = q.src_cache.shape[0];
    q.block_size = q.src_cache.shape[1];
    q.dst = check.tensor("dst", p.dst)
                .rank(2)
                .dtype({VKV_DTYPE_F16, VKV_DTYPE_BF16})
                .dim(1, DsMlaEntry::kRank + DsMlaEntry::kRope, "elements of an fp8_ds_mla entry")
                .packed_from(1)
                .written();
    q.num_rows = q.dst.shape[0];
    q.block_table = check.tensor("block_table", p.block_table).rank(2).dtype({VKV_DTYPE_I32}).packed_from(1);
    q.batch = q.block_table.shape[0];
    q.table_columns = q.block_table.shape[1];
    q.workspace_starts = check.tensor("workspace_starts", p.workspace_starts)
                             .rank(1)
                             .dtype({VKV_DTYPE_I32})
                             .dim(0, q.batch, "block_table.shape[0]");
    q.seq_starts = check.optional("seq_starts", p.seq_starts, [&](Arg& arg) {
      arg.rank(1).dtype({VKV_DTYPE_I32}).dim(0, q.batch, "block_table.shape[0]");
    });
    check.not_same("dst", q.dst, "src_cache", q.src_cache);
    return q;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_cp_gather_and_upconvert_fp8_kv_cache(const vkv_context* ctx,
                                                    const vkv_cp_gather_and_upconvert_fp8_kv_cache_params* params,
                                                    vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status
vkv_cp_gather_and_upconvert_fp8_kv_cache_supported(const vkv_context* ctx,
                                                   const vkv_cp_gather_and_upconvert_fp8_kv_cache_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
