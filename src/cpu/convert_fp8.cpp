// convert_fp8 on the CPU: the tensors are brought to as few and as long rows as their strides allow; a row that is not
// packed is converted by way of small packed buffers.
#include <algorithm>

#include "cpu/context.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {

struct Dim {
  int64_t size, dst, src;  // extent and strides
};

// Dimensions of more than one element, outermost first in dst's memory, neighbours merged where both tensors allow it.
struct Dims {
  Dim dim[VKV_MAX_DIMS];
  int count = 0;

  Dims(const Tensor& dst, const Tensor& src) {
    for (int i = 0; i < dst.ndim; ++i) {
      if (dst.shape[i] == 1) continue;
      int at = count++;
      for (; at > 0 && dim[at - 1].dst < dst.stride[i]; --at) dim[at] = dim[at - 1];
      dim[at] = {dst.shape[i], dst.stride[i], src.stride[i]};
    }
    if (count == 0) dim[count++] = {1, 1, 1};
    int last = 0;
    for (int i = 1; i < count; ++i) {
      Dim& outer = dim[last];
      const Dim& inner = dim[i];
      if (outer.dst == inner.dst * inner.size && outer.src == inner.src * inner.size) {
        outer = {outer.size * inner.size, inner.dst, inner.src};
      } else {
        dim[++last] = inner;
      }
    }
    count = last + 1;
  }

  const Dim& row() const { return dim[count - 1]; }

  // Adds to both offsets where row `i` begins.
  void locate(int64_t i, int64_t& dst, int64_t& src) const {
    for (int d = count - 2; d >= 0; --d) {
      dst += i % dim[d].size * dim[d].dst;
      src += i % dim[d].size * dim[d].src;
      i /= dim[d].size;
    }
  }
};

template <class Element>
void copy_elements(const void* in, int64_t in_stride, void* out, int64_t out_stride, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    static_cast<Element*>(out)[i * out_stride] = static_cast<const Element*>(in)[i * in_stride];
  }
}

auto element_copier(int64_t size) {
  return size == 1 ? copy_elements<uint8_t> : size == 2 ? copy_elements<uint16_t> : copy_elements<uint32_t>;
}

}  // namespace

void run(const Context& ctx, const ConvertFp8& q, vkv_stream) {
  const CpuContext& cpu = self(ctx);
  const int64_t dst_size = element_size(q.dst.dtype), src_size = element_size(q.src.dtype);
  const auto convert =
      q.quantizes() ? cpu.rows.quantize(q.src.dtype, q.dst.dtype) : cpu.rows.dequantize(q.src.dtype, q.dst.dtype);
  const auto gather = element_copier(src_size), scatter = element_copier(dst_size);
  const Dims dims(q.dst, q.src);
  const Dim& row = dims.row();

  const auto convert_run = [&](const char* in, char* out, int64_t n) {
    if (row.dst == 1 && row.src == 1) return convert(in, out, n, q.scale);
    constexpr int64_t kBuffer = 256;
    alignas(64) char packed_in[kBuffer * 4], packed_out[kBuffer * 4];
    for (int64_t i = 0; i < n; i += kBuffer) {
      const int64_t count = std::min(n - i, kBuffer);
      gather(in + i * row.src * src_size, row.src, packed_in, 1, count);
      convert(packed_in, packed_out, count, q.scale);
      scatter(packed_out, 1, out + i * row.dst * dst_size, row.dst, count);
    }
  };

  cpu.pool.for_ranges(q.dst.elements(), dst_size + src_size, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t column = begin % row.size, n = std::min(end - begin, row.size - column);
      int64_t dst = column * row.dst, src = column * row.src;
      dims.locate(begin / row.size, dst, src);
      convert_run(q.src.as<const char>() + src * src_size, q.dst.as<char>() + dst * dst_size, n);
      begin += n;
    }
  });
}

}  // namespace vkv::cpu
