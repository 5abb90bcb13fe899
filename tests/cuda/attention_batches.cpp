// Paged attention on CUDA: a row's bits are the same in every batch and under every bound, whichever kernel serves it
// and however the launch divides the work.
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

#include "cases/paged_attention_calls.hpp"
#include "cuda/cuda.hpp"

using cuda_test::Buffer;
using support::Array;
using support::Device;
using support::Random;

namespace {

struct Kind {
  const char* name;
  vkv_dtype dtype, cache;
  int64_t kv_heads, group, dim;
  std::vector<int64_t> queries;  // query tokens of the sequences, in turn
  bool x_packed;
  int32_t window;
};

// Sequences in one small pool of blocks. What each holds follows from its table row, so that batches of copies and of
// long ones cost next to no memory.
class Pool {
 public:
  static constexpr int64_t kPoolBlocks = 256, kBlock = 16, kMostColumns = 8192, kLooseQueries = 40, kMostSeqs = 256;
  const std::vector<int64_t> lengths = {1,    15,   16,   17,   255,  256,  257,   1023,
                                        1024, 1025, 2047, 2049, 4096, 8193, 20000, 100000};

  Pool(const Device& device, const Kind& kind) : device_(device), kind_(kind), random_(3) {
    for (int i = 0; i < 1024; ++i) normal_.push_back(random_.normal());
    const int64_t h = kind.kv_heads, d = kind.dim, x = 16 / support::element_size(kind.cache);
    const int64_t row = kind.cache == VKV_DTYPE_NVFP4 ? d / 2 + d / 16 : d;
    for (const bool value : {false, true}) {
      const support::Shape strided = {kPoolBlocks, kBlock, h, row};
      const support::Shape packed_key = {kPoolBlocks, h, d / x, kBlock, x}, packed_value = {kPoolBlocks, h, d, kBlock};
      caches_.emplace_back(device, kind.cache, !kind.x_packed ? strided : value ? packed_value : packed_key);
      fill(caches_.back().base(), kind.cache, kPoolBlocks * kBlock * h * row);
      caches_.back().upload();
    }
    query_size_ = heads() * d * support::element_size(kind.dtype);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      blocks_.emplace_back(static_cast<std::size_t>((lengths[s] + kBlock - 1) / kBlock));
      for (int32_t& block : blocks_.back()) block = static_cast<int32_t>(random_.integer(0, kPoolBlocks - 1));
      queries_.emplace_back(static_cast<std::size_t>(query_len(s) * query_size_));
      fill(queries_.back().data(), kind.dtype, query_len(s) * heads() * d);
    }
    int64_t longest = 0;
    for (const int64_t q : kind.queries) longest = std::max(longest, q);
    const auto room = [](int64_t bytes) {
      return std::make_unique<Buffer>(static_cast<std::size_t>(kMostSeqs * bytes));
    };
    query_ = room(longest * query_size_);
    out_ = room(longest * query_size_);
    lse_ = room(longest * heads() * 4);
    table_ = room(kMostColumns * 4);
    seq_lens_ = room(4);
    starts_ = room(2 * 4);
  }

