// vkv_swap_blocks: entry points and validation. block_mapping is host memory, so every id is checked before any copy.
#include "core/entry.hpp"

namespace vkv {
namespace {

int64_t bytes_of_a_block(const Tensor& pool) { return pool.elements(1) * element_size(pool.dtype); }

void check_mapping(const SwapBlocks& s, const Check& check) {
  for (int64_t i = 0; i < s.num_pairs; ++i) {
    for (int column = 0; column < 2; ++column) {
      const int64_t id = s.block(i, column), limit = column == 0 ? s.num_src_blocks : s.num_dst_blocks;
      if (id >= 0 && id < limit) continue;
      check.invalid("block_mapping[%lld][%d] is %lld, expected 0 or more and below %lld (%s.shape[0])",
                    static_cast<long long>(i), column, static_cast<long long>(id), static_cast<long long>(limit),
                    column == 0 ? "src" : "dst");
    }
  }
}

struct Op {
  static constexpr const char* name = "vkv_swap_blocks";
  using Params = vkv_swap_blocks_params;
  static constexpr uint32_t size_v1 = 352, flags = 0;
  static constexpr auto row = &Backend::swap_blocks;

  static SwapBlocks check(const Params& p, const Check& check) {
    SwapBlocks s{};
    s.src = check.tensor("src", p.src).packed_from(1);
    s.dst = check.tensor("dst", p.dst).packed_from(1).written();
    s.num_src_blocks = s.src.shape[0];
    s.num_dst_blocks = s.dst.shape[0];
    s.src_stride_bytes = s.src.stride[0] * element_size(s.src.dtype);
    s.dst_stride_bytes = s.dst.stride[0] * element_size(s.dst.dtype);
    s.block_bytes = bytes_of_a_block(s.src);
    if (bytes_of_a_block(s.dst) != s.block_bytes) {
      check.invalid("dst has %lld bytes a block, expected %lld (src)", static_cast<long long>(bytes_of_a_block(s.dst)),
                    static_cast<long long>(s.block_bytes));
    }
    s.block_mapping =
        check.tensor("block_mapping", p.block_mapping).rank(2).dtype({VKV_DTYPE_I64}).dim(1, 2, "src, dst");
    s.num_pairs = s.block_mapping.shape[0];
    check.at_least("max_sms", p.max_sms, 0);
    check.zero("reserved0", p.reserved0);
    s.max_sms = p.max_sms;
    if (check.pointers_matter()) check_mapping(s, check);
    return s;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_swap_blocks(const vkv_context* ctx, const vkv_swap_blocks_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_swap_blocks_supported(const vkv_context* ctx, const vkv_swap_blocks_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
