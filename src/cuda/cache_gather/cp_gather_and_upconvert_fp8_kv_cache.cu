// cp_gather_and_upconvert_fp8_kv_cache: 656-byte entries to 512 widened elements and 64 copied ones.
#include "cuda/cache_gather/gather.cuh"
#include "cuda/ops.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

struct Entries : NoAside {
  Rows rows;
  const char* src;
  int64_t src_block, src_token;  // bytes
  char* dst;
  int64_t dst_row;  // bytes

  static constexpr int kIn = 0;  // unused: a row is one slice
  __device__ const char* entry(Source at) const { return src + at.block * src_block + at.offset * src_token; }
  __device__ char* row(int64_t i) const { return dst + i * dst_row; }
};

// A unit is 8 bytes of the entry: eight e4m3 to be widened, with their scale, or four rope elements.
template <class To>
struct UpconvertVectors : Entries {
  using Out = typename To::Storage;
  static constexpr int kOut = 16, kRopeOut = 8, kDepth = 6;
  static constexpr uint32_t kWidened = DsMlaEntry::kRank / 8, kUnits = kWidened + DsMlaEntry::kRope / 4;
  struct Unit {
    Pack<8> bytes;
    float scale;
  };

  __device__ Unit load(const char* entry, uint32_t unit) const {
    const bool widened = unit < kWidened;
    Unit value;
    value.bytes.load(entry + unit * 8 + (widened ? 0 : DsMlaEntry::kRopeOffset - DsMlaEntry::kRank));
    // Any of them for a rope unit: no load hangs on a condition.
    value.scale = __ldg(reinterpret_cast<const float*>(entry + DsMlaEntry::kScaleOffset) + unit / 16 % DsMlaEntry::kTiles);
    return value;
  }

  __device__ void store(char* row, uint32_t unit, const Unit& value) const {
    if (unit >= kWidened) return value.bytes.store_to(row + kWidened * kOut + (unit - kWidened) * kRopeOut);
    Pack<kOut> out;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float2 pair = E4M3::decode2(value.bytes.template as<uint16_t>()[i]);
      out.template as<Out>()[2 * i] = To::encode(__fmul_rn(pair.x, value.scale));
      out.template as<Out>()[2 * i + 1] = To::encode(__fmul_rn(pair.y, value.scale));
    }
    out.store_to(row + unit * kOut);
  }
};

// A unit is one element, for rows and entries that are aligned to less.
template <class To>
struct UpconvertElements : Entries {
  using Out = typename To::Storage;
  static constexpr int kOut = sizeof(Out);
  static constexpr uint32_t kWidened = DsMlaEntry::kRank, kUnits = kWidened + DsMlaEntry::kRope;
  struct Unit {
    uint8_t code;  // widened: e4m3
    Pack<4> word;  // widened: its scale; rope: two elements, one of them the unit's
  };

  __device__ Unit load(const char* entry, uint32_t unit) const {
    const bool widened = unit < kWidened;
    Unit value;
    value.code = load_once<1>(entry + (widened ? unit : 0));
    value.word.load(widened ? entry + DsMlaEntry::kScaleOffset + unit / DsMlaEntry::kTile * 4
                            : entry + DsMlaEntry::kRopeOffset + (unit - kWidened) / 2 * 4);
    return value;
  }

  __device__ void store(char* row, uint32_t unit, const Unit& value) const {
    const Out* pair = value.word.template as<Out>();
    const Out rope = unit % 2 == 0 ? pair[0] : pair[1];
    const Out wide = To::encode(__fmul_rn(E4M3::decode(value.code), *value.word.template as<float>()));
    *reinterpret_cast<Out*>(row + unit * kOut) = unit < kWidened ? wide : rope;
  }
};

template <class Mover>
void upconvert(const CudaContext& ctx, const CpGatherAndUpconvertFp8KvCache& q, vkv_stream stream) {
  Mover mover;
  const Ragged ragged = make_ragged(ctx, VKV_OP_CP_GATHER_AND_UPCONVERT_FP8_KV_CACHE, q, q.dst, q.workspace_starts, q.batch,
                                    q.seq_starts);
  mover.rows = deal_rows(ctx, ragged, q.num_rows, Mover::kUnits);
  mover.src = q.src_cache.as<const char>();
  mover.src_block = q.src_cache.stride[0];
  mover.src_token = q.src_cache.stride[1];
  mover.dst = q.dst.as<char>();
  mover.dst_row = q.dst.stride[0] * element_size(q.dst.dtype);
  launch_gather(ctx, mover, stream);
}

template <class To>
void upconvert_to(const CudaContext& ctx, const CpGatherAndUpconvertFp8KvCache& q, vkv_stream stream) {
  const bool vectors = Alignment().add(q.src_cache, 2).bytes() >= 8 && Alignment().add(q.dst, 1).bytes() == 16;
  if (vectors) return upconvert<UpconvertVectors<To>>(ctx, q, stream);
  upconvert<UpconvertElements<To>>(ctx, q, stream);
}

}  // namespace

void run(const Context& context, const CpGatherAndUpconvertFp8KvCache& q, vkv_stream stream) {
  if (q.dst.dtype == VKV_DTYPE_F16) return upconvert_to<F16>(self(context), q, stream);
  upconvert_to<BF16>(self(context), q, stream);
}

}  // namespace vkv::cuda
