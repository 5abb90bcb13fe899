// The memory and the calls of a replay: what an engine does with the library in a step, timed.
#pragma once

#include "tools/buffer.hpp"
#include "tools/replay.hpp"

namespace tools {

class Engine {
 public:
  // `longest`: most tokens that a sequence reaches. What the library does not support is a Refusal, before anything
  // runs.
  Engine(const support::Device& device, const ReplayOptions& options, const Content& content, int64_t longest);

  void swap_out(const std::vector<BlockMove>& moves) { swap(moves, device_pool_, host_pool_, times_.swap_out); }
  void swap_in(const std::vector<BlockMove>& moves) { swap(moves, host_pool_, device_pool_, times_.swap_in); }
  void write(const std::vector<Step::Write>& writes);
  void attend(const std::vector<const Sequence*>& rows);

  std::size_t output_row_bytes() const { return row_bytes_; }
  void read_output_row(int64_t row, void* to) const;
  void read_block(int32_t block, void* to) const;

  struct Times {
    OpTime write, attention, swap_out = {"swap_blocks out"}, swap_in = {"swap_blocks in"};
  };
  const Times& times() const { return times_; }

 private:
  void refuse_unsupported();
  void write_staged(int64_t tokens);
  template <class Params>
  void set_caches(Params& params) const;
  template <class Params>
  Params write_params(int64_t tokens) const;
  vkv_paged_attention_params attention_params(int64_t rows, int64_t columns) const;
  vkv_swap_blocks_params swap_params(const Buffer& from, const Buffer& to, const int64_t* pairs, int64_t count) const;
  void swap(const std::vector<BlockMove>& moves, const Buffer& from, const Buffer& to, OpTime& time);
  vkv_tensor pool_view(const Buffer& pool) const;
  template <class Call>
  void timed(OpTime& time, double bytes, Call&& call);

  const support::Device device_;
  const ReplayOptions options_;
  const Content& content_;
  const CacheLayout layout_;
  const int64_t longest_;
  const std::size_t row_bytes_;    // of a query or output row
  const std::size_t token_bytes_;  // of a token's keys
  Buffer device_pool_, host_pool_;
  Buffer keys_, values_, slots_;  // tokens on their way into the cache
  Buffer k_scale_, v_scale_;
  Buffer query_, out_, table_, lengths_;
  Buffer workspace_;
  std::vector<char> staged_keys_, staged_values_, staged_queries_;
  std::vector<int64_t> staged_slots_;
  std::vector<int32_t> staged_table_, staged_lengths_;
  Times times_;
};

}  // namespace tools
