// vkv info: the library, the devices of this machine, and a support matrix of each.
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
    if (!beyond_last) all.push_back({name, support::OwnedContext(ctx), status == VKV_OK ? "" : vkv_last_error_message()});
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
    std::snprintf(text, sizeof text, "device %d, %s, compute capability %d.%d, %d multiprocessors", info.device, info.name,
                  info.cc_major, info.cc_minor, info.num_sms);
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
                {"input", tensor_json(c.input)},
                {"stored", tensor_json(c.stored)},
                {"status", vkv_status_string(c.status)}};
    if (c.status != VKV_OK) row["message"] = c.message;
    all.push_back(std::move(row));
  }
  return all;
}

// One line an op and stored format: the inputs whose every case is supported, those with some (marked *), those with none
// (marked -).
void print_matrix(const std::vector<SupportedCase>& matrix) {
  struct Count {
    int cases = 0, supported = 0;
  };
  std::vector<std::string> ops;  // in order of appearance
  std::map<std::string, std::map<std::string, std::map<vkv_dtype, Count>>> lines;
  std::set<std::string> reasons;
  for (const SupportedCase& c : matrix) {
    if (lines.find(c.op) == lines.end()) ops.push_back(c.op);
    const std::string stored = c.stored.dtype == c.input.dtype ? "same" : vkv_dtype_string(c.stored.dtype);
    Count& count = lines[c.op][stored][c.input.dtype];
    ++count.cases;
    count.supported += c.status == VKV_OK;
    if (c.status != VKV_OK) reasons.insert(c.message);
  }
  std::printf("    %-40s %-12s %s\n", "operation", "stored as", "input (cases); * some cases only, - none");
  for (const std::string& op : ops) {
    bool first = true;
    for (const auto& [stored, inputs] : lines[op]) {
      std::printf("    %-40s %-12s", first ? op.c_str() : "", stored.c_str());
      first = false;
      for (const auto& [input, count] : inputs) {
        const char* mark = count.supported == count.cases ? "" : count.supported > 0 ? "*" : "-";
        std::printf(" %s%s (%d)", mark, vkv_dtype_string(input), count.supported > 0 ? count.supported : count.cases);
      }
      std::printf("\n");
    }
  }
  for (const std::string& reason : reasons) std::printf("    not: %s\n", reason.c_str());
}

}  // namespace

int info(int argc, char** argv) {
  cxxopts::Options options("vkv info", "The library, the devices of this machine, and what each operation supports on them");
  options.add_options()("json", "Print JSON, one entry for each case asked");
  cxxopts::ParseResult given;
  if (!parse(options, argc, argv, given)) return kDone;

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
