// What the subcommands of vkv share: how one is run, how it refuses a request, where it works.
#pragma once

#include <cstdint>
#include <cxxopts.hpp>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "support/device.hpp"

namespace tools {

// Exit codes. kWrong: the work was done and a check failed. kRefused: the request makes no sense here; nothing was
// done.
inline constexpr int kDone = 0, kWrong = 1, kRefused = 2;

// The request makes no sense: main() prints the sentence and exits with kRefused.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Subcommands. argv[0] is the subcommand's name.
int info(int argc, char** argv);
int bench(int argc, char** argv);
int check(int argc, char** argv);
int replay(int argc, char** argv);

// Parses; a wrong or stray argument is a Refusal. On --help prints the help and returns nothing.
std::optional<cxxopts::ParseResult> parse(cxxopts::Options& options, int argc, char** argv);

// The value of an option that was declared as text: a whole number, refused outside [least, most]; a number.
int64_t integer_option(const cxxopts::ParseResult& result, const std::string& name, int64_t least, int64_t most);
double number_option(const cxxopts::ParseResult& result, const std::string& name);
// The entry of `choices` that an option names.
template <class Value>
Value choice_option(const cxxopts::ParseResult& result, const std::string& name,
                    std::initializer_list<std::pair<const char*, Value>> choices) {
  const std::string given = result[name].as<std::string>();
  std::string all;
  for (const auto& [choice, value] : choices) {
    if (given == choice) return value;
    all += std::string(all.empty() ? "" : ", ") + choice;
  }
  throw Refusal("--" + name + " is \"" + given + "\", expected one of " + all);
}

// --backend auto|cpu|cuda and --threads. auto takes the GPU where the library and the machine have one.
void add_device_options(cxxopts::Options& options);
struct OpenDevice {
  support::OwnedContext owned;  // where the context is not one of support::devices()
  support::Device device;
  vkv_context_info info;
};
OpenDevice open_device(const cxxopts::ParseResult& result);
OpenDevice open_device(const std::string& backend, int threads);

vkv_context_info describe(const vkv_context* ctx);

}  // namespace tools
