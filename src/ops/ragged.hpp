// The arguments of a gather that say where its rows lie, checked alike by every gather that has them all.
#pragma once

#include "core/tensor.hpp"

namespace vkv {

// Fills in the Problem's block_table, batch, table_columns, cu_seq_lens and seq_starts.
template <class Params, class Problem>
void check_ragged(const Params& p, const Check& check, Problem& g) {
  g.block_table = check.tensor("block_table", p.block_table).rank(2).dtype({VKV_DTYPE_I32}).packed_from(1);
  g.batch = g.block_table.shape[0];
  g.table_columns = g.block_table.shape[1];
  g.cu_seq_lens = check.tensor("cu_seq_lens", p.cu_seq_lens)
                      .rank(1)
                      .dtype({VKV_DTYPE_I32})
                      .dim(0, g.batch + 1, "block_table.shape[0] + 1");
  g.seq_starts = check.optional("seq_starts", p.seq_starts, [&](Arg& arg) {
    arg.rank(1).dtype({VKV_DTYPE_I32}).dim(0, g.batch, "block_table.shape[0]");
  });
}

}  // namespace vkv
