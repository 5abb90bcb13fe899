// Cases of paged_attention, _v1 and _v2: used by the tests, the benchmark and the support matrix.
//
// What a sequence holds follows from its number and a seed alone, so that the same sequence can be put into any batch,
// blocks, block size, layout and table form. Everything that must not matter is poison: tails, unused blocks, table
// entries.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "cases/flash_caches.hpp"
#include "support/reference/nvfp4.hpp"
#include "support/reference/paged_attention.hpp"

namespace cases {

struct PagedAttention {
  std::string name;
  vkv_dtype dtype = VKV_DTYPE_BF16, cache = VKV_DTYPE_BF16;
  int64_t heads = 4, kv_heads = 2, dim = 64, block_size = 16;
  std::vector<int64_t> lengths = {1, 37, 300};
  std::vector<int64_t> queries = {};  // query tokens of each sequence; empty: one each, without query_start_loc
  bool x_packed = false;
  FlashLayout layout = FlashLayout::nhd;  // of strided caches
  bool csr = false;
  Scales scales = Scales::absent;
  float softmax_scale = 0, softcap = 0;
  int32_t window = 0;
  bool alibi = false, sinks = false, lse = true;
  int32_t tp_rank = 0, local_blocks = 0, vert_stride = 0, sparse_block_size = 0, sliding_step = 0;  // block-sparse rule
  bool swizzled = false;                                                                            // nvfp4 V scales
  bool strided_rows = false;  // query and out are slices of wider tensors, lse is a view of [heads, tokens]
  int64_t offset = 0;         // elements by which every base is shifted
  int32_t max_seq_len = 0, max_query_len = 0;

