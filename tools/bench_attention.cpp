// Benchmark cases of attention over a paged cache: decode mostly, where reading the cache is the whole cost.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/reference/paged_attention.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"
#include "tools/verify.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr int64_t kDim = 128, kBlockSize = 16;
constexpr float kScale = 0.5f;

enum class Layout { nhd, hnd, x_packed };

struct Attend {
  int64_t heads, kv_heads;
  std::vector<int64_t> lengths;
  vkv_dtype dtype = VKV_DTYPE_BF16, cache = VKV_DTYPE_BF16;
  Layout layout = Layout::nhd;
  int64_t query_len = 1;

  int64_t batch() const { return static_cast<int64_t>(lengths.size()); }
  int64_t rows() const { return batch() * query_len; }
  int64_t longest() const { return *std::max_element(lengths.begin(), lengths.end()); }
  int64_t blocks_of(int64_t s) const { return (lengths[static_cast<std::size_t>(s)] + kBlockSize - 1) / kBlockSize; }
  int64_t num_blocks() const {
    int64_t n = 0;
    for (int64_t s = 0; s < batch(); ++s) n += blocks_of(s);
    return n;
  }
  int64_t row_elements() const { return cache == VKV_DTYPE_NVFP4 ? kDim / 2 + kDim / 16 : kDim; }
  int64_t token_bytes() const { return 2 * kv_heads * row_elements() * support::element_size(cache); }  // K and V
};

// Blocks of an NVFP4 cache: any data, scales between 2^-3 and 2^-1.
const Pattern& nvfp4_blocks(int64_t kv_heads) {
  static std::vector<Pattern> made(65);
  Pattern& all = made.at(static_cast<std::size_t>(kv_heads));
  if (!all.bytes.empty()) return all;
  const int64_t data = kv_heads * kBlockSize * kDim / 2, scales = kv_heads * kBlockSize * kDim / 16;
  all.unit = data + scales;
  Random random(40);
  for (int64_t block = 0; block < 32; ++block) {
    for (int64_t i = 0; i < data; ++i) all.bytes.push_back(static_cast<uint8_t>(random.bits()));
    for (int64_t i = 0; i < scales; ++i) all.bytes.push_back(static_cast<uint8_t>(0x20 + random.bits() % 16));
  }
  return all;
}

vkv_status workspace_size(const Device& d, const vkv_paged_attention_params& p, size_t* bytes) {
  return vkv_paged_attention_workspace_size(d.ctx, &p, bytes);
}
vkv_status workspace_size(const Device& d, const vkv_paged_attention_v1_params& p, size_t* bytes) {
  return vkv_paged_attention_v1_workspace_size(d.ctx, &p, bytes);
}
vkv_status workspace_size(const Device& d, const vkv_paged_attention_v2_params& p, size_t* bytes) {
  return vkv_paged_attention_v2_workspace_size(d.ctx, &p, bytes);
}
vkv_status run(const Device& d, const vkv_paged_attention_params& p, vkv_stream s) {
  return vkv_paged_attention(d.ctx, &p, s);
}
vkv_status run(const Device& d, const vkv_paged_attention_v1_params& p, vkv_stream s) {
  return vkv_paged_attention_v1(d.ctx, &p, s);
}
vkv_status run(const Device& d, const vkv_paged_attention_v2_params& p, vkv_stream s) {
  return vkv_paged_attention_v2(d.ctx, &p, s);
}

template <class Params>
class Attention final : public Instance {
 public:
  Attention(const Device& on, const Attend& given, Random& random)
      : device_(on),
        a_(given),
        query_(on, a_.dtype, {a_.rows(), a_.heads, kDim}),
        out_(on, a_.dtype, {a_.rows(), a_.heads, kDim}),
        block_table_(on, VKV_DTYPE_I32, {a_.batch(), (a_.longest() + kBlockSize - 1) / kBlockSize}),
        seq_lens_(on, VKV_DTYPE_I32, {a_.batch()}),
        scale_(on, VKV_DTYPE_F32, {1}),
        blocks_(random.distinct(a_.num_blocks(), a_.num_blocks())),
        sequence_(random.integer(0, a_.batch() - 1)),
        kv_head_(random.integer(0, a_.kv_heads - 1)) {
    query_.fill(random);
    out_.zero();
    make_caches(random);
    std::vector<int32_t> table;
    for (int64_t s = 0, next = 0; s < a_.batch(); next += a_.blocks_of(s), ++s) {
      for (int64_t c = 0; c < block_table_.dim(1); ++c) {
        table.push_back(c < a_.blocks_of(s) ? static_cast<int32_t>(blocks_[static_cast<std::size_t>(next + c)]) : 0);
      }
    }
    block_table_.set(table);
    seq_lens_.set(std::vector<int32_t>(a_.lengths.begin(), a_.lengths.end()));
    scale_.set(std::vector<float>{kScale});
    name_tensors(params_);
    size_t bytes = 0;
    require(workspace_size(device_, params_, &bytes));
    workspace_ = Tensor(on, VKV_DTYPE_U8, {static_cast<int64_t>(std::max<size_t>(bytes, 1))});
    params_.workspace = workspace_.view().data;
    params_.workspace_size = bytes;
  }

