// vkv info: the library, the devices of this machine, and a support matrix of each.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/command.hpp"
#include "tools/support_matrix.hpp"

namespace tools {

namespace {

using Json = nlohmann::ordered_json;

std::string version_text() {
  const uint32_t v = vkv_version();
  return std::to_string(v / 1000000) + "." + std::to_string(v / 1000 % 1000) + "." + std::to_string(v % 1000);
}

// A device of this machine, or the sentence that says why there is none.
struct Found {
  const char* backend;
  support::OwnedContext ctx;
  std::string refusal;
};

std::vector<Found> find_devices() {
  std::vector<Found> all;
  const auto open = [&](const char* name, int32_t backend, int32_t device) {
    vkv_context_params params = VKV_INIT(vkv_context_params);
    params.backend = backend;
    params.device = device;
    vkv_context* ctx = nullptr;
    const vkv_status status = vkv_context_create(&params, &ctx);
    const bool beyond_last = status != VKV_OK && device > 0;
    if (!beyond_last) {
      all.push_back({name, support::OwnedContext(ctx), status == VKV_OK ? "" : vkv_last_error_message()});
    }
    return status == VKV_OK;
  };
  open("cpu", VKV_BACKEND_CPU, 0);
  for (int32_t device = 0; open("cuda", VKV_BACKEND_CUDA, device);) ++device;
  return all;
}

std::string device_text(const vkv_context_info& info) {
  char text[160];
  if (info.backend == VKV_BACKEND_CPU) {
    std::snprintf(text, sizeof text, "%s, %d threads", info.name, info.num_threads);
  } else {
    std::snprintf(text, sizeof text, "device %d, %s, compute capability %d.%d, %d multiprocessors", info.device,
                  info.name, info.cc_major, info.cc_minor, info.num_sms);
  }
  return text;
}

Json tensor_json(const vkv_tensor& t) {
  return {{"dtype", vkv_dtype_string(t.dtype)}, {"shape", std::vector<int64_t>(t.shape, t.shape + t.ndim)}};
}

Json matrix_json(const std::vector<SupportedCase>& matrix) {
  Json all = Json::array();
  for (const SupportedCase& c : matrix) {
    Json row = {{"op", c.op},
                {"case", c.name},
                {"outside", tensor_json(c.outside)},
                {"stored", tensor_json(c.stored)},
                {"status", vkv_status_string(c.status)}};
    if (c.status != VKV_OK) row["message"] = c.message;
    all.push_back(std::move(row));
  }
  return all;
}

// The cases of one operation, stored format and dtype outside.
struct Cell {
  int cases = 0, supported = 0;
  int64_t smallest_row = 0, largest_row = 0;  // elements of the last dimension outside, where supported
};

std::string cell_text(vkv_dtype outside, const Cell& cell) {
  if (cell.supported == 0) return std::string("-") + vkv_dtype_string(outside);
  std::string text = std::string(cell.supported < cell.cases ? "*" : "") + vkv_dtype_string(outside) + " [" +
                     std::to_string(cell.smallest_row);
  if (cell.largest_row > cell.smallest_row) text += ".." + std::to_string(cell.largest_row);
  return text + "]";
}

// One line an operation and stored format.
void print_matrix(const std::vector<SupportedCase>& matrix) {
  std::vector<std::string> ops;  // in order of appearance
  std::map<std::string, std::map<std::string, std::map<vkv_dtype, Cell>>> lines;
  std::set<std::string> reasons;
  for (const SupportedCase& c : matrix) {
    if (lines.find(c.op) == lines.end()) ops.push_back(c.op);
    const std::string stored = c.stored.dtype == c.outside.dtype ? "same" : vkv_dtype_string(c.stored.dtype);
    Cell& cell = lines[c.op][stored][c.outside.dtype];
    ++cell.cases;
    if (c.status != VKV_OK) {
      reasons.insert(c.message);
      continue;
    }
    const int64_t row = c.outside.shape[c.outside.ndim - 1];
    cell.smallest_row = cell.supported == 0 ? row : std::min(cell.smallest_row, row);
    cell.largest_row = std::max(cell.largest_row, row);
    ++cell.supported;
  }
  std::printf("  %-38s %-11s %s\n", "operation", "stored as",
              "from or to [row sizes tested]   * in part   - not at all");
  for (const std::string& op : ops) {
    const char* name = op.c_str();
    for (const auto& [stored, others] : lines[op]) {
      std::printf("  %-38s %-11s", name, stored.c_str());
      name = "";
      for (const auto& [outside, cell] : others) std::printf(" %-16s", cell_text(outside, cell).c_str());
      std::printf("\n");
    }
  }
  for (const std::string& reason : reasons) std::printf("  not supported: %s\n", reason.c_str());
}

}  // namespace

int info(int argc, char** argv) {
  cxxopts::Options options("vkv info",
                           "The library, the devices of this machine, and what each operation supports on them");
  options.add_options()("json", "Print JSON, one entry for each case asked");
  const auto parsed = parse(options, argc, argv);
  if (!parsed) return kDone;
  const cxxopts::ParseResult& given = *parsed;

  Json out = {{"version", version_text()}, {"build", vkv_build_info()}, {"devices", Json::array()}};
  const bool json = given.count("json") != 0;
  if (!json) std::printf("%s\n", vkv_build_info());
  for (const Found& found : find_devices()) {
    if (found.ctx == nullptr) {
      if (!json) std::printf("\n%s: none: %s\n", found.backend, found.refusal.c_str());
      out["devices"].push_back({{"backend", found.backend}, {"refusal", found.refusal}});
      continue;
    }
    const vkv_context_info info = describe(found.ctx.get());
    const auto matrix = support_matrix({found.backend, found.ctx.get(), nullptr, nullptr});
    if (!json) {
      std::printf("\n%s: %s\n", found.backend, device_text(info).c_str());
      print_matrix(matrix);
    }
    out["devices"].push_back({{"backend", found.backend},
                              {"device", info.device},
                              {"name", info.name},
                              {"num_threads", info.num_threads},
                              {"num_sms", info.num_sms},
                              {"compute_capability", {info.cc_major, info.cc_minor}},
                              {"support", matrix_json(matrix)}});
  }
  if (json) std::cout << out.dump(2) << '\n';
  return kDone;
}

}  // namespace tools