  // vLLM's entry points have a parameter for all of it.
  bool fits_decode_params() const {
    return x_packed && !csr && queries.empty() && scales != Scales::per_head && softcap == 0 &&
           window == 0 && !sinks;
  }
};

inline std::vector<PagedAttention> paged_attention() {
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2, kNvfp4 = VKV_DTYPE_NVFP4;
  std::vector<PagedAttention> all;
  const auto add = [&](const char* name, auto change) {
    PagedAttention c;
    c.name = name;
    change(c);
    all.push_back(c);
  };
  // Each combination of dtypes, layouts, scales.
  for (vkv_dtype dtype : {kF16, kBf16, kF32}) {
    for (vkv_dtype cache : {dtype, kE4m3, kE5m2}) {
      for (Scales scales : {Scales::absent, Scales::one, Scales::per_head}) {
        for (bool x_packed : {false, true}) {
          add("dtypes", [&](auto& c) { c.dtype = dtype, c.cache = cache, c.scales = scales, c.x_packed = x_packed; });
        }
      }
    }
    for (FlashLayout layout : {FlashLayout::nhd, FlashLayout::hnd, FlashLayout::one_tensor}) {
      for (bool swizzled : {false, true}) {
        add("nvfp4", [&](auto& c) {
          c.dtype = dtype, c.cache = kNvfp4, c.layout = layout, c.swizzled = swizzled;
          c.scales = swizzled ? Scales::per_head : Scales::one;
        });
      }
    }
  }
  for (int64_t dim : {16, 48, 128, 256, 512}) {
    add("nvfp4 dims", [&](auto& c) { c.dim = dim, c.cache = kNvfp4, c.swizzled = dim % 64 == 0, c.block_size = 4; });
  }
  add("nvfp4, one head", [&](auto& c) { c.heads = 3, c.kv_heads = 1, c.cache = kNvfp4, c.block_size = 5; });
  add("nvfp4, blocks of one", [&](auto& c) { c.layout = FlashLayout::hnd, c.cache = kNvfp4, c.block_size = 1; });
  for (FlashLayout layout :
       {FlashLayout::nhd, FlashLayout::hnd, FlashLayout::one_tensor, FlashLayout::packed, FlashLayout::apart}) {
    for (vkv_dtype cache : {kF16, kE4m3}) {
      add("layout",
          [&](auto& c) { c.dtype = kF16, c.cache = cache, c.layout = layout, c.offset = 1, c.strided_rows = true; });
    }
  }
  // Head sizes: all of them.
  for (int64_t dim = 8; dim <= 512; dim += dim < 256 ? 8 : 256) {
    const auto sizes = [&](auto& c) { c.dim = dim, c.lengths = {3, 21}, c.heads = 3, c.kv_heads = 1; };
    add("head size", [&](auto& c) { sizes(c); });
    add("head size", [&](auto& c) { sizes(c), c.dtype = kF16, c.cache = kE4m3; });
    add("head size, x-packed", [&](auto& c) { sizes(c), c.dtype = c.cache = kF16, c.x_packed = true; });
    add("head size, x-packed", [&](auto& c) { sizes(c), c.dtype = c.cache = kF32, c.x_packed = true; });
    if (dim % 16 == 0) add("head size, x-packed", [&](auto& c) { sizes(c), c.cache = kE5m2, c.x_packed = true; });
  }
  // Block sizes, with lengths around their multiples.
  for (int64_t block : {1, 2, 3, 5, 7, 8, 15, 16, 17, 24, 32, 64, 100, 128, 256, 1000}) {
    for (bool x_packed : {false, true}) {
      add("block size", [&](auto& c) {
        c.block_size = block, c.x_packed = x_packed, c.dim = 16, c.csr = block % 2 == 1;
        c.lengths = {1, block - 1, block, block + 1, 2 * block, 2 * block + 1, 290};
      });
      add("block size, fp8", [&](auto& c) {
        c.block_size = block, c.x_packed = x_packed, c.dim = 16, c.cache = kE4m3, c.lengths = {block + 1, 33};
      });
    }
  }
  // Lengths around every boundary; enough pieces for several levels of the tree.
  for (bool csr : {false, true}) {
    add("lengths", [&](auto& c) {
      c.dtype = c.cache = kF32, c.csr = csr, c.dim = 8, c.heads = 2, c.kv_heads = 1;
      c.lengths = {0,   1,   2,   15,  16,  17,  31,   32,   33,   255,  256,
                   257, 511, 512, 513, 767, 769, 1023, 1024, 1025, 1281, 2049};
    });
  }
  add("long", [&](auto& c) { c.dim = 16, c.heads = 2, c.kv_heads = 1, c.lengths = {20011}; });
  add("long among short", [&](auto& c) {
    c.dtype = c.cache = kF32, c.dim = 8, c.heads = c.kv_heads = 1, c.lengths = {3, 9000, 70, 0, 256};
  });
  // Heads.
  struct Heads {
    int64_t q, kv;
  };
  for (const Heads h : {Heads{1, 1},
                        {8, 8},
                        {8, 1},
                        {5, 1},
                        {7, 1},
                        {12, 4},
                        {33, 11},
                        {33, 33},
                        {64, 8},
                        {128, 128},
                        {128, 1},
                        {71, 1}}) {
    for (bool x_packed : {false, true}) {
      add("heads", [&](auto& c) {
        c.heads = h.q, c.kv_heads = h.kv, c.dim = 16, c.lengths = {1, 40}, c.x_packed = x_packed;
      });
    }
    add("heads, rows", [&](auto& c) {
      c.heads = h.q, c.kv_heads = h.kv, c.dim = 16, c.lengths = {20, 40}, c.queries = {3, 9};
    });
  }
  // Options, alone and together, for decode and for many query tokens.
  for (const bool rows : {false, true}) {
    const auto options = [&](const char* name, auto change) {
      add(name, [&](auto& c) {
        c.dtype = c.cache = kF32, c.dim = 16, c.lengths = {1, 40, 300, 700};
        if (rows) c.queries = {1, 40, 7, 150};
        change(c);
      });
    };
    options("scale", [](auto& c) { c.softmax_scale = 0.6f; });
    options("negative scale", [](auto& c) { c.softmax_scale = -0.3f; });
    options("softcap", [](auto& c) { c.softcap = 3; });
    options("softcap of many", [](auto& c) { c.softcap = 50, c.softmax_scale = 8; });
    options("sinks", [](auto& c) { c.sinks = true; });
    options("alibi", [](auto& c) { c.alibi = true; });
    for (int32_t window : {1, 2, 15, 16, 17, 64, 255, 256, 257, 300, 5000}) {
      options("window", [&](auto& c) { c.window = window; });
    }
    for (int32_t step : {0, 1, 3, -1, -2}) {
      options("sparse", [&](auto& c) {
        c.vert_stride = 3, c.local_blocks = 2, c.sparse_block_size = 32, c.sliding_step = step, c.tp_rank = 2;
      });
      options("sparse, x-packed",
              [&](auto& c) { c.vert_stride = 8, c.local_blocks = 1, c.sliding_step = step, c.x_packed = true; });
    }
    options("sparse, no local blocks", [](auto& c) { c.vert_stride = 4, c.sparse_block_size = 16; });
    options("sparse, odd sizes",
            [](auto& c) { c.vert_stride = 2, c.sparse_block_size = 10, c.local_blocks = 3, c.block_size = 7; });
    options("everything", [](auto& c) {
      c.cache = kE4m3, c.scales = Scales::per_head, c.softcap = 20, c.sinks = c.alibi = true, c.window = 200,
      c.vert_stride = 3;
      c.local_blocks = 2, c.sparse_block_size = 32, c.sliding_step = 1, c.csr = true, c.block_size = 24,
      c.x_packed = true;
    });
    options("everything, nvfp4", [](auto& c) {
      c.cache = kNvfp4, c.scales = Scales::per_head, c.softcap = 20, c.sinks = c.alibi = true, c.window = 290,
      c.block_size = 12;
    });
    options("no lse", [](auto& c) { c.lse = false; });
  }
  // Query lengths.
  add("queries",
      [&](auto& c) { c.dim = 16, c.lengths = {1, 5, 9, 64, 320, 17, 0}, c.queries = {1, 5, 0, 64, 300, 1, 0}; });
  add("queries past the start", [&](auto& c) {
    c.dim = 16, c.lengths = {3, 0, 70}, c.queries = {5, 4, 130}, c.sinks = true;
  });
  add("queries of many heads",
      [&](auto& c) { c.dim = 16, c.heads = 96, c.kv_heads = 1, c.lengths = {280}, c.queries = {5}; });
  add("queries, x-packed", [&](auto& c) {
    c.dim = 24, c.heads = 6, c.x_packed = true, c.window = 40, c.lengths = {300, 270}, c.queries = {20, 270},
    c.block_size = 9;
  });
  // Nothing to do, or nothing to read.
  add("no sequences", [&](auto& c) { c.lengths = {}; });
  add("no heads", [&](auto& c) { c.heads = 0, c.lengths = {5}; });
  add("no tokens", [&](auto& c) { c.lengths = {5, 7}, c.queries = {0, 0}; });
  add("nothing cached", [&](auto& c) { c.lengths = {0, 0}, c.csr = true; });
  add("nothing cached, sinks", [&](auto& c) { c.lengths = {0}, c.sinks = true; });
  return all;
}

// How a batch lies in memory. None of it may change a bit of a result.
struct Placement {
  std::vector<int64_t> sequences;  // which sequences of the case, in order; empty: all
  uint64_t blocks = 0;             // seed of the choice of blocks
  int64_t spare_columns = 2, spare_blocks = 3;
};

// The tensors of one case, filled, and the params that name them.
struct PagedAttentionProblem {
  PagedAttention c;
  std::vector<int64_t> numbers;  // of the case's sequences in this batch
  support::Array query, out, lse, k_scale, v_scale, block_table, seq_lens, kv_indptr, kv_indices, kv_last_page_len;
  support::Array query_start_loc, alibi_slopes, sinks;
  std::vector<support::Array> caches;  // K and V, or one array of both as two planes

