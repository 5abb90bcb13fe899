// reshape_and_cache_flash: K and V as two row segments; NVFP4 has a kernel of its own.
#include "cuda/cache_write/nvfp4.hpp"
#include "cuda/cache_write/rows.hpp"
#include "cuda/ops.hpp"

namespace vkv::cuda {

namespace {

RowSegment side(const ReshapeAndCacheFlash& q, const Tensor& src, const Tensor& cache, const Tensor& scale) {
  const int64_t in = element_size(src.dtype), out = element_size(cache.dtype);
  RowSegment s{};
  s.src = src.as<const char>();
  s.src_token = src.stride[0] * in;
  s.src_head = src.stride[1] * in;
  s.dst = cache.as<char>();
  s.dst_block = cache.stride[0] * out;
  s.dst_token = cache.stride[1] * out;
  s.dst_head = cache.stride[2] * out;
  s.scale = scale.as<const float>();
  s.scale_head = scale.present() && scale.shape[0] > 1 ? scale.stride[0] : 0;
  s.heads = q.num_heads;
  s.elements = q.head_dim;
  return s;
}

}  // namespace

void run(const Context& context, const ReshapeAndCacheFlash& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  if (q.key_cache.dtype == VKV_DTYPE_NVFP4) return write_nvfp4(ctx, q, stream);
  const RowWrite write = {
      {side(q, q.key, q.key_cache, q.k_scale), side(q, q.value, q.value_cache, q.v_scale)},
      q.key.dtype,
      q.key_cache.dtype,
      q.num_tokens,
      make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_RESHAPE_AND_CACHE_FLASH),
  };
  write_rows(ctx, write, stream);
}

}  // namespace vkv::cuda
