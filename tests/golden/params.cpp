#include "golden/params.hpp"

#include <algorithm>
#include <stdexcept>

namespace golden {

namespace {

template <class Params>
Op op(vkv_status (*run)(const vkv_context*, const Params*, vkv_stream),
      vkv_status (*size)(const vkv_context*, const Params*, size_t*) = nullptr) {
  Op made{sizeof(Params),
          [run](const vkv_context* ctx, const void* p, vkv_stream stream) {
            return run(ctx, static_cast<const Params*>(p), stream);
          },
          nullptr,
          {}};
  if (size != nullptr) {
    made.workspace_size = [size](const vkv_context* ctx, const void* p, size_t* bytes) {
      return size(ctx, static_cast<const Params*>(p), bytes);
    };
  }
  return made;
}

std::map<std::string, Op> all_ops() {
  std::map<std::string, Op> all = {
      {"concat_and_cache_mla", op(vkv_concat_and_cache_mla)},
      {"concat_and_cache_mla_rope_fused", op(vkv_concat_and_cache_mla_rope_fused)},
      {"concat_mla_q", op(vkv_concat_mla_q)},
      {"convert_fp8", op(vkv_convert_fp8)},
      {"copy_blocks", op(vkv_copy_blocks)},
      {"cp_gather_and_upconvert_fp8_kv_cache", op(vkv_cp_gather_and_upconvert_fp8_kv_cache)},
      {"cp_gather_cache", op(vkv_cp_gather_cache)},
      {"cp_gather_indexer_k_quant_cache", op(vkv_cp_gather_indexer_k_quant_cache)},
      {"gather_and_maybe_dequant_cache", op(vkv_gather_and_maybe_dequant_cache)},
      {"indexer_k_quant_and_cache", op(vkv_indexer_k_quant_and_cache)},
      {"merge_attn_states", op(vkv_merge_attn_states)},
      {"paged_attention", op(vkv_paged_attention, vkv_paged_attention_workspace_size)},
      {"paged_attention_v1", op(vkv_paged_attention_v1, vkv_paged_attention_v1_workspace_size)},
      {"paged_attention_v2", op(vkv_paged_attention_v2, vkv_paged_attention_v2_workspace_size)},
      {"reshape_and_cache", op(vkv_reshape_and_cache)},
      {"reshape_and_cache_flash", op(vkv_reshape_and_cache_flash)},
      {"swap_blocks", op(vkv_swap_blocks)},
      {"swap_blocks_batch", op(vkv_swap_blocks_batch)},
  };
  const auto add = [&](const std::string& structure, const char* type, const char* name, std::size_t offset) {
    const std::string suffix = "_params";
    const std::size_t end = structure.size() - std::min(suffix.size(), structure.size());
    if (structure.substr(end) != suffix || structure == "vkv_context_params") return;
    const std::string op_name = structure.substr(4, end - 4);
    if (all.count(op_name) == 0) throw std::logic_error("no golden cases of " + op_name);
    all.at(op_name).fields.push_back({type, name, offset});
  };
#define STRUCT(name, size)
#define FIELD(structure, type, member, offset) add(#structure, #type, #member, offset);
#define CONSTANT(name, value)
#include "abi/layout.inc"
#undef STRUCT
#undef FIELD
#undef CONSTANT
  return all;
}

}  // namespace

const Field& Op::field(const std::string& name) const {
  for (const Field& f : fields) {
    if (f.name == name) return f;
  }
  throw std::runtime_error("no field " + name);
}

const std::map<std::string, Op>& ops() {
  static const std::map<std::string, Op> all = all_ops();
  return all;
}

}  // namespace golden