  PagedAttentionProblem(const support::Device& device, const PagedAttention& given, uint64_t seed,
                        const Placement& placement = {})
      : c(given),
        numbers(placement.sequences),
        seed_(seed) {
    if (numbers.empty()) {
      for (std::size_t s = 0; s < c.lengths.size(); ++s) numbers.push_back(static_cast<int64_t>(s));
    }
    make_rows(device);
    make_caches(device, placement);
    support::Random random(seed_ + 1);
    k_scale = random_scale(device, c.scales, c.kv_heads, random, 0.5, 1.5);
    v_scale = random_scale(device, c.scales, c.kv_heads, random, 0.5, 1.5);
    const auto per_head = [&](bool wanted, double low, double high) {
      support::Array a;
      if (!wanted) return a;
      a = support::Array(device, VKV_DTYPE_F32, {c.heads});
      for (int64_t h = 0; h < c.heads; ++h) a.set(h, random.uniform(low, high));
      a.upload();
      return a;
    };
    alibi_slopes = per_head(c.alibi, 0.01, 0.3);
    sinks = per_head(c.sinks, -2, 4);
  }

  int64_t length(int64_t s) const { return c.lengths[static_cast<std::size_t>(numbers[static_cast<std::size_t>(s)])]; }
  int64_t query_len(int64_t s) const {
    return c.queries.empty() ? 1 : c.queries[static_cast<std::size_t>(numbers[static_cast<std::size_t>(s)])];
  }
  int64_t num_seqs() const { return static_cast<int64_t>(numbers.size()); }
  bool one_array() const { return caches.size() == 1; }

