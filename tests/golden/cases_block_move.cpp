// Golden cases of the operations that move blocks. A file cannot name addresses, so the cases of lists of addresses are
// refusals, whose sentences tell what was passed, and calls in which nothing is left to copy.
#include "golden/capture.hpp"
#include "golden/cases.hpp"
#include "support/reference/swap_blocks.hpp"

namespace golden {

namespace {

using support::Array;
using support::host;
using support::Shape;

Array integers(Shape shape, Shape stride, const std::vector<int64_t>& values) {
  Array a(host(), VKV_DTYPE_I64, std::move(shape), std::move(stride));
  a.fill_integers(values);
  return a;
}

}  // namespace

std::vector<Case> swap_blocks() {
  support::Random random(14);
  Array src(host(), VKV_DTYPE_F16, {4, 3, 5}, {18, 5, 1}), dst(host(), VKV_DTYPE_U8, {6, 30}, {33, 1});
  src.fill_bits(random);
  dst.fill_bits(random);
  const Array mapping = integers({3, 2}, {1, 4}, {3, 1, 0, 5, 3, 2});
  vkv_swap_blocks_params p = VKV_INIT(vkv_swap_blocks_params);
  p.src = src.view();
  p.dst = dst.view();
  p.block_mapping = mapping.view();
  p.max_sms = 2;
  Case c = capture("swap_blocks", "f16 blocks to bytes", p);
  reference::swap_blocks(src, mapping, dst);
  dst.upload();
  expect_exact(c, "dst", p.dst);
  return {c,
          refused_stride(c, "src", 1, 6, "src.stride[1] is 6, expected 5"),
          refused_dtype(c, "block_mapping", VKV_DTYPE_I32, "block_mapping.dtype is i32, expected i64"),
          refused_null(c, "block_mapping"),
          refused_scalar(c, "max_sms", -1, "max_sms is -1, expected at least 0"),
          refused(c, "a block outside dst", "below 5 (dst.shape[0])",
                  [](Case& bad) { bad.tensor("dst").shape[0] = 5; })};
}

std::vector<Case> swap_blocks_batch() {
  const Array from = integers({3}, {}, {0x1000, 0x2000, 0x3000}), to = integers({3}, {}, {0x4000, 0x5000, 0x6000});
  const Array none = integers({3}, {}, {0, 0, 0}), last = integers({3}, {}, {0, 0, 77});
  vkv_swap_blocks_batch_params p = VKV_INIT(vkv_swap_blocks_batch_params);
  p.src_ptrs = from.view();
  p.dst_ptrs = to.view();
  p.sizes = none.view();
  p.flags = VKV_SWAP_SOURCE_ORDER_ANY;
  p.max_sms = 2;
  const Case good = capture("swap_blocks_batch", "no bytes to copy", p);
  // No entry of a bad list can be copied, however the list is read: it has no valid address, and no other size.
  const auto bad_list = [&](const char* field, const std::vector<int64_t>& values, const std::string& message) {
    const Array list = integers({3}, {}, values);
    vkv_swap_blocks_batch_params bad = p;
    bad.sizes = last.view();
    (std::string(field) == "sizes" ? bad.sizes : field[0] == 's' ? bad.src_ptrs : bad.dst_ptrs) = list.view();
    return refused(capture("swap_blocks_batch", "", bad), "bad entries of " + std::string(field), message,
                   [](Case&) {});
  };
  return {good,
          bad_list("src_ptrs", {-16, -48, -64}, "src_ptrs[2] is 0xffffffffffffffc0, which is no address of 77 bytes"),
          bad_list("dst_ptrs", {-80, -48, -32}, "dst_ptrs[2] is 0xffffffffffffffe0, which is no address of 77 bytes"),
          bad_list("src_ptrs", {-1, -1, 0}, "src_ptrs[2] is null"),
          bad_list("sizes", {0, 0, -7}, "sizes[2] is -7, expected 0 or more"),
          refused_dtype(good, "sizes", VKV_DTYPE_I32, "sizes.dtype is i32, expected i64"),
          refused_null(good, "src_ptrs"),
          refused_scalar(good, "max_sms", -1, "max_sms is -1, expected at least 0"),
          refused_scalar(good, "flags", 2, "flags is 0x2", VKV_ERROR_NOT_SUPPORTED)};
}

std::vector<Case> copy_blocks() {
  const Array keys = integers({2}, {}, {0x1000, 0x2000}), values = integers({2}, {}, {0x3000, 0x4000});
  const Array outside = integers({3, 2}, {1, 4}, {1000, 0, 2, -1, 1, 7000});
  vkv_copy_blocks_params p = VKV_INIT(vkv_copy_blocks_params);
  p.key_caches = keys.view();
  p.value_caches = values.view();
  p.block_mapping = outside.view();
  p.num_blocks = 5;
  p.block_size_in_bytes = 48;
  p.block_stride_in_bytes = 64;
  Case c = capture("copy_blocks", "every pair outside the caches", p);
  expect_report(c, "VKV_REPORT_BLOCK_ID", 3);
  const auto bad_entry = [&](const char* field, uint8_t byte, const std::string& name, const std::string& message) {
    return refused(c, name, message, [&](Case& bad) {
      Bytes& storage = bad.tensor(field).storage;
      storage.assign(storage.size(), byte);
    });
  };
  return {c,
          bad_entry("key_caches", 0, "no first key cache", "key_caches[0] is null"),
          bad_entry("value_caches", 0xFF, "no address of value caches",
                    "value_caches[0] is 0xffffffffffffffff, which is no address of 304 bytes"),
          refused(c, "lists of other lengths", "value_caches.shape[0] is 1, expected 2 (key_caches.shape[0])",
                  [](Case& bad) { bad.tensor("value_caches").shape[0] = 1; }),
          refused_dtype(c, "block_mapping", VKV_DTYPE_I32, "block_mapping.dtype is i32, expected i64"),
          refused_null(c, "block_mapping"),
          refused_scalar(c, "block_stride_in_bytes", 47, "block_stride_in_bytes is 47, expected at least 48"),
          refused_scalar(c, "num_blocks", -1, "num_blocks is -1, expected at least 0"),
          refused_scalar(c, "block_size_in_bytes", -1, "block_size_in_bytes is -1, expected at least 0")};
}

}  // namespace golden
