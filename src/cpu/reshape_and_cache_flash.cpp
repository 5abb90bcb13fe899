// reshape_and_cache_flash on the CPU: each token's heads are copied or quantised into its slot, all heads in one run
// where they lie together.
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/paging.hpp"

namespace vkv::cpu {

namespace {

// Writes tokens of key into key_cache, or of value into value_cache.
class Side {
 public:
  Side(const RowKernels& rows, const Tensor& input, const Tensor& cache, const Tensor& scale)
      : input_(input), cache_(cache), scale_(scale), heads_(input.shape[1]), dim_(input.shape[2]),
        in_size_(element_size(input.dtype)), out_size_(element_size(cache.dtype)),
        quantize_(input.dtype == cache.dtype ? nullptr : rows.quantize(input.dtype, cache.dtype)) {
    const bool one_scale = quantize_ == nullptr || !scale.present() || scale.shape[0] == 1;
    if (one_scale && (heads_ == 1 || (input.stride[1] == dim_ && cache.stride[2] == dim_))) {
      dim_ *= heads_;
      heads_ = 1;
    }
  }

  int64_t bytes_each() const { return heads_ * dim_ * (in_size_ + out_size_); }

  void write(int64_t token, const Place& at) const {
    const char* in = input_.as<const char>() + token * input_.stride[0] * in_size_;
    char* out = cache_.as<char>() + (at.block * cache_.stride[0] + at.offset * cache_.stride[1]) * out_size_;
    for (int64_t h = 0; h < heads_; ++h) {
      if (quantize_ != nullptr) {
        quantize_(in, out, dim_, scale_.present() ? scale_.as<const float>()[scale_index(scale_, h)] : 1.0f);
      } else {
        std::memcpy(out, in, static_cast<std::size_t>(dim_ * in_size_));
      }
      in += input_.stride[1] * in_size_;
      out += cache_.stride[2] * out_size_;
    }
  }

 private:
  const Tensor& input_;
  const Tensor& cache_;
  const Tensor& scale_;
  int64_t heads_, dim_;  // runs of a token, and their length
  const int64_t in_size_, out_size_;
  const RowKernels::Quantize quantize_;  // null: bits are copied
};

}  // namespace

void run(const Context& ctx, const ReshapeAndCacheFlash& q, vkv_stream) {
  if (q.key_cache.dtype == VKV_DTYPE_NVFP4) fail(VKV_ERROR_NOT_SUPPORTED, "nvfp4 is not on the CPU backend yet");
  const CpuContext& cpu = self(ctx);
  const Slots slots(ctx, VKV_OP_RESHAPE_AND_CACHE_FLASH, q.slot_mapping, q.num_blocks, q.block_size);
  const Side key(cpu.rows, q.key, q.key_cache, q.k_scale), value(cpu.rows, q.value, q.value_cache, q.v_scale);
  cpu.pool.for_ranges(q.num_tokens, key.bytes_each() + value.bytes_each(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (const auto at = slots.place(n)) {
        key.write(n, *at);
        value.write(n, *at);
      }
    }
  });
}

}  // namespace vkv::cpu