  vkv_paged_attention_params params() const {
    vkv_paged_attention_params p = common_params<vkv_paged_attention_params>();
    p.lse = lse.view();
    if (!c.x_packed) {
      p.key_cache = plane(caches.front(), 0);
      p.value_cache = plane(caches.back(), one_array() ? 1 : 0);
    }
    p.block_table = block_table.view();
    p.kv_indptr = kv_indptr.view();
    p.kv_indices = kv_indices.view();
    p.kv_last_page_len = kv_last_page_len.view();
    p.query_start_loc = query_start_loc.view();
    p.sinks = sinks.view();
    p.logit_softcap = c.softcap;
    p.sliding_window = c.window;
    p.cache_layout = c.x_packed ? VKV_CACHE_LAYOUT_X_PACKED : 0;
    p.nvfp4_v_scales = c.swizzled ? VKV_NVFP4_SCALES_SWIZZLED : 0;
    p.max_query_len = c.max_query_len;
    return p;
  }

  // For vkv_paged_attention_v1_params and _v2_params, which take part of the cases.
  template <class Params>
  Params decode_params() const {
    Params p = common_params<Params>();
    p.block_tables = block_table.view();
    p.num_kv_heads = static_cast<int32_t>(c.kv_heads);
    p.block_size = static_cast<int32_t>(c.block_size);
    return p;
  }
  bool fits_decode_params() const { return c.fits_decode_params(); }

  reference::AttentionRows reference() const {
    return reference::paged_attention({query,
                                       caches.front(),
                                       caches.back(),
                                       0,
                                       one_array() ? 1 : 0,
                                       c.x_packed,
                                       c.swizzled,
                                       k_scale,
                                       v_scale,
                                       block_table,
                                       seq_lens,
                                       kv_indptr,
                                       kv_indices,
                                       kv_last_page_len,
                                       query_start_loc,
                                       alibi_slopes,
                                       sinks,
                                       c.softmax_scale,
                                       c.softcap,
                                       c.window,
                                       c.max_seq_len,
                                       c.tp_rank,
                                       c.local_blocks,
                                       c.vert_stride,
                                       c.sparse_block_size,
                                       c.sliding_step});
  }

