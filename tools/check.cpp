// vkv check: every case that the tests have, on this machine's devices, against the reference. For bug reports: one line
// an operation and device.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_and_cache_mla_rope_fused.hpp"
#include "cases/concat_mla_q.hpp"
#include "cases/convert_fp8.hpp"
#include "cases/reshape_and_cache.hpp"
#include "cases/reshape_and_cache_flash.hpp"
#include "cases/swap_blocks.hpp"
#include "support/compare.hpp"
#include "support/reference/concat_and_cache_mla.hpp"
#include "support/reference/concat_and_cache_mla_rope_fused.hpp"
#include "support/reference/concat_mla_q.hpp"
#include "support/reference/convert_fp8.hpp"
#include "support/reference/reshape_and_cache.hpp"
#include "support/reference/reshape_and_cache_flash.hpp"
#include "support/reference/swap_blocks.hpp"
#include "tools/command.hpp"

namespace tools {

namespace {

using support::Array;
using support::Device;

// Outcomes of an operation's cases on one device. A case is named by its place in the list and its name there.
struct Outcome {
  std::string op, device;
  int cases = 0, passed = 0;
  std::vector<std::pair<std::string, std::string>> failed;   // case, what is wrong
  std::map<std::string, std::vector<std::string>> skipped;   // why, cases
};

class Checker {
 public:
  Checker(const Device& device, const std::vector<std::string>& ops) : device_(device), ops_(ops) {}

  // `compare` is called after the operation ran, when the host images still hold what they held before it: it works out
  // what the reference makes of them, downloads, and says what differs (empty: nothing).
  template <class Problem, class Case, class Params, class Compare>
  void op(const char* name, const std::vector<Case>& cases,
          vkv_status (*call)(const vkv_context*, const Params*, vkv_stream), Compare compare) {
    const auto matches = [&](const std::string& part) { return std::string(name).find(part) != std::string::npos; };
    if (std::none_of(ops_.begin(), ops_.end(), matches)) return;
    Outcome outcome{name, device_.name, 0, 0, {}, {}};
    for (const Case& c : cases) {
      const std::string which = "case " + std::to_string(outcome.cases) + " (" + c.name + ")";
      support::Random random(static_cast<uint64_t>(outcome.cases++));
      Problem problem(device_, c, random);
      const Params params = problem.params();
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
      if (wrong.empty()) ++outcome.passed;
      else outcome.failed.emplace_back(which, wrong);
    }
    outcomes_.push_back(std::move(outcome));
  }

  const std::vector<Outcome>& outcomes() const { return outcomes_; }

