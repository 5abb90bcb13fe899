// Who runs in a step, and in which blocks: an engine's scheduler as pure logic, without memory or operations.
//
// A step gives every running sequence one more token. Trace time advances by a fixed amount a step; where nothing runs
// and nothing waits, it jumps to the next arrival. Requests are admitted in order of arrival. When a running sequence
// finds no block, the youngest running one is preempted: its blocks move to the host pool, or, if that is full, are
// dropped and its tokens are written again later. Preempted sequences come back, oldest first, before any new one is
// admitted.
#pragma once

#include <deque>
#include <memory>

#include "tools/block_pool.hpp"
#include "tools/trace.hpp"

namespace tools {

struct SchedulerLimits {
  int64_t block_size;
  int64_t device_blocks, host_blocks;
  int64_t max_batch;
  double seconds_per_step;  // of the trace
};

struct Sequence {
  Request request;
  int64_t length = 0;    // tokens that its last row attended to; 0 before its first
  int64_t cached = 0;    // tokens in its blocks
  bool swapped = false;  // was in the host pool at some time
  std::vector<int32_t> blocks, host_blocks;

  // Tokens that its next row attends to: the whole prompt first, then one more each time.
  int64_t next_length() const { return length == 0 ? request.prompt : length + 1; }
  bool done() const { return length == request.final_length(); }
};

struct BlockMove {
  int32_t from, to;
};

// What a step does, in this order.
struct Step {
  struct Write {
    const Sequence* sequence;
    int64_t first, last;  // tokens [first, last)
  };
  std::vector<BlockMove> swap_out, swap_in;
  std::vector<Write> writes;
  std::vector<const Sequence*> rows;  // one row of attention each, over `length` tokens
};

struct SchedulerCounts {
  int64_t steps = 0, rows = 0, finished = 0, written_tokens = 0;
  int64_t sequences_out = 0, sequences_in = 0, blocks_out = 0, blocks_in = 0, rewritten_sequences = 0;
  int64_t smallest_batch = 0, largest_batch = 0, longest_queue = 0;
};

class Scheduler {
 public:
  // A request that the device pool cannot hold by itself is a Refusal. `requests` in order of arrival.
  Scheduler(const SchedulerLimits& limits, const std::vector<Request>& requests);

  // Plans the next step into `step`, whose pointers hold until the next call. False when every request is finished and
  // every block is back.
  bool next(Step& step);

  const SchedulerCounts& counts() const { return counts_; }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }
  int64_t swapped() const { return static_cast<int64_t>(swapped_.size()); }
  int64_t waiting() const { return static_cast<int64_t>(waiting_.size()); }
  const BlockPool& device_pool() const { return device_; }
  const BlockPool& host_pool() const { return host_; }

 private:
  using Owned = std::unique_ptr<Sequence>;

  void retire();
  void advance_clock();
  bool grow_running(Step& step);
  void swap_in(Step& step);
  void admit();
  void preempt_youngest(Step& step);
  int64_t missing_blocks(const Sequence& sequence) const;
  bool has_room_for(const Sequence& sequence) const;
  void take_blocks(Sequence& sequence);

  SchedulerLimits limits_;
  BlockPool device_, host_;
  std::deque<Request> arriving_;
  std::deque<Owned> waiting_, swapped_;  // oldest first
  std::vector<Owned> running_;           // oldest first
  double now_ = 0;
  SchedulerCounts counts_;
};

}  // namespace tools
