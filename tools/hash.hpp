// A counter-based random number: the same for the same input, on every machine.
#pragma once

#include <cstdint>

namespace tools {

// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection whose output looks random for counting input.
inline uint64_t mix(uint64_t z) {
  z += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

}  // namespace tools
