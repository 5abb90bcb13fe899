// reshape_and_cache on the CPU. In an x-packed cache a token's row is spread over its block, one group of 16 bytes (K)
// or one element (V) at a time, and its neighbours' lie in between. So tokens that follow each other in a block are
// written together, a few dims after the other.
#include <algorithm>
#include <cstring>

#include "cpu/ops.hpp"
#include "cpu/paging.hpp"

namespace vkv::cpu {

namespace {

constexpr int64_t kMostTokens = 32;  // written together
constexpr int64_t kMostDims = 128;   // converted at a time; a multiple of every x

// Tokens [first, first + count) go to consecutive slots from `at` on, all in one block.
struct Run {
  int64_t first, count;
  Place at;

  bool continues(const Place& next) const { return next.block == at.block && next.offset == at.offset + count; }
};

// Rows of 16-byte groups, `pitch` bytes apart, go to groups that are `block_size` groups apart.
void spread_groups(const char* rows, int64_t pitch, const Run& run, int64_t bytes, char* out, int64_t block_size) {
  for (int64_t group = 0; group < bytes / 16; ++group) {
    for (int64_t i = 0; i < run.count; ++i) {
      std::memcpy(out + (group * block_size + i) * 16, rows + i * pitch + group * 16, 16);
    }
  }
}

// Writes runs of key into key_cache, or of value into value_cache.
class Side {
 public:
  Side(const RowKernels& rows, const Tensor& input, const Tensor& cache, const Tensor& scale, int64_t block_size,
       int64_t x)
      : input_(input), cache_(cache), scale_(scale), block_size_(block_size), x_(x),
        in_size_(element_size(input.dtype)), out_size_(element_size(cache.dtype)),
        quantize_(input.dtype == cache.dtype ? nullptr : rows.quantize(input.dtype, cache.dtype)),
        transpose_(rows.transpose(out_size_)) {}

  void write(const Run& run) const {
    for (int64_t h = 0; h < input_.shape[1]; ++h) {
      const char* in = input_.as<const char>() + (run.first * input_.stride[0] + h * input_.stride[1]) * in_size_;
      char* out =
          cache_.as<char>() + (run.at.block * cache_.stride[0] + h * cache_.stride[1] + run.at.offset * x_) * out_size_;
      const float scale =
          quantize_ != nullptr && scale_.present() ? scale_.as<const float>()[scale_index(scale_, h)] : 1.0f;
      for (int64_t d = 0; d < input_.shape[2]; d += kMostDims) {
        write_dims(run, in + d * in_size_, std::min(kMostDims, input_.shape[2] - d), scale,
                   out + d * block_size_ * out_size_);
      }
    }
  }

 private:
  void write_dims(const Run& run, const char* in, int64_t dims, float scale, char* out) const {
    int64_t pitch = input_.stride[0] * in_size_;
    alignas(64) char narrow[kMostTokens * kMostDims];
    if (quantize_ != nullptr) {
      for (int64_t i = 0; i < run.count; ++i) quantize_(in + i * pitch, narrow + i * kMostDims, dims, scale);
      in = narrow;
      pitch = kMostDims;
    }
    if (x_ > 1) {
      spread_groups(in, pitch, run, dims * out_size_, out, block_size_);
    } else {
      transpose_(in, pitch, run.count, dims, out, block_size_ * out_size_);
    }
  }

  const Tensor& input_;
  const Tensor& cache_;
  const Tensor& scale_;
  const int64_t block_size_, x_;  // x is 1 for V
  const int64_t in_size_, out_size_;
  const RowKernels::Quantize quantize_;  // null: bits are copied
  const RowKernels::Transpose transpose_;
};

}  // namespace

void run(const Context& ctx, const ReshapeAndCache& q, vkv_stream) {
  const CpuContext& cpu = self(ctx);
  const Slots slots(ctx, VKV_OP_RESHAPE_AND_CACHE, q.slot_mapping, q.num_blocks, q.block_size);
  const Side key(cpu.rows, q.key, q.key_cache, q.k_scale, q.block_size, q.x);
  const Side value(cpu.rows, q.value, q.value_cache, q.v_scale, q.block_size, 1);
  const int64_t bytes = 2 * q.num_heads * q.head_dim * (element_size(q.key.dtype) + element_size(q.key_cache.dtype));
  cpu.pool.for_ranges(q.num_tokens, bytes, [&](int64_t begin, int64_t end) {
    Run run{};
    for (int64_t n = begin; n <= end; ++n) {
      const auto at = n < end ? slots.place(n) : std::nullopt;
      if (at && run.count > 0 && run.count < kMostTokens && run.continues(*at)) {
        ++run.count;
        continue;
      }
      if (run.count > 0) {
        key.write(run);
        value.write(run);
      }
      run = at ? Run{n, 1, *at} : Run{};
    }
  });
}

}  // namespace vkv::cpu