  vkv_status call(vkv_stream stream) const override { return run(device_, params_, stream); }

  // One sequence; of its heads the first and the last that read one KV head, but all of an NVFP4 cache, whose blocks
  // hold the heads' scales apart.
  std::string verify() const override {
    const int64_t group = a_.heads / a_.kv_heads, length = a_.lengths[static_cast<std::size_t>(sequence_)];
    const bool nvfp4 = a_.cache == VKV_DTYPE_NVFP4, packed = a_.layout == Layout::x_packed;
    Pick rows(static_cast<std::size_t>(a_.query_len)), heads, kv_heads;
    std::iota(rows.begin(), rows.end(), sequence_ * a_.query_len);
    if (!nvfp4) {
      kv_heads = {kv_head_};
      heads = {kv_head_ * group};
      if (group > 1) heads.push_back((kv_head_ + 1) * group - 1);
    }
    int64_t first = 0;
    for (int64_t s = 0; s < sequence_; ++s) first += a_.blocks_of(s);
    const Pick blocks(blocks_.begin() + first, blocks_.begin() + first + a_.blocks_of(sequence_));
    const auto sample_cache = [&](const Tensor& cache) {
      if (packed) return cache.sample({blocks, kv_heads});
      return cache.sample({blocks, {}, kv_heads}, {1, static_cast<int64_t>(blocks.size()), kBlockSize,
                                                   nvfp4 ? a_.kv_heads : 1, a_.row_elements()});
    };
    std::vector<int64_t> table(blocks.size());
    std::iota(table.begin(), table.end(), int64_t{0});
    Array block_table(sample_device(), VKV_DTYPE_I32, {1, static_cast<int64_t>(table.size())});
    block_table.fill_integers(table);
    const Array absent, query = query_.sample({rows, heads}), key = sample_cache(key_cache_),
                        value = sample_cache(value_cache_), scale = scale_.sample({}),
                        seq_lens = integers(VKV_DTYPE_I32, {length}),
                        starts = integers(VKV_DTYPE_I32, {0, a_.query_len});
    const auto want = reference::paged_attention(
        {query,  key,    value,  0,      0, packed, false, scale, scale, block_table, seq_lens, absent, absent,
         absent, starts, absent, absent, 0, 0,      0,     0,     0,     0,           0,        0,      0});
    return tools::compare_rows("out", out_.sample({rows, heads}), want.out, kDim, tools::tolerance(a_.dtype));
  }

 private:
  void make_caches(Random& random) {
    const int64_t n = a_.num_blocks(), h = a_.kv_heads, f = a_.row_elements(), b = kBlockSize;
    for (Tensor* cache : {&key_cache_, &value_cache_}) {
      if (a_.layout == Layout::x_packed) {
        const int64_t x = 16 / support::element_size(a_.cache);
        *cache = Tensor(device_, a_.cache, cache == &key_cache_ ? Shape{n, h, kDim / x, b, x} : Shape{n, h, kDim, b});
      } else {
        *cache =
            Tensor(device_, a_.cache, {n, b, h, f}, a_.layout == Layout::hnd ? Shape{b * h * f, f, b * f, 1} : Shape{});
      }
      if (a_.cache == VKV_DTYPE_NVFP4)
        cache->fill(nvfp4_blocks(h), random);
      else
        cache->fill(random);
    }
  }

  void name_tensors(vkv_paged_attention_params& p) {
    name_common_tensors(p);
    p.block_table = block_table_.view();
    p.cache_layout = a_.layout == Layout::x_packed ? VKV_CACHE_LAYOUT_X_PACKED : VKV_CACHE_LAYOUT_STRIDED;
    if (a_.query_len == 1) return;
    std::vector<int32_t> starts;
    for (int64_t s = 0; s <= a_.batch(); ++s) starts.push_back(static_cast<int32_t>(s * a_.query_len));
    query_start_loc_ = Tensor(device_, VKV_DTYPE_I32, {a_.batch() + 1});
    query_start_loc_.set(starts);
    p.query_start_loc = query_start_loc_.view();
    p.max_query_len = static_cast<int32_t>(a_.query_len);
  }

  template <class DecodeParams>
  void name_tensors(DecodeParams& p) {
    name_common_tensors(p);
    p.block_tables = block_table_.view();
  }

