// Writes the golden files into a folder, or, with --check, says which of them differ from what it would write.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include "golden/cases.hpp"

namespace {

const std::vector<std::pair<const char*, std::function<std::vector<golden::Case>()>>> kOps = {
    {"concat_and_cache_mla", golden::concat_and_cache_mla},
    {"concat_and_cache_mla_rope_fused", golden::concat_and_cache_mla_rope_fused},
    {"concat_mla_q", golden::concat_mla_q},
    {"convert_fp8", golden::convert_fp8},
    {"copy_blocks", golden::copy_blocks},
    {"cp_gather_and_upconvert_fp8_kv_cache", golden::cp_gather_and_upconvert_fp8_kv_cache},
    {"cp_gather_cache", golden::cp_gather_cache},
    {"cp_gather_indexer_k_quant_cache", golden::cp_gather_indexer_k_quant_cache},
    {"gather_and_maybe_dequant_cache", golden::gather_and_maybe_dequant_cache},
    {"indexer_k_quant_and_cache", golden::indexer_k_quant_and_cache},
    {"merge_attn_states", golden::merge_attn_states},
    {"paged_attention", golden::paged_attention},
    {"paged_attention_v1", golden::paged_attention_v1},
    {"paged_attention_v2", golden::paged_attention_v2},
    {"reshape_and_cache", golden::reshape_and_cache},
    {"reshape_and_cache_flash", golden::reshape_and_cache_flash},
    {"swap_blocks", golden::swap_blocks},
    {"swap_blocks_batch", golden::swap_blocks_batch},
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  const bool check = argc == 3 && std::strcmp(argv[1], "--check") == 0;
  if (!check && argc != 2) {
    std::cerr << "usage: golden_generate [--check] FOLDER\n";
    return 2;
  }
  setenv("VKV_TEST_SEED", "1", 1);  // the same data every time
  int wrong = 0;
  for (const auto& [op, cases] : kOps) {
    const std::string path = std::string(argv[argc - 1]) + "/" + op + ".txt", text = golden::text(cases());
    if (check && content(path) == text) continue;
    if (!check && (std::ofstream(path, std::ios::binary) << text).flush()) continue;
    std::cerr << path << (check ? " differs from what generate writes" : " cannot be written") << "\n";
    ++wrong;
  }
  return wrong == 0 ? 0 : 1;
}