  // Puts a number into V of one token of a padded table; of an NVFP4 cache, NaN into the scale of its 16 dims.
  void set_value(int64_t sequence, int64_t token, int64_t head, int64_t d, double x) {
    const int64_t block = block_table.integer({sequence, token / c.block_size}), t = token % c.block_size;
    if (c.cache == VKV_DTYPE_NVFP4) {
      each_nvfp4_byte(block, t, head, [&](uint8_t& byte, int side, int64_t first, bool scale) {
        if (scale && side == 1 && first == d / 16 * 16) byte = 0x7F;
      });
    } else {
      each_number(block, t, head, [&](uint8_t* at, int side, int64_t dim) {
        // Encoders saturate.
        const bool infinity = c.cache == VKV_DTYPE_FP8_E5M2 && std::isinf(x);
        if (side == 1 && dim == d) put_bits(at, infinity ? (x > 0 ? 0x7C : 0xFC) : support::encode(c.cache, x));
      });
    }
    caches.back().upload();
  }

  // Puts other poison into every slot that no sequence owns: NaN, infinity, or random bits.
  void poison(int kind, support::Random& random) {
    for (int64_t b = 0; b < num_blocks_; ++b) {
      for (int64_t t = 0; t < c.block_size; ++t) {
        if (owned_[static_cast<std::size_t>(b * c.block_size + t)]) continue;
        for (int64_t h = 0; h < c.kv_heads; ++h) poison_token(b, t, h, kind, random);
      }
    }
    for (support::Array& cache : caches) cache.upload();
  }

 private:
  template <class Params>
  Params common_params() const {
    Params p = VKV_INIT(Params);
    p.query = query.view();
    p.out = out.view();
    p.key_cache = caches.front().view();
    p.value_cache = caches.back().view();
    p.k_scale = k_scale.view();
    p.v_scale = v_scale.view();
    p.seq_lens = seq_lens.view();
    p.alibi_slopes = alibi_slopes.view();
    p.softmax_scale = c.softmax_scale;
    p.max_seq_len = c.max_seq_len;
    p.tp_rank = c.tp_rank;
    p.blocksparse_local_blocks = c.local_blocks;
    p.blocksparse_vert_stride = c.vert_stride;
    p.blocksparse_block_size = c.sparse_block_size;
    p.blocksparse_head_sliding_step = c.sliding_step;
    return p;
  }

  // ---- contents

  uint64_t hash(uint64_t what, int64_t sequence, int64_t token, int64_t head, int64_t d) const {
    uint64_t z = seed_;
    for (const uint64_t part : {what, static_cast<uint64_t>(sequence), static_cast<uint64_t>(token),
                                static_cast<uint64_t>(head), static_cast<uint64_t>(d)}) {
      z = (z ^ part) * 0xBF58476D1CE4E5B9ull;
      z ^= z >> 29;
    }
    return z;
  }

  // Bits of normally distributed numbers.
  static const std::vector<uint64_t>& pool(vkv_dtype dtype) {
    static std::map<vkv_dtype, std::vector<uint64_t>> pools;
    std::vector<uint64_t>& bits = pools[dtype];
    support::Random random(77);
    while (bits.size() < 1024) bits.push_back(support::encode(dtype, random.normal()));
    return bits;
  }

  void make_rows(const support::Device& device) {
    int64_t tokens = 0;
    std::vector<int64_t> starts = {0};
    for (int64_t s = 0; s < num_seqs(); ++s) starts.push_back(tokens += query_len(s));
    const int64_t h = c.heads, d = c.dim;
    const support::Shape wide = c.strided_rows ? support::Shape{h * (d + 3) + 5, d + 3, 1} : support::Shape{};
    query = support::Array(device, c.dtype, {tokens, h, d}, wide, c.offset);
    out = support::Array(device, c.dtype, {tokens, h, d}, wide, c.offset);
    if (c.lse) {
      lse = support::Array(device, VKV_DTYPE_F32, {tokens, h},
                           c.strided_rows ? support::Shape{1, tokens + 1} : support::Shape{});
      lse.fill_poison();
    }
    out.fill_poison();
    const std::vector<uint64_t>& numbers_of_q = pool(c.dtype);
    for (int64_t s = 0; s < num_seqs(); ++s) {
      for (int64_t r = 0; r < query_len(s); ++r) {
        for (int64_t head = 0; head < h; ++head) {
          for (int64_t k = 0; k < d; ++k) {
            query.set_bits({starts[static_cast<std::size_t>(s)] + r, head, k},
                           numbers_of_q[hash(1, numbers[static_cast<std::size_t>(s)], r, head, k) % 1024]);
          }
        }
      }
    }
    query.upload();
    if (c.queries.empty()) return;
    query_start_loc = support::Array(device, VKV_DTYPE_I32, {num_seqs() + 1});
    query_start_loc.fill_integers(starts);
  }

