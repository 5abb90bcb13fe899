// Prints how much of a library is code for each GPU architecture, and fails where one that is asked for is missing. Needs
// no tool of the CUDA toolkit: it reads the fat binaries, which begin with a magic number and are rows of entries.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr uint32_t kMagic = 0xBA55ED50;
enum Kind : uint16_t { kPtx = 1, kCode = 2 };

template <class Number>
Number number_at(const std::vector<char>& bytes, std::size_t at) {
  Number x{};
  if (at <= bytes.size() && sizeof x <= bytes.size() - at) std::memcpy(&x, bytes.data() + at, sizeof x);
  return x;
}

using Sizes = std::map<std::pair<uint16_t, uint32_t>, uint64_t>;  // of each kind and architecture

// Adds up the entries in [at, end). An entry: kind (2 bytes), version (2), header's size (4), content's size (8), ...,
// architecture (4, at byte 28).
void add_entries(const std::vector<char>& bytes, std::size_t at, std::size_t end, Sizes& sizes) {
  while (at < end) {
    const uint64_t size = number_at<uint32_t>(bytes, at + 4) + number_at<uint64_t>(bytes, at + 8);
    if (size == 0 || size > end - at) return;
    sizes[{number_at<uint16_t>(bytes, at), number_at<uint32_t>(bytes, at + 28)}] += size;
    at += size;
  }
}

// A fat binary: magic number (4 bytes), version 1 (2), header's size 16 (2), size of the entries (8), entries.
Sizes sizes_in(const std::vector<char>& bytes) {
  Sizes sizes;
  for (std::size_t at = 0; at + 16 <= bytes.size(); at += 8) {
    if (number_at<uint32_t>(bytes, at) != kMagic || number_at<uint32_t>(bytes, at + 4) != (16u << 16 | 1)) continue;
    const uint64_t size = number_at<uint64_t>(bytes, at + 8);
    if (size <= bytes.size() - at - 16) add_entries(bytes, at + 16, at + 16 + size, sizes);
  }
  return sizes;
}

void print_all(const Sizes& sizes, Kind kind, const char* prefix) {
  for (const auto& [what, size] : sizes) {
    if (what.first != kind) continue;
    const std::string name = prefix + std::to_string(what.second);
    std::printf("  %-8s %8.0f KiB\n", name.c_str(), static_cast<double>(size) / 1024);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: code_sizes LIBRARY [ARCHITECTURE...]\n");
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  const Sizes sizes = sizes_in(bytes);
  std::printf("%s: %.0f KiB, of which GPU code\n", argv[1], static_cast<double>(bytes.size()) / 1024);
  print_all(sizes, kCode, "sm_");
  print_all(sizes, kPtx, "PTX ");
  int missing = 0;
  for (int i = 2; i < argc; ++i) {
    if (sizes.count({kCode, static_cast<uint32_t>(std::atoi(argv[i]))}) != 0) continue;
    std::fprintf(stderr, "%s has no code for sm_%s\n", argv[1], argv[i]);
    ++missing;
  }
  return missing == 0 ? 0 : 1;
}
