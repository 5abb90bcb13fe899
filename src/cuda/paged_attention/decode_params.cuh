// What the decode kernel is given.
#pragma once

#include "cuda/paged_attention/loader.cuh"
#include "cuda/paged_attention/nodes.cuh"
#include "cuda/paged_attention/work.cuh"

namespace vkv::cuda {

constexpr int kDecodeWarps = 4;

// CTAs of a multiprocessor that registers are kept for.
constexpr int decode_ctas(int dim, int row_tiles) { return dim * row_tiles > 256 ? 1 : 2; }

struct DecodeParams {
  FastDiv kv_heads_div, row_tiles_div, seqs_div;
  TreePolicy tree;
  WorkPolicy work;
  int32_t longest_query;          // sequences of more query tokens are somebody else's
  // Query: fills the instance's width and can be read by 16 bytes; can be read by 4. Out can be written by 8.
  bool whole_query, paired_query, vector_out;
  LoaderPolicy loader;
  AttentionParams attention;
  Arrivals arrivals;  // [row tiles][KV heads][items]
  float* partials;    // likewise, of one row tile's states each
};

}  // namespace vkv::cuda
