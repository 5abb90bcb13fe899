// vkv check: every case that the tests have, on this machine's devices, against the reference. For bug reports: one
// line an operation and device.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

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
#include "cases/merge_attn_states.hpp"
#include "cases/paged_attention.hpp"
#include "cases/reshape_and_cache.hpp"
#include "cases/reshape_and_cache_flash.hpp"
#include "cases/swap_blocks.hpp"
#include "cases/swap_blocks_batch.hpp"
#include "support/reference/concat_and_cache_mla.hpp"
#include "support/reference/concat_and_cache_mla_rope_fused.hpp"
#include "support/reference/concat_mla_q.hpp"
#include "support/reference/convert_fp8.hpp"
#include "support/reference/copy_blocks.hpp"
#include "support/reference/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "support/reference/cp_gather_indexer_k_quant_cache.hpp"
#include "support/reference/gather_cache.hpp"
#include "support/reference/indexer_k_quant_and_cache.hpp"
#include "support/reference/merge_attn_states.hpp"
#include "support/reference/reshape_and_cache.hpp"
#include "support/reference/reshape_and_cache_flash.hpp"
#include "support/reference/swap_blocks.hpp"
#include "support/reference/swap_blocks_batch.hpp"
#include "tools/buffer.hpp"
#include "tools/command.hpp"
#include "tools/compare.hpp"
#include "tools/verify.hpp"

namespace tools {

namespace {

using support::Array;
using support::Device;

// Where arithmetic makes a NaN, which of a format's NaNs is the machine's choice, in every column.
constexpr int64_t kAnyNan = std::numeric_limits<int64_t>::max();

// Outcomes of an operation's cases on one device. A case is named by its place in the list and its name there.
struct Outcome {
  std::string op, device;
  int cases = 0, passed = 0;
  std::vector<std::pair<std::string, std::string>> failed;  // case, what is wrong
  std::map<std::string, std::vector<std::string>> skipped;  // why, cases
};

class Checker {
 public:
  Checker(const Device& device, const std::vector<std::string>& ops) : device_(device), ops_(ops) {}

  // `compare` is called after the operation ran, when the host images still hold what they held before it: it works out
  // what the reference makes of them, downloads, and says what differs (empty: nothing).
  template <class Problem, class Case, class Call, class Compare>
  void op(const char* name, const std::vector<Case>& cases, Call call, Compare compare) {
    const auto matches = [&](const std::string& part) { return std::string(name).find(part) != std::string::npos; };
    if (std::none_of(ops_.begin(), ops_.end(), matches)) return;
    Outcome outcome{name, device_.name, 0, 0, {}, {}};
    for (const Case& c : cases) {
      const std::string which = "case " + std::to_string(outcome.cases) + " (" + c.name + ")";
      support::Random random(static_cast<uint64_t>(outcome.cases++));
      Problem problem(device_, c, random);
      auto params = problem.params();
      const vkv_status status = call(device_.ctx, &params, device_.stream);
      if (status / 100 == 2) {
        outcome.skipped[vkv_last_error_message()].push_back(which);
        continue;
      }
      std::string wrong = status == VKV_OK ? "" : vkv_last_error_message();
      if (status == VKV_OK) {
        support::synchronize(device_);
        wrong = compare(problem);
        const vkv_device_report report = support::take_report(device_);
        if (wrong.empty() && report.count != 0) wrong = std::string("reported ") + report.message;
      }
      if (wrong.empty())
        ++outcome.passed;
      else
        outcome.failed.emplace_back(which, wrong);
    }
    outcomes_.push_back(std::move(outcome));
  }

  const Device& device() const { return device_; }
  const std::vector<Outcome>& outcomes() const { return outcomes_; }

