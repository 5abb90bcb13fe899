// Gathers of ragged sequences: which sequence owns a row of the dense buffer, and where in the cache that row lies.
// Offsets come from device memory and are trusted by nobody: any content is safe, and what is out of order is noted in
// the report.
#pragma once

#include <algorithm>

#include "cpu/paging.hpp"

namespace vkv::cpu {

class RaggedRows {
 public:
  // `offsets` is i32: [batch + 1] (cu_seq_lens), or [batch], the last sequence then running to the end of the `rows`
  // rows. `seq_starts` may be absent. `table` must outlive this.
  RaggedRows(const Context& ctx, int32_t op, const Tensor& offsets, const Tensor& seq_starts, const BlockTable& table,
             int64_t batch, int64_t rows)
      : report_(self(ctx).report), op_(op), offsets_(offsets), seq_starts_(seq_starts), table_(table), batch_(batch),
        rows_(rows) {
    for (int64_t r = 0; r < offsets.shape[0]; ++r) {
      const int64_t limit = r + 1 < offsets.shape[0] ? offset(r + 1) : rows;
      if (offset(r) < 0 || offset(r) > limit) report_.note(op, VKV_REPORT_OFFSET, r, offset(r), limit + 1);
    }
  }

  // Calls f(row, place) for the rows of [begin, end) that a sequence owns; place is empty for a row that lies nowhere
  // in the cache (reported).
  template <class F>
  void for_each(int64_t begin, int64_t end, F&& f) const {
    for (int64_t row = std::max(begin, offset(0)); row < std::min(end, offset(batch_));) {
      // Invariant: offset(low) <= row < offset(high). It holds for unordered offsets too, so that each turn makes
      // progress and every row lies inside the sequence found.
      int64_t low = 0, high = batch_;
      while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        (offset(middle) <= row ? low : high) = middle;
      }
      const int64_t first = offset(low), stop = std::min(end, offset(high));
      for (; row < stop; ++row) f(row, place(low, row - first));
    }
  }

 private:
  int64_t offset(int64_t r) const {
    return r < offsets_.shape[0] ? offsets_.as<const int32_t>()[r * offsets_.stride[0]] : rows_;
  }

  std::optional<Place> place(int64_t sequence, int64_t token) const {
    int64_t start = 0;
    if (seq_starts_.present()) {
      start = seq_starts_.as<const int32_t>()[sequence * seq_starts_.stride[0]];
      if (start < 0) {
        report_.note(op_, VKV_REPORT_POSITION, sequence, start, int64_t{1} << 31);  // any other i32 may be a start
        return std::nullopt;
      }
    }
    return table_.place(sequence, start + token);
  }

  Report& report_;
  const int32_t op_;
  const Tensor& offsets_;
  const Tensor& seq_starts_;
  const BlockTable& table_;
  const int64_t batch_, rows_;
};

}  // namespace vkv::cpu
