#include "abi/ops.hpp"

#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>

#include "support/device.hpp"
#include "support/number.hpp"

namespace abi {

namespace {

// ---- Small valid problems: three blocks of four tokens, everything zero but what is set here.

// Memory that stays to the end of the program.
void* zeroed(int64_t bytes) {
  support::Memory& host = support::host_memory();  // made before `kept`, and so there when that is emptied
  static std::vector<std::unique_ptr<void, void (*)(void*)>> kept;
  const auto size = static_cast<std::size_t>(bytes);
  kept.emplace_back(host.allocate(size), [](void* memory) { support::host_memory().release(memory); });
  std::memset(kept.back().get(), 0, size);
  return kept.back().get();
}

vkv_tensor tensor(vkv_dtype dtype, std::initializer_list<int64_t> shape) {
  vkv_tensor t{};
  int64_t bytes = support::element_size(dtype);
  for (int64_t n : shape) {
    t.shape[t.ndim++] = n;
    bytes *= n;
  }
  t.dtype = dtype;
  t.data = zeroed(bytes);
  return t;
}

vkv_tensor integers(std::initializer_list<int64_t> shape, std::initializer_list<int64_t> values) {
  vkv_tensor t = tensor(VKV_DTYPE_I64, shape);
  std::memcpy(t.data, values.begin(), values.size() * sizeof(int64_t));
  return t;
}

vkv_tensor offsets(std::initializer_list<int32_t> values) {
  vkv_tensor t = tensor(VKV_DTYPE_I32, {static_cast<int64_t>(values.size())});
  std::memcpy(t.data, values.begin(), values.size() * sizeof(int32_t));
  return t;
}

int64_t address(const vkv_tensor& t) { return static_cast<int64_t>(reinterpret_cast<std::intptr_t>(t.data)); }

constexpr vkv_dtype kHalf = VKV_DTYPE_F16, kFloat = VKV_DTYPE_F32, kInt = VKV_DTYPE_I32, kByte = VKV_DTYPE_U8;
constexpr int64_t kWorkspace = 1 << 20;

vkv_tensor slots() { return integers({2}, {0, 1}); }
vkv_tensor table() { return tensor(kInt, {2, 2}); }

template <class P>
void set_workspace(P& p) {
  p.workspace = zeroed(kWorkspace);
  p.workspace_size = kWorkspace;
}

void fill(vkv_paged_attention_params& p) {
  p.query = tensor(kHalf, {2, 2, 16});
  p.out = tensor(kHalf, {2, 2, 16});
  p.key_cache = tensor(kHalf, {3, 4, 1, 16});
  p.value_cache = tensor(kHalf, {3, 4, 1, 16});
  p.block_table = table();
  p.seq_lens = offsets({3, 5});
  set_workspace(p);
}

template <class P>
void fill_vllm_attention(P& p) {
  p.query = tensor(kHalf, {2, 2, 16});
  p.out = tensor(kHalf, {2, 2, 16});
  p.key_cache = tensor(kHalf, {3, 1, 2, 4, 8});
  p.value_cache = tensor(kHalf, {3, 1, 16, 4});
  p.block_tables = table();
  p.seq_lens = offsets({3, 5});
  set_workspace(p);
}

void fill(vkv_paged_attention_v1_params& p) { fill_vllm_attention(p); }

void fill(vkv_paged_attention_v2_params& p) { fill_vllm_attention(p); }

void fill(vkv_merge_attn_states_params& p) {
  p.output = tensor(kHalf, {2, 2, 16});
  p.prefix_output = tensor(kHalf, {2, 2, 16});
  p.suffix_output = tensor(kHalf, {2, 2, 16});
  p.prefix_lse = tensor(kFloat, {2, 2});
  p.suffix_lse = tensor(kFloat, {2, 2});
}

void fill(vkv_reshape_and_cache_params& p) {
  p.key = tensor(kHalf, {2, 1, 16});
  p.value = tensor(kHalf, {2, 1, 16});
  p.key_cache = tensor(kHalf, {3, 1, 2, 4, 8});
  p.value_cache = tensor(kHalf, {3, 1, 16, 4});
  p.slot_mapping = slots();
}

void fill(vkv_reshape_and_cache_flash_params& p) {
  p.key = tensor(kHalf, {2, 1, 16});
  p.value = tensor(kHalf, {2, 1, 16});
  p.key_cache = tensor(kHalf, {3, 4, 1, 16});
  p.value_cache = tensor(kHalf, {3, 4, 1, 16});
  p.slot_mapping = slots();
}

void fill(vkv_concat_and_cache_mla_params& p) {
  p.kv_c = tensor(kHalf, {2, 16});
  p.k_pe = tensor(kHalf, {2, 8});
  p.kv_cache = tensor(kHalf, {3, 4, 24});
  p.slot_mapping = slots();
}

void fill(vkv_concat_and_cache_mla_rope_fused_params& p) {
  p.positions = tensor(VKV_DTYPE_I64, {2});
  p.q_pe = tensor(kHalf, {2, 2, 8});
  p.k_pe = tensor(kHalf, {2, 8});
  p.kv_c = tensor(kHalf, {2, 16});
  p.cos_sin_cache = tensor(kHalf, {4, 8});
  p.slot_mapping = slots();
  p.kv_cache = tensor(kHalf, {3, 4, 24});
}

void fill(vkv_convert_fp8_params& p) {
  p.dst = tensor(VKV_DTYPE_FP8_E4M3, {2, 3, 16});
  p.src = tensor(kHalf, {2, 3, 16});
}

void fill(vkv_gather_and_maybe_dequant_cache_params& p) {
  p.src_cache = tensor(kHalf, {3, 4, 16});
  p.dst = tensor(kHalf, {5, 16});
  p.block_table = table();
  p.cu_seq_lens = offsets({0, 2, 5});
}

void fill(vkv_cp_gather_cache_params& p) {
  p.src_cache = tensor(kHalf, {3, 4, 16});
  p.dst = tensor(kHalf, {5, 16});
  p.block_table = table();
  p.cu_seq_lens = offsets({0, 2, 5});
}

void fill(vkv_cp_gather_and_upconvert_fp8_kv_cache_params& p) {
  p.src_cache = tensor(VKV_DTYPE_FP8_DS_MLA, {3, 4, 656});
  p.dst = tensor(VKV_DTYPE_BF16, {5, 576});
  p.block_table = table();
  p.workspace_starts = offsets({0, 2});
}

void fill(vkv_indexer_k_quant_and_cache_params& p) {
  p.k = tensor(kHalf, {2, 128});
  p.kv_cache = tensor(kByte, {3, 4, 132});
  p.slot_mapping = slots();
}

void fill(vkv_cp_gather_indexer_k_quant_cache_params& p) {
  p.kv_cache = tensor(kByte, {3, 4, 132});
  p.dst_k = tensor(VKV_DTYPE_FP8_E4M3, {5, 128});
  p.dst_scale = tensor(kFloat, {5, 1});
  p.block_table = table();
  p.cu_seq_lens = offsets({0, 2, 5});
}

void fill(vkv_concat_mla_q_params& p) {
  p.ql_nope = tensor(kHalf, {2, 2, 16});
  p.q_pe = tensor(kHalf, {2, 2, 8});
  p.q_out = tensor(kHalf, {2, 2, 24});
}

void fill(vkv_swap_blocks_params& p) {
  p.src = tensor(kByte, {3, 64});
  p.dst = tensor(kByte, {4, 64});
  p.block_mapping = integers({2, 2}, {0, 1, 2, 3});
}

void fill(vkv_swap_blocks_batch_params& p) {
  p.src_ptrs = integers({2}, {address(tensor(kByte, {64})), address(tensor(kByte, {64}))});
  p.dst_ptrs = integers({2}, {address(tensor(kByte, {64})), address(tensor(kByte, {64}))});
  p.sizes = integers({2}, {64, 1});
}

void fill(vkv_copy_blocks_params& p) {
  p.key_caches = integers({2}, {address(tensor(kByte, {3, 64})), address(tensor(kByte, {3, 64}))});
  p.block_mapping = integers({1, 2}, {0, 2});
  p.num_blocks = 3;
  p.block_size_in_bytes = 64;
}

// ---- The table

template <class P>
Op row(const char* name, uint32_t size_v1, vkv_status (*run)(const vkv_context*, const P*, vkv_stream),
       vkv_status (*supported)(const vkv_context*, const P*),
       vkv_status (*workspace_size)(const vkv_context*, const P*, size_t*) = nullptr, uint32_t flags = 0) {
  P params = VKV_INIT(P);
  fill(params);
  Op op;
  op.name = name;
  op.size_v1 = size_v1;
  op.flags = flags;
  op.example.resize(sizeof params);
  std::memcpy(op.example.data(), &params, sizeof params);
  op.run = [run](const vkv_context* ctx, const void* p) { return run(ctx, static_cast<const P*>(p), nullptr); };
  op.supported = [supported](const vkv_context* ctx, const void* p) { return supported(ctx, static_cast<const P*>(p)); };
  if (workspace_size != nullptr) {
    op.workspace_size = [workspace_size](const vkv_context* ctx, const void* p, size_t* bytes) {
      return workspace_size(ctx, static_cast<const P*>(p), bytes);
    };
  }
  return op;
}

}  // namespace

const std::vector<Op>& ops() {
  static const std::vector<Op> all = {
      row("vkv_paged_attention", 1752, vkv_paged_attention, vkv_paged_attention_supported, vkv_paged_attention_workspace_size),
      row("vkv_paged_attention_v1", 1072, vkv_paged_attention_v1, vkv_paged_attention_v1_supported,
          vkv_paged_attention_v1_workspace_size),
      row("vkv_paged_attention_v2", 1408, vkv_paged_attention_v2, vkv_paged_attention_v2_supported,
          vkv_paged_attention_v2_workspace_size),
      row("vkv_merge_attn_states", 800, vkv_merge_attn_states, vkv_merge_attn_states_supported),
      row("vkv_reshape_and_cache", 792, vkv_reshape_and_cache, vkv_reshape_and_cache_supported),
      row("vkv_reshape_and_cache_flash", 800, vkv_reshape_and_cache_flash, vkv_reshape_and_cache_flash_supported),
      row("vkv_concat_and_cache_mla", 576, vkv_concat_and_cache_mla, vkv_concat_and_cache_mla_supported),
      row("vkv_concat_and_cache_mla_rope_fused", 912, vkv_concat_and_cache_mla_rope_fused,
          vkv_concat_and_cache_mla_rope_fused_supported),
      row("vkv_convert_fp8", 240, vkv_convert_fp8, vkv_convert_fp8_supported),
      row("vkv_gather_and_maybe_dequant_cache", 688, vkv_gather_and_maybe_dequant_cache,
          vkv_gather_and_maybe_dequant_cache_supported),
      row("vkv_cp_gather_cache", 568, vkv_cp_gather_cache, vkv_cp_gather_cache_supported),
      row("vkv_cp_gather_and_upconvert_fp8_kv_cache", 568, vkv_cp_gather_and_upconvert_fp8_kv_cache,
          vkv_cp_gather_and_upconvert_fp8_kv_cache_supported),
      row("vkv_indexer_k_quant_and_cache", 352, vkv_indexer_k_quant_and_cache, vkv_indexer_k_quant_and_cache_supported),
      row("vkv_cp_gather_indexer_k_quant_cache", 568, vkv_cp_gather_indexer_k_quant_cache,
          vkv_cp_gather_indexer_k_quant_cache_supported),
      row("vkv_concat_mla_q", 344, vkv_concat_mla_q, vkv_concat_mla_q_supported),
      row("vkv_swap_blocks", 352, vkv_swap_blocks, vkv_swap_blocks_supported),
      row("vkv_swap_blocks_batch", 352, vkv_swap_blocks_batch, vkv_swap_blocks_batch_supported, {}, VKV_SWAP_SOURCE_ORDER_ANY),
      row("vkv_copy_blocks", 368, vkv_copy_blocks, vkv_copy_blocks_supported),
  };
  return all;
}

std::vector<std::size_t> Op::tensors() const {
  static const std::multimap<std::string, std::size_t> all = {
#define STRUCT(name, size)
#define CONSTANT(name, value)
#define FIELD(name, type, field, offset) {std::string(#type) == "vkv_tensor" ? #name : "", offset},
#include "abi/layout.inc"
  };
  const auto range = all.equal_range(name + "_params");
  std::vector<std::size_t> found;
  for (auto it = range.first; it != range.second; ++it) found.push_back(it->second);
  return found;
}

}  // namespace abi
