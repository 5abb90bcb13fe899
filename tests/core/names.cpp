// Names of statuses, dtypes and ops, known and unknown; version and build.
#include <cstring>
#include <limits>
#include <set>
#include <string>

#include "support/catch.hpp"
#include "vkv.h"

namespace {

struct Name {
  int32_t number;
  std::string name;
};

// Every number around the known ones gives the fallback, never null, never a name twice.
void check_names(const char* (*name_of)(int32_t), const std::vector<Name>& known, const std::string& fallback) {
  std::set<std::string> seen;
  for (const Name& k : known) {
    CHECK(name_of(k.number) == k.name);
    CHECK(seen.insert(k.name).second);
  }
  std::set<int32_t> numbers;
  for (const Name& k : known) numbers.insert(k.number);
  for (int32_t n = -1000; n <= 1000; ++n) {
    if (numbers.count(n) == 0 && name_of(n) != fallback) CHECK(name_of(n) == fallback);
  }
  CHECK(name_of(std::numeric_limits<int32_t>::max()) == fallback);
  CHECK(name_of(std::numeric_limits<int32_t>::min()) == fallback);
  CHECK(name_of(known.front().number) == name_of(known.front().number));  // static storage
}

}  // namespace

TEST_CASE("every status has its constant's name") {
  check_names(vkv_status_string,
              {{0, "VKV_OK"},
               {100, "VKV_ERROR_INVALID_ARGUMENT"},
               {101, "VKV_ERROR_WORKSPACE_TOO_SMALL"},
               {200, "VKV_ERROR_NOT_SUPPORTED"},
               {201, "VKV_ERROR_NO_DEVICE"},
               {300, "VKV_ERROR_CUDA"},
               {400, "VKV_ERROR_INTERNAL"},
               {401, "VKV_ERROR_OUT_OF_MEMORY"}},
              "unknown status");
}

TEST_CASE("every dtype has a short name") {
  check_names(vkv_dtype_string,
              {{1, "f16"}, {2, "bf16"}, {10, "f32"}, {20, "e4m3"}, {21, "e5m2"}, {30, "u8"}, {31, "i32"}, {32, "i64"},
               {40, "nvfp4"}, {50, "fp8_ds_mla"}},
              "unknown dtype");
}

TEST_CASE("every op has its function's name") {
  check_names(vkv_op_string,
              {{1, "paged_attention"},
               {2, "paged_attention_v1"},
               {3, "paged_attention_v2"},
               {4, "merge_attn_states"},
               {5, "reshape_and_cache"},
               {6, "reshape_and_cache_flash"},
               {7, "concat_and_cache_mla"},
               {8, "concat_and_cache_mla_rope_fused"},
               {9, "convert_fp8"},
               {10, "gather_and_maybe_dequant_cache"},
               {11, "cp_gather_cache"},
               {12, "cp_gather_and_upconvert_fp8_kv_cache"},
               {13, "indexer_k_quant_and_cache"},
               {14, "cp_gather_indexer_k_quant_cache"},
               {15, "concat_mla_q"},
               {16, "swap_blocks"},
               {17, "swap_blocks_batch"},
               {18, "copy_blocks"}},
              "unknown op");
}

TEST_CASE("the library's version is the header's, and the build line tells it") {
  CHECK(vkv_version() == VKV_VERSION_MAJOR * 1000000u + VKV_VERSION_MINOR * 1000u + VKV_VERSION_PATCH);
  const std::string version = std::to_string(VKV_VERSION_MAJOR) + "." + std::to_string(VKV_VERSION_MINOR) + "." +
                              std::to_string(VKV_VERSION_PATCH);
  const std::string info = vkv_build_info();
  CHECK(info.find("libvkv " + version + "; backends cpu") == 0);
  CHECK(info.find("; cuda ") != std::string::npos);
  CHECK(info.find("; compiler ") != std::string::npos);
  CHECK(info.find('\n') == std::string::npos);
  CHECK(vkv_build_info() == vkv_build_info());
}
