// Tensors past 2^31 and 2^32 elements: what is written and read at their far end is right, and nothing wraps around to their
// start. Skipped where the GPU has too little memory.
#include <cstring>
#include <memory>
#include <vector>

#include "cases/paged_attention_calls.hpp"
#include "cuda/cuda.hpp"
#include "support/number.hpp"
#include "support/random.hpp"
#include "support/refusal.hpp"

namespace {

using support::Random;

// Device memory without a host image.
class Big {
 public:
  Big(const support::Device& device, vkv_dtype dtype, std::vector<int64_t> shape) : device_(device), dtype_(dtype) {
    std::memset(&view_, 0, sizeof view_);
    int64_t elements = 1;
    view_.dtype = dtype;
    view_.ndim = static_cast<int32_t>(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) {
      view_.shape[i] = shape[i];
      elements *= shape[i];
    }
    bytes_ = elements * support::element_size(dtype);
    view_.data = device.memory->allocate(static_cast<std::size_t>(bytes_));
    VKV_CUDA_OK(cudaMemset(view_.data, 0, static_cast<std::size_t>(bytes_)));
  }
  ~Big() { device_.memory->release(view_.data); }
  Big(const Big&) = delete;
  Big& operator=(const Big&) = delete;

  const vkv_tensor& view() const { return view_; }

  template <class T>
  void put(int64_t element, const std::vector<T>& values) const {
    device_.memory->to_device(at(element), values.data(), values.size() * sizeof(T));
  }
  template <class T>
  std::vector<T> get(int64_t element, std::size_t count) const {
    std::vector<T> values(count);
    device_.memory->to_host(values.data(), at(element), count * sizeof(T));
    return values;
  }

 private:
  char* at(int64_t element) const { return static_cast<char*>(view_.data) + element * support::element_size(dtype_); }

  const support::Device& device_;
  vkv_dtype dtype_;
  vkv_tensor view_;
  int64_t bytes_ = 0;
};

bool enough_memory(int64_t bytes) {
  std::size_t free = 0, total = 0;
  VKV_CUDA_OK(cudaMemGetInfo(&free, &total));
  if (static_cast<int64_t>(free) >= bytes) return true;
  WARN("skipped: needs " << (bytes >> 30) << " GiB of free device memory");
  return false;
}

std::vector<uint16_t> random_words(Random& random, std::size_t n) {
  std::vector<uint16_t> words(n);
  for (uint16_t& w : words) w = static_cast<uint16_t>(random.bits());
  return words;
}

constexpr int64_t kHeads = 8, kDim = 128, kBlock = 16, kRow = kHeads * kDim;
constexpr int64_t kBlocks = (int64_t{1} << 32) / (kBlock * kRow) + 8;  // just past 2^32 elements

}  // namespace

