// Paged attention on CUDA: graphs replayed after every input changed, long contexts, threads that share a context, and
// garbage in device memory.
#include <atomic>
#include <climits>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "cases/paged_attention_calls.hpp"
#include "cuda/cuda.hpp"
#include "support/reduced.hpp"

using cases::Bits;
using cases::PagedAttentionProblem;
using cases::Scales;
using cuda_test::Buffer;
using cuda_test::Stream;
using support::Array;
using support::Device;
using support::Random;

namespace {

// The size that a decode kernel of its own serves.
template <class Change>
cases::PagedAttention make(Change change) {
  cases::PagedAttention c;
  c.heads = 8, c.kv_heads = 2, c.dim = 128;
  change(c);
  return c;
}

std::size_t workspace_bytes(const Device& device, const vkv_paged_attention_params& p) {
  std::size_t bytes = 0;
  VKV_CHECK_OK(cases::size_of(device, p, &bytes));
  return bytes;
}

// ---- graphs

// A call captured once.
class Captured {
 public:
  Captured(const Device& device, const vkv_paged_attention_params& p) {
    VKV_CUDA_OK(cudaStreamBeginCapture(stream_.stream, cudaStreamCaptureModeRelaxed));
    VKV_CHECK_OK(vkv_paged_attention(device.ctx, &p, stream_.stream));
    VKV_CUDA_OK(cudaStreamEndCapture(stream_.stream, &graph_));
    VKV_CUDA_OK(cudaGraphInstantiate(&executable_, graph_, 0));
  }
  ~Captured() {
    cudaGraphExecDestroy(executable_);
    cudaGraphDestroy(graph_);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  Bits replay(PagedAttentionProblem& problem) {
    problem.out.fill_poison();
    problem.lse.fill_poison();
    VKV_CUDA_OK(cudaGraphLaunch(executable_, stream_.stream));
    VKV_CUDA_OK(cudaStreamSynchronize(stream_.stream));
    return cases::bits_of(problem);
  }

 private:
  Stream stream_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

// One of many contents of the same shapes: kSeqs sequences, one of them of up to kColumns blocks. That is enough for
// parts to meet twice, in groups and then all.
constexpr int64_t kSeqs = 5, kColumns = 1100, kBlocks = kColumns + 80;

PagedAttentionProblem contents(const Device& device, cases::PagedAttention c, uint64_t seed) {
  Random random(seed);
  c.max_seq_len = kColumns * c.block_size;
  const int64_t longest = seed % 2 == 0 ? c.max_seq_len : random.integer(300, 1500);
  c.lengths = {longest, 0, random.integer(1, 40), random.integer(200, 300), random.integer(1, 700)};
  const std::vector<int64_t> order = random.distinct(kSeqs, kSeqs), lengths = c.lengths, queries = c.queries;
  int64_t used = 0, columns = 0;
  for (std::size_t s = 0; s < kSeqs; ++s) {
    c.lengths[s] = lengths[static_cast<std::size_t>(order[s])];
    if (!queries.empty()) c.queries[s] = queries[(s + seed) % kSeqs];
    const int64_t n = (c.lengths[s] + c.block_size - 1) / c.block_size;
    used += n;
    columns = std::max(columns, n);
  }
  const int64_t spare = kBlocks - used;
  const cases::Placement placement = {{}, seed, c.csr ? spare : kColumns - columns, spare};
  return PagedAttentionProblem(device, c, support::process_seed() + seed, placement);
}

void copy(const Array& from, Array& to) {
  REQUIRE(from.shape() == to.shape());
  if (!from.present()) return;
  const auto before = static_cast<std::size_t>(from.base() - from.image().data());
  std::memcpy(to.base(), from.base(), from.image().size() - before);
  to.upload();
}

void copy_tables(const PagedAttentionProblem& from, PagedAttentionProblem& to) {
  using P = PagedAttentionProblem;
  for (Array P::*a : {&P::block_table, &P::seq_lens, &P::kv_indptr, &P::kv_indices, &P::kv_last_page_len,
                      &P::query_start_loc}) {
    copy(from.*a, to.*a);
  }
}

// Puts all that `from` holds at the addresses of `to`.
void copy_contents(const PagedAttentionProblem& from, PagedAttentionProblem& to) {
  using P = PagedAttentionProblem;
  for (Array P::*a : {&P::query, &P::k_scale, &P::v_scale, &P::alibi_slopes, &P::sinks}) copy(from.*a, to.*a);
  for (std::size_t i = 0; i < to.caches.size(); ++i) copy(from.caches[i], to.caches[i]);
  copy_tables(from, to);
  to.c = from.c;
}

}  // namespace

TEST_CASE("paged_attention: a graph captured once is right after every input changed") {
  const Device* device = cuda_test::device();
  if (device == nullptr) return;
  const cases::PagedAttention kinds[] = {
      make([](auto& c) { c.kv_heads = 1, c.sinks = c.alibi = true; }),
      make([](auto& c) {
        c.cache = VKV_DTYPE_FP8_E4M3, c.scales = Scales::per_head, c.x_packed = true, c.sinks = c.alibi = true;
        c.queries = {4, 1, 3, 2, 2}, c.max_query_len = 4;
      }),
      make([](auto& c) { c.csr = c.sinks = true, c.queries = {60, 31, 1, 0, 8}, c.max_query_len = 60; }),
  };
  for (const cases::PagedAttention& kind : kinds) {
    PagedAttentionProblem problem = contents(*device, kind, 1);
    vkv_paged_attention_params p = problem.params();
    const std::size_t bytes = workspace_bytes(*device, p);
    REQUIRE(bytes > 0);  // else nothing could go wrong with it
    const Buffer workspace(bytes);
    p.workspace = workspace.data();
    p.workspace_size = bytes;
    Captured graph(*device, p);
    Random random(2);
    for (uint64_t content = 1; content <= 4; ++content) {
      CAPTURE(kind.cache, kind.csr, content, support::process_seed());
      PagedAttentionProblem eager = contents(*device, kind, content);
      const Bits want = cases::solve(*device, eager);
      copy_contents(eager, problem);
      for (const char* soil : {"what the last replay left", "ones", "zeros", "random", "what another call left"}) {
        CAPTURE(soil);
        std::vector<uint8_t> image(bytes, std::strcmp(soil, "zeros") == 0 ? 0 : 0xFF);
        if (std::strcmp(soil, "random") == 0) {
          for (uint8_t& byte : image) byte = static_cast<uint8_t>(random.bits());
        }
        if (std::strncmp(soil, "what", 4) != 0) device->memory->to_device(workspace.data(), image.data(), bytes);
        if (std::strcmp(soil, "what another call left") == 0) {
          auto other = eager.params();
          other.workspace = p.workspace;
          other.workspace_size = bytes;
          VKV_CHECK_OK(cases::run(*device, other));
          support::synchronize(*device);
        }
        CHECK((graph.replay(problem) == want));
      }
      cases::check_rows(*device, problem);
    }
    const Bits want = graph.replay(problem);
    int wrong = 0;
    for (int i = 0; i < 50; ++i) wrong += graph.replay(problem) != want;
    CHECK(wrong == 0);
    CHECK(support::take_report(*device).count == 0);
  }
}

// ---- long contexts

TEST_CASE("paged_attention: 100000 tokens follow the formula") {
  const Device* device = cuda_test::device();
  if (device == nullptr || support::reduced()) return;
  struct Types {
    vkv_dtype query, cache;
  };
  const Types types[] = {
      {VKV_DTYPE_BF16, VKV_DTYPE_BF16}, {VKV_DTYPE_F16, VKV_DTYPE_F16}, {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}};
  for (const Types t : types) {
    CAPTURE(t.query, t.cache, support::process_seed());
    PagedAttentionProblem problem(*device, make([&](auto& c) {
      c.dtype = t.query, c.cache = t.cache, c.heads = 4, c.kv_heads = 1, c.lengths = {100000}, c.queries = {2};
      c.scales = Scales::per_head;
    }), support::process_seed() + 5);
    cases::solve(*device, problem);
    cases::check_rows(*device, problem);
    // Blocks that lie before every row's window are not looked at.
    problem.c.window = 4096;
    const int64_t first = (100000 - 2 - 4096 + 1) / problem.c.block_size;
    for (int64_t column = 0; column < first; ++column) {
      problem.block_table.set_bits(column, static_cast<uint64_t>(int64_t{column % 2 == 0 ? INT_MAX : INT_MIN}));
    }
    problem.block_table.upload();
    problem.out.fill_poison();
    problem.lse.fill_poison();
    cases::solve(*device, problem);
    cases::check_rows(*device, problem);
    CHECK(support::take_report(*device).count == 0);
  }
}

// ---- threads

TEST_CASE("paged_attention: threads with streams and workspaces of their own share a context") {
  const Device* device = cuda_test::device();
  if (device == nullptr) return;
  constexpr int kThreads = 4;
  const std::size_t calls = support::reduced() ? 3 : 20;
  struct Worker {
    Stream stream;
    std::vector<PagedAttentionProblem> problems;  // take turns in one workspace
    std::vector<vkv_paged_attention_params> params;
    std::vector<std::vector<uint8_t>> want;
    std::unique_ptr<Buffer> workspace, outs;
    std::size_t out_bytes = 0;  // of one call
    int failures = 0;
  };
  std::vector<std::unique_ptr<Worker>> workers;
  for (int t = 0; t < kThreads; ++t) {
    workers.push_back(std::make_unique<Worker>());
    Worker& w = *workers.back();
    std::size_t bytes = 0;
    for (const vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3}) {
      w.problems.emplace_back(*device, make([&](auto& c) {
        c.cache = cache, c.kv_heads = 1 + t % 2, c.lengths = {3000 + 900 * t, 300, 17}, c.lse = false;
      }), support::process_seed() + 10 + static_cast<uint64_t>(t));
      PagedAttentionProblem& problem = w.problems.back();
      cases::solve(*device, problem);
      w.out_bytes = static_cast<std::size_t>(problem.out.size() * 2);
      w.want.emplace_back(problem.out.base(), problem.out.base() + w.out_bytes);
      w.params.push_back(problem.params());
      bytes = std::max(bytes, workspace_bytes(*device, w.params.back()));
    }
    w.workspace = std::make_unique<Buffer>(bytes);
    w.outs = std::make_unique<Buffer>(calls * w.out_bytes);
    for (vkv_paged_attention_params& p : w.params) {
      p.workspace = w.workspace->data();
      p.workspace_size = bytes;
    }
  }
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (const auto& worker : workers) {
    threads.emplace_back([&ready, calls, device, &w = *worker] {
      for (++ready; ready < kThreads;) std::this_thread::yield();
      for (std::size_t i = 0; i < calls; ++i) {
        vkv_paged_attention_params p = w.params[i % 2];
        p.out.data = w.outs->data() + i * w.out_bytes;
        w.failures += vkv_paged_attention(device->ctx, &p, w.stream.stream) != VKV_OK;
      }
      w.failures += cudaStreamSynchronize(w.stream.stream) != cudaSuccess;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& w : workers) {
    CAPTURE(support::process_seed());
    CHECK(w->failures == 0);
    std::vector<uint8_t> got(w->out_bytes);
    int wrong = 0;
    for (std::size_t i = 0; i < calls; ++i) {
      device->memory->to_host(got.data(), w->outs->data() + i * w->out_bytes, got.size());
      wrong += got != w->want[i % 2];
    }
    CHECK(wrong == 0);
  }
}

// ---- garbage

namespace {

// Two of three elements become any integers; `limit` is where good ones end.
void spoil(Array& array, Random& random, int64_t limit) {
  if (!array.present()) return;
  for (int64_t i = 0; i < array.size(); ++i) {
    const int64_t choices[] = {INT_MIN, INT_MAX, -1, limit + random.integer(-2, 2), static_cast<int32_t>(random.bits()),
                               random.integer(0, limit)};
    if (random.integer(0, 2) != 0) array.set_bits(i, static_cast<uint64_t>(choices[random.integer(0, 5)]));
  }
  array.upload();
}

}  // namespace

TEST_CASE("paged_attention: garbage in lengths, tables and offsets stays without consequence") {
  const Device* device = cuda_test::device();
  if (device == nullptr) return;
  const cases::PagedAttention kinds[] = {
      make([](auto&) {}),
      make([](auto& c) { c.cache = VKV_DTYPE_FP8_E4M3, c.x_packed = true, c.queries = {3, 1, 4}; }),
      make([](auto& c) { c.csr = true, c.queries = {40, 3, 33}; }),
      make([](auto& c) { c.dtype = c.cache = VKV_DTYPE_F32, c.csr = true; }),
  };
  Random random(7);
  for (cases::PagedAttention c : kinds) {
    c.heads = 4, c.kv_heads = 1, c.lengths = {300, 20, 70};
    for (const int64_t q : c.queries) c.max_query_len = std::max(c.max_query_len, static_cast<int32_t>(q));
    const uint64_t seed = support::process_seed() + 8;
    PagedAttentionProblem good(*device, c, seed), problem(*device, c, seed);
    const Bits want = cases::solve(*device, good);
    // Numbers in every slot: whatever block an id names can be compared.
    for (Array& cache : problem.caches) cache.fill_normal(random);
    const std::vector<uint8_t> keys = problem.caches[0].image(), values = problem.caches[1].image();
    const int64_t blocks = problem.caches[0].dim(c.x_packed ? 0 : 1);
    const int64_t most = c.csr ? 0 : problem.block_table.dim(1) * c.block_size;
    for (int round = 0; round < (support::reduced() ? 8 : 200); ++round) {
      CAPTURE(c.cache, c.csr, round, support::process_seed());
      problem.out.fill_poison();
      problem.lse.fill_poison();
      copy_tables(good, problem);
      const auto any = random.integer(1, 15);
      if (any & 1) spoil(problem.seq_lens, random, most + 1);
      if (any & 1) spoil(problem.kv_last_page_len, random, c.block_size + 1);
      if (any & 2) spoil(problem.block_table, random, blocks);
      if (any & 2) spoil(problem.kv_indices, random, blocks);
      if (any & 4) spoil(problem.kv_indptr, random, c.csr ? problem.kv_indices.size() + 1 : 0);
      if (any & 8) spoil(problem.query_start_loc, random, problem.query.dim(0) + 1);
      VKV_CHECK_OK(cases::call(*device, problem.params()));
      problem.out.download();
      problem.lse.download();
      CHECK((problem.out.intact() && problem.lse.intact()));
      const auto report = support::take_report(*device);
      if (c.csr || !c.queries.empty()) continue;
      bool bad = false;
      for (int64_t s = 0; s < 3; ++s) {
        bad = bad || problem.seq_lens.integer(s) < 0 || problem.seq_lens.integer(s) > most;
      }
      if (bad) CHECK(report.count > 0);
      if (round % 4 == 0) cases::check_rows(*device, problem);
    }
    for (Array& cache : problem.caches) cache.download();
    CHECK((problem.caches[0].image() == keys && problem.caches[1].image() == values));
    CHECK((cases::solve(*device, good) == want));
    CHECK(support::take_report(*device).count == 0);
  }
}
