#include "tools/support_matrix.hpp"

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_and_cache_mla_rope_fused.hpp"
#include "cases/concat_mla_q.hpp"
#include "cases/reshape_and_cache_flash.hpp"

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

class Asker {
 public:
  Asker(const support::Device& device, std::vector<SupportedCase>& answers)
      : device_{device.name, device.ctx, &memory_, device.stream}, answers_(answers) {}

  // `tensors` picks the two tensors of the params that an answer shows.
  template <class Problem, class Case, class Params, class Tensors>
  void ask(const char* op, const std::vector<Case>& cases, vkv_status (*supported)(const vkv_context*, const Params*),
           Tensors tensors) {
    support::Random random;
    for (const Case& c : cases) {
      const Problem problem(device_, c, random);
      const Params params = problem.params();
      const vkv_status status = supported(device_.ctx, &params);
      const auto shown = tensors(params);
      answers_.push_back({op, c.name, shown.first, shown.second, status, status == VKV_OK ? "" : vkv_last_error_message()});
    }
  }

 private:
  NoMemory memory_;
  support::Device device_;
  std::vector<SupportedCase>& answers_;
};

}  // namespace

std::vector<SupportedCase> support_matrix(const support::Device& device) {
  std::vector<SupportedCase> answers;
  Asker asker(device, answers);
  asker.ask<cases::ReshapeAndCacheFlashProblem>("reshape_and_cache_flash", cases::reshape_and_cache_flash(),
                                                vkv_reshape_and_cache_flash_supported,
                                                [](const auto& p) { return std::pair(p.key, p.key_cache); });
  asker.ask<cases::ConcatAndCacheMlaProblem>("concat_and_cache_mla", cases::concat_and_cache_mla(),
                                             vkv_concat_and_cache_mla_supported,
                                             [](const auto& p) { return std::pair(p.kv_c, p.kv_cache); });
  asker.ask<cases::ConcatAndCacheMlaRopeFusedProblem>(
      "concat_and_cache_mla_rope_fused", cases::concat_and_cache_mla_rope_fused(),
      vkv_concat_and_cache_mla_rope_fused_supported, [](const auto& p) { return std::pair(p.kv_c, p.kv_cache); });
  asker.ask<cases::ConcatMlaQProblem>("concat_mla_q", cases::concat_mla_q(), vkv_concat_mla_q_supported,
                                      [](const auto& p) { return std::pair(p.ql_nope, p.q_out); });
  return answers;
}

}  // namespace tools
