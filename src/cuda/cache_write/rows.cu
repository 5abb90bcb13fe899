// The row writer: one item = one unit of a token's run, 16 bytes where alignment allows.
#include "cuda/cache_write/rows.hpp"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

struct Segment {
  RowSegment row;
  FastDiv units_per_head;
};

struct Params {
  Segment segment[2];
  FastDiv units_per_token;  // both segments
  uint32_t first_units;     // units of segment 0
  int64_t tokens, tokens_per_pass;  // a pass has fewer than 2^31 units
  Slots slots;
};

// Conversions of one unit.
template <int kBytes>
struct Copy {
  static constexpr int kIn = kBytes, kOut = kBytes;
  static __device__ void convert(const Pack<kIn>& in, Pack<kOut>& out, float) { out = in; }
};

template <class From, class To, int kElements>
struct Quantize {
  static constexpr int kIn = kElements * static_cast<int>(sizeof(typename From::Storage)), kOut = kElements;
  static __device__ void convert(const Pack<kIn>& in, Pack<kOut>& out, float scale) {
    const Divider by(scale);
    const auto* x = in.template as<typename From::Storage>();
    if constexpr (kElements == 1) {
      *out.template as<uint8_t>() = To::encode(by.divide(From::decode(x[0])));
    } else {
      auto* y = out.template as<uint16_t>();
#pragma unroll
      for (int i = 0; i < kElements / 2; ++i) {
        y[i] = To::encode2(by.divide(From::decode(x[2 * i])), by.divide(From::decode(x[2 * i + 1])));
      }
    }
  }
};

// Items in flight a thread: 128 bytes, 4 at most.
template <class Convert>
constexpr int kDepth = Convert::kIn >= 64 ? 2 : 4;

// Grid: any. Block: kThreads. A thread loads kDepth units and their slots at once, then converts and stores them.
template <class Convert>
__global__ void __launch_bounds__(kThreads) rows_kernel(const __grid_constant__ Params p) {
  constexpr int kItems = kDepth<Convert>;
  const uint32_t step = gridDim.x * kThreads;
  for (int64_t first = 0; first < p.tokens; first += p.tokens_per_pass) {
    const int64_t left = p.tokens - first;
    const auto units = static_cast<uint32_t>((left < p.tokens_per_pass ? left : p.tokens_per_pass) * p.units_per_token.divisor);
    for (uint32_t item = blockIdx.x * kThreads + threadIdx.x; item < units; item += step * kItems) {
      Pack<Convert::kIn> in[kItems];
      int64_t slot[kItems];
      float scale[kItems];
      char* dst[kItems];
      int64_t token[kItems];
      uint32_t unit[kItems];
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        const uint32_t u = item + i * step;
        slot[i] = -1;
        if (u >= units) continue;
        token[i] = first + p.units_per_token.divide(u, unit[i]);
        slot[i] = p.slots.load(token[i]);
        const bool second = unit[i] >= p.first_units;
        const Segment& s = p.segment[second ? 1 : 0];
        uint32_t column;
        const uint32_t head = s.units_per_head.divide(second ? unit[i] - p.first_units : unit[i], column);
        in[i].load(s.row.src + token[i] * s.row.src_token + head * s.row.src_head + static_cast<int64_t>(column) * Convert::kIn);
        scale[i] = s.row.scale == nullptr ? 1.0f : __ldg(s.row.scale + head * s.row.scale_head);
        dst[i] = s.row.dst + head * s.row.dst_head + static_cast<int64_t>(column) * Convert::kOut;
      }
#pragma unroll
      for (int i = 0; i < kItems; ++i) {
        if (slot[i] < 0) continue;
        const Place place = p.slots.decode(token[i], slot[i], unit[i] == 0);
        if (!place.valid()) continue;
        const Segment& s = p.segment[unit[i] >= p.first_units ? 1 : 0];
        Pack<Convert::kOut> out;
        Convert::convert(in[i], out, scale[i]);
        out.store_to(dst[i] + place.block * s.row.dst_block + place.offset * s.row.dst_token);
      }
    }
  }
}

