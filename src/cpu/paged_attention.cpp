// paged_attention on the CPU: threads compute units until none is left; trees that were cut are then put together.
#include <algorithm>
#include <atomic>
#include <limits>

#include "cpu/attention_unit.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

std::size_t plan_paged_attention(const Context& ctx, const PagedAttention& p) {
  constexpr int64_t kMostSequences = int64_t{1} << 40;
  if (p.num_seqs > kMostSequences) {
    fail(VKV_ERROR_NOT_SUPPORTED, "%lld sequences; the CPU backend supports up to 2^40",
         static_cast<long long>(p.num_seqs));
  }
  const AttentionShape shape(p, self(ctx).pool.threads());
  return AttentionWorkspace(nullptr, p, shape).bytes;
}

namespace {

void keep(const AttentionState& from, const AttentionState& to, int64_t rows, int64_t ld) {
  std::copy_n(from.max, rows, to.max);
  std::copy_n(from.sum, rows, to.sum);
  std::copy_n(from.acc, rows * ld, to.acc);
}

}  // namespace

void run(const Context& ctx, const PagedAttention& p, vkv_stream) {
  ThreadPool& pool = self(ctx).pool;
  const AttentionShape shape(p, pool.threads());
  const AttentionWorkspace workspace(p.workspace, p, shape);
  const AttentionSchedule schedule(ctx, p, shape, workspace.sequences);
  const auto partial = [&](int64_t index) { return attention_state(workspace.partials, shape.rows, index, shape.ld); };
  // One loop index a thread, so that each has memory of its own; the work itself is taken in turns.
  const auto share = [&](int64_t tasks, auto&& task) {
    std::atomic<int64_t> next{0};
    pool.for_each(std::min(tasks, shape.threads), [&](int64_t thread) {
      const AttentionScratch scratch = workspace.scratch(thread);
      AttentionWorker worker(ctx, p, shape, scratch);
      for (int64_t i = next.fetch_add(1); i < tasks; i = next.fetch_add(1)) task(worker, i);
    });
  };

  share(schedule.units(), [&](AttentionWorker& worker, int64_t i) {
    const AttentionUnit unit = schedule.unit(i);
    if (unit.partial < 0) {
      worker.write(unit, worker.compute(unit, 0, std::numeric_limits<int64_t>::max()));
    } else {
      const int64_t level = schedule.span_level();
      const AttentionState state = worker.compute(unit, unit.node << level, (unit.node + 1) << level);
      keep(state, partial(unit.partial), unit.heads * unit.rows, shape.ld);
    }
  });
  share(schedule.trees(), [&](AttentionWorker& worker, int64_t i) {
    int64_t spans;
    const AttentionUnit first = schedule.tree(i, &spans);
    AttentionTree tree(attention_kernels(self(ctx).isa), first.heads * first.rows, shape.ld);
    for (int64_t s = 0; s < spans; ++s) tree.add(partial(first.partial + s), first.node + s);
    worker.write(first, *tree.root());
  });
}

}  // namespace vkv::cpu
