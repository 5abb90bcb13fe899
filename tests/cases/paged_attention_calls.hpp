// Calling paged_attention, _v1 and _v2 in a test, reading the result's bits, and comparing it with the float64
// reference.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "cases/paged_attention.hpp"
#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/refusal.hpp"

namespace cases {

// ---- calling

inline vkv_status run(const support::Device& d, const vkv_paged_attention_params& p) {
  return vkv_paged_attention(d.ctx, &p, d.stream);
}
inline vkv_status run(const support::Device& d, const vkv_paged_attention_v1_params& p) {
  return vkv_paged_attention_v1(d.ctx, &p, d.stream);
}
inline vkv_status run(const support::Device& d, const vkv_paged_attention_v2_params& p) {
  return vkv_paged_attention_v2(d.ctx, &p, d.stream);
}

inline vkv_status size_of(const support::Device& d, const vkv_paged_attention_params& p, size_t* bytes) {
  return vkv_paged_attention_workspace_size(d.ctx, &p, bytes);
}
inline vkv_status size_of(const support::Device& d, const vkv_paged_attention_v1_params& p, size_t* bytes) {
  return vkv_paged_attention_v1_workspace_size(d.ctx, &p, bytes);
}
inline vkv_status size_of(const support::Device& d, const vkv_paged_attention_v2_params& p, size_t* bytes) {
  return vkv_paged_attention_v2_workspace_size(d.ctx, &p, bytes);
}

inline vkv_status supported(const support::Device& d, const vkv_paged_attention_params& p) {
  return vkv_paged_attention_supported(d.ctx, &p);
}
inline vkv_status supported(const support::Device& d, const vkv_paged_attention_v1_params& p) {
  return vkv_paged_attention_v1_supported(d.ctx, &p);
}
inline vkv_status supported(const support::Device& d, const vkv_paged_attention_v2_params& p) {
  return vkv_paged_attention_v2_supported(d.ctx, &p);
}

// Calls with a workspace of just the size asked for, full of garbage; what lies behind it must stay.
template <class Params>
vkv_status call(const support::Device& device, Params p) {
  constexpr size_t kBehind = 512;
  size_t bytes = 0;
  VKV_CHECK_OK(supported(device, p));
  VKV_CHECK_OK(size_of(device, p, &bytes));
  std::vector<uint8_t> image(bytes + kBehind, 0xFF);
  void* memory = device.memory->allocate(image.size());
  device.memory->to_device(memory, image.data(), image.size());
  p.workspace = memory;
  p.workspace_size = bytes;
  const vkv_status status = run(device, p);
  support::synchronize(device);
  device.memory->to_host(image.data(), memory, image.size());
  device.memory->release(memory);
  CHECK(std::all_of(image.end() - kBehind, image.end(), [](uint8_t b) { return b == 0xFF; }));
  return status;
}

// Bits of out and lse of each sequence of a batch, in the batch's order.
using Bits = std::vector<std::vector<uint64_t>>;

inline Bits bits_of(PagedAttentionProblem& problem) {
  problem.out.download();
  if (problem.lse.present()) problem.lse.download();
  Bits all;
  int64_t token = 0;
  for (int64_t s = 0; s < problem.num_seqs(); ++s) {
    std::vector<uint64_t> bits;
    for (const int64_t end = token + problem.query_len(s); token < end; ++token) {
      for (int64_t h = 0; h < problem.c.heads; ++h) {
        for (int64_t d = 0; d < problem.c.dim; ++d) bits.push_back(problem.out.bits({token, h, d}));
        if (problem.lse.present()) bits.push_back(problem.lse.bits({token, h}));
      }
    }
    all.push_back(std::move(bits));
  }
  return all;
}

inline Bits solve(const support::Device& device, PagedAttentionProblem& problem) {
  VKV_CHECK_OK(call(device, problem.params()));
  return bits_of(problem);
}

// ---- comparing with the reference

// Each element is rounded once, by at most half a unit in its last place; on top come float32's own errors in dot
// products, exponentials and sums, which stay below 1e-5 of a row's norm at the lengths tested. On CUDA the weights of
// 16-bit queries are rounded to 16 bits too, which the matrix unit wants.
inline double tolerance(const support::Device& device, vkv_dtype dtype) {
  if (!device.memory->is_host() && dtype != VKV_DTYPE_F32) return dtype == VKV_DTYPE_F16 ? 2e-3 : 8e-3;
  return 1e-5 + (dtype == VKV_DTYPE_F16 ? 0x1p-11 : dtype == VKV_DTYPE_BF16 ? 0x1p-8 : 0);
}

inline void check_rows(const support::Device& device, PagedAttentionProblem& problem) {
  const auto want = problem.reference();
  problem.out.download();
  if (problem.lse.present()) problem.lse.download();
  const int64_t heads = problem.c.heads, dim = problem.c.dim;
  double worst_row = 0, worst_lse = 0;
  int64_t wrong_specials = 0, touched = 0;
  for (int64_t token = 0; token < problem.query.dim(0); ++token) {
    for (int64_t h = 0; h < heads; ++h) {
      std::vector<double> row, row_want;
      for (int64_t d = 0; d < dim; ++d) {
        row.push_back(problem.out.at({token, h, d}));
        row_want.push_back(want.out[static_cast<std::size_t>((token * heads + h) * dim + d)]);
      }
      if (!want.owned[static_cast<std::size_t>(token)]) {
        for (double x : row) touched += !std::isnan(x);
        continue;
      }
      const auto difference = support::compare(row, row_want);
      wrong_specials += !difference.same_specials;
      worst_row = std::max(worst_row, difference.relative_l2);
      if (problem.lse.present()) {
        const double got = problem.lse.at({token, h}), lse = want.lse[static_cast<std::size_t>(token * heads + h)];
        wrong_specials += !support::compare(std::vector<double>{got}, {lse}).same_specials;
        if (std::isfinite(lse)) worst_lse = std::max(worst_lse, std::fabs(got - lse) / (1 + std::fabs(lse)));
      }
    }
  }
  INFO("seed " << support::process_seed());
  CHECK(wrong_specials == 0);
  CHECK(touched == 0);
  CHECK(worst_row <= tolerance(device, problem.c.dtype));
  CHECK(worst_lse <= 1e-5);  // float32
  CHECK(problem.out.intact());
  if (problem.lse.present()) CHECK(problem.lse.intact());
}

}  // namespace cases
