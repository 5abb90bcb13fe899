// Who computes what: lengths and offsets from device memory, bounds-checked, become units of work.
//
// Every row's result is the root of one binary tree over the pieces of its sequence: node (level, i) covers the pieces
// [i << level, (i + 1) << level), a leaf is one piece computed from scratch, and a node folds its left child with its
// right one. A unit is one such node for a few rows; how the tree is cut into units, and who computes them, is free.
#pragma once

#include "cpu/attention.hpp"
#include "cpu/context.hpp"

namespace vkv::cpu {

// What follows from shapes and bounds alone.
struct AttentionShape {
  AttentionShape(const PagedAttention& p, int threads);

  int64_t threads;
  int64_t group;          // query heads of a KV head
  int64_t tile_rows;      // rows (query token, head of the group) of one KV head that a unit computes, at most
  int64_t most_heads;     // KV heads of a unit, at most
  int64_t rows;           // tile_rows * most_heads
  int64_t ld;             // floats from row to row
  int64_t levels;         // states that a unit holds at once, at most
  int64_t most_partials;  // states of units that are not the whole tree, at most
};

struct AttentionSequence {
  int64_t query_begin, query_len;                 // rows of query
  int64_t length;                                 // tokens in the cache
  int64_t table_row, table_begin;                 // of its block list: row (padded) and first entry (CSR)
  int64_t first_piece, pieces;                    // what its rows can attend to
  int64_t row_tiles, spans;                       // units = row_tiles * head groups * spans
  int64_t first_unit, first_partial, first_tree;  // running counts; trees are those of more than one unit
};

// One thread's memory.
struct AttentionScratch {
  float* q;                           // [rows, ld]
  float* logits;                      // [rows, kPiece], then weights
  float* tile;                        // [kTile, ld]
  float* states;                      // [levels] of rows * (ld + 2)
  uint16_t* masks;                // [rows, kTilesPerPiece]
  struct AttentionPiece* pieces;  // [2]: at hand, and next
};

inline AttentionState attention_state(float* memory, int64_t rows, int64_t index, int64_t ld) {
  float* state = memory + index * rows * (ld + 2);
  return {state, state + rows, state + 2 * rows};
}

// The workspace, cut up. With a null base only `bytes` means anything.
struct AttentionWorkspace {
  AttentionWorkspace(void* base, const PagedAttention& p, const AttentionShape& shape);

  AttentionScratch scratch(int64_t thread) const;

  AttentionSequence* sequences;  // [num_seqs]
  float* partials;               // [most_partials] states
  std::size_t bytes;

 private:
  const AttentionShape& shape_;
  char* scratch_;
  std::size_t scratch_bytes_;
};

struct AttentionUnit {
  const AttentionSequence* sequence;
  int64_t head, heads;  // KV heads
  int64_t row, rows;    // of each KV head: row = query token * group + head of the group
  int64_t node;         // the unit is node (span_level, node) of the tree
  int64_t partial;      // where its state goes; -1: it is the whole tree
};

// One cut of all trees.
class AttentionSchedule {
 public:
  AttentionSchedule(const Context& ctx, const PagedAttention& p, const AttentionShape& shape,
                    AttentionSequence* sequences);

  int64_t units() const { return units_; }
  AttentionUnit unit(int64_t index) const;
  // Trees of more than one unit: their rows (node and partial are those of the first unit), and how many units.
  int64_t trees() const { return trees_; }
  AttentionUnit tree(int64_t index, int64_t* spans) const;
  int64_t span_level() const { return span_level_; }

 private:
  void read_sequences(const Context& ctx);
  void cut();
  AttentionUnit rows_of(const AttentionSequence& sequence, int64_t tile_and_heads) const;

  const PagedAttention& p_;
  const AttentionShape& shape_;
  AttentionSequence* sequences_;
  int64_t heads_ = 1, head_groups_ = 1, span_level_ = 0, units_ = 0, trees_ = 0;
};

}  // namespace vkv::cpu
