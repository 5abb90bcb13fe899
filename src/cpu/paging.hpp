// Where a slot or a token position lies in a paged cache. The numbers come from device memory and are trusted by
// nobody: what is out of range has no place, and is noted in the device report.
#pragma once

#include <optional>

#include "cpu/context.hpp"

namespace vkv::cpu {

struct Place {
  int64_t block, offset;
};

// The slot mapping of a writer.
class Slots {
 public:
  Slots(const Context& ctx, int32_t op, const Tensor& slot_mapping, int64_t num_blocks, int64_t block_size)
      : report_(self(ctx).report), op_(op), slots_(slot_mapping), block_size_(block_size),
        capacity_(num_blocks * block_size) {}

  // Where token n goes. Nowhere for a negative slot (padding) and for one past the cache (reported).
  std::optional<Place> place(int64_t n) const {
    const int64_t slot = slots_.as<const int64_t>()[n * slots_.stride[0]];
    if (slot < 0) return std::nullopt;
    if (slot >= capacity_) {
      report_.note(op_, VKV_REPORT_SLOT, n, slot, capacity_);
      return std::nullopt;
    }
    return Place{slot / block_size_, slot % block_size_};
  }

 private:
  Report& report_;
  const int32_t op_;
  const Tensor& slots_;
  const int64_t block_size_, capacity_;
};

// The block table of a reader: [sequences, columns] i32.
class BlockTable {
 public:
  BlockTable(const Context& ctx, int32_t op, const Tensor& table, int64_t num_blocks, int64_t block_size)
      : report_(self(ctx).report), op_(op), table_(table), num_blocks_(num_blocks), block_size_(block_size) {}

  // The block in a column of a sequence's row. A column outside the table is reported as (sequence, column, columns), a
  // bad id as (its row-major index in the table, id, num_blocks).
  std::optional<int64_t> block(int64_t sequence, int64_t column) const {
    const int64_t columns = table_.shape[1];
    if (column < 0 || column >= columns) {
      report_.note(op_, VKV_REPORT_TABLE_COLUMN, sequence, column, columns);
      return std::nullopt;
    }
    const int64_t id = table_.as<const int32_t>()[sequence * table_.stride[0] + column * table_.stride[1]];
    if (id < 0 || id >= num_blocks_) {
      report_.note(op_, VKV_REPORT_BLOCK_ID, sequence * columns + column, id, num_blocks_);
      return std::nullopt;
    }
    return id;
  }

  // Where token position `position` (>= 0) of a sequence lies. A cache with blocks of no tokens holds no position.
  std::optional<Place> place(int64_t sequence, int64_t position) const {
    const auto id = block(sequence, block_size_ > 0 ? position / block_size_ : table_.shape[1]);
    if (!id) return std::nullopt;
    return Place{*id, position % block_size_};
  }

 private:
  Report& report_;
  const int32_t op_;
  const Tensor& table_;
  const int64_t num_blocks_, block_size_;
};

}  // namespace vkv::cpu