TEST_CASE("reshape_and_cache_flash and cp_gather_cache past 2^32 elements") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr || !enough_memory(int64_t{20} << 30)) return;
  Random random(1);
  const Big key_cache(*device, VKV_DTYPE_BF16, {kBlocks, kBlock, kHeads, kDim});
  const Big value_cache(*device, VKV_DTYPE_BF16, {kBlocks, kBlock, kHeads, kDim});
  const std::vector<int64_t> slots = {(kBlocks - 1) * kBlock + 3, (int64_t{1} << 31) / kRow, kBlocks * kBlock - 1, 5};
  const auto tokens = static_cast<int64_t>(slots.size());
  const Big key(*device, VKV_DTYPE_BF16, {tokens, kHeads, kDim}), value(*device, VKV_DTYPE_BF16, {tokens, kHeads, kDim});
  const Big mapping(*device, VKV_DTYPE_I64, {tokens});
  const auto keys = random_words(random, static_cast<std::size_t>(tokens * kRow));
  const auto values = random_words(random, static_cast<std::size_t>(tokens * kRow));
  key.put(0, keys);
  value.put(0, values);
  mapping.put(0, slots);
  vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
  p.key = key.view();
  p.value = value.view();
  p.key_cache = key_cache.view();
  p.value_cache = value_cache.view();
  p.slot_mapping = mapping.view();
  VKV_CHECK_OK(vkv_reshape_and_cache_flash(device->ctx, &p, device->stream));
  support::synchronize(*device);
  for (int64_t t = 0; t < tokens; ++t) {
    CAPTURE(t);
    const auto at = slots[static_cast<std::size_t>(t)] * kRow;
    const std::vector<uint16_t> want_k(keys.begin() + t * kRow, keys.begin() + (t + 1) * kRow);
    const std::vector<uint16_t> want_v(values.begin() + t * kRow, values.begin() + (t + 1) * kRow);
    CHECK((key_cache.get<uint16_t>(at, kRow) == want_k));
    CHECK((value_cache.get<uint16_t>(at, kRow) == want_v));
  }
  // Nothing wrapped: the first tokens but slot 5 are as they were.
  CHECK((key_cache.get<uint16_t>(0, 5 * kRow) == std::vector<uint16_t>(5 * kRow, 0)));

  const Big table(*device, VKV_DTYPE_I32, {1, 2}), offsets(*device, VKV_DTYPE_I32, {2});
  table.put(0, std::vector<int32_t>{0, static_cast<int32_t>(kBlocks - 1)});
  offsets.put(0, std::vector<int32_t>{0, 2 * kBlock});
  const Big gathered(*device, VKV_DTYPE_BF16, {2 * kBlock, kHeads, kDim});
  vkv_cp_gather_cache_params g = VKV_INIT(vkv_cp_gather_cache_params);
  g.src_cache = key_cache.view();
  g.dst = gathered.view();
  g.block_table = table.view();
  g.cu_seq_lens = offsets.view();
  VKV_CHECK_OK(vkv_cp_gather_cache(device->ctx, &g, device->stream));
  support::synchronize(*device);
  CHECK((gathered.get<uint16_t>(0, kBlock * kRow) == key_cache.get<uint16_t>(0, kBlock * kRow)));
  CHECK((gathered.get<uint16_t>(kBlock * kRow, kBlock * kRow) ==
         key_cache.get<uint16_t>((kBlocks - 1) * kBlock * kRow, kBlock * kRow)));
  CHECK(support::take_report(*device).count == 0);
}

