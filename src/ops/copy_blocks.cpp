// vkv_copy_blocks: entry points and validation. Cache addresses are host memory and checked here; block_mapping is
// device memory, whose ids the backend checks.
#include "core/entry.hpp"
#include "ops/address_list.hpp"

namespace vkv {
namespace {

constexpr int64_t kMaxCacheBytes = int64_t{1} << 60;

struct Op {
  static constexpr const char* name = "vkv_copy_blocks";
  using Params = vkv_copy_blocks_params;
  static constexpr uint32_t size_v1 = 368, flags = 0;
  static constexpr auto row = &Backend::copy_blocks;

  static CopyBlocks check(const Params& p, const Check& check) {
    CopyBlocks c{};
    c.key_caches = check.tensor("key_caches", p.key_caches).rank(1).dtype({VKV_DTYPE_I64});
    c.num_layers = c.key_caches.shape[0];
    c.value_caches = check.optional("value_caches", p.value_caches, [&](Arg& arg) {
      arg.rank(1).dtype({VKV_DTYPE_I64}).dim(0, c.num_layers, "key_caches.shape[0]");
    });
    c.block_mapping =
        check.tensor("block_mapping", p.block_mapping).rank(2).dtype({VKV_DTYPE_I64}).dim(1, 2, "source, destination");
    c.num_pairs = c.block_mapping.shape[0];
    check.at_least("num_blocks", p.num_blocks, 0);
    check.at_least("block_size_in_bytes", p.block_size_in_bytes, 0);
    c.num_blocks = p.num_blocks;
    c.block_bytes = p.block_size_in_bytes;
    c.block_stride_bytes = p.block_stride_in_bytes;
    if (c.block_stride_bytes == 0) c.block_stride_bytes = c.block_bytes;
    else check.at_least("block_stride_in_bytes", c.block_stride_bytes, c.block_bytes);
    if (c.num_blocks > 0 && c.block_stride_bytes > kMaxCacheBytes / c.num_blocks) {
      check.invalid("num_blocks is %lld, which at %lld bytes a block is more than 2^60 bytes",
                    static_cast<long long>(c.num_blocks), static_cast<long long>(c.block_stride_bytes));
    }
    if (check.pointers_matter() && !c.empty()) check_caches(c, check);
    return c;
  }

  static void check_caches(const CopyBlocks& c, const Check& check) {
    const int64_t bytes = c.num_blocks > 0 ? (c.num_blocks - 1) * c.block_stride_bytes + c.block_bytes : 0;
    for (int64_t layer = 0; layer < c.num_layers; ++layer) {
      check_address(check, "key_caches", c.key_caches, layer, bytes);
      if (c.value_caches.present()) check_address(check, "value_caches", c.value_caches, layer, bytes);
    }
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_copy_blocks(const vkv_context* ctx, const vkv_copy_blocks_params* params, vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_copy_blocks_supported(const vkv_context* ctx, const vkv_copy_blocks_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
