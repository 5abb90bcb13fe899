// Golden cases of the operations that write caches. All expectations are bytes.
#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_and_cache_mla_rope_fused.hpp"
#include "cases/indexer_k_quant_and_cache.hpp"
#include "cases/reshape_and_cache.hpp"
#include "cases/reshape_and_cache_flash.hpp"
#include "golden/capture.hpp"
#include "golden/cases.hpp"
#include "support/reference/concat_and_cache_mla.hpp"
#include "support/reference/concat_and_cache_mla_rope_fused.hpp"
#include "support/reference/concat_mla_q.hpp"
#include "support/reference/convert_fp8.hpp"
#include "support/reference/indexer_k_quant_and_cache.hpp"
#include "support/reference/reshape_and_cache.hpp"
#include "support/reference/reshape_and_cache_flash.hpp"

namespace golden {

namespace {

using cases::Scales;
using support::Array;
using support::host;
using support::Random;

constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kF32 = VKV_DTYPE_F32;
constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3, kE5m2 = VKV_DTYPE_FP8_E5M2;

// `good` with one slot past the cache: what is written is unchanged but for the token there.
template <class Run>
Case with_bad_slot(Array& slots, int64_t token, int64_t slot, Run run) {
  slots.set_bits(token, static_cast<uint64_t>(slot));
  slots.upload();
  Case c = run("a slot past the cache");
  expect_report(c, "VKV_REPORT_SLOT", 1);
  return c;
}

void add_slot_mapping_refusals(std::vector<Case>& all, const Case& good) {
  all.push_back(refused_dtype(good, "slot_mapping", VKV_DTYPE_I32, "slot_mapping.dtype is i32, expected i64"));
  all.push_back(refused_null(good, "slot_mapping"));
}

}  // namespace

std::vector<Case> reshape_and_cache() {
  Random random(3);
  std::vector<Case> all;
  const auto run = [&](cases::ReshapeAndCacheProblem& problem, const char* name) {
    Case c = capture("reshape_and_cache", name, problem.params());
    reference::reshape_and_cache_keys(problem.key, problem.slots, problem.k_scale, problem.key_cache);
    reference::reshape_and_cache_values(problem.value, problem.slots, problem.v_scale, problem.value_cache);
    problem.key_cache.upload();
    problem.value_cache.upload();
    expect_exact(c, "key_cache", problem.key_cache.view());
    expect_exact(c, "value_cache", problem.value_cache.view());
    return c;
  };
  const auto make = [&](vkv_dtype dtype, vkv_dtype cache, int64_t dim, cases::PackedLayout layout, Scales scales) {
    cases::ReshapeAndCacheProblem problem(host(), {"", dtype, cache, 4, 2, dim, layout, scales, 2, false, 1, true},
                                          random);
    for (Array* a : {&problem.key, &problem.value}) fill_uniform(*a, random);
    problem.slots.fill_integers({5, -1, 2, 7});
    return problem;
  };
  auto copied = make(kBf16, kBf16, 8, cases::PackedLayout::apart, Scales::absent);
  all.push_back(run(copied, "bf16 copied"));
  const Case good = all.front();
  auto narrowed = make(kF32, kE4m3, 16, cases::PackedLayout::heads_first, Scales::per_head);
  all.push_back(run(narrowed, "f32 to e4m3 with scales"));
  all.push_back(with_bad_slot(copied.slots, 2, 8, [&](const char* name) { return run(copied, name); }));
  all.push_back(refused_stride(good, "key_cache", 3, 9, "key_cache.stride[3] is 9, expected 8"));
  all.push_back(refused_dtype(good, "value", kF16, "value.dtype is f16, expected bf16"));
  add_slot_mapping_refusals(all, good);
  return all;
}

std::vector<Case> reshape_and_cache_flash() {
  Random random(4);
  std::vector<Case> all;
  const auto run = [&](cases::ReshapeAndCacheFlashProblem& problem, const char* name) {
    const auto params = problem.params();
    Case c = capture("reshape_and_cache_flash", name, params);
    reference::reshape_and_cache_flash(problem.key, problem.slots, problem.k_scale, problem.key_cache(), 0);
    reference::reshape_and_cache_flash(problem.value, problem.slots, problem.v_scale, problem.value_cache(), 0,
                                       problem.swizzled());
    for (Array& cache : problem.caches) cache.upload();
    expect_exact(c, "key_cache", params.key_cache);
    expect_exact(c, "value_cache", params.value_cache);
    return c;
  };
  const auto make = [&](const cases::ReshapeAndCacheFlash& with) {
    cases::ReshapeAndCacheFlashProblem problem(host(), with, random);
    for (Array* a : {&problem.key, &problem.value}) fill_uniform(*a, random);
    problem.slots.fill_integers({5, -1, 2, 7});
    return problem;
  };
  using cases::FlashLayout;
  auto copied = make({"", kF16, kF16, 4, 3, 5, FlashLayout::apart, Scales::absent, 2, 1, true});
  all.push_back(run(copied, "f16 copied"));
  const Case good = all.front();
  auto narrowed = make({"", kBf16, kE5m2, 4, 3, 8, FlashLayout::hnd, Scales::per_head, 2, 1, true});
  all.push_back(run(narrowed, "bf16 to e5m2 with scales"));
  auto nvfp4 = make({"", kBf16, VKV_DTYPE_NVFP4, 4, 2, 64, FlashLayout::nhd, Scales::one, 4, 0, false, 0,
                     VKV_NVFP4_SCALES_SWIZZLED});
  all.push_back(run(nvfp4, "bf16 to nvfp4 with swizzled scales of V"));
  all.push_back(with_bad_slot(copied.slots, 0, 1000, [&](const char* name) { return run(copied, name); }));
  all.push_back(refused_stride(good, "key_cache", 3, 2, "key_cache.stride[3] is 2, expected 1"));
  all.push_back(refused_dtype(good, "value_cache", kE4m3, "value_cache.dtype is e4m3, expected f16"));
  add_slot_mapping_refusals(all, good);
  return all;
}

std::vector<Case> concat_and_cache_mla() {
  Random random(5);
  std::vector<Case> all;
  const auto run = [&](cases::ConcatAndCacheMlaProblem& problem, const char* name) {
    Case c = capture("concat_and_cache_mla", name, problem.params());
    reference::concat_and_cache_mla(problem.kv_c, problem.k_pe, problem.slot_mapping, problem.scale,
                                    problem.scale_rule, problem.kv_cache);
    problem.kv_cache.upload();
    expect_exact(c, "kv_cache", problem.kv_cache.view());
    return c;
  };
  const auto make = [&](const cases::ConcatAndCacheMla& with, const std::vector<int64_t>& slots) {
    cases::ConcatAndCacheMlaProblem problem(host(), with, random);
    for (Array* a : {&problem.kv_c, &problem.k_pe}) fill_uniform(*a, random);
    problem.slot_mapping.fill_integers(slots);
    return problem;
  };
  auto copied = make({"", kF16, kF16, 3, 7, 5, 3, 2, 0, 0, 1, 3}, {4, -1, 1});
  all.push_back(run(copied, "f16 copied"));
  const Case good = all.front();
  auto narrowed = make({"", kBf16, kE4m3, 3, 7, 5, 3, 2, 0, 0.37, 0, 2}, {3, 0, -2});
  all.push_back(run(narrowed, "bf16 to e4m3 with a scale"));
  auto entries = make({"", kBf16, VKV_DTYPE_FP8_DS_MLA, 2, 512, 64, 1, 2, VKV_SCALE_RULE_F32}, {1, -1});
  all.push_back(run(entries, "fp8_ds_mla with exact scales"));
  all.push_back(with_bad_slot(copied.slot_mapping, 2, 6, [&](const char* name) { return run(copied, name); }));
  all.push_back(refused_stride(good, "kv_c", 1, 2, "kv_c.stride[1] is 2, expected 1"));
  all.push_back(refused_dtype(good, "k_pe", kBf16, "k_pe.dtype is bf16, expected f16"));
  all.push_back(refused_scalar(good, "scale_rule", 3, "scale_rule is 3, expected 0 to 2"));
  add_slot_mapping_refusals(all, good);
  return all;
}

std::vector<Case> concat_and_cache_mla_rope_fused() {
  Random random(6);
  std::vector<Case> all;
  using Problem = cases::ConcatAndCacheMlaRopeFusedProblem;
  const auto run = [&](Problem& problem, const char* name) {
    Case c = capture("concat_and_cache_mla_rope_fused", name, problem.params());
    reference::concat_and_cache_mla_rope_fused(problem.positions, problem.q_pe, problem.k_pe, problem.kv_c,
                                               problem.cos_sin_cache, problem.slot_mapping, problem.kv_cache_scale,
                                               problem.style, problem.kv_cache);
    for (Array* a : {&problem.q_pe, &problem.k_pe, &problem.kv_cache}) a->upload();
    expect_exact(c, "q_pe", problem.q_pe.view());
    expect_exact(c, "k_pe", problem.k_pe.view());
    expect_exact(c, "kv_cache", problem.kv_cache.view());
    return c;
  };
  const auto make = [&](vkv_dtype dtype, vkv_dtype cache, int32_t style, double scale) {
    cases::ConcatAndCacheMlaRopeFused with{"", dtype, cache, 3, 2, 7, 6, style, scale, 2, 3, 9, 1, 3};
    Problem problem(host(), with, random);
    for (Array* a : {&problem.q_pe, &problem.k_pe, &problem.kv_c}) fill_uniform(*a, random);
    fill_uniform(problem.cos_sin_cache, random, -1, 1);
    problem.slot_mapping.fill_integers({4, -1, 2});
    problem.positions.fill_integers({8, 3, 5, 100});
    return problem;
  };
  auto copied = make(kF32, kF32, 0, 0);
  all.push_back(run(copied, "f32, pairs of halves"));
  const Case good = all.front();
  auto narrowed = make(kBf16, kE4m3, VKV_ROPE_GPTJ, 0.21);
  all.push_back(run(narrowed, "bf16 to e4m3, pairs of neighbours"));
  all.push_back(with_bad_slot(copied.slot_mapping, 0, 6, [&](const char* name) { return run(copied, name); }));
  copied.slot_mapping.fill_integers({4, -1, 2});
  copied.positions.fill_integers({8, 9, 9, 0});
  all.push_back(run(copied, "a position past the table"));
  expect_report(all.back(), "VKV_REPORT_POSITION", 1);
  all.push_back(refused_stride(good, "q_pe", 2, 2, "q_pe.stride[2] is 2, expected 1"));
  all.push_back(refused_dtype(good, "cos_sin_cache", kF16, "cos_sin_cache.dtype is f16, expected f32"));
  all.push_back(refused_null(good, "positions"));
  add_slot_mapping_refusals(all, good);
  return all;
}

std::vector<Case> indexer_k_quant_and_cache() {
  Random random(7);
  std::vector<Case> all;
  const auto run = [&](cases::IndexerKQuantAndCacheProblem& problem, const char* name) {
    Case c = capture("indexer_k_quant_and_cache", name, problem.params());
    reference::indexer_k_quant_and_cache(problem.k, problem.slot_mapping, problem.quant_block_size, problem.scale_rule,
                                         problem.kv_cache);
    problem.kv_cache.upload();
    expect_exact(c, "kv_cache", problem.kv_cache.view());
    return c;
  };
  const auto make = [&](const cases::IndexerKQuantAndCache& with) {
    cases::IndexerKQuantAndCacheProblem problem(host(), with, random);
    fill_uniform(problem.k, random);
    problem.slot_mapping.fill_integers({3, -1, 6});
    return problem;
  };
  auto pow2 = make({"", kF16, 3, 24, 8, 0, 4, 2, 1, 3, 4});
  all.push_back(run(pow2, "f16, scales that are powers of two"));
  const Case good = all.front();
  auto exact = make({"", kF32, 3, 24, 12, VKV_SCALE_RULE_F32, 4, 2, 0, 1, 8});
  all.push_back(run(exact, "f32, exact scales"));
  all.push_back(with_bad_slot(pow2.slot_mapping, 1, 8, [&](const char* name) { return run(pow2, name); }));
  all.push_back(refused_stride(good, "kv_cache", 1, 40, "kv_cache.stride[1] is 40, expected 36"));
  all.push_back(refused_dtype(good, "k", kE4m3, "k.dtype is e4m3, expected f16 or bf16 or f32"));
  add_slot_mapping_refusals(all, good);
  return all;
}

std::vector<Case> concat_mla_q() {
  Random random(8);
  const int64_t tokens = 4, heads = 3, nope = 5, rope = 2;
  Array ql_nope(host(), kBf16, {tokens, heads, nope}, {6, 25, 1});
  Array q_pe(host(), kBf16, {tokens, heads, rope}, {11, 3, 1});
  Array q_out(host(), kBf16, {tokens, heads, nope + rope}, {24, 8, 1});
  for (Array* a : {&ql_nope, &q_pe}) fill_uniform(*a, random);
  vkv_concat_mla_q_params p = VKV_INIT(vkv_concat_mla_q_params);
  p.ql_nope = ql_nope.view();
  p.q_pe = q_pe.view();
  p.q_out = q_out.view();
  Case c = capture("concat_mla_q", "bf16", p);
  const std::vector<uint64_t> bits = reference::concat_mla_q(ql_nope, q_pe);
  for (int64_t i = 0; i < q_out.size(); ++i) q_out.set_bits(i, bits[static_cast<std::size_t>(i)]);
  q_out.upload();
  expect_exact(c, "q_out", p.q_out);
  return {c, refused_stride(c, "q_out", 2, 2, "q_out.stride[2] is 2, expected 1"),
          refused_dtype(c, "q_pe", kF16, "q_pe.dtype is f16, expected bf16"), refused_null(c, "ql_nope"),
          refused(c, "other number of heads", "q_pe.shape[1] is 2, expected 3",
                  [](Case& bad) { bad.tensor("q_pe").shape[1] = 2; })};
}

std::vector<Case> convert_fp8() {
  Random random(9);
  std::vector<Case> all;
  const auto run = [&](const char* name, vkv_dtype from, vkv_dtype to, support::Shape dst_stride, double scale) {
    Array src(host(), from, {2, 3, 5}, {1, 12, 2}), dst(host(), to, {2, 3, 5}, std::move(dst_stride));
    fill_uniform(src, random, -40, 40);
    vkv_convert_fp8_params p = VKV_INIT(vkv_convert_fp8_params);
    p.src = src.view();
    p.dst = dst.view();
    p.scale = scale;
    Case c = capture("convert_fp8", name, p);
    const std::vector<uint64_t> bits = reference::convert_fp8(src, to, scale);
    for (int64_t i = 0; i < dst.size(); ++i) dst.set_bits(i, bits[static_cast<std::size_t>(i)]);
    dst.upload();
    expect_exact(c, "dst", p.dst);
    return c;
  };
  all.push_back(run("f32 to e4m3", kF32, kE4m3, {17, 5, 1}, 0.37));
  all.push_back(run("e5m2 to bf16", kE5m2, kBf16, {1, 2, 7}, 2.75));
  all.push_back(run("f16 to e5m2, no scale", kF16, kE5m2, {}, 0));
  const Case good = all.front();
  all.push_back(refused_stride(good, "dst", 0, 0, "dst.stride[0] is 0, but the tensor is written"));
  all.push_back(refused_dtype(good, "src", kE5m2, "src.dtype is e5m2, expected f16 or bf16 or f32"));
  all.push_back(refused_null(good, "src"));
  all.push_back(refused_scalar(good, "scale", -1, "expected a number that is positive and finite as a float32"));
  return all;
}

}  // namespace golden
