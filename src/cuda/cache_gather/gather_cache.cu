// cp_gather_cache and gather_and_maybe_dequant_cache: entries as bytes, or widened from fp8.
#include "cuda/cache_gather/gather.cuh"
#include "cuda/ops.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

// Where entries and rows lie; strides in bytes.
struct Entries : NoAside {
  const char* src;
  int64_t src_block, src_token;
  char* dst;
  int64_t dst_row;

  __device__ const char* entry(Source at) const { return src + at.block * src_block + at.offset * src_token; }
  __device__ char* row(int64_t i) const { return dst + i * dst_row; }
};

template <int kBytes>
struct Copy : Entries {
  Rows rows;

  static constexpr int kIn = kBytes, kOut = kBytes;
  using Unit = Pack<kBytes>;
  __device__ Unit load(const char* entry, uint32_t unit) const {
    Unit value;
    value.load(entry + static_cast<int64_t>(unit) * kBytes);
    return value;
  }
  __device__ void store(char* row, uint32_t unit, const Unit& value) const {
    value.store_to(row + static_cast<int64_t>(unit) * kBytes);
  }
};

template <class From, class To, int kElements>
struct Dequantize : Entries {
  Rows rows;
  const float* scale;  // null = 1

  using Out = typename To::Storage;
  static constexpr int kIn = kElements, kOut = kElements * static_cast<int>(sizeof(Out));
  struct Unit {
    Pack<kElements> in;
    float scale;
  };
  __device__ Unit load(const char* entry, uint32_t unit) const {
    Unit value;
    value.in.load(entry + static_cast<int64_t>(unit) * kElements);
    value.scale = scale == nullptr ? 1.0f : __ldg(scale);
    return value;
  }
  __device__ void store(char* row, uint32_t unit, const Unit& value) const {
    Pack<kOut> out;
    if constexpr (kElements == 1) {
      *out.template as<Out>() = To::encode(__fmul_rn(From::decode(*value.in.template as<uint8_t>()), value.scale));
    } else {
#pragma unroll
      for (int i = 0; i < kElements / 2; ++i) {
        const float2 pair = From::decode2(value.in.template as<uint16_t>()[i]);
        out.template as<Out>()[2 * i] = To::encode(__fmul_rn(pair.x, value.scale));
        out.template as<Out>()[2 * i + 1] = To::encode(__fmul_rn(pair.y, value.scale));
      }
    }
    out.store_to(row + static_cast<int64_t>(unit) * kOut);
  }
};

template <int kBytes>
void copy_units(const CudaContext& ctx, const Ragged& ragged, const Entries& at, int64_t rows, int64_t entry_bytes,
                vkv_stream stream) {
  launch_gather(ctx, Copy<kBytes>{at, deal_rows(ctx, ragged, rows, entry_bytes / kBytes)}, stream);
}

void copy_entries(const CudaContext& ctx, const Ragged& ragged, const Entries& at, int64_t rows, int64_t entry_bytes,
                  vkv_stream stream) {
  Alignment all;
  all.add(at.src).add(at.src_block).add(at.src_token).add(at.dst).add(entry_bytes);
  if (rows > 1) all.add(at.dst_row);
  switch (all.bytes()) {
    case 16: return copy_units<16>(ctx, ragged, at, rows, entry_bytes, stream);
    case 8: return copy_units<8>(ctx, ragged, at, rows, entry_bytes, stream);
    case 4: return copy_units<4>(ctx, ragged, at, rows, entry_bytes, stream);
    case 2: return copy_units<2>(ctx, ragged, at, rows, entry_bytes, stream);
    default: return copy_units<1>(ctx, ragged, at, rows, entry_bytes, stream);
  }
}

template <class From, class To>
void dequantize_entries(const CudaContext& ctx, const GatherAndMaybeDequantCache& q, const Ragged& ragged, const Entries& at,
                        vkv_stream stream) {
  constexpr int kOut = sizeof(typename To::Storage), kVector = 16 / kOut;
  const auto* scale = q.scale.as<const float>();
  Alignment in, out;
  in.add(at.src).add(at.src_block).add(at.src_token).add(q.entry);
  out.add(at.dst).add(q.entry * kOut);
  if (q.num_tokens > 1) out.add(at.dst_row);
  if (in.bytes(kVector) == kVector && out.bytes() == 16) {
    return launch_gather(
        ctx, Dequantize<From, To, kVector>{at, deal_rows(ctx, ragged, q.num_tokens, q.entry / kVector), scale}, stream);
  }
  launch_gather(ctx, Dequantize<From, To, 1>{at, deal_rows(ctx, ragged, q.num_tokens, q.entry), scale}, stream);
}

template <class From>
void dequantize_from(const CudaContext& ctx, const GatherAndMaybeDequantCache& q, const Ragged& ragged, const Entries& at,
                     vkv_stream stream) {
  switch (q.dst.dtype) {
    case VKV_DTYPE_F16: return dequantize_entries<From, F16>(ctx, q, ragged, at, stream);
    case VKV_DTYPE_BF16: return dequantize_entries<From, BF16>(ctx, q, ragged, at, stream);
    default: return dequantize_entries<From, F32>(ctx, q, ragged, at, stream);
  }
}

Entries make_entries(const Tensor& src_cache, const Tensor& dst) {
  const int64_t in = element_size(src_cache.dtype);
  return {{}, src_cache.as<const char>(), src_cache.stride[0] * in, src_cache.stride[1] * in, dst.as<char>(),
          dst.stride[0] * element_size(dst.dtype)};
}

}  // namespace

void run(const Context& context, const CpGatherCache& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const Ragged ragged = make_ragged(ctx, VKV_OP_CP_GATHER_CACHE, q, q.dst, q.cu_seq_lens, q.batch + 1, q.seq_starts);
  copy_entries(ctx, ragged, make_entries(q.src_cache, q.dst), q.num_rows, q.entry_bytes, stream);
}

void run(const Context& context, const GatherAndMaybeDequantCache& q, vkv_stream stream) {
  const CudaContext& ctx = self(context);
  const Ragged ragged =
      make_ragged(ctx, VKV_OP_GATHER_AND_MAYBE_DEQUANT_CACHE, q, q.dst, q.cu_seq_lens, q.batch + 1, q.seq_starts);
  const Entries at = make_entries(q.src_cache, q.dst);
  switch (q.src_cache.dtype) {
    case VKV_DTYPE_FP8_E4M3: return dequantize_from<E4M3>(ctx, q, ragged, at, stream);
    case VKV_DTYPE_FP8_E5M2: return dequantize_from<E5M2>(ctx, q, ragged, at, stream);
    default: return copy_entries(ctx, ragged, at, q.num_tokens, q.entry * element_size(q.dst.dtype), stream);
  }
}

}  // namespace vkv::cuda
