// The scheduler, against a model of the memory it plans for: every row must find all of its tokens where its blocks
// say.
#include "tools/scheduler.hpp"

#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/random.hpp"
#include "tools/command.hpp"

using support::Random;
using tools::BlockMove;
using tools::Request;
using tools::Scheduler;
using tools::SchedulerLimits;
using tools::Sequence;
using tools::Step;

namespace {

// What a slot holds.
struct Token {
  int64_t request = -1, token = -1;
  bool operator==(const Token& other) const { return request == other.request && token == other.token; }
};

class Model {
 public:
  explicit Model(const SchedulerLimits& limits)
      : block_size_(limits.block_size), device_(slots(limits.device_blocks)), host_(slots(limits.host_blocks)) {}

  void apply(const Step& step) {
    move(step.swap_out, device_, host_);
    move(step.swap_in, host_, device_);
    for (const Step::Write& write : step.writes) {
      for (int64_t t = write.first; t < write.last; ++t) slot(*write.sequence, t) = {write.sequence->request.id, t};
    }
  }

  int64_t misplaced(const Sequence& sequence) {
    int64_t wrong = 0;
    for (int64_t t = 0; t < sequence.length; ++t) wrong += !(slot(sequence, t) == Token{sequence.request.id, t});
    return wrong;
  }

 private:
  using Pool = std::vector<Token>;
  std::size_t slots(int64_t blocks) const { return static_cast<std::size_t>(blocks * block_size_); }
  Token& slot(const Sequence& sequence, int64_t token) {
    const int64_t block = sequence.blocks.at(static_cast<std::size_t>(token / block_size_));
    return device_.at(static_cast<std::size_t>(block * block_size_ + token % block_size_));
  }
  void move(const std::vector<BlockMove>& moves, Pool& from, Pool& to) {
    for (const BlockMove& m : moves) {
      for (int64_t i = 0; i < block_size_; ++i) {
        to.at(static_cast<std::size_t>(m.to * block_size_ + i)) =
            from.at(static_cast<std::size_t>(m.from * block_size_ + i));
      }
    }
  }

  int64_t block_size_;
  Pool device_, host_;
};

std::vector<Request> random_requests(Random& random, int64_t count, int64_t most_tokens) {
  std::vector<Request> requests;
  double arrival = 0;
  for (int64_t i = 0; i < count; ++i) {
    arrival += random.uniform() < 0.2 ? 10 : random.uniform();
    const int64_t prompt = random.integer(1, most_tokens);
    requests.push_back({i, arrival, prompt, random.integer(1, most_tokens - prompt + 1)});
  }
  return requests;
}

// Runs to the end and checks every step. Counts at the end.
tools::SchedulerCounts run(const SchedulerLimits& limits, const std::vector<Request>& requests) {
  Scheduler scheduler(limits, requests);
  Model model(limits);
  Step step;
  std::map<int64_t, int64_t> lengths;  // of the last row of each request
  int64_t first_rows = 0, wrong = 0, steps = 0, most_steps = 0;
  for (const Request& r : requests) most_steps += 4 * (r.generated + 2);
  while (scheduler.next(step)) {
    REQUIRE(++steps <= most_steps);
    model.apply(step);
    std::set<int32_t> owned;
    std::size_t blocks = 0;
    for (const Sequence* s : step.rows) {
      wrong += model.misplaced(*s);
      owned.insert(s->blocks.begin(), s->blocks.end());
      blocks += s->blocks.size();
      wrong += s->cached != s->length || s->length > s->request.final_length();
      const auto seen = lengths.find(s->request.id);
      if (seen == lengths.end()) {
        wrong += s->length != s->request.prompt;
        wrong += s->request.id != first_rows++;  // admitted in order of arrival
      } else {
        wrong += s->length != seen->second + 1;
      }
      lengths[s->request.id] = s->length;
    }
    wrong += owned.size() != blocks;  // no block belongs to two
    wrong += static_cast<int64_t>(step.rows.size()) > limits.max_batch || step.rows.empty();
    wrong +=
        step.swap_out.size() > 0 && step.swap_in.size() > 0;  // a host block must not be freed and filled in one step
    REQUIRE(wrong == 0);
  }
  const auto& counts = scheduler.counts();
  CHECK(counts.finished == static_cast<int64_t>(requests.size()));
  CHECK(scheduler.device_pool().available() == limits.device_blocks);
  CHECK(scheduler.host_pool().available() == limits.host_blocks);
  CHECK(counts.blocks_out == counts.blocks_in);
  CHECK(counts.sequences_out == counts.sequences_in);
  int64_t rows = 0;
  for (const Request& r : requests) {
    CHECK(lengths[r.id] == r.final_length());
    rows += r.generated;
  }
  CHECK(counts.rows == rows);
  CHECK(counts.steps == steps);
  return counts;
}

}  // namespace