  // Out and lse of each member of a batch, with a table and max_seq_len of so many blocks; 0: of the longest member. With the
  // most, max_query_len is far too large too.
  std::vector<std::vector<uint8_t>> run(const std::vector<std::size_t>& members, int64_t columns) {
    const bool loose = columns == kMostColumns;
    int64_t longest = 0, longest_query = 0, bound = columns * kBlock;
    std::vector<int32_t> seq_lens, starts = {0};
    std::vector<uint8_t> query;
    for (const std::size_t s : members) {
      longest = std::max(longest, lengths[s]);
      longest_query = std::max(longest_query, query_len(s));
      seq_lens.push_back(static_cast<int32_t>(lengths[s]));
      starts.push_back(starts.back() + static_cast<int32_t>(query_len(s)));
      query.insert(query.end(), queries_[s].begin(), queries_[s].end());
    }
    if (columns == 0) {
      bound = longest;
      columns = (longest + kBlock - 1) / kBlock;
    }
    std::vector<int32_t> table(static_cast<std::size_t>(columns) * members.size(), INT_MAX);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::vector<int32_t>& blocks = blocks_[members[i]];
      std::copy(blocks.begin(), blocks.end(), table.begin() + static_cast<std::ptrdiff_t>(i) * columns);
    }
    const auto n = static_cast<int64_t>(members.size()), tokens = int64_t{starts.back()};
    vkv_paged_attention_params p = VKV_INIT(vkv_paged_attention_params);
    p.query = tensor(*query_, kind_.dtype, {tokens, heads(), kind_.dim});
    p.out = tensor(*out_, kind_.dtype, {tokens, heads(), kind_.dim});
    p.lse = tensor(*lse_, VKV_DTYPE_F32, {tokens, heads()});
    p.key_cache = caches_[0].view();
    p.value_cache = caches_[1].view();
    p.cache_layout = kind_.x_packed ? VKV_CACHE_LAYOUT_X_PACKED : 0;
    p.sliding_window = kind_.window;
    upload(*table_, table);
    upload(*seq_lens_, seq_lens);
    upload(*starts_, starts);
    upload(*query_, query);
    p.block_table = tensor(*table_, VKV_DTYPE_I32, {n, columns});
    p.seq_lens = tensor(*seq_lens_, VKV_DTYPE_I32, {n});
    p.max_seq_len = static_cast<int32_t>(bound);
    if (loose || tokens != n) {
      p.query_start_loc = tensor(*starts_, VKV_DTYPE_I32, {n + 1});
      p.max_query_len = static_cast<int32_t>(loose ? kLooseQueries : longest_query);
    }
    VKV_CHECK_OK(cases::size_of(device_, p, &p.workspace_size));
    if (p.workspace_size > workspace_size_) {  // else it holds what another call left
      workspace_ = std::make_unique<Buffer>(workspace_size_ = p.workspace_size);
      VKV_CUDA_OK(cudaMemset(workspace_->data(), 0xFF, workspace_size_));
    }
    p.workspace = workspace_ ? workspace_->data() : nullptr;

    const int64_t lse_size = heads() * 4;
    VKV_CUDA_OK(cudaMemset(out_->data(), 0xFF, static_cast<std::size_t>(tokens * query_size_)));
    VKV_CUDA_OK(cudaMemset(lse_->data(), 0xFF, static_cast<std::size_t>(tokens * lse_size)));
    VKV_CHECK_OK(cases::run(device_, p));
    support::synchronize(device_);
    std::vector<uint8_t> out(static_cast<std::size_t>(tokens * query_size_));
    std::vector<uint8_t> lse(static_cast<std::size_t>(tokens * lse_size));
    device_.memory->to_host(out.data(), out_->data(), out.size());
    device_.memory->to_host(lse.data(), lse_->data(), lse.size());
    std::vector<std::vector<uint8_t>> results;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const int32_t from = starts[i], to = starts[i + 1];
      results.emplace_back(out.begin() + from * query_size_, out.begin() + to * query_size_);
      results.back().insert(results.back().end(), lse.begin() + from * lse_size, lse.begin() + to * lse_size);
    }
    return results;
  }

 private:
  int64_t heads() const { return kind_.kv_heads * kind_.group; }
  int64_t query_len(std::size_t s) const { return kind_.queries[s % kind_.queries.size()]; }

  static vkv_tensor tensor(const Buffer& buffer, vkv_dtype dtype, const support::Shape& shape) {
    vkv_tensor t = {};
    t.data = buffer.data();
    t.dtype = dtype;
    t.ndim = static_cast<int32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), t.shape);
    return t;
  }
  template <class T>
  void upload(const Buffer& to, const std::vector<T>& values) const {
    device_.memory->to_device(to.data(), values.data(), values.size() * sizeof(T));
  }
  // Normally distributed numbers; in an NVFP4 block any codes, then scales from 2^-3 to 2^-1.
  void fill(uint8_t* to, vkv_dtype dtype, int64_t count) {
    const int64_t size = support::element_size(dtype), block = count / kPoolBlocks;
    std::vector<uint64_t> codes;
    for (const double x : normal_) codes.push_back(dtype == VKV_DTYPE_NVFP4 ? 0 : support::encode(dtype, x));
    for (int64_t i = 0; i < count; ++i) {
      uint64_t bits = random_.bits();
      if (dtype != VKV_DTYPE_NVFP4) bits = codes[bits % codes.size()];
      else if (i % block >= block / 9 * 8) bits = 0x20 + bits % 16;
      std::memcpy(to + i * size, &bits, static_cast<std::size_t>(size));
    }
  }

  const Device& device_;
  Kind kind_;
  Random random_;
  std::vector<double> normal_;
  std::vector<Array> caches_;
  std::vector<std::vector<int32_t>> blocks_;
  std::vector<std::vector<uint8_t>> queries_;
  int64_t query_size_ = 0;  // bytes of a token's rows
  std::unique_ptr<Buffer> query_, out_, lse_, table_, seq_lens_, starts_, workspace_;
  std::size_t workspace_size_ = 0;
};

}  // namespace