template <class Convert>
void launch_rows(const CudaContext& ctx, const RowWrite& write, int64_t unit_elements, vkv_stream stream) {
  Params p;
  int64_t units = 0;
  for (int i = 0; i < 2; ++i) {
    const RowSegment& row = write.segment[i];
    const int64_t per_head = row.elements / unit_elements;
    p.segment[i] = {row, FastDiv(static_cast<uint32_t>(per_head > 0 ? per_head : 1))};
    if (i == 0) p.first_units = static_cast<uint32_t>(row.heads * per_head);
    units += row.heads * per_head;
  }
  if (units == 0) return;
  p.units_per_token = FastDiv(static_cast<uint32_t>(units));
  p.tokens = write.tokens;
  p.tokens_per_pass = std::max<int64_t>(((int64_t{1} << 31) - 1) / units / 2, 1);
  p.slots = write.slots;
  const int64_t items = std::min(write.tokens, p.tokens_per_pass) * units;
  launch(ctx, rows_kernel<Convert>, spread(items, kDepth<Convert>, ctx.num_sms), kThreads, 0, stream, p);
}

template <class From, class To>
void quantize_rows(const CudaContext& ctx, const RowWrite& write, int64_t align, vkv_stream stream) {
  if (align >= 16) return launch_rows<Quantize<From, To, 16>>(ctx, write, 16, stream);
  if (align >= 4) return launch_rows<Quantize<From, To, 4>>(ctx, write, 4, stream);
  launch_rows<Quantize<From, To, 1>>(ctx, write, 1, stream);
}

template <class From>
void quantize_rows_from(const CudaContext& ctx, const RowWrite& write, int64_t align, vkv_stream stream) {
  if (write.to == VKV_DTYPE_FP8_E4M3) return quantize_rows<From, E4M3>(ctx, write, align, stream);
  quantize_rows<From, E5M2>(ctx, write, align, stream);
}

// Elements (as a power of two, at most `most`) to which every address, stride and run length is aligned.
int64_t aligned_elements(const RowWrite& write, int64_t most) {
  const int64_t in = element_size(write.from), out = element_size(write.to);
  int64_t elements = most;
  for (const RowSegment& s : write.segment) {
    if (s.heads * s.elements == 0) continue;
    Alignment from, to;
    from.add(s.src).add(s.elements * in);
    to.add(s.dst).add(s.elements * out).add(s.dst_block).add(s.dst_token);
    if (write.tokens > 1) from.add(s.src_token);
    if (s.heads > 1) {
      from.add(s.src_head);
      to.add(s.dst_head);
    }
    elements = std::min({elements, from.bytes(most * in) / in, to.bytes(most * out) / out});
  }
  return elements;
}

}  // namespace

void write_rows(const CudaContext& ctx, const RowWrite& write, vkv_stream stream) {
  const int64_t size = element_size(write.from);
  if (write.from == write.to) {
    const int64_t elements = aligned_elements(write, 16 / size);
    switch (elements * size) {
      case 16: return launch_rows<Copy<16>>(ctx, write, elements, stream);
      case 8: return launch_rows<Copy<8>>(ctx, write, elements, stream);
      case 4: return launch_rows<Copy<4>>(ctx, write, elements, stream);
      default: return launch_rows<Copy<2>>(ctx, write, elements, stream);
    }
  }
  const int64_t elements = aligned_elements(write, 16);
  switch (write.from) {
    case VKV_DTYPE_F16: return quantize_rows_from<F16>(ctx, write, elements, stream);
    case VKV_DTYPE_BF16: return quantize_rows_from<BF16>(ctx, write, elements, stream);
    default: return quantize_rows_from<F32>(ctx, write, elements, stream);
  }
}

}  // namespace vkv::cuda
