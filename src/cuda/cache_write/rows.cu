// The row writer: one item = one unit of a token's run, 16 bytes where alignment allows.
#include "cuda/cache_write/rows.hpp"
#include "cuda/cache_write/token_tile.cuh"
#include "cuda/launch.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

struct Params {
  RowSegment segment[2];
  FastDiv units_per_head[2];
  uint32_t first_units;  // units of segment 0
  TokenTile tile;
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
    quantize<From, To, kElements>(in.template as<typename From::Storage>(), out.template as<uint8_t>(), scale);
  }
};

// Most tokens in flight a thread: 64 bytes, 4 at most. More would cost the conversions the registers of a second CTA.
template <class Convert>
constexpr int kDepth = Convert::kIn >= 32 ? 2 : 4;

// Grid and block: p.tile. A thread loads its unit of several tokens and their slots at once, then converts and stores them.
template <class Convert>
__global__ void __launch_bounds__(kThreads, Convert::kIn <= 32 ? 4 : 3) rows_kernel(const __grid_constant__ Params p) {
  constexpr int kItems = kDepth<Convert>;
  uint32_t unit, row;
  int64_t group;
  if (!p.tile.place(unit, row, group)) return;
  const bool second = unit >= p.first_units;
  const RowSegment& s = p.segment[second ? 1 : 0];
  uint32_t column;
  const uint32_t head = p.units_per_head[second ? 1 : 0].divide(second ? unit - p.first_units : unit, column);
  const char* src = s.src + head * s.src_head + static_cast<int64_t>(column) * Convert::kIn;
  char* dst = s.dst + head * s.dst_head + static_cast<int64_t>(column) * Convert::kOut;
  const float scale = s.scale == nullptr ? 1.0f : __ldg(s.scale + head * s.scale_head);

  for (; p.tile.has(group); group += p.tile.group_step()) {
    Pack<Convert::kIn> in[kItems];
    int64_t slot[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const int64_t token = p.tile.token(group, row, i);
      slot[i] = -1;
      if (token >= p.tile.tokens) continue;
      slot[i] = p.slots.load(token);
      in[i].load(src + token * s.src_token);
    }
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      const Place place = p.slots.decode(p.tile.token(group, row, i), slot[i], unit == 0);
      if (!place.valid()) continue;
      Pack<Convert::kOut> out;
      Convert::convert(in[i], out, scale);
      out.store_to(dst + place.block * s.dst_block + place.offset * s.dst_token);
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
    p.segment[i] = row;
    p.units_per_head[i] = FastDiv(static_cast<uint32_t>(per_head));
    if (i == 0) p.first_units = static_cast<uint32_t>(row.heads * per_head);
    units += row.heads * per_head;
  }
  if (units == 0) return;
  p.tile = TokenTile(write.tokens, units, kDepth<Convert>, ctx.num_sms);
  p.slots = write.slots;
  launch(ctx, rows_kernel<Convert>, p.tile.blocks(), p.tile.width, 0, stream, p);
}

// Up to so many tokens are over before the memory is busy: more threads with less to compute each are done sooner.
constexpr int64_t kFewTokens = 64;

template <class From, class To>
void quantize_rows(const CudaContext& ctx, const RowWrite& write, int64_t align, vkv_stream stream) {
  if (align >= 16 && write.tokens > kFewTokens) return launch_rows<Quantize<From, To, 16>>(ctx, write, 16, stream);
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