TEST_CASE("paged_attention: a row's bits do not depend on how the launch divides the work") {
  const Device* device = cuda_test::device();
  if (device == nullptr) return;
  constexpr vkv_dtype kBf16 = VKV_DTYPE_BF16, kF16 = VKV_DTYPE_F16, kF32 = VKV_DTYPE_F32;
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kNvfp4 = VKV_DTYPE_NVFP4;
  const Kind kinds[] = {
      {"one KV head", kBf16, kBf16, 1, 8, 128, {1}, false, 0},
      {"four KV heads", kBf16, kBf16, 4, 4, 128, {1}, false, 0},
      {"eight KV heads", kBf16, kBf16, 8, 4, 128, {1}, false, 0},
      {"x-packed", kBf16, kBf16, 8, 4, 128, {1}, true, 0},
      {"e4m3", kBf16, kE4m3, 4, 4, 128, {1}, false, 0},
      {"x-packed e4m3", kBf16, kE4m3, 1, 8, 128, {1}, true, 0},
      {"nvfp4", kBf16, kNvfp4, 4, 4, 128, {1}, false, 0},
      {"few query tokens", kBf16, kBf16, 2, 4, 128, {1, 2, 3, 4}, false, 0},
      {"few query tokens, e4m3", kBf16, kE4m3, 8, 4, 128, {1, 2, 3, 4}, false, 0},
      {"around the first prefill", kBf16, kBf16, 2, 4, 128, {31, 32, 33}, false, 0},
      {"float32", kF32, kF32, 2, 4, 128, {1}, false, 0},
      {"head size 64", kBf16, kBf16, 4, 4, 64, {1}, false, 0},
      {"head size 96", kBf16, kBf16, 4, 4, 96, {1}, false, 0},
      {"head size 256", kBf16, kBf16, 2, 4, 256, {1}, false, 0},
      {"head size 512", kBf16, kBf16, 1, 4, 512, {1}, false, 0},
      {"window, twelve heads a group", kF16, kF16, 2, 12, 128, {1, 3}, false, 3000},
  };
  Random random(4);
  for (const Kind& kind : kinds) {
    CAPTURE(kind.name, support::process_seed());
    Pool pool(*device, kind);
    const std::size_t all = pool.lengths.size();
    std::vector<std::vector<uint8_t>> want;
    for (std::size_t s = 0; s < all; ++s) {
      want.push_back(pool.run({s}, 0).front());
      CHECK((want.back() != std::vector<uint8_t>(want.back().size(), 0xFF)));  // written at all
    }
    const auto check = [&](const std::vector<std::size_t>& members) {
      int64_t longest = 0;
      for (const std::size_t s : members) longest = std::max(longest, pool.lengths[s]);
      for (const int64_t columns : {0, 128, 512, 2048, 8192}) {
        if (columns != 0 && columns * Pool::kBlock < longest) continue;
        if (members.size() > 7 && columns != 0 && columns != Pool::kMostColumns) continue;
        CAPTURE(members.size(), pool.lengths[members.front()], pool.lengths[members.back()], columns);
        const auto got = pool.run(members, columns);
        int wrong = 0;
        for (std::size_t i = 0; i < members.size(); ++i) wrong += got[i] != want[members[i]];
        CHECK(wrong == 0);
      }
    };
    for (const std::size_t n : {1, 2, 7, 64, 256}) {
      for (std::size_t s = 0; s < all; ++s) check(std::vector<std::size_t>(n, s));  // copies of one
      // All in random order, over and over, cut into batches.
      std::vector<std::size_t> members;
      for (std::size_t done = 0; done < all || members.size() % n != 0;) {
        for (const int64_t s : random.distinct(static_cast<int64_t>(all), static_cast<int64_t>(all))) {
          members.push_back(static_cast<std::size_t>(s));
          if (++done >= all && members.size() % n == 0) break;
        }
      }
      for (int i = 0; i < (n == 2 || n == 7 ? 8 : 0); ++i) {  // short ones only
        std::vector<std::size_t> some;
        while (some.size() < n) some.push_back(static_cast<std::size_t>(random.integer(0, 10)));
        check(some);
      }
      for (auto at = members.begin(); n > 1 && at != members.end(); at += static_cast<std::ptrdiff_t>(n)) {
        check(std::vector<std::size_t>(at, at + static_cast<std::ptrdiff_t>(n)));
      }
    }
  }
  CHECK(support::take_report(*device).count == 0);
}
