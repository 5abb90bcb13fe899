// The program vkv: one subcommand a file.
#include <cstdio>
#include <cstring>
#include <exception>

#include "tools/command.hpp"

namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(int argc, char** argv);
};

constexpr Command kCommands[] = {
    {"info", "the library, the devices of this machine, and what each operation supports on them", tools::info},
    {"replay", "an engine's calls on a trace of real requests, checked against float64", tools::replay},
    {"bench", "verifies, then times the operations; bytes per second beside what the machine can do", tools::bench},
    {"check", "runs every case of the tests on this machine's devices and compares with the reference", tools::check},
};

int usage(std::FILE* to, int code) {
  std::fprintf(to, "Usage: vkv <command> [options]      vkv <command> --help lists a command's options\n\n");
  for (const Command& command : kCommands) std::fprintf(to, "  %-8s %s\n", command.name, command.summary);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return usage(stderr, tools::kRefused);
  if (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0) return usage(stdout, tools::kDone);
  for (const Command& command : kCommands) {
    if (std::strcmp(argv[1], command.name) != 0) continue;
    try {
      return command.run(argc - 1, argv + 1);
    } catch (const tools::Refusal& e) {
      std::fprintf(stderr, "vkv %s: %s\n", command.name, e.what());
      return tools::kRefused;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "vkv %s: %s\n", command.name, e.what());
      return tools::kWrong;
    }
  }
  std::fprintf(stderr, "vkv: \"%s\" is not a command\n", argv[1]);
  return usage(stderr, tools::kRefused);
}
