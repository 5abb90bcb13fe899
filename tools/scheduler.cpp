#include "tools/scheduler.hpp"

#include <algorithm>

#include "tools/command.hpp"

namespace tools {

Scheduler::Scheduler(const SchedulerLimits& limits, const std::vector<Request>& requests)
    : limits_(limits),
      device_(limits.device_blocks),
      host_(limits.host_blocks),
      arriving_(requests.begin(), requests.end()) {
  for (const Request& request : requests) {
    const int64_t needed = (request.final_length() + limits.block_size - 1) / limits.block_size;
    if (needed > limits.device_blocks) {
      throw Refusal("request " + std::to_string(request.id) + " grows to " + std::to_string(request.final_length()) +
                    " tokens and needs " + std::to_string(needed) + " blocks of " + std::to_string(limits.block_size) +
                    "; the pool has " + std::to_string(limits.device_blocks));
    }
  }
}

bool Scheduler::next(Step& step) {
  step.swap_out.clear();
  step.swap_in.clear();
  step.writes.clear();
  step.rows.clear();
  retire();
  if (running_.empty() && swapped_.empty() && waiting_.empty() && arriving_.empty()) return false;
  advance_clock();

  const bool preempted = grow_running(step);
  if (!preempted) {
    swap_in(step);
    if (swapped_.empty()) admit();
  }
  for (const Owned& sequence : running_) {
    sequence->length = sequence->next_length();
    step.writes.push_back({sequence.get(), sequence->cached, sequence->length});
    counts_.written_tokens += sequence->length - sequence->cached;
    sequence->cached = sequence->length;
    step.rows.push_back(sequence.get());
  }

  const int64_t batch = running();
  counts_.smallest_batch = counts_.steps == 0 ? batch : std::min(counts_.smallest_batch, batch);
  counts_.largest_batch = std::max(counts_.largest_batch, batch);
  counts_.longest_queue = std::max(counts_.longest_queue, waiting());
  counts_.rows += batch;
  ++counts_.steps;
  return true;
}

void Scheduler::retire() {
  const auto first_done =
      std::stable_partition(running_.begin(), running_.end(), [](const Owned& s) { return !s->done(); });
  for (auto it = first_done; it != running_.end(); ++it) {
    device_.give_back_all((*it)->blocks);
    ++counts_.finished;
  }
  running_.erase(first_done, running_.end());
}

void Scheduler::advance_clock() {
  now_ += limits_.seconds_per_step;
  if (running_.empty() && swapped_.empty() && waiting_.empty()) now_ = std::max(now_, arriving_.front().arrival);
  for (; !arriving_.empty() && arriving_.front().arrival <= now_; arriving_.pop_front()) {
    waiting_.push_back(std::make_unique<Sequence>());
    waiting_.back()->request = arriving_.front();
  }
}

int64_t Scheduler::missing_blocks(const Sequence& sequence) const {
  const int64_t needed = (sequence.next_length() + limits_.block_size - 1) / limits_.block_size;
  return needed - static_cast<int64_t>(sequence.blocks.size());
}

void Scheduler::take_blocks(Sequence& sequence) {
  for (int64_t missing = missing_blocks(sequence); missing > 0; --missing) sequence.blocks.push_back(device_.take());
}

// Gives each running sequence, oldest first, the block that its next token may need. The youngest pay for it, and only
// those that have not been served yet can be younger than the one that asks.
bool Scheduler::grow_running(Step& step) {
  bool preempted = false;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    while (i < running_.size() && missing_blocks(*running_[i]) > device_.available()) {
      preempt_youngest(step);
      preempted = true;
    }
    if (i < running_.size()) take_blocks(*running_[i]);
  }
  return preempted;
}

void Scheduler::preempt_youngest(Step& step) {
  Owned victim = std::move(running_.back());
  running_.pop_back();
  if (static_cast<int64_t>(victim->blocks.size()) <= host_.available()) {
    for (int32_t block : victim->blocks) {
      victim->host_blocks.push_back(host_.take());
      step.swap_out.push_back({block, victim->host_blocks.back()});
    }
    counts_.blocks_out += static_cast<int64_t>(victim->blocks.size());
    ++counts_.sequences_out;
    victim->swapped = true;
    device_.give_back_all(victim->blocks);
    swapped_.push_front(std::move(victim));
  } else {
    device_.give_back_all(victim->blocks);
    victim->cached = 0;
    ++counts_.rewritten_sequences;
    waiting_.push_front(std::move(victim));
  }
}

// Whether a sequence may join. One block for each running sequence stays free, so that who joins is not preempted at
// once; where nothing runs, whatever fits may.
bool Scheduler::has_room_for(const Sequence& sequence) const {
  return running() < limits_.max_batch && missing_blocks(sequence) + running() <= device_.available();
}

void Scheduler::swap_in(Step& step) {
  while (!swapped_.empty() && has_room_for(*swapped_.front())) {
    Owned sequence = std::move(swapped_.front());
    swapped_.pop_front();
    take_blocks(*sequence);
    for (std::size_t i = 0; i < sequence->host_blocks.size(); ++i) {
      step.swap_in.push_back({sequence->host_blocks[i], sequence->blocks[i]});
    }
    counts_.blocks_in += static_cast<int64_t>(sequence->host_blocks.size());
    ++counts_.sequences_in;
    host_.give_back_all(sequence->host_blocks);
    running_.push_back(std::move(sequence));
  }
}

void Scheduler::admit() {
  while (!waiting_.empty() && has_room_for(*waiting_.front())) {
    take_blocks(*waiting_.front());
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

}  // namespace tools