 private:
  Device device_;
  std::vector<std::string> ops_;
  std::vector<Outcome> outcomes_;
};

// An output: all bytes of its memory, guards and gaps included, are what the reference made of its host image.
std::string compare_image(const char* name, Array& output, std::vector<uint8_t> (*normal)(Array&) = nullptr) {
  const auto image = [&] { return normal == nullptr ? output.image() : normal(output); };
  const std::vector<uint8_t> want = image();
  output.download();
  const int64_t at = support::first_difference(image(), want);
  if (at < 0) return "";
  return std::string(name) + " differs from the reference at byte " + std::to_string(at) + " of " + std::to_string(want.size());
}

// Where a format has several NaNs and arithmetic makes one, which one is the machine's choice: all become the same.
std::vector<uint8_t> with_one_nan(Array& array) {
  for (int64_t i = 0; i < array.size(); ++i) {
    if (std::isnan(array.at(i))) array.set(i, std::numeric_limits<double>::quiet_NaN());
  }
  return array.image();
}

std::string compare_elements(const char* name, Array& output, const std::vector<uint64_t>& want,
                             std::vector<uint8_t> (*normal)(Array&) = nullptr) {
  for (int64_t i = 0; i < output.size(); ++i) output.set_bits(i, want.at(static_cast<std::size_t>(i)));
  return compare_image(name, output, normal);
}

std::string first_of(std::initializer_list<std::string> sentences) {
  for (const std::string& sentence : sentences) {
    if (!sentence.empty()) return sentence;
  }
  return "";
}

void check_all(Checker& check) {
  check.op<cases::ReshapeAndCacheProblem>(
      "reshape_and_cache", cases::reshape_and_cache(), vkv_reshape_and_cache, [](auto& p) {
        reference::reshape_and_cache_keys(p.key, p.slots, p.k_scale, p.key_cache);
        reference::reshape_and_cache_values(p.value, p.slots, p.v_scale, p.value_cache);
        return first_of({compare_image("key_cache", p.key_cache), compare_image("value_cache", p.value_cache)});
      });
  check.op<cases::ReshapeAndCacheFlashProblem>(
      "reshape_and_cache_flash", cases::reshape_and_cache_flash(), vkv_reshape_and_cache_flash, [](auto& p) {
        reference::reshape_and_cache_flash(p.key, p.slots, p.k_scale, p.key_cache(), 0);
        reference::reshape_and_cache_flash(p.value, p.slots, p.v_scale, p.value_cache(), p.value_plane(),
                                           p.swizzled());
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
      "concat_and_cache_mla_rope_fused", cases::concat_and_cache_mla_rope_fused(), vkv_concat_and_cache_mla_rope_fused, [](auto& p) {
        reference::concat_and_cache_mla_rope_fused(p.positions, p.q_pe, p.k_pe, p.kv_c, p.cos_sin_cache, p.slot_mapping,
                                                   p.kv_cache_scale, p.style, p.kv_cache);
        return first_of({compare_image("q_pe", p.q_pe, with_one_nan), compare_image("k_pe", p.k_pe, with_one_nan),
                         compare_image("kv_cache", p.kv_cache, with_one_nan)});
      });
  check.op<cases::ConcatMlaQProblem>("concat_mla_q", cases::concat_mla_q(), vkv_concat_mla_q, [](auto& p) {
    return compare_elements("q_out", p.q_out, reference::concat_mla_q(p.ql_nope, p.q_pe));
  });
  check.op<cases::ConvertFp8Problem>("convert_fp8", cases::convert_fp8(), vkv_convert_fp8, [](auto& p) {
    return compare_elements("dst", p.dst, reference::convert_fp8(p.src, p.c.dst, p.c.scale), with_one_nan);
  });
  check.op<cases::SwapBlocksProblem>("swap_blocks", cases::swap_blocks(), vkv_swap_blocks, [](auto& p) {
    reference::swap_blocks(p.src, p.mapping, p.dst());
    return compare_image("dst", p.dst());
  });
}

void print(const Outcome& o) {
  std::printf("%-6s %-40s %3d cases, %d passed", o.device.c_str(), o.op.c_str(), o.cases, o.passed);
  for (const auto& [why, cases] : o.skipped) std::printf(", %zu skipped: %s", cases.size(), why.c_str());
  if (!o.failed.empty()) {
    std::printf(", %zu FAILED, first %s: %s", o.failed.size(), o.failed.front().first.c_str(), o.failed.front().second.c_str());
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
  cxxopts::Options options("vkv check", "Runs every case of the tests on this machine's devices and compares with the reference");
  options.add_options()("op", "Only operations with this in their name; may be repeated",
                        cxxopts::value<std::vector<std::string>>()->default_value(""))("json", "Print JSON");
  cxxopts::ParseResult given;
  if (!parse(options, argc, argv, given)) return kDone;
  const bool json = given.count("json") != 0;

  nlohmann::ordered_json all = {{"build", vkv_build_info()}, {"seed", support::process_seed()}, {"operations", nlohmann::ordered_json::array()}};
  if (!json) std::printf("%s\n", vkv_build_info());
  bool wrong = false, any = false;
  for (const Device& device : support::devices()) {
    if (!json) std::printf("%s: %s\n", device.name.c_str(), describe(device.ctx).name);
    Checker checker(device, given["op"].as<std::vector<std::string>>());
    check_all(checker);
    for (const Outcome& outcome : checker.outcomes()) {
      any = true;
      wrong = wrong || !outcome.failed.empty();
      if (json) all["operations"].push_back(to_json(outcome));
      else print(outcome);
    }
  }
  if (!any) throw Refusal("no operation has this name");
  if (json) std::cout << all.dump(2) << '\n';
  else if (wrong) std::printf("VKV_TEST_SEED=%llu repeats this run\n", static_cast<unsigned long long>(support::process_seed()));
  return wrong ? kWrong : kDone;
}

}  // namespace tools
