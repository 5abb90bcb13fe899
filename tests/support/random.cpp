#include "support/random.hpp"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace support {

uint64_t process_seed() {
  static const uint64_t seed = [] {
    const char* given = std::getenv("VKV_TEST_SEED");
    if (given != nullptr) return static_cast<uint64_t>(std::strtoull(given, nullptr, 10));
    return static_cast<uint64_t>(std::random_device{}()) & 0xFFFFFFFFu;
  }();
  return seed;
}

// SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t Random::bits() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

Random::Random(uint64_t stream) : state_(process_seed() * 0xD1342543DE82EF95ull + stream) { bits(); }

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(6.283185307179586 * uniform());
}

int64_t Random::integer(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(bits() % static_cast<uint64_t>(high - low + 1));
}

std::vector<int64_t> Random::distinct(int64_t count, int64_t limit) {
  std::vector<int64_t> all(static_cast<std::size_t>(limit));
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = 0; i < count; ++i)
    std::swap(all.at(static_cast<std::size_t>(i)), all.at(static_cast<std::size_t>(integer(i, limit - 1))));
  all.resize(static_cast<std::size_t>(count));
  return all;
}

std::vector<int64_t> Random::slots(int64_t tokens, int64_t capacity) {
  std::vector<int64_t> all = distinct(tokens, capacity);
  for (int64_t& slot : all) {
    if (integer(0, 5) == 0) slot = integer(0, 1) == 0 ? -1 : std::numeric_limits<int64_t>::min() + slot;
  }
  return all;
}

}  // namespace support
