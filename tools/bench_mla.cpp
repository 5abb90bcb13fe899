// Benchmark cases of the MLA operations.
#include <cmath>

#include "support/reference/concat_and_cache_mla.hpp"
#include "support/reference/concat_and_cache_mla_rope_fused.hpp"
#include "support/reference/concat_mla_q.hpp"
#include "support/reference/indexer_k_quant_and_cache.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr int64_t kRank = 512, kRope = 64, kBlockSize = 64, kMaxPosition = 8192;
constexpr vkv_dtype kDtype = VKV_DTYPE_BF16;
constexpr int64_t kElement = 2;

int64_t entry_size(vkv_dtype cache) { return cache == VKV_DTYPE_FP8_DS_MLA ? 656 : kRank + kRope; }
int64_t entry_bytes(vkv_dtype cache) { return entry_size(cache) * support::element_size(cache); }

struct MlaWrite {
  vkv_dtype cache_dtype;
  int64_t tokens, heads;  // heads: of q_pe, where it takes part
};

// What both writers of MLA entries have.
struct MlaWriter : Instance {
  MlaWriter(const Device& on, const MlaWrite& w, Random& random)
      : device(on),
        slots(w.tokens, kBlockSize, false, random),
        picked(slots.slots, kBlockSize, random),
        kv_c(on, kDtype, {w.tokens, kRank}),
        k_pe(on, kDtype, {w.tokens, kRope}),
        kv_cache(on, w.cache_dtype, {slots.num_blocks, kBlockSize, entry_size(w.cache_dtype)}),
        slot_mapping(on, VKV_DTYPE_I64, {w.tokens}),
        scale(on, VKV_DTYPE_F32, {1}) {
    kv_c.fill(random);
    k_pe.fill(random);
    kv_cache.zero();
    slot_mapping.set(slots.slots);
    scale.set(std::vector<float>{0.01f});
  }

  // Of the picked blocks, before any call.
  Array empty_cache() const {
    return zeros(kv_cache.view().dtype, {static_cast<int64_t>(picked.blocks.size()), kBlockSize, kv_cache.dim(2)});
  }
  std::string compare_cache(const Array& want) const {
    return compare_bits("kv_cache", kv_cache.sample({picked.blocks}), want);
  }

  Device device;
  Slots slots;
  SlotSample picked;
  Tensor kv_c, k_pe, kv_cache, slot_mapping, scale;
};

struct ConcatAndCacheMla final : MlaWriter {
  ConcatAndCacheMla(const Device& on, const MlaWrite& w, Random& random) : MlaWriter(on, w, random) {
    params.kv_c = kv_c.view();
    params.k_pe = k_pe.view();
    params.kv_cache = kv_cache.view();
    params.slot_mapping = slot_mapping.view();
    params.scale = scale.view();
  }

  vkv_status call(vkv_stream stream) const override { return vkv_concat_and_cache_mla(device.ctx, &params, stream); }

  std::string verify() const override {
    Array want = empty_cache();
    reference::concat_and_cache_mla(kv_c.sample({picked.tokens}), k_pe.sample({picked.tokens}), picked.slots,
                                    scale.sample({}), 0, want);
    return compare_cache(want);
  }

  vkv_concat_and_cache_mla_params params = VKV_INIT(vkv_concat_and_cache_mla_params);
};

struct RopeFused final : MlaWriter {
  RopeFused(const Device& on, const MlaWrite& w, Random& random)
      : MlaWriter(on, w, random),
        positions(on, VKV_DTYPE_I64, {w.tokens}),
        q_pe(on, kDtype, {w.tokens, w.heads, kRope}),
        cos_sin_cache(on, kDtype, {kMaxPosition, kRope}) {
    std::vector<int64_t> all(static_cast<std::size_t>(w.tokens));
    for (int64_t& position : all) position = random.integer(0, kMaxPosition - 1);
    positions.set(all);
    q_pe.fill(random);
    cos_sin_cache.fill(angles(), random);
    params.positions = positions.view();
    params.q_pe = q_pe.view();
    params.k_pe = k_pe.view();
    params.kv_c = kv_c.view();
    params.cos_sin_cache = cos_sin_cache.view();
    params.slot_mapping = slot_mapping.view();
    params.kv_cache = kv_cache.view();
    params.kv_cache_scale = scale.view();
  }

  // Rows of cosines and sines of any angles, so that repeated rotation keeps the numbers in range.
  static const Pattern& angles() {
    static const Pattern rows = [] {
      Array all(sample_device(), kDtype, {256, kRope});
      Random random(7);
      for (int64_t row = 0; row < all.dim(0); ++row) {
        for (int64_t i = 0; i < kRope / 2; ++i) {
          const double angle = random.uniform(0, 6.3);
          all.set({row, i}, std::cos(angle));
          all.set({row, kRope / 2 + i}, std::sin(angle));
        }
      }
      return Pattern{{all.base(), all.base() + all.size() * kElement}, kRope * kElement};
    }();
    return rows;
  }

  vkv_status call(vkv_stream stream) const override {
    return vkv_concat_and_cache_mla_rope_fused(device.ctx, &params, stream);
  }

  void prepare() override {
    want_q = q_pe.sample({picked.tokens});
    want_k = k_pe.sample({picked.tokens});
    want_cache = empty_cache();
    reference::concat_and_cache_mla_rope_fused(positions.sample({picked.tokens}), want_q, want_k,
                                               kv_c.sample({picked.tokens}), cos_sin_cache.sample({}), picked.slots,
                                               scale.sample({}), 0, want_cache);
  }