 private:
  Device device_;
  std::vector<std::string> ops_;
  std::vector<Outcome> outcomes_;
};

std::string compare_elements(const char* name, Array& output, const std::vector<uint64_t>& want, int64_t any_nan = 0) {
  for (int64_t i = 0; i < output.size(); ++i) output.set_bits(i, want.at(static_cast<std::size_t>(i)));
  return compare_image(name, output, any_nan);
}

// Attention's cases place and fill their sequences from two seeds.
struct AttentionProblem : cases::PagedAttentionProblem {
  AttentionProblem(const Device& device, const cases::PagedAttention& c, support::Random& random)
      : PagedAttentionProblem(device, c, random.bits(), {{}, random.bits()}) {}
};

template <class Params>
struct DecodeProblem : AttentionProblem {
  using AttentionProblem::AttentionProblem;
  Params params() const { return decode_params<Params>(); }
};

std::string compare_attention(AttentionProblem& p) {
  auto want = p.reference();
  const int64_t heads = p.c.heads, dim = p.c.dim;
  for (std::size_t token = 0; token < want.owned.size(); ++token) {
    if (want.owned[token]) continue;  // no sequence's: still the NaN that it was
    const auto row = static_cast<int64_t>(token) * heads;
    std::fill_n(want.lse.begin() + row, heads, std::numeric_limits<double>::quiet_NaN());
    std::fill_n(want.out.begin() + row * dim, heads * dim, std::numeric_limits<double>::quiet_NaN());
  }
  p.out.download();
  const std::string wrong = compare_rows("out", p.out, want.out, dim, tolerance(p.c.dtype));
  if (!wrong.empty() || !p.lse.present()) return wrong;
  p.lse.download();
  return compare_numbers("lse", p.lse, want.lse, 1e-5);  // float32
}

// Calls with a workspace of the size asked for.
template <class Params>
auto with_workspace(support::Memory& memory, vkv_status (*size)(const vkv_context*, const Params*, size_t*),
                    vkv_status (*call)(const vkv_context*, const Params*, vkv_stream)) {
  return [&memory, size, call](const vkv_context* ctx, Params* params, vkv_stream stream) {
    size_t bytes = 0;
    vkv_status status = size(ctx, params, &bytes);
    if (status != VKV_OK) return status;
    const Buffer workspace(memory, bytes);
    params->workspace = workspace.data();
    params->workspace_size = bytes;
    status = call(ctx, params, stream);
    support::synchronize({"", const_cast<vkv_context*>(ctx), &memory, stream});
    return status;
  };
}

void check_attention(Checker& check) {
  support::Memory& memory = *check.device().memory;
  std::vector<cases::PagedAttention> all = cases::paged_attention(), decode;
  std::copy_if(all.begin(), all.end(), std::back_inserter(decode),
               [](const auto& c) { return c.fits_decode_params(); });
  for (auto& c : decode) c.lse = false;
  check.op<AttentionProblem>("paged_attention", all,
                             with_workspace(memory, vkv_paged_attention_workspace_size, vkv_paged_attention),
                             compare_attention);
  check.op<DecodeProblem<vkv_paged_attention_v1_params>>(
      "paged_attention_v1", decode,
      with_workspace(memory, vkv_paged_attention_v1_workspace_size, vkv_paged_attention_v1), compare_attention);
  check.op<DecodeProblem<vkv_paged_attention_v2_params>>(
      "paged_attention_v2", decode,
      with_workspace(memory, vkv_paged_attention_v2_workspace_size, vkv_paged_attention_v2), compare_attention);
  check.op<cases::MergeAttnStatesProblem>(
      "merge_attn_states", cases::merge_attn_states(), vkv_merge_attn_states, [](auto& p) {
        auto want = reference::merge_attn_states(p.prefix_output, p.prefix_lse, p.suffix_output, p.suffix_lse,
                                                 p.c.tokens - p.c.without_context);
        Array& output = p.output();
        const bool narrow = output.dtype() == VKV_DTYPE_FP8_E4M3;
        for (double& x : want.output) {
          if (narrow && !std::isnan(x)) x = std::clamp(x / static_cast<float>(p.c.scale), -448.0, 448.0);
        }
        output.download();
        // e4m3: half a unit in the last place.
        const std::string wrong =
            compare_rows("output", output, want.output, output.size(), narrow ? 0x1p-4 : tolerance(output.dtype()));
        if (!wrong.empty() || !p.c.with_lse) return wrong;
        p.lse().download();
        return compare_numbers("output_lse", p.lse(), want.lse, 1e-5);  // float32
      });
}

void check_writers(Checker& check) {
  check.op<cases::ReshapeAndCacheProblem>(
      "reshape_and_cache", cases::reshape_and_cache(), vkv_reshape_and_cache, [](auto& p) {
        reference::reshape_and_cache_keys(p.key, p.slots, p.k_scale, p.key_cache);
        reference::reshape_and_cache_values(p.value, p.slots, p.v_scale, p.value_cache);
        return first_of({compare_image("key_cache", p.key_cache), compare_image("value_cache", p.value_cache)});
      });
  check.op<cases::ReshapeAndCacheFlashProblem>(
      "reshape_and_cache_flash", cases::reshape_and_cache_flash(), vkv_reshape_and_cache_flash, [](auto& p) {
        reference::reshape_and_cache_flash(p.key, p.slots, p.k_scale, p.key_cache(), 0);
        reference::reshape_and_cache_flash(p.value, p.slots, p.v_scale, p.value_cache(), p.value_plane(), p.swizzled());
        std::string wrong;
        for (Array& cache : p.caches) wrong = first_of({wrong, compare_image("the cache", cache)});
        return wrong;
      });
  check.op<cases::ConcatAndCacheMlaProblem>(
      "concat_and_cache_mla", cases::concat_and_cache_mla(), vkv_concat_and_cache_mla, [](auto& p) {
        reference::concat_and_cache_mla(p.kv_c, p.k_pe, p.slot_mapping, p.scale, p.scale_rule, p.kv_cache);
        return compare_image("kv_cache", p.kv_cache);
      });
  check.op<cases::ConcatAndCacheMlaRopeFusedProblem>(
      "concat_and_cache_mla_rope_fused", cases::concat_and_cache_mla_rope_fused(), vkv_concat_and_cache_mla_rope_fused,
      [](auto& p) {
        reference::concat_and_cache_mla_rope_fused(p.positions, p.q_pe, p.k_pe, p.kv_c, p.cos_sin_cache, p.slot_mapping,
                                                   p.kv_cache_scale, p.style, p.kv_cache);
        return first_of({compare_image("q_pe", p.q_pe, kAnyNan), compare_image("k_pe", p.k_pe, kAnyNan),
                         compare_image("kv_cache", p.kv_cache, kAnyNan)});
      });
  check.op<cases::IndexerKQuantAndCacheProblem>(
      "indexer_k_quant_and_cache", cases::indexer_k_quant_and_cache(), vkv_indexer_k_quant_and_cache, [](auto& p) {
        reference::indexer_k_quant_and_cache(p.k, p.slot_mapping, p.quant_block_size, p.scale_rule, p.kv_cache);
        return compare_image("kv_cache", p.kv_cache);
      });
}

void check_gathers(Checker& check) {
  check.op<cases::GatherAndMaybeDequantCacheProblem>(
      "gather_and_maybe_dequant_cache", cases::gather_and_maybe_dequant_cache(), vkv_gather_and_maybe_dequant_cache,
      [](auto& p) {
        reference::gather_cache(p.src_cache, p.ragged.block_table, p.ragged.offsets, p.ragged.seq_starts, p.scale,
                                p.rows(), p.dst);
        return compare_image("dst", p.dst, p.c.cache == p.c.dtype ? 0 : kAnyNan);
      });
  check.op<cases::CpGatherCacheProblem>("cp_gather_cache", cases::cp_gather_cache(), vkv_cp_gather_cache, [](auto& p) {
    reference::gather_cache(p.src_cache, p.ragged.block_table, p.ragged.offsets, p.ragged.seq_starts, {}, p.dst.dim(0),
                            p.dst);
    return compare_image("dst", p.dst);
  });
  check.op<cases::CpGatherAndUpconvertFp8KvCacheProblem>(
      "cp_gather_and_upconvert_fp8_kv_cache", cases::cp_gather_and_upconvert_fp8_kv_cache(),
      vkv_cp_gather_and_upconvert_fp8_kv_cache, [](auto& p) {
        reference::cp_gather_and_upconvert_fp8_kv_cache(p.src_cache, p.ragged.block_table, p.ragged.offsets,
                                                        p.ragged.seq_starts, p.dst);
        return compare_image("dst", p.dst, 512);  // the rope elements are copied bits
      });
  check.op<cases::CpGatherIndexerKQuantCacheProblem>(
      "cp_gather_indexer_k_quant_cache", cases::cp_gather_indexer_k_quant_cache(), vkv_cp_gather_indexer_k_quant_cache,
      [](auto& p) {
        reference::cp_gather_indexer_k_quant_cache(p.kv_cache, p.ragged.block_table, p.ragged.offsets, p.dst_k,
                                                   p.dst_scale);
        return first_of({compare_image("dst_k", p.dst_k), compare_image("dst_scale", p.dst_scale)});
      });
}

void check_copies(Checker& check) {
  check.op<cases::ConvertFp8Problem>("convert_fp8", cases::convert_fp8(), vkv_convert_fp8, [](auto& p) {
    return compare_elements("dst", p.dst, reference::convert_fp8(p.src, p.c.dst, p.c.scale), kAnyNan);
  });
  check.op<cases::ConcatMlaQProblem>("concat_mla_q", cases::concat_mla_q(), vkv_concat_mla_q, [](auto& p) {
    return compare_elements("q_out", p.q_out, reference::concat_mla_q(p.ql_nope, p.q_pe));
  });
  check.op<cases::SwapBlocksProblem>("swap_blocks", cases::swap_blocks(), vkv_swap_blocks, [](auto& p) {
    reference::swap_blocks(p.src, p.mapping, p.dst());
    return compare_image("dst", p.dst());
  });
  check.op<cases::SwapBlocksBatchProblem>("swap_blocks_batch", cases::swap_blocks_batch(), vkv_swap_blocks_batch,
                                          [](auto& p) {
                                            reference::swap_blocks_batch(p.src, p.src_ptrs, p.dst_ptrs, p.sizes, p.dst);
                                            return compare_image("dst", p.dst);
                                          });
  check.op<cases::CopyBlocksProblem>("copy_blocks", cases::copy_blocks(), vkv_copy_blocks, [](auto& p) {
    std::string wrong;
    for (Array& cache : p.caches) {
      reference::copy_blocks(p.mapping, cache);
      wrong = first_of({wrong, compare_image("a cache", cache)});
    }
    return wrong;
  });
}

void check_all(Checker& check) {
  check_attention(check);
  check_writers(check);
  check_gathers(check);
  check_copies(check);
}

void print(const Outcome& o) {
  std::printf("%-6s %-40s %3d cases, %d passed", o.device.c_str(), o.op.c_str(), o.cases, o.passed);
  for (const auto& [why, cases] : o.skipped) std::printf(", %zu skipped: %s", cases.size(), why.c_str());
  if (!o.failed.empty()) {
    std::printf(", %zu FAILED, first %s: %s", o.failed.size(), o.failed.front().first.c_str(),
                o.failed.front().second.c_str());
  }
  std::printf("\n");
}

nlohmann::ordered_json to_json(const Outcome& o) {
  nlohmann::ordered_json out = {{"op", o.op}, {"device", o.device}, {"cases", o.cases}, {"passed", o.passed}};
  out["failed"] = nlohmann::ordered_json::array();
  for (const auto& [which, wrong] : o.failed) out["failed"].push_back({{"case", which}, {"wrong", wrong}});
  out["skipped"] = nlohmann::ordered_json::array();
  for (const auto& [why, cases] : o.skipped) out["skipped"].push_back({{"why", why}, {"cases", cases}});
  return out;
}

}  // namespace

int check(int argc, char** argv) {
  cxxopts::Options options("vkv check",
                           "Runs every case of the tests on this machine's devices and compares with the reference");
  options.add_options()("op", "Only operations with this in their name; may be repeated",
                        cxxopts::value<std::vector<std::string>>()->default_value(""))("json", "Print JSON");
  const auto parsed = parse(options, argc, argv);
  if (!parsed) return kDone;
  const cxxopts::ParseResult& given = *parsed;
  const bool json = given.count("json") != 0;

  nlohmann::ordered_json all = {
      {"build", vkv_build_info()}, {"seed", support::process_seed()}, {"operations", nlohmann::ordered_json::array()}};
  if (!json) std::printf("%s\n", vkv_build_info());
  bool wrong = false, any = false;
  for (const Device& device : support::devices()) {
    if (!json) std::printf("%s: %s\n", device.name.c_str(), describe(device.ctx).name);
    Checker checker(device, given["op"].as<std::vector<std::string>>());
    check_all(checker);
    for (const Outcome& outcome : checker.outcomes()) {
      any = true;
      wrong = wrong || !outcome.failed.empty();
      if (json)
        all["operations"].push_back(to_json(outcome));
      else
        print(outcome);
    }
  }
  if (!any) throw Refusal("no operation has this name");
  if (json)
    std::cout << all.dump(2) << '\n';
  else if (wrong)
    std::printf("VKV_TEST_SEED=%llu repeats this run\n", static_cast<unsigned long long>(support::process_seed()));
  return wrong ? kWrong : kDone;
}

}  // namespace tools