  template <class AnyParams>
  void name_common_tensors(AnyParams& p) {
    p.query = query_.view();
    p.out = out_.view();
    p.key_cache = key_cache_.view();
    p.value_cache = value_cache_.view();
    p.k_scale = p.v_scale = scale_.view();
    p.seq_lens = seq_lens_.view();
    p.max_seq_len = static_cast<int32_t>(a_.longest());
  }

  Device device_;
  Attend a_;
  Tensor query_, out_, key_cache_, value_cache_, block_table_, seq_lens_, query_start_loc_, scale_, workspace_;
  std::vector<int64_t> blocks_;  // of the sequences, one after the other
  int64_t sequence_, kv_head_;   // that verify() looks at
  Params params_ = VKV_INIT(Params);
};

template <class Params>
Case attention_case(const std::string& op, const std::string& chart, const std::string& series, const std::string& size,
                    const Attend& a) {
  const int64_t tokens = std::accumulate(a.lengths.begin(), a.lengths.end(), int64_t{0});
  const int64_t rows = a.rows() * a.heads * kDim * support::element_size(a.dtype),
                tables = 4 * (a.num_blocks() + a.batch());
  const int64_t cached = tokens * a.token_bytes();
  return {op,
          op + ", " + chart,
          series,
          size,
          Limit::read,
          cached + rows + tables,
          rows,
          cached + 2 * rows + tables,
          maker<Attention<Params>>(a)};
}

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

}  // namespace

void add_attention_cases(Cases& cases) {
  const std::vector<Batch> batches = {
      {"b1_s1024", same(1, 1024)},     {"b1_s8192", same(1, 8192)},     {"b1_s131072", same(1, 131072)},
      {"b8_s4096", same(8, 4096)},     {"b32_s2048", same(32, 2048)},   {"b64_s8192", same(64, 8192)},
      {"b128_s1024", same(128, 1024)}, {"b256_s4096", same(256, 4096)}, {"b64_ragged", ragged()}};
  const std::pair<int64_t, int64_t> all_heads[] = {{32, 8}, {64, 8}, {8, 1}, {32, 32}};
  const auto add = [&](const std::string& chart, const std::string& series, const Batch& batch, Attend a) {
    a.lengths = batch.lengths;
    cases.push_back(attention_case<vkv_paged_attention_params>("paged_attention", chart, series, batch.name, a));
  };
  for (const vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}) {
    for (const auto& [heads, kv_heads] : all_heads) {
      for (const Batch& batch : batches) {
        add(std::string("decode, ") + vkv_dtype_string(cache) + " cache",
            std::to_string(heads) + "x" + std::to_string(kv_heads) + " " + vkv_dtype_string(cache), batch,
            {heads, kv_heads, {}, VKV_DTYPE_BF16, cache});
      }
    }
  }
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kE4m3 = VKV_DTYPE_FP8_E4M3;
  const std::pair<const char*, Attend> others[] = {
      {"f16", {32, 8, {}, kF16, kF16}},
      {"f32", {32, 8, {}, VKV_DTYPE_F32, VKV_DTYPE_F32}},
      {"bf16 HND", {32, 8, {}, kBf16, kBf16, Layout::hnd}},
      {"bf16 x-packed", {32, 8, {}, kBf16, kBf16, Layout::x_packed}},
      {"e4m3 x-packed", {32, 8, {}, kBf16, kE4m3, Layout::x_packed}},
      {"e5m2", {32, 8, {}, kBf16, VKV_DTYPE_FP8_E5M2}},
      {"nvfp4", {32, 8, {}, kBf16, VKV_DTYPE_NVFP4}},
      {"bf16, 4 query tokens each", {32, 8, {}, kBf16, kBf16, Layout::nhd, 4}}};
  const std::vector<Batch> few = {batches[0], batches[1], batches[3], batches[4]};
  for (const auto& [series, a] : others) {
    for (const Batch& batch : few) add("32x8, other formats", series, batch, a);
  }
  for (const vkv_dtype cache : {kBf16, kE4m3}) {
    for (const Batch& batch : few) {
      const Attend a{32, 8, batch.lengths, kBf16, cache, Layout::x_packed};
      cases.push_back(attention_case<vkv_paged_attention_v1_params>("paged_attention_v1", "32x8",
                                                                    vkv_dtype_string(cache), batch.name, a));
    }
  }
  for (const vkv_dtype cache : {kBf16, kE4m3}) {
    for (const Batch& batch : few) {
      const Attend a{32, 8, batch.lengths, kBf16, cache, Layout::x_packed};
      cases.push_back(attention_case<vkv_paged_attention_v2_params>("paged_attention_v2", "32x8",
                                                                    vkv_dtype_string(cache), batch.name, a));
    }
  }
}

}  // namespace bench
