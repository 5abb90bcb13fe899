// Golden cases of the operations that gather ragged sequences from a cache. All expectations are bytes.
#include <algorithm>

#include "cases/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "cases/cp_gather_cache.hpp"
#include "cases/cp_gather_indexer_k_quant_cache.hpp"
#include "cases/gather_and_maybe_dequant_cache.hpp"
#include "golden/capture.hpp"
#include "golden/cases.hpp"
#include "support/reference/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "support/reference/cp_gather_indexer_k_quant_cache.hpp"
#include "support/reference/gather_cache.hpp"

namespace golden {

namespace {

using support::Array;
using support::host;
using support::Random;

// Three sequences in blocks of two, with rows of the buffer that none owns.
cases::Ragged ragged(bool starts) {
  cases::Ragged r{{2, 3, 1}, 2};
  if (starts) r.starts = {1, 2, 3};
  r.lead = 1;
  r.tail = 1;
  r.num_blocks = 3;
  return r;
}

// Zero bytes, in gaps too: a file says how many.
void clear(Array& a) {
  std::fill_n(a.base(), (a.offset(a.size() - 1) + 1) * support::element_size(a.dtype()), uint8_t{0});
  a.upload();
}

// What `run` makes of the problem when the first block id of sequence 1, which `rows` rows need, is not in the cache.
template <class Problem, class Run>
Case with_bad_block(Problem& problem, int64_t rows, Run run) {
  problem.ragged.block_table.set_bits({1, 0}, 3);
  problem.ragged.block_table.upload();
  Case c = run(problem, "a block outside the cache");
  expect_report(c, "VKV_REPORT_BLOCK_ID", rows);
  return c;
}

void add_table_refusals(std::vector<Case>& all, const Case& good) {
  all.push_back(refused_stride(good, "block_table", 1, 2, "block_table.stride[1] is 2, expected 1"));
  all.push_back(refused_dtype(good, "block_table", VKV_DTYPE_I64, "block_table.dtype is i64, expected i32"));
  all.push_back(refused_null(good, "block_table"));
}

}  // namespace

std::vector<Case> gather_and_maybe_dequant_cache() {
  Random random(10);
  std::vector<Case> all;
  using Problem = cases::GatherAndMaybeDequantCacheProblem;
  const auto run = [](Problem& problem, const char* name) {
    Case c = capture("gather_and_maybe_dequant_cache", name, problem.params());
    reference::gather_cache(problem.src_cache, problem.ragged.block_table, problem.ragged.offsets,
                            problem.ragged.seq_starts, problem.scale, problem.rows(), problem.dst);
    problem.dst.upload();
    expect_exact(c, "dst", problem.dst.view());
    return c;
  };
  Problem dequantised(host(), {"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_BF16, 5, ragged(true), 0.37, 3, 0, 6}, random);
  fill_uniform(dequantised.src_cache, random);
  all.push_back(run(dequantised, "e4m3 to bf16, not all rows"));
  const Case good = all.front();
  Problem copied(host(), {"", VKV_DTYPE_F16, VKV_DTYPE_F16, 5, ragged(false), 0, 1}, random);
  all.push_back(run(copied, "f16 copied"));
  all.push_back(with_bad_block(copied, 2, run));
  all.push_back(refused_scalar(good, "num_tokens", 9, "dst.shape[0] is 8, expected at least 9 (num_tokens)"));
  add_table_refusals(all, good);
  return all;
}

std::vector<Case> cp_gather_cache() {
  Random random(11);
  std::vector<Case> all;
  using Problem = cases::CpGatherCacheProblem;
  const auto run = [](Problem& problem, const char* name) {
    Case c = capture("cp_gather_cache", name, problem.params());
    const Array no_scale;
    Array &src = problem.src_cache, &dst = problem.dst;
    reference::gather_cache(src, problem.ragged.block_table, problem.ragged.offsets, problem.ragged.seq_starts,
                            no_scale, dst.dim(0), dst);
    dst.upload();
    expect_exact(c, "dst", dst.view());
    return c;
  };
  Problem bytes(host(), {"", VKV_DTYPE_U8, {5}, {5}, ragged(true), 2}, random);
  all.push_back(run(bytes, "u8"));
  const Case good = all.front();
  Problem words(host(), {"", VKV_DTYPE_F32, {3}, {3}, ragged(false), 1}, random);
  all.push_back(run(words, "f32 without seq_starts"));
  all.push_back(with_bad_block(words, 2, run));
  all.push_back(refused_dtype(good, "dst", VKV_DTYPE_FP8_E4M3, "dst.dtype is e4m3, expected u8 (src_cache.dtype)"));
  add_table_refusals(all, good);
  return all;
}

std::vector<Case> cp_gather_and_upconvert_fp8_kv_cache() {
  Random random(12);
  std::vector<Case> all;
  using Problem = cases::CpGatherAndUpconvertFp8KvCacheProblem;
  const auto run = [](Problem& problem, const char* name) {
    Case c = capture("cp_gather_and_upconvert_fp8_kv_cache", name, problem.params());
    reference::cp_gather_and_upconvert_fp8_kv_cache(problem.src_cache, problem.ragged.block_table,
                                                    problem.ragged.offsets, problem.ragged.seq_starts, problem.dst);
    problem.dst.upload();
    expect_exact(c, "dst", problem.dst.view());
    return c;
  };
  cases::Ragged rows{{1, 1}, 2, {1, 3}};
  rows.num_blocks = 2;
  rows.lead = 1;
  Problem problem(host(), {"", VKV_DTYPE_BF16, rows, 3}, random);
  for (int64_t i = 0; i < problem.src_cache.size(); ++i) {
    const int64_t byte = i % 656;
    if (byte < 512) problem.src_cache.set_bits(i, static_cast<uint64_t>(random.integer(0, 0x6F)));  // finite e4m3
    else if (byte < 528) problem.src_cache.set_bits(i, byte % 4 == 3 ? 0x3Fu : 0x10u);              // scales near 1
  }
  problem.src_cache.upload();
  clear(problem.dst);
  all.push_back(run(problem, "to bf16"));
  const Case good = all.front();
  clear(problem.src_cache);
  clear(problem.dst);
  problem.ragged.block_table.set_bits({1, 1}, 2);
  problem.ragged.block_table.upload();
  all.push_back(run(problem, "a block outside the cache"));
  expect_report(all.back(), "VKV_REPORT_BLOCK_ID", 1);
  all.push_back(refused_dtype(good, "dst", VKV_DTYPE_F32, "dst.dtype is f32, expected f16 or bf16"));
  add_table_refusals(all, good);
  return all;
}

std::vector<Case> cp_gather_indexer_k_quant_cache() {
  Random random(13);
  std::vector<Case> all;
  using Problem = cases::CpGatherIndexerKQuantCacheProblem;
  const auto run = [](Problem& problem, const char* name) {
    Case c = capture("cp_gather_indexer_k_quant_cache", name, problem.params());
    reference::cp_gather_indexer_k_quant_cache(problem.kv_cache, problem.ragged.block_table, problem.ragged.offsets,
                                               problem.dst_k, problem.dst_scale);
    problem.dst_k.upload();
    problem.dst_scale.upload();
    expect_exact(c, "dst_k", problem.dst_k.view());
    expect_exact(c, "dst_scale", problem.dst_scale.view());
    return c;
  };
  Problem problem(host(), {"", ragged(false), 12, 3, 2, 8}, random);
  all.push_back(run(problem, "three scales a row"));
  const Case good = all.front();
  all.push_back(with_bad_block(problem, 2, run));
  all.push_back(refused_dtype(good, "dst_scale", VKV_DTYPE_BF16, "dst_scale.dtype is bf16, expected f32"));
  add_table_refusals(all, good);
  return all;
}

}  // namespace golden
