// vkv_swap_blocks_batch: entry points and validation. The three lists are host memory, so that every entry is checked
// before any copy.
#include "core/entry.hpp"
#include "ops/address_list.hpp"

namespace vkv {
namespace {

void check_entries(const SwapBlocksBatch& s, const Check& check) {
  for (int64_t i = 0; i < s.count; ++i) {
    const int64_t size = s.size(i);
    if (size < 0) {
      check.invalid("sizes[%lld] is %lld, expected 0 or more", static_cast<long long>(i), static_cast<long long>(size));
    }
    if (size == 0) continue;
    check_address(check, "src_ptrs", s.src_ptrs, i, size);
    check_address(check, "dst_ptrs", s.dst_ptrs, i, size);
  }
}

struct Op {
  static constexpr const char* name = "vkv_swap_blocks_batch";
  using Params = vkv_swap_blocks_batch_params;
  static constexpr uint32_t size_v1 = 352, flags = VKV_SWAP_SOURCE_ORDER_ANY;
  static constexpr auto row = &Backend::swap_blocks_batch;

  static SwapBlocksBatch check(const Params& p, const Check& check) {
    SwapBlocksBatch s{};
    s.src_ptrs = check.tensor("src_ptrs", p.src_ptrs).rank(1).dtype({VKV_DTYPE_I64});
    s.count = s.src_ptrs.shape[0];
    const auto like_src = [&](const char* list, const vkv_tensor& given) {
      return check.tensor(list, given).rank(1).dtype({VKV_DTYPE_I64}).dim(0, s.count, "src_ptrs.shape[0]").get();
    };
    s.dst_ptrs = like_src("dst_ptrs", p.dst_ptrs);
    s.sizes = like_src("sizes", p.sizes);
    check.at_least("max_sms", p.max_sms, 0);
    check.zero("reserved0", p.reserved0);
    s.max_sms = p.max_sms;
    s.source_order_any = (p.flags & VKV_SWAP_SOURCE_ORDER_ANY) != 0;
    if (check.pointers_matter()) check_entries(s, check);
    return s;
  }
};

}  // namespace
}  // namespace vkv

vkv_status vkv_swap_blocks_batch(const vkv_context* ctx, const vkv_swap_blocks_batch_params* params,
                                 vkv_stream stream) {
  return vkv::enqueue<vkv::Op>(ctx, params, stream);
}

vkv_status vkv_swap_blocks_batch_supported(const vkv_context* ctx, const vkv_swap_blocks_batch_params* params) {
  return vkv::supported<vkv::Op>(ctx, params);
}
