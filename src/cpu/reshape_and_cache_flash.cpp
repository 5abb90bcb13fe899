// reshape_and_cache_flash on the CPU: each token's heads are copied or quantised into its slot, all heads in one run
// where they lie together.
#include <algorithm>
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/paging.hpp"
#include "cpu/streaming.hpp"

namespace vkv::cpu {

namespace {

// Writes tokens of key into key_cache, or of value into value_cache.
class Side {
 public:
  Side(const RowKernels& rows, const Tensor& input, const Tensor& cache, const Tensor& scale, int64_t tokens)
      : input_(input), cache_(cache), scale_(scale), heads_(input.shape[1]), dim_(input.shape[2]),
        in_size_(element_size(input.dtype)), out_size_(element_size(cache.dtype)),
        quantize_(input.dtype == cache.dtype ? nullptr : rows.quantize(input.dtype, cache.dtype)) {
    const bool one_scale = quantize_ == nullptr || !scale.present() || scale.shape[0] == 1;
    if (one_scale && (heads_ == 1 || (input.stride[1] == dim_ && cache.stride[2] == dim_))) {
      dim_ *= heads_;
      heads_ = 1;
    }
    streams_ = 2 * tokens * heads_ * dim_ * out_size_ >= kStreamingBytes && dim_ * out_size_ >= kStreamingRun;
  }

  int64_t bytes_each() const { return heads_ * dim_ * (in_size_ + out_size_); }

  void write(int64_t token, const Place& at) const {
    const char* in = input_.as<const char>() + token * input_.stride[0] * in_size_;
    char* out = cache_.as<char>() + (at.block * cache_.stride[0] + at.offset * cache_.stride[1]) * out_size_;
    for (int64_t h = 0; h < heads_; ++h) {
      if (quantize_ != nullptr) {
        quantize_(in, out, dim_, scale_.present() ? scale_.as<const float>()[scale_index(scale_, h)] : 1.0f);
      } else if (streams_) {
        copy_streaming(out, in, static_cast<std::size_t>(dim_ * in_size_));
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
  bool streams_;
};

// The same into NVFP4 blocks, whose rows (token, head) are split into data and scales. A row's number in its block
// follows from the strides.
class Nvfp4Side {
 public:
  Nvfp4Side(const RowKernels& rows, const Tensor& input, const Tensor& cache, const Tensor& scale, bool swizzled)
      : input_(input), cache_(cache), scale_(scale), swizzled_(swizzled), heads_(input.shape[1]),
        row_groups_(input.shape[2] / kGroup), token_rows_(cache.stride[1] / cache.shape[3]),
        head_rows_(cache.stride[2] / cache.shape[3]), data_bytes_(cache.shape[1] * heads_ * row_groups_ * kGroupBytes),
        quantize_(rows.quantize_nvfp4(input.dtype)) {}

  int64_t bytes_each() const { return heads_ * row_groups_ * (2 * kGroup + kGroupBytes + 1); }

  void write(int64_t token, const Place& at) const {
    const float scale = scale_.present() ? *scale_.as<const float>() : 1.0f;
    const auto* in = input_.as<const uint16_t>() + token * input_.stride[0];
    auto* data = cache_.as<uint8_t>() + at.block * cache_.stride[0];
    uint8_t* scales = data + data_bytes_;
    const int64_t first = at.offset * token_rows_;
    if (!swizzled_ && (heads_ == 1 || (head_rows_ == 1 && input_.stride[1] == input_.shape[2]))) {
      quantize_(in, data + first * row_groups_ * kGroupBytes, scales + first * row_groups_, heads_ * row_groups_,
                scale);
      return;
    }
    for (int64_t h = 0; h < heads_; ++h) {
      const int64_t row = first + h * head_rows_;
      const auto* row_in = in + h * input_.stride[1];
      uint8_t* row_data = data + row * row_groups_ * kGroupBytes;
      if (swizzled_) {
        write_swizzled(row_in, row_data, scales, at.offset, h, scale);
      } else {
        quantize_(row_in, row_data, scales + row * row_groups_, row_groups_, scale);
      }
    }
  }

 private:
  static constexpr int64_t kGroup = 16, kGroupBytes = 8;

  void write_swizzled(const uint16_t* in, uint8_t* data, uint8_t* scales, int64_t offset, int64_t head,
                      float scale) const {
    constexpr int64_t kMost = 64;  // groups at a time
    uint8_t linear[kMost];
    const int64_t quarter = row_groups_ / 4;
    for (int64_t begin = 0; begin < row_groups_; begin += kMost) {
      const int64_t end = std::min(begin + kMost, row_groups_);
      quantize_(in + begin * kGroup, data + begin * kGroupBytes, linear, end - begin, scale);
      for (int64_t g = begin; g < end; ++g) {
        const int64_t row = (offset / 4 * 4 + g / quarter) * token_rows_ + head * head_rows_;
        scales[row * row_groups_ + 4 * (g % quarter) + offset % 4] = linear[g - begin];
      }
    }
  }

  const Tensor& input_;
  const Tensor& cache_;
  const Tensor& scale_;
  const bool swizzled_;
  const int64_t heads_, row_groups_, token_rows_, head_rows_, data_bytes_;
  const RowKernels::QuantizeNvfp4 quantize_;
};

template <class AnySide>
void write_tokens(const CpuContext& cpu, const ReshapeAndCacheFlash& q, const AnySide& key, const AnySide& value) {
  const Slots slots(cpu, VKV_OP_RESHAPE_AND_CACHE_FLASH, q.slot_mapping, q.num_blocks, q.block_size);
  cpu.pool.for_ranges(q.num_tokens, key.bytes_each() + value.bytes_each(), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      if (const auto at = slots.place(n)) {
        key.write(n, *at);
        value.write(n, *at);
      }
    }
    end_streaming();
  });
}

}  // namespace

void run(const Context& ctx, const ReshapeAndCacheFlash& q, vkv_stream) {
  const CpuContext& cpu = self(ctx);
  if (q.key_cache.dtype == VKV_DTYPE_NVFP4) {
    write_tokens(cpu, q, Nvfp4Side(cpu.rows, q.key, q.key_cache, q.k_scale, false),
                 Nvfp4Side(cpu.rows, q.value, q.value_cache, q.v_scale, q.nvfp4_swizzled_v));
  } else {
    write_tokens(cpu, q, Side(cpu.rows, q.key, q.key_cache, q.k_scale, q.num_tokens),
                 Side(cpu.rows, q.value, q.value_cache, q.v_scale, q.num_tokens));
  }
}

}  // namespace vkv::cpu
