#include "tools/support_matrix.hpp"

#include <type_traits>

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_and_cache_mla_rope_fused.hpp"
#include "cases/concat_mla_q.hpp"
#include "cases/convert_fp8.hpp"
#include "cases/copy_blocks.hpp"
#include "cases/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "cases/cp_gather_cache.hpp"
#include "cases/cp_gather_indexer_k_quant_cache.hpp"
#include "cases/gather_and_maybe_dequant_cache.hpp"
#include "cases/indexer_k_quant_and_cache.hpp"
#include "cases/paged_attention.hpp"
#include "cases/reshape_and_cache.hpp"
#include "cases/reshape_and_cache_flash.hpp"
#include "cases/swap_blocks.hpp"
#include "cases/swap_blocks_batch.hpp"

namespace tools {

namespace {

// Addresses without memory behind them: the questions look at shapes, dtypes and strides alone.
class NoMemory final : public support::Memory {
 public:
  void* allocate(std::size_t bytes) override {
    const std::uintptr_t at = next_;
    next_ += (bytes / 4096 + 1) * 4096;
    return reinterpret_cast<void*>(at);
  }
  void release(void*) override {}
  void to_device(void*, const void*, std::size_t) override {}
  void to_host(void*, const void*, std::size_t) override {}
  bool is_host() const override { return false; }

 private:
  std::uintptr_t next_ = 4096;
};

class Ask {
 public:
  Ask(const support::Device& device, std::vector<SupportedCase>& answers)
      : device_{device.name, device.ctx, &memory_, device.stream}, answers_(answers) {}

  template <class Problem, class Case, class Params>
  void op(const char* name, const std::vector<Case>& cases, vkv_status (*supported)(const vkv_context*, const Params*),
          vkv_tensor Params::*outside, vkv_tensor Params::*stored) {
    support::Random random;
    for (const Case& c : cases) {
      const Problem problem = make<Problem>(c, random);
      const Params params = problem.params();
      const vkv_status status = supported(device_.ctx, &params);
      const char* message = status == VKV_OK ? "" : vkv_last_error_message();
      answers_.push_back({name, c.name, params.*outside, params.*stored, status, message});
    }
  }

 private:
  // Some problems take a generator, some a seed.
  template <class Problem, class Case>
  Problem make(const Case& c, support::Random& random) const {
    if constexpr (std::is_constructible_v<Problem, const support::Device&, const Case&, support::Random&>) {
      return Problem(device_, c, random);
    } else {
      return Problem(device_, c, random.bits());
    }
  }

  NoMemory memory_;
  support::Device device_;
  std::vector<SupportedCase>& answers_;
};

}  // namespace

std::vector<SupportedCase> support_matrix(const support::Device& device) {
  std::vector<SupportedCase> answers;
  Ask ask(device, answers);
  ask.op<cases::PagedAttentionProblem>("paged_attention", cases::paged_attention(), vkv_paged_attention_supported,
                                       &vkv_paged_attention_params::query, &vkv_paged_attention_params::key_cache);
  ask.op<cases::ReshapeAndCacheProblem>("reshape_and_cache", cases::reshape_and_cache(),
                                        vkv_reshape_and_cache_supported, &vkv_reshape_and_cache_params::key,
                                        &vkv_reshape_and_cache_params::key_cache);
  ask.op<cases::ReshapeAndCacheFlashProblem>(
      "reshape_and_cache_flash", cases::reshape_and_cache_flash(), vkv_reshape_and_cache_flash_supported,
      &vkv_reshape_and_cache_flash_params::key, &vkv_reshape_and_cache_flash_params::key_cache);
  ask.op<cases::ConcatAndCacheMlaProblem>("concat_and_cache_mla", cases::concat_and_cache_mla(),
                                          vkv_concat_and_cache_mla_supported, &vkv_concat_and_cache_mla_params::kv_c,
                                          &vkv_concat_and_cache_mla_params::kv_cache);
  ask.op<cases::ConcatAndCacheMlaRopeFusedProblem>(
      "concat_and_cache_mla_rope_fused", cases::concat_and_cache_mla_rope_fused(),
      vkv_concat_and_cache_mla_rope_fused_supported, &vkv_concat_and_cache_mla_rope_fused_params::kv_c,
      &vkv_concat_and_cache_mla_rope_fused_params::kv_cache);
  ask.op<cases::ConvertFp8Problem>("convert_fp8", cases::convert_fp8(), vkv_convert_fp8_supported,
                                   &vkv_convert_fp8_params::src, &vkv_convert_fp8_params::dst);
  ask.op<cases::GatherAndMaybeDequantCacheProblem>(
      "gather_and_maybe_dequant_cache", cases::gather_and_maybe_dequant_cache(),
      vkv_gather_and_maybe_dequant_cache_supported, &vkv_gather_and_maybe_dequant_cache_params::dst,
      &vkv_gather_and_maybe_dequant_cache_params::src_cache);
  ask.op<cases::CpGatherCacheProblem>("cp_gather_cache", cases::cp_gather_cache(), vkv_cp_gather_cache_supported,
                                      &vkv_cp_gather_cache_params::dst, &vkv_cp_gather_cache_params::src_cache);
  ask.op<cases::CpGatherAndUpconvertFp8KvCacheProblem>(
      "cp_gather_and_upconvert_fp8_kv_cache", cases::cp_gather_and_upconvert_fp8_kv_cache(),
      vkv_cp_gather_and_upconvert_fp8_kv_cache_supported, &vkv_cp_gather_and_upconvert_fp8_kv_cache_params::dst,
      &vkv_cp_gather_and_upconvert_fp8_kv_cache_params::src_cache);
  ask.op<cases::IndexerKQuantAndCacheProblem>(
      "indexer_k_quant_and_cache", cases::indexer_k_quant_and_cache(), vkv_indexer_k_quant_and_cache_supported,
      &vkv_indexer_k_quant_and_cache_params::k, &vkv_indexer_k_quant_and_cache_params::kv_cache);
  ask.op<cases::CpGatherIndexerKQuantCacheProblem>(
      "cp_gather_indexer_k_quant_cache", cases::cp_gather_indexer_k_quant_cache(),
      vkv_cp_gather_indexer_k_quant_cache_supported, &vkv_cp_gather_indexer_k_quant_cache_params::dst_k,
      &vkv_cp_gather_indexer_k_quant_cache_params::kv_cache);
  ask.op<cases::ConcatMlaQProblem>("concat_mla_q", cases::concat_mla_q(), vkv_concat_mla_q_supported,
                                   &vkv_concat_mla_q_params::ql_nope, &vkv_concat_mla_q_params::q_out);
  ask.op<cases::SwapBlocksProblem>("swap_blocks", cases::swap_blocks(), vkv_swap_blocks_supported,
                                   &vkv_swap_blocks_params::src, &vkv_swap_blocks_params::dst);
  ask.op<cases::SwapBlocksBatchProblem>("swap_blocks_batch", cases::swap_blocks_batch(),
                                        vkv_swap_blocks_batch_supported, &vkv_swap_blocks_batch_params::src_ptrs,
                                        &vkv_swap_blocks_batch_params::dst_ptrs);
  ask.op<cases::CopyBlocksProblem>("copy_blocks", cases::copy_blocks(), vkv_copy_blocks_supported,
                                   &vkv_copy_blocks_params::key_caches, &vkv_copy_blocks_params::key_caches);
  return answers;
}

}  // namespace tools