TEST_CASE("random traffic: every row finds its tokens, and every block comes back") {
  Random random(1);
  int64_t swapped = 0, rewritten = 0;
  for (int i = 0; i < 60; ++i) {
    const int64_t block_size = random.integer(1, 9), most_tokens = random.integer(1, 60);
    const int64_t least = (most_tokens + block_size - 1) / block_size;
    SchedulerLimits limits{block_size, least + random.integer(0, 3 * least), random.integer(0, 3 * least),
                           random.integer(1, 12), random.uniform(0.01, 0.5)};
    CAPTURE(i, block_size, most_tokens, limits.device_blocks, limits.host_blocks, limits.max_batch,
            support::process_seed());
    const auto counts = run(limits, random_requests(random, 30, most_tokens));
    swapped += counts.sequences_out;
    rewritten += counts.rewritten_sequences;
  }
  CHECK(swapped > 0);
  CHECK(rewritten > 0);
}

TEST_CASE("time: a step advances the trace, and idle time is skipped") {
  const std::vector<Request> requests = {{0, 0.0, 4, 10}, {1, 0.35, 4, 2}, {2, 1000.0, 4, 1}};
  Scheduler scheduler({4, 16, 16, 8, 0.1}, requests);
  Step step;
  std::vector<std::size_t> batches;
  while (scheduler.next(step)) batches.push_back(step.rows.size());
  // Steps stand at 0.1, 0.2, ...: request 1 joins in the fourth for two; request 2 comes when all else is done.
  CHECK(batches == std::vector<std::size_t>{1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1});
}

TEST_CASE("preemption: the youngest goes, swapped if the host pool has room, else written again") {
  // Two sequences of 8 tokens each in a pool of 3 blocks of 4: both start with one block, the third goes to the older.
  const std::vector<Request> requests = {{0, 0.0, 4, 5}, {1, 0.0, 4, 5}};
  const auto with_host = run({4, 3, 2, 8, 1}, requests);
  CHECK(with_host.sequences_out == 1);
  CHECK(with_host.blocks_in == 1);
  CHECK(with_host.rewritten_sequences == 0);
  CHECK(with_host.written_tokens == 16);
  const auto without = run({4, 3, 0, 8, 1}, requests);
  CHECK(without.sequences_out == 0);
  CHECK(without.rewritten_sequences == 1);
  CHECK(without.written_tokens > 16);
}

TEST_CASE("a request that the pool can never hold is refused") {
  CHECK_NOTHROW(Scheduler({4, 3, 0, 8, 1}, {{0, 0.0, 4, 9}}));
  try {
    Scheduler({4, 3, 0, 8, 1}, {{0, 0.0, 1, 1}, {1, 0.0, 4, 10}});
    FAIL("not refused");
  } catch (const tools::Refusal& e) {
    CHECK(std::string(e.what()) == "request 1 grows to 13 tokens and needs 4 blocks of 4; the pool has 3");
  }
}

TEST_CASE("a block pool knows what is taken") {
  tools::BlockPool pool(2);
  const int32_t a = pool.take(), b = pool.take();
  CHECK(a != b);
  CHECK(pool.available() == 0);
  CHECK_THROWS(pool.take());
  pool.give_back(a);
  CHECK_THROWS(pool.give_back(a));
  CHECK_THROWS(pool.give_back(2));
  CHECK(pool.take() == a);
}