  void make_caches(const support::Device& device, const Placement& placement) {
    const int64_t b = c.block_size, h = c.kv_heads, d = c.dim;
    int64_t used = 0, columns = 0;
    for (int64_t s = 0; s < num_seqs(); ++s) {
      used += blocks_of(s);
      columns = std::max(columns, blocks_of(s));
    }
    num_blocks_ = used + placement.spare_blocks;
    owned_.assign(static_cast<std::size_t>(num_blocks_ * b), false);
    if (c.x_packed) {
      const int64_t x = 16 / support::element_size(c.cache), gap = c.strided_rows ? 2 * x : 0;
      caches.emplace_back(device, c.cache, support::Shape{num_blocks_, h, d / x, b, x},
                          support::Shape{h * (d * b + gap) + gap, d * b + gap, b * x, x, 1}, c.offset);
      caches.emplace_back(device, c.cache, support::Shape{num_blocks_, h, d, b},
                          support::Shape{h * (d * b + 2 * gap), d * b + 2 * gap, b, 1}, c.offset);
    } else {
      caches = flash_caches(device, c.cache, c.layout, num_blocks_, b, h,
                            c.cache == VKV_DTYPE_NVFP4 ? d / 2 + d / 16 : d, c.offset);
    }

    support::Random random(placement.blocks);
    const std::vector<int64_t> blocks = random.distinct(used, num_blocks_);
    const int64_t table_columns = columns + placement.spare_columns;
    std::vector<int64_t> table, lengths, indptr = {0}, indices, last;
    const auto garbage = [&] {
      return random.integer(0, 1) == 0 ? std::numeric_limits<int32_t>::max() : -random.integer(1, 1 << 30);
    };
    const std::vector<uint64_t>& pool_bits = pool(c.cache);
    for (int64_t s = 0, next = 0; s < num_seqs(); ++s) {
      const int64_t n = blocks_of(s);
      for (int64_t column = 0; column < table_columns; ++column) {
        table.push_back(column < n ? blocks[static_cast<std::size_t>(next + column)] : garbage());
      }
      for (int64_t column = 0; column < n; ++column) indices.push_back(blocks[static_cast<std::size_t>(next + column)]);
      for (int64_t j = 0; j < length(s); ++j) {
        const int64_t block = blocks[static_cast<std::size_t>(next + j / b)];
        owned_[static_cast<std::size_t>(block * b + j % b)] = true;
        for (int64_t head = 0; head < h; ++head)
          set_token(block, j % b, head, numbers[static_cast<std::size_t>(s)], j, pool_bits);
      }
      next += n;
      lengths.push_back(length(s));
      indptr.push_back(next);
      last.push_back(n == 0 ? garbage() : length(s) - (n - 1) * b);
    }
    poison(static_cast<int>(placement.blocks % 3), random);
    if (c.csr) {
      for (int64_t i = 0; i < placement.spare_columns; ++i) indices.push_back(garbage());
      kv_indptr = support::Array(device, VKV_DTYPE_I32, {num_seqs() + 1});
      kv_indptr.fill_integers(indptr);
      kv_indices = support::Array(device, VKV_DTYPE_I32, {static_cast<int64_t>(indices.size())});
      kv_indices.fill_integers(indices);
      kv_last_page_len = support::Array(device, VKV_DTYPE_I32, {num_seqs()});
      kv_last_page_len.fill_integers(last);
    } else {
      block_table = support::Array(device, VKV_DTYPE_I32, {num_seqs(), table_columns},
                                   c.strided_rows ? support::Shape{table_columns + 3, 1} : support::Shape{});
      block_table.fill_integers(table);
      seq_lens = support::Array(device, VKV_DTYPE_I32, {num_seqs()});
      seq_lens.fill_integers(lengths);
    }
  }

