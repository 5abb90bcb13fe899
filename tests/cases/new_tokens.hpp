// What the writers of K/V caches are given, whatever the cache's layout: new tokens' keys and values, their slots,
// scales.
#pragma once

#include <limits>
#include <utility>
#include <vector>

#include "cases/scales.hpp"

namespace cases {

// A token's slot of each kind: some of `capacity`, each at most once, and negative ones.
inline std::vector<int64_t> random_slots(int64_t tokens, int64_t capacity, support::Random& random) {
  std::vector<int64_t> free(static_cast<std::size_t>(capacity));
  for (std::size_t i = 0; i < free.size(); ++i) free[i] = static_cast<int64_t>(i);
  for (std::size_t i = free.size(); i > 1; --i) {
    std::swap(free[i - 1], free[static_cast<std::size_t>(random.integer(0, static_cast<int64_t>(i) - 1))]);
  }
  free.resize(static_cast<std::size_t>(tokens));
  for (int64_t& slot : free) {
    if (random.integer(0, 5) == 0) slot = random.integer(0, 1) == 0 ? -1 : std::numeric_limits<int64_t>::min() + slot;
  }
  return free;
}

// Slots in order from somewhere in the first block on, as a prompt has them, with padding in between.
inline std::vector<int64_t> ordered_slots(int64_t tokens, int64_t block_size, support::Random& random) {
  std::vector<int64_t> slots;
  const int64_t first = random.integer(0, block_size - 1);
  for (int64_t n = 0; n < tokens; ++n) slots.push_back(random.integer(0, 39) == 0 ? -1 : first + n);
  return slots;
}

// Tokens of a case, filled. `Case` has tokens, padding, heads, dim, dtype, scales, strided_input, offset.
struct NewTokens {
  support::Array key, value, slots, k_scale, v_scale;

  template <class Case>
  NewTokens(const support::Device& device, const Case& c, int64_t num_slots, support::Random& random)
      : key(device, c.dtype, {c.tokens + c.padding, c.heads, c.dim},
            c.strided_input ? support::Shape{c.heads * (c.dim + 2) + 4, c.dim + 2, 1} : support::Shape{}, c.offset),
        value(device, c.dtype, {c.tokens + c.padding, c.heads, c.dim},
              c.strided_input ? support::Shape{3 * c.heads * c.dim, c.dim, 1} : support::Shape{}, c.offset),
        slots(device, VKV_DTYPE_I64, {c.tokens}), k_scale(random_scale(device, c.scales, c.heads, random)),
        v_scale(random_scale(device, c.scales, c.heads, random)) {
    key.fill_bits(random);
    value.fill_bits(random);
    slots.fill_integers(random_slots(c.tokens, num_slots, random));
  }

  template <class Params>
  void name_in(Params& p) const {
    p.key = key.view();
    p.value = value.view();
    p.slot_mapping = slots.view();
    p.k_scale = k_scale.view();
    p.v_scale = v_scale.view();
  }
};

}  // namespace cases