TEST_CASE("reshape_and_cache past 2^32 elements") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr || !enough_memory(int64_t{20} << 30)) return;
  Random random(2);
  const Big key_cache(*device, VKV_DTYPE_BF16, {kBlocks, kHeads, kDim / 8, kBlock, 8});
  const Big value_cache(*device, VKV_DTYPE_BF16, {kBlocks, kHeads, kDim, kBlock});
  const Big key(*device, VKV_DTYPE_BF16, {1, kHeads, kDim}), value(*device, VKV_DTYPE_BF16, {1, kHeads, kDim});
  const Big mapping(*device, VKV_DTYPE_I64, {1});
  const auto keys = random_words(random, kRow), values = random_words(random, kRow);
  key.put(0, keys);
  value.put(0, values);
  mapping.put(0, std::vector<int64_t>{kBlocks * kBlock - 2});
  vkv_reshape_and_cache_params p = VKV_INIT(vkv_reshape_and_cache_params);
  p.key = key.view();
  p.value = value.view();
  p.key_cache = key_cache.view();
  p.value_cache = value_cache.view();
  p.slot_mapping = mapping.view();
  VKV_CHECK_OK(vkv_reshape_and_cache(device->ctx, &p, device->stream));
  support::synchronize(*device);
  const auto k = key_cache.get<uint16_t>((kBlocks - 1) * kBlock * kRow, kBlock * kRow);
  const auto v = value_cache.get<uint16_t>((kBlocks - 1) * kBlock * kRow, kBlock * kRow);
  int64_t wrong = 0;
  constexpr int64_t kOffset = kBlock - 2;
  for (int64_t h = 0; h < kHeads; ++h) {
    for (int64_t d = 0; d < kDim; ++d) {
      const auto at = static_cast<std::size_t>(h * kDim + d);
      wrong += k[static_cast<std::size_t>(((h * kDim / 8 + d / 8) * kBlock + kOffset) * 8 + d % 8)] != keys[at];
      wrong += v[static_cast<std::size_t>((h * kDim + d) * kBlock + kOffset)] != values[at];
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("merge_attn_states past 2^32 elements") {
  const support::Device* device = cuda_test::device();
  constexpr int64_t kTokens = (int64_t{1} << 32) / (32 * kDim) + 64, kMergeHeads = 32;
  if (device == nullptr || !enough_memory(int64_t{30} << 30)) return;
  Random random(3);
  const std::vector<int64_t> shape = {kTokens, kMergeHeads, kDim};
  const Big prefix(*device, VKV_DTYPE_BF16, shape), suffix(*device, VKV_DTYPE_BF16, shape), out(*device, VKV_DTYPE_BF16, shape);
  const Big prefix_lse(*device, VKV_DTYPE_F32, {kMergeHeads, kTokens}), suffix_lse(*device, VKV_DTYPE_F32, {kMergeHeads, kTokens});
  // Equal weights everywhere (all lse are 0): the last row becomes the mean of 1 and 3, the first stays 0.
  const int64_t last = (kTokens * kMergeHeads - 1) * kDim;
  prefix.put(last, std::vector<uint16_t>(kDim, static_cast<uint16_t>(support::encode(VKV_DTYPE_BF16, 1))));
  suffix.put(last, std::vector<uint16_t>(kDim, static_cast<uint16_t>(support::encode(VKV_DTYPE_BF16, 3))));
  vkv_merge_attn_states_params p = VKV_INIT(vkv_merge_attn_states_params);
  p.output = out.view();
  p.prefix_output = prefix.view();
  p.prefix_lse = prefix_lse.view();
  p.suffix_output = suffix.view();
  p.suffix_lse = suffix_lse.view();
  VKV_CHECK_OK(vkv_merge_attn_states(device->ctx, &p, device->stream));
  support::synchronize(*device);
  const auto two = static_cast<uint16_t>(support::encode(VKV_DTYPE_BF16, 2));
  CHECK((out.get<uint16_t>(last, kDim) == std::vector<uint16_t>(kDim, two)));
  CHECK((out.get<uint16_t>(last - kDim, kDim) == std::vector<uint16_t>(kDim, 0)));
  CHECK((out.get<uint16_t>(0, kDim) == std::vector<uint16_t>(kDim, 0)));
}

// ---- paged_attention

namespace {

constexpr int64_t kFar = (int64_t{1} << 31) + 64;  // a stride whose multiples pass 2^31 and 2^32 elements

// Copies what lies at the indices of the first `outer` dimensions, block b of `from` to block block(b) of `to`; the rest
// of each is packed.
template <class Block>
void scatter(const vkv_tensor& from, const vkv_tensor& to, int outer, Block block) {
  const int64_t size = support::element_size(from.dtype);
  int64_t places = 1, run = size;
  for (int i = 0; i < from.ndim; ++i) (i < outer ? places : run) *= from.shape[i];
  for (int64_t place = 0; place < places; ++place) {
    int64_t at = 0, source = 0, target = 0;
    for (int64_t i = outer, rest = place; i-- > 0; rest /= from.shape[i]) {
      at = rest % from.shape[i];
      source += at * from.stride[i];
      target += (i == 0 ? block(at) : at) * to.stride[i];
    }
    VKV_CUDA_OK(cudaMemcpy(static_cast<char*>(to.data) + target * size, static_cast<char*>(from.data) + source * size,
                           static_cast<std::size_t>(run), cudaMemcpyDeviceToDevice));
  }
}

struct FarKind {
  const char* name;
  vkv_dtype dtype, cache;
  std::vector<int64_t> queries;
};

}  // namespace

TEST_CASE("paged_attention over caches past 2^32 elements and strides past 2^31") {
  const support::Device* device = cuda_test::device();
  if (device == nullptr) return;
  const FarKind kinds[] = {{"decode", VKV_DTYPE_BF16, VKV_DTYPE_BF16, {1}},
                           {"decode, e4m3", VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, {1}},
                           {"prefill", VKV_DTYPE_BF16, VKV_DTYPE_BF16, {40}},
                           {"float32", VKV_DTYPE_F32, VKV_DTYPE_F32, {1}}};
  for (const FarKind& kind : kinds) {
    const int64_t elements = 2 * kFar + (1 << 20), size = support::element_size(kind.cache);
    if (!enough_memory(2 * elements * size + (int64_t{1} << 30))) continue;
    const Big key(*device, kind.cache, {elements}), value(*device, kind.cache, {elements});
    for (const bool x_packed : {false, true}) {
      CAPTURE(kind.name, x_packed, support::process_seed());
      cases::PagedAttention c;
      c.dtype = kind.dtype, c.cache = kind.cache, c.queries = kind.queries, c.x_packed = x_packed;
      c.heads = 6, c.kv_heads = 3, c.dim = kDim, c.lengths = {40};
      cases::PagedAttentionProblem problem(*device, c, support::process_seed() + 4, {{}, 4, 2, 0});
      const cases::Bits want = cases::solve(*device, problem);
      const auto near = problem.params();
      REQUIRE(near.key_cache.shape[0] == 3);
      // The same bits must come from copies of the cache with other strides and block ids.
      const auto check = [&](const char* what, int64_t blocks, const std::vector<int64_t>& strides, auto block) {
        CAPTURE(what);
        auto far = near;
        for (const bool v : {false, true}) {
          vkv_tensor& cache = v ? far.value_cache : far.key_cache;
          cache.data = (v ? value : key).view().data;
          std::copy(strides.begin(), strides.end(), cache.stride);
          scatter(v ? near.value_cache : near.key_cache, cache, x_packed ? 2 : 3, block);
          cache.shape[0] = blocks;
        }
        support::Array table(*device, VKV_DTYPE_I32, problem.block_table.shape());
        for (int64_t column = 0; column < 3; ++column) {
          table.set_bits(column, static_cast<uint64_t>(block(problem.block_table.integer(column))));
        }
        table.upload();
        far.block_table = table.view();
        problem.out.fill_poison();
        problem.lse.fill_poison();
        VKV_CHECK_OK(cases::call(*device, far));
        CHECK((cases::bits_of(problem) == want));
      };
      const auto same = [](int64_t b) { return b; };
      const auto strides = [&](int64_t block, int64_t head) {
        const int64_t token = head < kFar ? 3 * kDim : kDim;  // strided: heads in a token, or tokens in a head
        return x_packed ? std::vector<int64_t>{block, head} : std::vector<int64_t>{block, token, head};
      };
      const int64_t head = x_packed ? kBlock * kDim : kDim, block = kBlock * 3 * kDim, blocks = elements / block;
      check("blocks", blocks, strides(block, head), [&](int64_t b) { return blocks - 1 - b * (blocks / 3); });
      check("block stride", 3, strides(kFar, head), same);
      check("head stride", 3, strides(kBlock * kDim, kFar), same);
      if (!x_packed) check("token stride", 3, {3 * kDim, kFar / 8, kDim}, same);
    }
    CHECK(support::take_report(*device).count == 0);
  }
}

TEST_CASE("paged_attention over rows of query and out whose strides pass 2^31") {
  const support::Device* device = cuda_test::device();
  const int64_t elements = 2 * kFar + (1 << 20);
  if (device == nullptr || !enough_memory(4 * elements + (int64_t{1} << 30))) return;
  const Big query(*device, VKV_DTYPE_BF16, {elements}), out(*device, VKV_DTYPE_BF16, {elements});
  for (const vkv_dtype dtype : {VKV_DTYPE_BF16, VKV_DTYPE_F32}) {
    // Strides are bytes to the buffers: float32 rows are half as many elements apart.
    const int64_t size = support::element_size(dtype), far = kFar * 2 / size;
    for (const bool prefill : {false, true}) {
      for (const bool heads : {false, true}) {
        CAPTURE(dtype, prefill, heads, support::process_seed());
        cases::PagedAttention c;
        c.dtype = c.cache = dtype, c.heads = 3, c.kv_heads = 1, c.dim = kDim;
        c.lengths = {40, 5, 70};
        if (prefill) c.lengths = {40}, c.queries = {40};
        cases::PagedAttentionProblem problem(*device, c, support::process_seed() + 5);
        cases::solve(*device, problem);
        const auto near = problem.params();
        auto p = near;
        const int64_t rows = near.query.shape[0], row = kDim * 3;
        // Three far heads of near tokens, or far tokens (of a prompt, as far as fits).
        p.query.stride[0] = p.out.stride[0] = heads ? row : 2 * far / (rows - 1) / 8 * 8;
        p.query.stride[1] = p.out.stride[1] = heads ? far : kDim;
        p.query.data = query.view().data;
        p.out.data = out.view().data;
        scatter(near.query, p.query, 2, [](int64_t token) { return token; });
        VKV_CHECK_OK(cases::call(*device, p));
        int64_t wrong = 0;
        for (int64_t token = 0; token < rows; ++token) {
          for (int64_t head = 0; head < 3; ++head) {
            const int64_t at = (token * p.out.stride[0] + head * p.out.stride[1]) * size / 2;
            const auto got = out.get<uint16_t>(at, static_cast<std::size_t>(kDim * size / 2));
            const uint8_t* want = problem.out.base() + (token * 3 + head) * kDim * size;
            wrong += std::memcmp(got.data(), want, got.size() * 2) != 0;
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
  CHECK(support::take_report(*device).count == 0);
}
