// Golden cases of attention. float32 throughout where nothing else is tried: its tolerance is narrow enough to notice
// every option.
#include "cases/paged_attention.hpp"

#include "golden/capture.hpp"
#include "golden/cases.hpp"
#include "support/reference/merge_attn_states.hpp"

namespace golden {

namespace {

using cases::PagedAttentionProblem;
using support::Array;
using support::Shape;

// As in tests/ops/paged_attention.cpp: one rounding of an element, and float32's errors in the sums.
double tolerance(vkv_dtype dtype) {
  return 1e-5 + (dtype == VKV_DTYPE_F16 ? 0x1p-11 : dtype == VKV_DTYPE_BF16 ? 0x1p-8 : 0);
}

cases::PagedAttention small() {
  cases::PagedAttention c;
  c.dtype = c.cache = VKV_DTYPE_F32;
  c.heads = 4, c.kv_heads = 2, c.dim = 8, c.block_size = 4;
  c.lengths = {3, 7, 1};
  return c;
}

cases::PagedAttention block_sparse() {
  cases::PagedAttention c = small();
  c.dtype = c.cache = VKV_DTYPE_F16, c.lse = false, c.lengths = {33};
  c.tp_rank = 1, c.local_blocks = 2, c.vert_stride = 5, c.sparse_block_size = 8;
  return c;
}

// `params` is made from the problem once its outputs are blank.
template <class Params>
Case attention(const std::string& op, const std::string& name, const cases::PagedAttention& c, Params params) {
  PagedAttentionProblem problem(support::host(), c, 1, {{}, 3, 1, 1});
  const int64_t tokens = problem.query.dim(0), h = c.heads, d = c.dim;
  problem.out = blank(c.dtype, {tokens, h, d}, c.strided_rows ? Shape{h * (d + 1) + 2, d + 1, 1} : Shape{});
  if (c.lse) problem.lse = blank(VKV_DTYPE_F32, {tokens, h}, c.strided_rows ? Shape{1, tokens + 1} : Shape{});
  const auto p = params(problem);
  Case made = capture(op, name, p);
  const auto rows = problem.reference();
  expect_close(made, "out", storage_of(problem.out, rows.out), tolerance(c.dtype));
  if (c.lse) expect_close(made, "lse", storage_of(problem.lse, rows.lse), 1e-5);
  return made;
}

Case attention(const std::string& name, const cases::PagedAttention& c) {
  return attention("paged_attention", name, c, [](const PagedAttentionProblem& p) { return p.params(); });
}

void add_decode_refusals(std::vector<Case>& all, const Case& good) {
  all.push_back(refused_stride(good, "query", 2, 2, "query.stride[2] is 2, expected 1"));
  all.push_back(refused_dtype(good, "seq_lens", VKV_DTYPE_I64, "seq_lens.dtype is i64, expected i32"));
  all.push_back(refused_null(good, "block_tables"));
  all.push_back(refused_scalar(good, "num_kv_heads", 4, "num_kv_heads is 4, expected 2 (key_cache.shape[1])"));
  all.push_back(refused_scalar(good, "block_size", 8, "block_size is 8, expected 4 (key_cache.shape[3])"));
  all.push_back(refused_scalar(good, "max_seq_len", -3, "max_seq_len is -3, expected at least 0"));
  all.push_back(refused_scalar(good, "workspace_size", 16, "workspace_size is 16, expected at least",
                               VKV_ERROR_WORKSPACE_TOO_SMALL));
}

template <class Params>
std::vector<Case> decode(const std::string& op) {
  auto c = small();
  c.x_packed = true, c.lse = false, c.heads = 6, c.strided_rows = true;
  const auto params = [](const PagedAttentionProblem& p) { return p.decode_params<Params>(); };
  std::vector<Case> all;
  c.alibi = true, c.softmax_scale = 0.4f, c.max_seq_len = 12;
  all.push_back(attention(op, "alibi and scale", c, params));
  add_decode_refusals(all, Case(all.front()));
  c.dtype = VKV_DTYPE_BF16, c.cache = VKV_DTYPE_FP8_E4M3, c.dim = 16, c.scales = cases::Scales::one;
  c.strided_rows = false;
  all.push_back(attention(op, "e4m3 with scales", c, params));
  c = block_sparse();
  c.x_packed = true, c.sliding_step = 3;
  all.push_back(attention(op, "block-sparse", c, params));
  return all;
}

}  // namespace

std::vector<Case> paged_attention() {
  std::vector<Case> all;
  auto c = small();
  c.layout = cases::FlashLayout::apart, c.strided_rows = true;
  c.queries = {2, 4, 1}, c.softmax_scale = 0.3f, c.softcap = 2, c.window = 4, c.alibi = c.sinks = true;
  c.max_seq_len = 12, c.max_query_len = 5;
  all.push_back(attention("every option", c));
  const Case good = all.front();
  all.push_back(refused_stride(good, "key_cache", 3, 2, "key_cache.stride[3] is 2, expected 1"));
  all.push_back(refused_stride(good, "out", 0, 0, "out.stride[0] is 0, but the tensor is written"));
  all.push_back(refused_dtype(good, "query", VKV_DTYPE_FP8_E4M3, "query.dtype is e4m3, expected f16 or bf16 or f32"));
  all.push_back(refused_dtype(good, "block_table", VKV_DTYPE_I64, "block_table.dtype is i64, expected i32"));
  all.push_back(refused_null(good, "query"));
  all.push_back(refused(good, "a table in both forms", "are both given, expected one table form", [](Case& bad) {
    bad.tensors.push_back(bad.tensor("seq_lens"));
    bad.tensors.back().field = "kv_last_page_len";
  }));
  all.push_back(refused_scalar(good, "max_seq_len", -1, "max_seq_len is -1, expected at least 0"));
  all.push_back(refused_scalar(good, "max_query_len", -2, "max_query_len is -2, expected at least 0"));
  all.push_back(refused_scalar(good, "sliding_window", -4, "sliding_window is -4, expected at least 0"));
  all.push_back(refused_scalar(good, "workspace_size", 16, "workspace_size is 16, expected at least",
                               VKV_ERROR_WORKSPACE_TOO_SMALL));
  all.push_back(refused(
      good, "head size 4", "head sizes supported", [](Case& bad) { bad.tensor("query").shape[2] = 4; },
      VKV_ERROR_NOT_SUPPORTED));

  c = small();
  c.dtype = VKV_DTYPE_BF16, c.cache = VKV_DTYPE_BF16, c.layout = cases::FlashLayout::hnd;
  all.push_back(attention("bf16 decode", c));
  c = small();
  c.dtype = VKV_DTYPE_F16, c.cache = VKV_DTYPE_FP8_E4M3, c.scales = cases::Scales::per_head, c.csr = true;
  all.push_back(attention("e4m3 by CSR tables", c));
  c = small();
  c.dim = 16, c.dtype = VKV_DTYPE_F16, c.cache = VKV_DTYPE_FP8_E5M2, c.scales = cases::Scales::one;
  c.x_packed = true, c.strided_rows = true;
  all.push_back(attention("x-packed e5m2", c));
  c = block_sparse();
  c.sliding_step = -3;
  all.push_back(attention("block-sparse by KV heads", c));
  c = small();
  c.cache = VKV_DTYPE_NVFP4, c.dim = 64, c.heads = c.kv_heads = 2, c.lengths = {6}, c.swizzled = true;
  c.scales = cases::Scales::one;
  all.push_back(attention("nvfp4 with swizzled scales of V", c));
  return all;
}

std::vector<Case> paged_attention_v1() { return decode<vkv_paged_attention_v1_params>("paged_attention_v1"); }

std::vector<Case> paged_attention_v2() {
  std::vector<Case> all = decode<vkv_paged_attention_v2_params>("paged_attention_v2");
  // vLLM's scratch tensors are not used; one of the wrong kind is refused.
  const auto scratch = [](const char* field, vkv_dtype dtype, Shape shape) {
    const int64_t n = shape[0] * shape[1] * shape[2] * (shape.size() > 3 ? shape[3] : 1);
    return Tensor{field, dtype, shape, {}, false, Bytes(static_cast<std::size_t>(n * support::element_size(dtype)))};
  };
  Case& given = all.front();
  given.tensors.push_back(scratch("exp_sums", VKV_DTYPE_F32, {3, 6, 2}));
  given.tensors.push_back(scratch("max_logits", VKV_DTYPE_F32, {3, 6, 2}));
  given.tensors.push_back(scratch("tmp_out", VKV_DTYPE_F32, {3, 6, 2, 8}));
  const Case good = given;
  all.push_back(refused_dtype(good, "exp_sums", VKV_DTYPE_F16, "exp_sums.dtype is f16, expected f32"));
  all.push_back(refused_dtype(good, "max_logits", VKV_DTYPE_BF16, "max_logits.dtype is bf16, expected f32"));
  all.push_back(refused_dtype(good, "tmp_out", VKV_DTYPE_F16, "tmp_out.dtype is f16, expected f32 (query.dtype)"));
  return all;
}

std::vector<Case> merge_attn_states() {
  support::Random random(2);
  const int64_t tokens = 5, heads = 3, dim = 6;
  Array prefix(support::host(), VKV_DTYPE_F32, {tokens, heads, dim}, {23, 7, 1});
  Array suffix(support::host(), VKV_DTYPE_F32, {tokens, heads, dim}, {8, 41, 1});
  Array prefix_lse(support::host(), VKV_DTYPE_F32, {heads, tokens}, {1, 4});
  Array suffix_lse(support::host(), VKV_DTYPE_F32, {heads, tokens}, {6, 1});
  for (Array* a : {&prefix, &suffix, &prefix_lse, &suffix_lse}) fill_uniform(*a, random);
  const Array output = blank(VKV_DTYPE_F32, {tokens, heads, dim}, {20, 6, 1});
  const Array lse = blank(VKV_DTYPE_F32, {heads, tokens}, {7, 1});
  vkv_merge_attn_states_params p = VKV_INIT(vkv_merge_attn_states_params);
  p.output = output.view();
  p.output_lse = lse.view();
  p.prefix_output = prefix.view();
  p.prefix_lse = prefix_lse.view();
  p.suffix_output = suffix.view();
  p.suffix_lse = suffix_lse.view();
  p.num_tokens_without_context = 2;
  std::vector<Case> all = {capture("merge_attn_states", "f32", p)};
  const auto merged = reference::merge_attn_states(prefix, prefix_lse, suffix, suffix_lse, tokens - 2);
  // As in tests/ops/merge_attn_states.cpp: float32's arithmetic, and two roundings of a logarithm and a sum.
  expect_close(all[0], "output", storage_of(output, merged.output), 0x1p-21);
  expect_close(all[0], "output_lse", storage_of(lse, merged.lse), 0x1p-22);
  const Case good = all[0];

  // Equal weights and halves: the average is exact, and e4m3 codes are bytes.
  for (Array* a : {&prefix, &suffix}) {
    for (int64_t i = 0; i < a->size(); ++i) a->set(i, static_cast<double>(random.integer(-32, 32)) / 8);
    a->upload();
  }
  prefix_lse.fill(std::vector<double>(static_cast<std::size_t>(prefix_lse.size()), 0.5));
  suffix_lse.fill(std::vector<double>(static_cast<std::size_t>(suffix_lse.size()), 0.5));
  Array scale(support::host(), VKV_DTYPE_F32, {1}), narrow(support::host(), VKV_DTYPE_FP8_E4M3, {tokens, heads, dim});
  scale.fill({0.07});
  narrow.upload();
  p.output = narrow.view();
  p.output_lse = {};
  p.output_scale = scale.view();
  all.push_back(capture("merge_attn_states", "equal weights to e4m3", p));
  const auto halves = reference::merge_attn_states(prefix, prefix_lse, suffix, suffix_lse, tokens - 2).output;
  for (int64_t i = 0; i < narrow.size(); ++i) {
    narrow.set(i, static_cast<float>(halves[static_cast<std::size_t>(i)]) / static_cast<float>(scale.at(0)));
  }
  narrow.upload();
  expect_exact(all[1], "output", p.output);

  all.push_back(refused_stride(good, "prefix_output", 2, 2, "prefix_output.stride[2] is 2, expected 1"));
  all.push_back(refused_dtype(good, "suffix_output", VKV_DTYPE_F16, "suffix_output.dtype is f16, expected f32"));
  all.push_back(refused_null(good, "suffix_lse"));
  all.push_back(refused_scalar(good, "num_tokens_without_context", 6,
                               "num_tokens_without_context is 6, expected at most 5"));
  return all;
}

}  // namespace golden
