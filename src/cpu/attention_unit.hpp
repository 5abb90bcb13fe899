// One unit of attention: the softmax state of a few rows over the pieces of one node of their tree.
#pragma once

#include <optional>

#include "cpu/attention_schedule.hpp"

namespace vkv::cpu {

// Where the tokens of a piece lie: the walk over the block table, done once for all heads.
struct AttentionPiece {
  int64_t origin;                      // position of its first token
  int64_t first_tile, last_tile;       // tiles with tokens that some row attends to: [first, last)
  int64_t first_token, last_token;     // those tokens: [first, last)
  uint16_t present[kTilesPerPiece];    // which of them have a block, a bit a token
  int64_t key_at[kPiece];              // bytes from the cache to a token; of others in a tile with a token: somewhere
  int64_t value_at[kPiece];            // in the cache
  int32_t offset[kPiece];              // in the block
};

// States of a tree on their way to its root. Nodes come in order, as (level, index) with one level for all.
class AttentionTree {
 public:
  AttentionTree(const AttentionKernels& kernels, int64_t rows, int64_t ld) : kernels_(kernels), rows_(rows), ld_(ld) {}

  // How many states wait: the place of the next one in memory that is used like a stack.
  int64_t size() const { return size_; }

  void add(const AttentionState& state, int64_t index) {
    stack_[size_++] = state;
    for (; size_ > 1 && index % 2 == 1; index /= 2) fold_last();
  }
  // Nothing if nothing was added.
  std::optional<AttentionState> root() {
    while (size_ > 1) fold_last();
    return size_ == 0 ? std::nullopt : std::optional<AttentionState>(stack_[0]);
  }

 private:
  void fold_last() {
    kernels_.fold(stack_[size_ - 2], stack_[size_ - 1], rows_, ld_);
    --size_;
  }

  const AttentionKernels& kernels_;
  const int64_t rows_, ld_;
  int64_t size_ = 0;
  AttentionState stack_[34];  // sequences have fewer than 2^31 tokens
};

// The key cache or the value cache.
struct AttentionSide {
  AttentionSide(const PagedAttention& p, const AttentionKernels& kernels, bool of_values);

  bool direct(int64_t rows) const;
  // Number of the stored value that the kernels see as 1.
  float gain() const { return source == nullptr ? 1.0f : source->gain; }

  const AttentionKernels::Source* source;  // null: NVFP4
  const char* base;
  int64_t block, head, token, pitch;  // bytes from one to the next; NVFP4: `token` is 0, as its rows are found by number
  bool values, x_packed, neighbours;  // neighbours: tokens of a tile always share a block
  Nvfp4Tile nvfp4;                    // of head 0, block by block
  int64_t nvfp4_data, nvfp4_scales;   // bytes from head to head
};

class AttentionWorker {
 public:
  AttentionWorker(const Context& ctx, const PagedAttention& p, const AttentionShape& shape,
                  const AttentionScratch& scratch);

  // The state of the unit's rows (heads * rows of them) over pieces [begin, end), in scratch memory.
  AttentionState compute(const AttentionUnit& unit, int64_t begin, int64_t end);
  // Writes the rows of a whole tree.
  void write(const AttentionUnit& unit, const AttentionState& state);

 private:
  // A unit walks its keys and then its values tile by tile, head by head, piece after piece. One step of that.
  struct Step {
    const AttentionPiece* piece;
    const AttentionSide* side;
    int64_t tile, head;
  };

  int64_t position(int64_t row) const;     // of row `row` of each of the unit's heads
  int64_t oldest(int64_t position) const;  // position that one at `position` attends to
  void load_queries();
  void walk(int64_t piece, int64_t from, int64_t to, AttentionPiece* out);
  void mask_rows(const AttentionPiece& piece);
  uint32_t sparse_bits(const AttentionPiece& piece, int64_t tile, int64_t kv_head, int64_t query_head,
                       int64_t position) const;
  const uint16_t* mask(int64_t head, int64_t row) const {
    return uniform_ ? present_ : scratch_.masks + (head * unit_->rows + row) * kTilesPerPiece;
  }
  bool attended(int64_t head, int64_t tile) const;
  bool advance(Step* step, int64_t steps) const;
  AttentionTile tile(const Step& step) const;
  AttentionTiles prepare(const Step& step);
  void keys(const AttentionPiece& piece);
  void weights(const AttentionPiece& piece, const AttentionState& state);
  void values(const AttentionPiece& piece, const AttentionState& state);

  const CpuContext& cpu_;
  const PagedAttention& p_;
  const AttentionShape& shape_;
  const AttentionScratch& scratch_;
  const AttentionKernels& kernels_;
  const AttentionSide keys_, values_;
  int64_t staged_at_[kTile];

  const AttentionUnit* unit_ = nullptr;
  const AttentionPiece* next_ = nullptr;  // after the piece at hand; null: it is the last
  const uint16_t* present_ = nullptr;     // of the piece at hand
  bool uniform_ = true;                   // every row attends to every token present
};

}  // namespace vkv::cpu
