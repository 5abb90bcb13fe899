#include "tools/command.hpp"

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <vector>

namespace tools {

std::optional<cxxopts::ParseResult> parse(cxxopts::Options& options, int argc, char** argv) {
  options.add_options()("h,help", "Show this text");
  options.add_options("stray")("stray", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"stray"});
  options.positional_help("");
  std::optional<cxxopts::ParseResult> result;
  try {
    result.emplace(options.parse(argc, argv));
  } catch (const std::exception& e) {  // the name of the base class differs between versions of cxxopts
    throw Refusal(std::string(e.what()) + " (see vkv " + argv[0] + " --help)");
  }
  if (result->count("help") != 0) {
    std::cout << options.help({""});
    return std::nullopt;
  }
  if (result->count("stray") != 0) {
    throw Refusal("\"" + (*result)["stray"].as<std::vector<std::string>>().front() + "\" is not an option (see vkv " +
                  argv[0] + " --help)");
  }
  return result;
}

int64_t integer_option(const cxxopts::ParseResult& result, const std::string& name, int64_t least, int64_t most) {
  const auto text = result[name].as<std::string>();
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || *read.ptr != '\0') {
    throw Refusal("--" + name + " is \"" + text + "\", expected a whole number");
  }
  if (value < least || value > most) {
    throw Refusal("--" + name + " is " + std::to_string(value) + ", expected " + std::to_string(least) + " to " +
                  std::to_string(most));
  }
  return value;
}

double number_option(const cxxopts::ParseResult& result, const std::string& name) {
  const auto text = result[name].as<std::string>();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0') throw Refusal("--" + name + " is \"" + text + "\", expected a number");
  return value;
}

void add_device_options(cxxopts::Options& options) {
  const auto text = [](const char* value) { return cxxopts::value<std::string>()->default_value(value); };
  options.add_options()("backend", "Where to run: auto, cpu or cuda", text("auto"));
  options.add_options()("threads", "Threads of the CPU backend; 0 = one for each CPU", text("0"));
}

vkv_context_info describe(const vkv_context* ctx) {
  vkv_context_info info = VKV_INIT(vkv_context_info);
  if (vkv_context_get_info(ctx, &info) != VKV_OK) throw std::runtime_error(vkv_last_error_message());
  return info;
}

OpenDevice open_device(const std::string& backend, int threads) {
  if (backend != "auto" && backend != "cpu" && backend != "cuda") {
    throw Refusal("--backend is \"" + backend + "\", expected auto, cpu or cuda");
  }
  if (backend != "cpu") {
    for (const support::Device& device : support::devices()) {
      if (!device.memory->is_host()) return {nullptr, device, describe(device.ctx)};
    }
    if (backend == "cuda") {
      vkv_context_params params = VKV_INIT(vkv_context_params);
      params.backend = VKV_BACKEND_CUDA;
      vkv_context* ctx = nullptr;
      const bool created = vkv_context_create(&params, &ctx) == VKV_OK;
      vkv_context_destroy(ctx);
      throw Refusal(created ? "--backend is cuda, which this build of the tool has no memory for"
                            : vkv_last_error_message());
    }
  }
  support::OwnedContext ctx;
  try {
    ctx = support::cpu_context(threads);
  } catch (const std::exception& e) {
    throw Refusal(e.what());
  }
  const support::Device device{"cpu", ctx.get(), &support::host_memory(), nullptr};
  const vkv_context_info info = describe(device.ctx);
  return {std::move(ctx), device, info};
}

OpenDevice open_device(const cxxopts::ParseResult& result) {
  return open_device(result["backend"].as<std::string>(), static_cast<int>(integer_option(result, "threads", 0, 1024)));
}

}  // namespace tools
