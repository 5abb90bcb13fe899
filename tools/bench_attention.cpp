// Attention as the benchmark calls and verifies it.
#include "tools/bench_attention.hpp"

#include <map>
#include <numeric>

#include "support/reference/paged_attention.hpp"
#include "tools/bench_data.hpp"
#include "tools/verify.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr float kScale = 0.5f;

// Blocks of an NVFP4 cache: any data, scales between 2^-3 and 2^-1.
const Pattern& nvfp4_blocks(int64_t block_elements) {
  static std::map<int64_t, Pattern> made;
  Pattern& all = made[block_elements];
  if (!all.bytes.empty()) return all;
  const int64_t data = block_elements / 2, scales = block_elements / 16;
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
        query_(on, a_.dtype, {a_.rows(), a_.heads, a_.dim}),
        out_(on, a_.dtype, {a_.rows(), a_.heads, a_.dim}),
        block_table_(on, VKV_DTYPE_I32, {a_.batch(), (a_.longest() + a_.block_size - 1) / a_.block_size}),
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
  // hold the heads' scales apart. Of many rows a few: the others differ in their length alone.
  std::string verify() const override {
    Random random(3);
    for (const int64_t row : some_of(a_.query_len, random, 4)) {
      std::string wrong = verify_row(row);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }

 private:
  std::string verify_row(int64_t row) const {
    const int64_t group = a_.heads / a_.kv_heads;
    const int64_t length = a_.lengths[static_cast<std::size_t>(sequence_)] - a_.query_len + row + 1;
    const bool nvfp4 = a_.cache == VKV_DTYPE_NVFP4, packed = a_.packing == Packing::x_packed;
    const Pick rows = {sequence_ * a_.query_len + row};
    Pick heads, kv_heads;
    if (!nvfp4) {
      kv_heads = {kv_head_};
      heads = {kv_head_ * group};
      if (group > 1) heads.push_back((kv_head_ + 1) * group - 1);
    }
    int64_t first = 0;
    for (int64_t s = 0; s < sequence_; ++s) first += a_.blocks_of(s);
    const Pick blocks(blocks_.begin() + first, blocks_.begin() + first + (length + a_.block_size - 1) / a_.block_size);
    const auto sample_cache = [&](const Tensor& cache) {
      if (packed) return cache.sample({blocks, kv_heads});
      return cache.sample({blocks, {}, kv_heads}, {1, static_cast<int64_t>(blocks.size()), a_.block_size,
                                                   nvfp4 ? a_.kv_heads : 1, a_.row_elements()});
    };
    std::vector<int64_t> table(blocks.size());
    std::iota(table.begin(), table.end(), int64_t{0});
    Array block_table(sample_device(), VKV_DTYPE_I32, {1, static_cast<int64_t>(table.size())});
    block_table.fill_integers(table);
    const Array absent, query = query_.sample({rows, heads}), key = sample_cache(key_cache_),
                        value = sample_cache(value_cache_), scale = scale_.sample({}),
                        seq_lens = integers(VKV_DTYPE_I32, {length});
    const auto want = reference::paged_attention(
        {query,  key,    value,  0,      0, packed, false, scale, scale, block_table, seq_lens, absent, absent,
         absent, absent, absent, absent, 0, 0,      0,     0,     0,     0,           0,        0,      0});
    return tools::compare_rows("out", out_.sample({rows, heads}), want.out, a_.dim, tools::tolerance(a_.dtype));
  }

  void make_caches(Random& random) {
    const int64_t n = a_.num_blocks(), h = a_.kv_heads, f = a_.row_elements(), b = a_.block_size;
    for (Tensor* cache : {&key_cache_, &value_cache_}) {
      if (a_.packing == Packing::x_packed) {
        const int64_t x = 16 / support::element_size(a_.cache);
        *cache = Tensor(device_, a_.cache, cache == &key_cache_ ? Shape{n, h, a_.dim / x, b, x} : Shape{n, h, a_.dim, b});
      } else {
        *cache =
            Tensor(device_, a_.cache, {n, b, h, f}, a_.packing == Packing::hnd ? Shape{b * h * f, f, b * f, 1} : Shape{});
      }
      if (a_.cache == VKV_DTYPE_NVFP4)
        cache->fill(nvfp4_blocks(h * b * a_.dim), random);
      else
        cache->fill(random);
    }
  }

  void name_tensors(vkv_paged_attention_params& p) {
    name_common_tensors(p);
    p.block_table = block_table_.view();
    p.cache_layout = a_.packing == Packing::x_packed ? VKV_CACHE_LAYOUT_X_PACKED : VKV_CACHE_LAYOUT_STRIDED;
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

}  // namespace

double Attend::operations() const {
  double pairs = 0;  // of a query row and a token
  for (const int64_t length : lengths) {
    const auto rows = static_cast<double>(query_len), before = static_cast<double>(length - query_len);
    pairs += rows * before + rows * (rows + 1) / 2;
  }
  return 4 * pairs * static_cast<double>(heads * dim);
}

Case attention_case(EntryPoint entry, const std::string& chart, const std::string& series, const std::string& size,
                    const Attend& a) {
  struct Entry {
    const char* op;
    Maker make;
  };
  const auto [op, make] = [&]() -> Entry {
    switch (entry) {
      case EntryPoint::v1: return {"paged_attention_v1", maker<Attention<vkv_paged_attention_v1_params>>(a)};
      case EntryPoint::v2: return {"paged_attention_v2", maker<Attention<vkv_paged_attention_v2_params>>(a)};
      default: return {"paged_attention", maker<Attention<vkv_paged_attention_params>>(a)};
    }
  }();
  const int64_t tokens = std::accumulate(a.lengths.begin(), a.lengths.end(), int64_t{0});
  const int64_t rows = a.rows() * a.heads * a.dim * support::element_size(a.dtype),
                tables = 4 * (a.num_blocks() + a.batch());
  const int64_t cached = tokens * a.token_bytes();
  Case c = {op,
            std::string(op) + ", " + chart,
            series,
            size,
            Limit::read,
            cached + rows + tables,
            rows,
            a.num_blocks() * a.block_size * a.token_bytes() + 2 * rows + tables,
            make};
  c.goal = {a.cache == VKV_DTYPE_NVFP4 ? 1.15 : 1.05, 2.5e-6, cached};
  return c;
}

}  // namespace bench
