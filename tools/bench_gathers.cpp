// Benchmark cases of the gathers: sequences of equal length, blocks in random order.
#include <numeric>

#include "support/reference/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "support/reference/cp_gather_indexer_k_quant_cache.hpp"
#include "support/reference/gather_cache.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr int64_t kLength = 2048, kBlockSize = 64, kBlocksEach = kLength / kBlockSize;
constexpr int64_t kIndexerDim = 128, kIndexerEntry = kIndexerDim + 4;

struct Gather {
  int64_t batch, entry;  // entry: elements of a token in the cache
  vkv_dtype cache, dst;
};

// What every gather has. Verification looks at the first and the last sequence alone.
struct Sequences : Instance {
  Sequences(const Device& on, const Gather& g, Random& random)
      : device(on),
        batch(g.batch),
        rows(g.batch * kLength),
        blocks(random.distinct(g.batch * kBlocksEach, g.batch * kBlocksEach)),
        block_table(on, VKV_DTYPE_I32, {g.batch, kBlocksEach}),
        cu_seq_lens(on, VKV_DTYPE_I32, {g.batch + 1}),
        starts(on, VKV_DTYPE_I32, {g.batch}) {
    block_table.set(std::vector<int32_t>(blocks.begin(), blocks.end()));
    std::vector<int32_t> offsets;
    for (int64_t s = 0; s < batch; ++s) offsets.push_back(static_cast<int32_t>(s * kLength));
    starts.set(offsets);
    offsets.push_back(static_cast<int32_t>(rows));
    cu_seq_lens.set(offsets);
    const Pick sequences = batch > 1 ? Pick{0, batch - 1} : Pick{0};
    std::vector<int64_t> table, ends = {0};
    for (const int64_t s : sequences) {
      for (int64_t c = 0; c < kBlocksEach; ++c)
        picked_blocks.push_back(blocks[static_cast<std::size_t>(s * kBlocksEach + c)]);
      for (int64_t r = 0; r < kLength; ++r) picked_rows.push_back(s * kLength + r);
      ends.push_back(ends.back() + kLength);
    }
    table.resize(picked_blocks.size());
    std::iota(table.begin(), table.end(), int64_t{0});
    picked_table = Array(sample_device(), VKV_DTYPE_I32, {static_cast<int64_t>(sequences.size()), kBlocksEach});
    picked_table.fill_integers(table);
    picked_ends = integers(VKV_DTYPE_I32, ends);
    ends.pop_back();
    picked_starts = integers(VKV_DTYPE_I32, ends);
  }

  int64_t num_blocks() const { return static_cast<int64_t>(blocks.size()); }

  Device device;
  int64_t batch, rows;
  std::vector<int64_t> blocks;  // of the sequences, one after the other
  Tensor block_table, cu_seq_lens, starts;
  Pick picked_blocks, picked_rows;
  Array picked_table, picked_ends, picked_starts;
};

// 656-byte MLA entries with scales for which all results are ordinary numbers.
const Pattern& ds_mla_entries() {
  static const Pattern entries = [] {
    Pattern all{{}, 656};
    Random random(50);
    for (int64_t entry = 0; entry < 1600; ++entry) {
      for (int64_t d = 0; d < 512; ++d)
        all.bytes.push_back(static_cast<uint8_t>(support::encode(VKV_DTYPE_FP8_E4M3, random.normal())));
      const auto add = [&](vkv_dtype dtype, double value) {
        const uint64_t bits = support::encode(dtype, value);
        for (int64_t b = 0; b < support::element_size(dtype); ++b)
          all.bytes.push_back(static_cast<uint8_t>(bits >> (8 * b)));
      };
      for (int64_t tile = 0; tile < 4; ++tile) add(VKV_DTYPE_F32, random.uniform(0.01, 1.0));
      for (int64_t d = 0; d < 64; ++d) add(VKV_DTYPE_BF16, random.normal());
    }
    return all;
  }();
  return entries;
}

vkv_status run(const Device& d, const vkv_gather_and_maybe_dequant_cache_params& p, vkv_stream stream) {
  return vkv_gather_and_maybe_dequant_cache(d.ctx, &p, stream);
}
vkv_status run(const Device& d, const vkv_cp_gather_cache_params& p, vkv_stream stream) {
  return vkv_cp_gather_cache(d.ctx, &p, stream);
}

// The two gathers that keep a token's elements as they are but, for the first, their dtype.
template <class Params>
struct GatherCache final : Sequences {
  GatherCache(const Device& on, const Gather& g, Random& random)
      : Sequences(on, g, random),
        src(on, g.cache, {num_blocks(), kBlockSize, g.entry}),
        dst(on, g.dst, {rows, g.entry}) {
    src.fill(random);
    dst.zero();
    params.src_cache = src.view();
    params.dst = dst.view();
    params.block_table = block_table.view();
    params.cu_seq_lens = cu_seq_lens.view();
  }

  vkv_status call(vkv_stream stream) const override { return run(device, params, stream); }

  std::string verify() const override {
    const auto n = static_cast<int64_t>(picked_rows.size());
    Array want = zeros(dst.view().dtype, {n, dst.dim(1)});
    reference::gather_cache(src.sample({picked_blocks}), picked_table, picked_ends, {}, {}, n, want);
    return compare_bits("dst", dst.sample({picked_rows}), want);
  }

