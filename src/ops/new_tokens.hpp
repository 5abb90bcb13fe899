// What the writers of K/V caches are given, whatever the cache's layout: new tokens' keys and values, and their slots.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// Checks slot_mapping, key and value, and fills in what follows from them; returns key for further rules.
template <class Params, class Problem>
Arg check_new_tokens(const Check& check, const Params& p, Problem& q) {
  q.slot_mapping = check.tensor("slot_mapping", p.slot_mapping).rank(1).dtype({VKV_DTYPE_I64});
  q.num_tokens = q.slot_mapping.shape[0];
  Arg key = check.tensor("key", p.key);
  q.key = key.rank(3).dtype(kFloats).dim_at_least(0, q.num_tokens, "slot_mapping.shape[0]").packed_from(2);
  q.num_heads = q.key.shape[1];
  q.head_dim = q.key.shape[2];
  q.value = check.tensor("value", p.value)
                .rank(3)
                .dtype_is(q.key.dtype, "key.dtype")
                .dim_at_least(0, q.num_tokens, "slot_mapping.shape[0]")
                .dim(1, q.num_heads, "key.shape[1]")
                .dim(2, q.head_dim, "key.shape[2]")
                .packed_from(2);
  return key;
}

// The caches must be neither each other's memory nor the tokens'.
template <class Problem>
void check_caches_apart(const Check& check, const Problem& q) {
  check.not_same("key_cache", q.key_cache, "key", q.key);
  check.not_same("key_cache", q.key_cache, "value", q.value);
  check.not_same("value_cache", q.value_cache, "key", q.key);
  check.not_same("value_cache", q.value_cache, "value", q.value);
  check.not_same("value_cache", q.value_cache, "key_cache", q.key_cache);
}

}  // namespace vkv
