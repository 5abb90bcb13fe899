// One unit of attention: the softmax state of a few rows over the pieces of one node of their tree.
#pragma once

#include <optional>

#include "cpu/attention_schedule.hpp"

namespace vkv::cpu {

// Tokens of a piece that lie in one block and one tile. x-packed segments reach to the end of the tile or the block,
// past the tokens attended to, so that whole tiles can be moved at once.
struct AttentionSegment {
  int64_t block;
  int32_t offset, tokens;  // in the block
  int32_t token;           // of the piece
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

// K or V: where a segment's tokens lie, and how they become tile rows.
class AttentionSide {
 public:
  AttentionSide(const PagedAttention& p, const AttentionKernels& kernels, bool values);

  void stage(const AttentionSegment& segment, int64_t head, float* tile, int64_t ld) const;

 private:
  const Tensor& cache_;
  const AttentionKernels& kernels_;
  AttentionKernels::Stage stage_ = nullptr;  // null: NVFP4
  int64_t head_dim_, scale_offset_ = 0;      // of a block's NVFP4 scales
  int64_t block_, head_, token_, pitch_;     // in bytes
  bool swizzled_ = false;
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
  int64_t position(int64_t row) const;     // of row `row` of each of the unit's heads
  int64_t oldest(int64_t position) const;  // position that one at `position` attends to
  void load_queries();
  void walk(int64_t begin, int64_t end);
  void mask_rows(int64_t begin, int64_t end);
  uint32_t sparse_bits(int64_t tile, int64_t kv_head, int64_t query_head, int64_t position) const;
  const uint16_t* mask(int64_t head, int64_t row) const {
    return uniform_ ? present_ : scratch_.masks + (head * unit_->rows + row) * kTilesPerPiece;
  }
  bool attended(int64_t head, int64_t tile) const;
  void stage(const AttentionSide& side, int64_t tile, int64_t head);
  void keys();
  void weights(const AttentionState& state);
  void values(const AttentionState& state);

  const CpuContext& cpu_;
  const PagedAttention& p_;
  const AttentionShape& shape_;
  const AttentionScratch& scratch_;
  const AttentionKernels& kernels_;
  const AttentionSide keys_, values_;

  const AttentionUnit* unit_ = nullptr;
  // The piece at hand:
  int64_t origin_ = 0;                         // position of its first token
  int64_t first_tile_ = 0, last_tile_ = 0;     // tiles with tokens to attend to: [first, last)
  int64_t tile_segments_[kTilesPerPiece + 1];  // segments of tile t: [t, t + 1)
  uint16_t present_[kTilesPerPiece];           // tokens that some row may attend to and whose block exists
  bool uniform_ = true;                        // every row attends to all of them
};

}  // namespace vkv::cpu