  void put_bits(uint8_t* at, uint64_t bits) const {
    std::memcpy(at, &bits,
                static_cast<std::size_t>(support::element_size(c.cache)));  // little-endian, as the caches are
  }

  int64_t blocks_of(int64_t s) const { return (length(s) + c.block_size - 1) / c.block_size; }

  // Calls put(address, side, d) for the numbers of one token and head, first of K (side 0) and then of V (side 1).
  template <class Put>
  void each_number(int64_t block, int64_t t, int64_t head, Put&& put) {
    const int64_t size = support::element_size(c.cache);
    for (int side = 0; side < 2; ++side) {
      support::Array& cache = side == 0 ? caches.front() : caches.back();
      const support::Shape& stride = cache.stride();
      int64_t first, x = c.dim, group = 0, step = 1;  // dim d lies at first + d / x * group + d % x * step
      if (!c.x_packed) {
        first = (side == 1 && one_array() ? stride[0] : 0) + block * stride[1] + t * stride[2] + head * stride[3];
      } else if (side == 0) {
        first = block * stride[0] + head * stride[1] + t * stride[3];
        x = cache.dim(4);
        group = stride[2];
      } else {
        first = block * stride[0] + head * stride[1] + t;
        step = stride[2];
      }
      for (int64_t d = 0; d < c.dim; ++d) put(cache.base() + (first + d / x * group + d % x * step) * size, side, d);
    }
  }

  // Likewise put(byte, side, number of the byte, is a scale) for the bytes of an NVFP4 token.
  template <class Put>
  void each_nvfp4_byte(int64_t block, int64_t t, int64_t head, Put&& put) {
    for (int side = 0; side < 2; ++side) {
      support::Array& cache = side == 0 ? caches.front() : caches.back();
      const support::Shape& stride = cache.stride();
      uint8_t* base = cache.base() + (side == 1 && one_array() ? stride[0] : 0) + block * stride[1];
      const reference::Nvfp4Block layout(cache, c.swizzled && side == 1);
      for (int64_t d = 0; d < c.dim; d += 2) put(base[layout.data(t, head, d)], side, d, false);
      for (int64_t d = 0; d < c.dim; d += 16) put(base[layout.scale(t, head, d)], side, d, true);
    }
  }

  void set_token(int64_t block, int64_t t, int64_t head, int64_t sequence, int64_t j,
                 const std::vector<uint64_t>& bits) {
    if (c.cache != VKV_DTYPE_NVFP4) {
      each_number(block, t, head, [&](uint8_t* at, int side, int64_t d) {
        put_bits(at, bits[hash(static_cast<uint64_t>(2 + side), sequence, j, head, d) % 1024]);
      });
      return;
    }
    each_nvfp4_byte(block, t, head, [&](uint8_t& byte, int side, int64_t i, bool scale) {
      const uint64_t z = hash(static_cast<uint64_t>(4 + 2 * side + (scale ? 1 : 0)), sequence, j, head, i);
      byte = static_cast<uint8_t>(scale ? 0x20 + z % 16 : z);  // scales from 2^-3 to 2^-1
    });
  }

  void poison_token(int64_t block, int64_t t, int64_t head, int kind, support::Random& random) {
    if (c.cache == VKV_DTYPE_NVFP4) {
      each_nvfp4_byte(block, t, head, [&](uint8_t& byte, int, int64_t, bool) {
        byte = static_cast<uint8_t>(kind == 0 ? 0x7F : kind == 1 ? 0xFF : random.bits());
      });
      return;
    }
    const double special =
        kind == 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    const uint64_t bits = support::encode(c.cache, special);
    each_number(block, t, head, [&](uint8_t* at, int, int64_t) { put_bits(at, kind < 2 ? bits : random.bits()); });
  }

  uint64_t seed_;
  int64_t num_blocks_ = 0;
  std::vector<bool> owned_;  // [num_blocks * block_size]
};

}  // namespace cases