  std::string verify() const override {
    std::string wrong = compare_bits("q_pe", q_pe.sample({picked.tokens}), want_q);
    if (wrong.empty()) wrong = compare_bits("k_pe", k_pe.sample({picked.tokens}), want_k);
    return wrong.empty() ? compare_cache(want_cache) : wrong;
  }

  Tensor positions, q_pe, cos_sin_cache;
  Array want_q, want_k, want_cache;  // of the picked tokens and blocks
  vkv_concat_and_cache_mla_rope_fused_params params = VKV_INIT(vkv_concat_and_cache_mla_rope_fused_params);
};

constexpr int64_t kIndexerDim = 128, kIndexerEntry = kIndexerDim + 4;

struct IndexerWriter final : Instance {
  IndexerWriter(const Device& on, int64_t tokens, Random& random)
      : device(on),
        slots(tokens, kBlockSize, false, random),
        picked(slots.slots, kBlockSize, random),
        k(on, kDtype, {tokens, kIndexerDim}),
        kv_cache(on, VKV_DTYPE_U8, {slots.num_blocks, kBlockSize, kIndexerEntry}),
        slot_mapping(on, VKV_DTYPE_I64, {tokens}) {
    k.fill(random);
    kv_cache.zero();
    slot_mapping.set(slots.slots);
    params.k = k.view();
    params.kv_cache = kv_cache.view();
    params.slot_mapping = slot_mapping.view();
  }

  vkv_status call(vkv_stream stream) const override {
    return vkv_indexer_k_quant_and_cache(device.ctx, &params, stream);
  }

  std::string verify() const override {
    Array want = zeros(VKV_DTYPE_U8, {static_cast<int64_t>(picked.blocks.size()), kBlockSize, kIndexerEntry});
    reference::indexer_k_quant_and_cache(k.sample({picked.tokens}), picked.slots, 0, 0, want);
    return compare_bits("kv_cache", kv_cache.sample({picked.blocks}), want);
  }

  Device device;
  Slots slots;
  SlotSample picked;
  Tensor k, kv_cache, slot_mapping;
  vkv_indexer_k_quant_and_cache_params params = VKV_INIT(vkv_indexer_k_quant_and_cache_params);
};

struct ConcatMlaQ final : Instance {
  struct Size {
    int64_t tokens, heads;
  };
  ConcatMlaQ(const Device& on, const Size& s, Random& random)
      : device(on),
        ql_nope(on, kDtype, {s.tokens, s.heads, kRank}),
        q_pe(on, kDtype, {s.tokens, s.heads, kRope}),
        q_out(on, kDtype, {s.tokens, s.heads, kRank + kRope}),
        tokens(some_of(s.tokens, random)) {
    ql_nope.fill(random);
    q_pe.fill(random);
    q_out.zero();
    params.ql_nope = ql_nope.view();
    params.q_pe = q_pe.view();
    params.q_out = q_out.view();
  }

  vkv_status call(vkv_stream stream) const override { return vkv_concat_mla_q(device.ctx, &params, stream); }

  std::string verify() const override {
    return compare_bits("q_out", q_out.sample({tokens}),
                        reference::concat_mla_q(ql_nope.sample({tokens}), q_pe.sample({tokens})));
  }

  Device device;
  Tensor ql_nope, q_pe, q_out;
  Pick tokens;
  vkv_concat_mla_q_params params = VKV_INIT(vkv_concat_mla_q_params);
};

// `read` and `written`: bytes a token. `more`: bytes of memory beyond them.
template <class Problem, class Description>
Case per_token(const std::string& op, const std::string& series, int64_t tokens, int64_t read, int64_t written,
               const Description& d, int64_t more = 0) {
  return {op,
          op,
          series,
          "T=" + std::to_string(tokens),
          Limit::copy,
          tokens * read,
          tokens * written,
          tokens * (read + written) + more,
          maker<Problem>(d)};
}

}  // namespace

void add_mla_cases(Cases& cases) {
  constexpr int64_t kSlot = 8, kInput = (kRank + kRope) * kElement;
  for (const vkv_dtype cache : {kDtype, vkv_dtype{VKV_DTYPE_FP8_E4M3}, vkv_dtype{VKV_DTYPE_FP8_DS_MLA}}) {
    for (const int64_t tokens : {1, 128, 8192}) {
      cases.push_back(per_token<ConcatAndCacheMla>("concat_and_cache_mla", vkv_dtype_string(cache), tokens,
                                                   kInput + kSlot, entry_bytes(cache), MlaWrite{cache, tokens, 0}));
    }
  }
  for (const int64_t heads : {16, 128}) {
    const int64_t rotated = (heads + 1) * kRope * kElement;
    for (const int64_t tokens : {1, 128, 8192}) {
      cases.push_back(per_token<RopeFused>("concat_and_cache_mla_rope_fused", std::to_string(heads) + " query heads",
                                           tokens, rotated + kRank * kElement + kRope * kElement + 2 * kSlot,
                                           rotated + kInput, MlaWrite{kDtype, tokens, heads},
                                           kMaxPosition * kRope * kElement));
    }
  }
  for (const int64_t tokens : {1, 128, 8192}) {
    cases.push_back(per_token<IndexerWriter>("indexer_k_quant_and_cache", "128 dims", tokens,
                                             kIndexerDim * kElement + kSlot, kIndexerEntry, tokens));
  }
  for (const int64_t heads : {16, 128}) {
    for (const int64_t tokens : {1, 128, 1024, 8192}) {
      const int64_t bytes = heads * kInput;
      cases.push_back(per_token<ConcatMlaQ>("concat_mla_q", std::to_string(heads) + " heads", tokens, bytes, bytes,
                                            ConcatMlaQ::Size{tokens, heads}));
    }
  }
}

}  // namespace bench