  Tensor src, dst;
  Params params = VKV_INIT(Params);
};

struct Upconvert final : Sequences {
  Upconvert(const Device& on, const Gather& g, Random& random)
      : Sequences(on, g, random), src(on, g.cache, {num_blocks(), kBlockSize, 656}), dst(on, g.dst, {rows, 576}) {
    src.fill(ds_mla_entries(), random);
    dst.zero();
    params.src_cache = src.view();
    params.dst = dst.view();
    params.block_table = block_table.view();
    params.workspace_starts = starts.view();
  }

  vkv_status call(vkv_stream stream) const override {
    return vkv_cp_gather_and_upconvert_fp8_kv_cache(device.ctx, &params, stream);
  }

  std::string verify() const override {
    Array want = zeros(dst.view().dtype, {static_cast<int64_t>(picked_rows.size()), 576});
    reference::cp_gather_and_upconvert_fp8_kv_cache(src.sample({picked_blocks}), picked_table, picked_starts, {}, want);
    return compare_bits("dst", dst.sample({picked_rows}), want);
  }

  Tensor src, dst;
  vkv_cp_gather_and_upconvert_fp8_kv_cache_params params = VKV_INIT(vkv_cp_gather_and_upconvert_fp8_kv_cache_params);
};

struct GatherIndexer final : Sequences {
  GatherIndexer(const Device& on, const Gather& g, Random& random)
      : Sequences(on, g, random),
        cache(on, g.cache, {num_blocks(), kBlockSize, kIndexerEntry}),
        dst_k(on, g.dst, {rows, kIndexerDim}),
        dst_scale(on, VKV_DTYPE_F32, {rows, 1}) {
    cache.fill(random);
    dst_k.zero();
    dst_scale.zero();
    params.kv_cache = cache.view();
    params.dst_k = dst_k.view();
    params.dst_scale = dst_scale.view();
    params.block_table = block_table.view();
    params.cu_seq_lens = cu_seq_lens.view();
  }

  vkv_status call(vkv_stream stream) const override {
    return vkv_cp_gather_indexer_k_quant_cache(device.ctx, &params, stream);
  }

  std::string verify() const override {
    const auto n = static_cast<int64_t>(picked_rows.size());
    Array k = zeros(VKV_DTYPE_FP8_E4M3, {n, kIndexerDim}), scale = zeros(VKV_DTYPE_F32, {n, 1});
    reference::cp_gather_indexer_k_quant_cache(cache.sample({picked_blocks}), picked_table, picked_ends, k, scale);
    return tools::first_of({compare_bits("dst_k", dst_k.sample({picked_rows}), k),
                            compare_bits("dst_scale", dst_scale.sample({picked_rows}), scale)});
  }

  Tensor cache, dst_k, dst_scale;
  vkv_cp_gather_indexer_k_quant_cache_params params = VKV_INIT(vkv_cp_gather_indexer_k_quant_cache_params);
};

// `row`: bytes of a token in the dense buffer.
template <class Problem>
void add_gather(Cases& cases, const std::string& op, const std::string& series, Gather g, int64_t row) {
  const int64_t entry = g.entry * support::element_size(g.cache);
  for (const int64_t batch : {1, 8, 64}) {
    g.batch = batch;
    const int64_t tokens = batch * kLength, read = tokens * entry + 4 * (batch * kBlocksEach + batch + 1);
    cases.push_back({op, op, series, std::to_string(batch) + " x " + std::to_string(kLength), Limit::copy, read,
                     tokens * row, read + tokens * row, maker<Problem>(g)});
  }
}

}  // namespace

void add_gather_cases(Cases& cases) {
  constexpr vkv_dtype kBf16 = VKV_DTYPE_BF16, kE4m3 = VKV_DTYPE_FP8_E4M3, kDsMla = VKV_DTYPE_FP8_DS_MLA;
  for (const vkv_dtype cache : {kBf16, kE4m3}) {
    add_gather<GatherCache<vkv_gather_and_maybe_dequant_cache_params>>(
        cases, "gather_and_maybe_dequant_cache", std::string(vkv_dtype_string(cache)) + " to bf16",
        {0, 576, cache, kBf16}, 1152);
  }
  add_gather<GatherCache<vkv_cp_gather_cache_params>>(cases, "cp_gather_cache", "576 bf16", {0, 576, kBf16, kBf16},
                                                      1152);
  add_gather<GatherCache<vkv_cp_gather_cache_params>>(cases, "cp_gather_cache", "656 bytes", {0, 656, kDsMla, kDsMla},
                                                      656);
  add_gather<Upconvert>(cases, "cp_gather_and_upconvert_fp8_kv_cache", "656 bytes to 576 bf16", {0, 656, kDsMla, kBf16},
                        1152);
  add_gather<GatherIndexer>(cases, "cp_gather_indexer_k_quant_cache", "128 dims",
                            {0, kIndexerEntry, VKV_DTYPE_U8, kE4m3}, kIndexerEntry);
}

}  // namespace bench
