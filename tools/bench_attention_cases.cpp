// Benchmark cases of attention over a paged cache: decode mostly, where reading the cache is the whole cost.
#include <cmath>
#include <numeric>

#include "tools/bench_attention.hpp"

namespace bench {

namespace {

constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2, kNvfp4 = VKV_DTYPE_NVFP4;

std::vector<int64_t> same(int64_t batch, int64_t length) {
  return std::vector<int64_t>(static_cast<std::size_t>(batch), length);
}

// 64 sequences whose lengths are spread evenly on a logarithmic scale over a range of 1 to 512; 281,581 tokens in all.
std::vector<int64_t> ragged() {
  constexpr int kBatch = 64;
  constexpr double kTokens = 281581;
  std::vector<double> spread;
  for (int i = 0; i < kBatch; ++i) spread.push_back(std::pow(512.0, (i + 0.5) / kBatch));
  const double sum = std::accumulate(spread.begin(), spread.end(), 0.0);
  std::vector<int64_t> lengths;
  // A step of 27 visits all 64, so that neighbours in the batch differ.
  for (int i = 0; i < kBatch; ++i)
    lengths.push_back(static_cast<int64_t>(spread[static_cast<std::size_t>(27 * i % kBatch)] * kTokens / sum));
  *std::max_element(lengths.begin(), lengths.end()) +=
      static_cast<int64_t>(kTokens) - std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  return lengths;
}

struct Batch {
  const char* name;
  std::vector<int64_t> lengths;
};

using Pairs = std::vector<std::pair<int64_t, int64_t>>;

std::string heads_text(int64_t heads, int64_t kv_heads) { return std::to_string(heads) + "x" + std::to_string(kv_heads); }

}  // namespace

void add_attention_cases(Cases& cases) {
  const std::vector<Batch> batches = {
      {"b1_s1024", same(1, 1024)},     {"b1_s8192", same(1, 8192)},     {"b1_s131072", same(1, 131072)},
      {"b8_s4096", same(8, 4096)},     {"b32_s2048", same(32, 2048)},   {"b64_s8192", same(64, 8192)},
      {"b128_s1024", same(128, 1024)}, {"b256_s4096", same(256, 4096)}, {"b64_ragged", ragged()}};
  const std::vector<Batch> few = {batches[0], batches[1], batches[3], batches[4]};
  const auto add = [&](const std::string& chart, const std::string& series, const Batch& batch, Attend a,
                       EntryPoint entry = EntryPoint::paged_attention) {
    a.lengths = batch.lengths;
    cases.push_back(attention_case(entry, chart, series, batch.name, a));
  };

  for (const vkv_dtype cache : {kBf16, kE4m3}) {
    const Pairs all_heads = cache == kBf16 ? Pairs{{32, 8}, {64, 8}, {8, 1}, {32, 32}} : Pairs{{32, 8}, {64, 8}};
    for (const auto& [heads, kv_heads] : all_heads) {
      for (const Batch& batch : batches) {
        add(std::string("decode, ") + vkv_dtype_string(cache) + " cache",
            heads_text(heads, kv_heads) + " " + vkv_dtype_string(cache), batch, {heads, kv_heads, {}, kBf16, cache});
      }
    }
  }

  const std::pair<const char*, Attend> formats[] = {
      {"f16", {32, 8, {}, kF16, kF16}},
      {"f32", {32, 8, {}, kF32, kF32}},
      {"bf16 HND", {32, 8, {}, kBf16, kBf16, Packing::hnd}},
      {"bf16 x-packed", {32, 8, {}, kBf16, kBf16, Packing::x_packed}},
      {"e4m3 x-packed", {32, 8, {}, kBf16, kE4m3, Packing::x_packed}},
      {"e5m2", {32, 8, {}, kBf16, kE5m2}},
      {"nvfp4", {32, 8, {}, kBf16, kNvfp4}},
      {"bf16, 4 query tokens each", {32, 8, {}, kBf16, kBf16, Packing::nhd, 4}}};
  for (const auto& [series, a] : formats) {
    for (const Batch& batch : few) add("32x8, other formats", series, batch, a);
  }

  // Shapes, each of them in one large batch and in one small one.
  const std::vector<Batch> two = {few[1], few[3]};
  const auto add_shape = [&](const std::string& series, const Attend& a) {
    for (const Batch& batch : two) add("other shapes", series, batch, a);
  };
  for (const int64_t block : {16, 32, 64, 256}) {
    add_shape("blocks of " + std::to_string(block), {32, 8, {}, kBf16, kBf16, Packing::nhd, 1, 128, block});
  }
  for (const int64_t dim : {64, 96, 256}) {
    add_shape("head size " + std::to_string(dim), {32, 8, {}, kBf16, kBf16, Packing::nhd, 1, dim});
  }
  for (const int64_t group : {5, 6, 7, 12, 16}) add_shape(heads_text(8 * group, 8), {8 * group, 8, {}});

  const Attend prompt = {32, 8, same(1, 8192), kBf16, kBf16, Packing::nhd, 8192};
  Case c = attention_case(EntryPoint::paged_attention, "prompts", "32x8 bf16, all tokens", "b1_s8192", prompt);
  c.limit = Limit::arithmetic;
  c.operations = prompt.operations();
  c.goal = {};
  cases.push_back(std::move(c));

  for (const EntryPoint entry : {EntryPoint::v1, EntryPoint::v2}) {
    for (const vkv_dtype cache : {kBf16, kE4m3}) {
      for (const Batch& batch : few) {
        add("32x8", vkv_dtype_string(cache), batch, {32, 8, {}, kBf16, cache, Packing::x_packed}, entry);
      }
    }
  }
}

}  // namespace bench
