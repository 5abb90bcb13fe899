// concat_and_cache_mla: latent and rope as two row segments of one entry; fp8_ds_mla has a kernel of its own.
#include "cuda/cache_write/ds_mla.hpp"
#include "cuda/cache_write/rows.hpp"
#include "cuda/ops.hpp"

namespace vkv::cuda {

void run(const Context& context, const ConcatAndCacheMla& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  if (q.kv_cache.dtype == VKV_DTYPE_FP8_DS_MLA) return write_ds_mla(ctx, q, stream);
  const int64_t in = element_size(q.kv_c.dtype), out = element_size(q.kv_cache.dtype);
  const auto part = [&](const Tensor& src, int64_t at, int64_t elements) {
    RowSegment s{};
    s.src = src.as<const char>();
    s.src_token = src.stride[0] * in;
    s.dst = q.kv_cache.as<char>() + at * out;
    s.dst_block = q.kv_cache.stride[0] * out;
    s.dst_token = q.kv_cache.stride[1] * out;
    s.scale = q.scale.as<const float>();
    s.heads = 1;
    s.elements = elements;
    return s;
  };
  const RowWrite write = {
      {part(q.kv_c, 0, q.kv_lora_rank), part(q.k_pe, q.kv_lora_rank, q.rope_dim)},
      q.kv_c.dtype,
      q.kv_cache.dtype,
      q.num_tokens,
      make_slots(ctx, q.slot_mapping, q.num_blocks, q.block_size, VKV_OP_CONCAT_AND_CACHE_MLA),
  };
  write_rows(ctx, write, stream);
}

}  // namespace vkv::cuda
