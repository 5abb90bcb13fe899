#include "tools/cache_layout.hpp"

#include <initializer_list>

#include "support/number.hpp"

namespace tools {

namespace {

vkv_tensor tensor(void* data, vkv_dtype dtype, std::initializer_list<int64_t> shape,
                  std::initializer_list<int64_t> stride) {
  vkv_tensor t{};
  t.data = data;
  t.dtype = dtype;
  for (int64_t d : shape) t.shape[t.ndim++] = d;
  int i = 0;
  for (int64_t s : stride) t.stride[i++] = s;
  return t;
}

}  // namespace

int64_t CacheLayout::element_bytes() const { return support::element_size(dtype); }
int64_t CacheLayout::data_bytes() const {
  return dtype == VKV_DTYPE_NVFP4 ? head_size / 2 : head_size * element_bytes();
}
int64_t CacheLayout::scale_bytes() const { return dtype == VKV_DTYPE_NVFP4 ? head_size / 16 : 0; }
int64_t CacheLayout::side_bytes() const { return block_size * kv_heads * (data_bytes() + scale_bytes()); }

vkv_tensor CacheLayout::view(Which which, void* pool, int64_t blocks) const {
  char* data = pool == nullptr ? nullptr : static_cast<char*>(pool) + side(which);
  const int64_t stride = block_bytes() / element_bytes();
  if (layout == Layout::x) {
    const int64_t x = packed_elements(), head = head_size * block_size;
    if (which == Which::value) {
      return tensor(data, dtype, {blocks, kv_heads, head_size, block_size}, {stride, head, block_size, 1});
    }
    return tensor(data, dtype, {blocks, kv_heads, head_size / x, block_size, x}, {stride, head, block_size * x, x, 1});
  }
  const int64_t elements = (data_bytes() + scale_bytes()) / element_bytes();
  if (layout == Layout::nhd) {
    return tensor(data, dtype, {blocks, block_size, kv_heads, elements}, {stride, kv_heads * elements, elements, 1});
  }
  return tensor(data, dtype, {blocks, block_size, kv_heads, elements}, {stride, elements, block_size * elements, 1});
}

vkv_tensor CacheLayout::blocks_view(void* pool, int64_t blocks) const {
  return tensor(pool, VKV_DTYPE_U8, {blocks, block_bytes()}, {block_bytes(), 1});
}

int64_t CacheLayout::row(int64_t token, int64_t head) const {
  return layout == Layout::nhd ? token * kv_heads + head : head * block_size + token;
}

int64_t CacheLayout::row_offset(Which which, int64_t token, int64_t head, int64_t byte) const {
  if (layout != Layout::x) return side(which) + row(token, head) * data_bytes() + byte;
  const int64_t element = byte / element_bytes(), rest = byte % element_bytes(), x = packed_elements();
  const int64_t in_head =
      which == Which::value ? element * block_size + token : (element / x * block_size + token) * x + element % x;
  return side(which) + (head * head_size * block_size + in_head) * element_bytes() + rest;
}

int64_t CacheLayout::scale_offset(Which which, int64_t token, int64_t head, int64_t group) const {
  return side(which) + block_size * kv_heads * data_bytes() + row(token, head) * scale_bytes() + group;
}

}  // namespace tools
