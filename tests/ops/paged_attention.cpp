// paged_attention, _v1 and _v2 against the float64 reference; batch invariance bit for bit; bad device data; refusals.
#include "cases/paged_attention.hpp"

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/refusal.hpp"

using cases::FlashLayout;
using cases::PagedAttentionProblem;
using cases::Placement;
using cases::Scales;
using support::Device;
using support::Random;

namespace {

// ---- calling

vkv_status run(const Device& d, const vkv_paged_attention_params& p) { return vkv_paged_attention(d.ctx, &p, d.stream); }
vkv_status run(const Device& d, const vkv_paged_attention_v1_params& p) { return vkv_paged_attention_v1(d.ctx, &p, d.stream); }
vkv_status run(const Device& d, const vkv_paged_attention_v2_params& p) { return vkv_paged_attention_v2(d.ctx, &p, d.stream); }

vkv_status size_of(const Device& d, const vkv_paged_attention_params& p, size_t* bytes) {
  return vkv_paged_attention_workspace_size(d.ctx, &p, bytes);
}
vkv_status size_of(const Device& d, const vkv_paged_attention_v1_params& p, size_t* bytes) {
  return vkv_paged_attention_v1_workspace_size(d.ctx, &p, bytes);
}
vkv_status size_of(const Device& d, const vkv_paged_attention_v2_params& p, size_t* bytes) {
  return vkv_paged_attention_v2_workspace_size(d.ctx, &p, bytes);
}

vkv_status supported(const Device& d, const vkv_paged_attention_params& p) { return vkv_paged_attention_supported(d.ctx, &p); }
vkv_status supported(const Device& d, const vkv_paged_attention_v1_params& p) { return vkv_paged_attention_v1_supported(d.ctx, &p); }
vkv_status supported(const Device& d, const vkv_paged_attention_v2_params& p) { return vkv_paged_attention_v2_supported(d.ctx, &p); }

// Calls with a workspace of just the size asked for, full of garbage; what lies behind it must stay.
template <class Params>
vkv_status call(const Device& device, Params p) {
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

Bits bits_of(PagedAttentionProblem& problem) {
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

Bits solve(const Device& device, PagedAttentionProblem& problem) {
  VKV_CHECK_OK(call(device, problem.params()));
  return bits_of(problem);
}

// ---- comparing with the reference

// Each element is rounded once, by at most half a unit in its last place; on top come float32's own errors in dot
// products, exponentials and sums, which stay below 1e-5 of a row's norm at the lengths tested.
double tolerance(vkv_dtype dtype) { return 1e-5 + (dtype == VKV_DTYPE_F16 ? 0x1p-11 : dtype == VKV_DTYPE_BF16 ? 0x1p-8 : 0); }

void check_rows(PagedAttentionProblem& problem) {
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
  CHECK(worst_row <= tolerance(problem.c.dtype));
  CHECK(worst_lse <= 1e-5);  // float32
  CHECK(problem.out.intact());
  if (problem.lse.present()) CHECK(problem.lse.intact());
}

cases::PagedAttention make(const std::function<void(cases::PagedAttention&)>& change) {
  cases::PagedAttention c;
  change(c);
  return c;
}

Device cpu(const support::OwnedContext& context) { return {"cpu", context.get(), &support::host_memory(), nullptr}; }

}  // namespace

TEST_CASE("paged_attention follows the formula") {
  uint64_t seed = support::process_seed();
  for (const Device& device : support::devices()) {
    for (const cases::PagedAttention& c : cases::paged_attention()) {
      CAPTURE(device.name, c.name, c.dtype, c.cache, c.heads, c.kv_heads, c.dim, c.block_size, c.x_packed, c.csr, c.window,
              c.sliding_step, static_cast<int>(c.layout), static_cast<int>(c.scales), support::process_seed());
      PagedAttentionProblem problem(device, c, ++seed, {{}, seed});
      const Bits bits = solve(device, problem);
      check_rows(problem);
      CHECK(support::take_report(device).count == 0);
      if (!problem.fits_decode_params()) continue;
      for (int version : {1, 2}) {
        CAPTURE(version);
        PagedAttentionProblem again(device, [&] { auto d = c; d.lse = false; return d; }(), seed, {{}, seed});
        if (version == 1) VKV_CHECK_OK(call(device, again.decode_params<vkv_paged_attention_v1_params>()));
        else VKV_CHECK_OK(call(device, again.decode_params<vkv_paged_attention_v2_params>()));
        again.out.download();
        problem.out.download();
        CHECK(again.out.image() == problem.out.image());
      }
    }
  }
}

TEST_CASE("paged_attention follows the formula with every set of vector units") {
  uint64_t seed = support::process_seed() + 5000;
  const auto all = cases::paged_attention();
  for (const Device& device : support::vector_unit_devices()) {
    for (std::size_t i = 0; i < all.size(); i += 3) {
      CAPTURE(device.name, all[i].name, all[i].dtype, all[i].cache, all[i].dim, all[i].block_size, all[i].x_packed,
              support::process_seed());
      PagedAttentionProblem problem(device, all[i], ++seed, {{}, seed});
      solve(device, problem);
      check_rows(problem);
    }
  }
}
