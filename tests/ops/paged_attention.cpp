// paged_attention, _v1 and _v2 against the float64 reference; batch invariance bit for bit; bad device data; refusals.
#include "cases/paged_attention_calls.hpp"

#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "support/lazy_memory.hpp"
#include "support/reduced.hpp"

using cases::Bits;
using cases::bits_of;
using cases::call;
using cases::check_rows;
using cases::FlashLayout;
using cases::PagedAttentionProblem;
using cases::Placement;
using cases::run;
using cases::Scales;
using cases::size_of;
using cases::solve;
using cases::supported;
using support::Device;
using support::Random;

namespace {

cases::PagedAttention make(const std::function<void(cases::PagedAttention&)>& change) {
  cases::PagedAttention c;
  change(c);
  return c;
}

Device cpu(const support::OwnedContext& context) { return {"cpu", context.get(), &support::host_memory(), nullptr}; }

}  // namespace

TEST_CASE("paged_attention follows the formula") {
  uint64_t seed = support::process_seed();
  const auto all = cases::paged_attention();
  for (const Device& device : support::attending_devices()) {
    for (std::size_t i = 0; i < all.size(); i += support::reduced() ? 11 : 1) {
      const cases::PagedAttention& c = all[i];
      CAPTURE(device.name, c.name, c.dtype, c.cache, c.heads, c.kv_heads, c.dim, c.block_size, c.x_packed, c.csr,
              c.window, c.sliding_step, static_cast<int>(c.layout), static_cast<int>(c.scales),
              support::process_seed());
      PagedAttentionProblem problem(device, c, ++seed, {{}, seed});
      const Bits bits = solve(device, problem);
      check_rows(device, problem);
      CHECK(support::take_report(device).count == 0);
      if (!problem.fits_decode_params()) continue;
      for (int version : {1, 2}) {
        CAPTURE(version);
        PagedAttentionProblem again(device,
                                    [&] {
                                      auto d = c;
                                      d.lse = false;
                                      return d;
                                    }(),
                                    seed, {{}, seed});
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
  if (support::reduced()) return;
  for (const Device& device : support::vector_unit_devices()) {
    for (std::size_t i = 0; i < all.size(); i += 3) {
      CAPTURE(device.name, all[i].name, all[i].dtype, all[i].cache, all[i].dim, all[i].block_size, all[i].x_packed,
              support::process_seed());
      PagedAttentionProblem problem(device, all[i], ++seed, {{}, seed});
      solve(device, problem);
      check_rows(device, problem);
    }
  }
}

TEST_CASE("paged_attention: what lies outside a sequence never matters") {
  for (const Device& device : support::attending_devices()) {
    for (const bool x_packed : {false, true}) {
      for (const int64_t block_size : {5, 16, 40}) {
        for (const bool rows : {false, true}) {
          CAPTURE(device.name, x_packed, block_size, rows, support::process_seed());
          const auto c = make([&](auto& c) {
            c.dtype = c.cache = VKV_DTYPE_F16, c.x_packed = x_packed, c.block_size = block_size;
            c.lengths = {1, 37, 300}, c.csr = rows, c.sinks = rows;
            if (rows) c.queries = {1, 20, 3};
          });
          PagedAttentionProblem problem(device, c, 9);
          Random random(10);
          const Bits want = solve(device, problem);
          for (int kind : {0, 1, 2}) {
            problem.poison(kind, random);
            CHECK(solve(device, problem) == want);
          }
          CHECK(support::take_report(device).count == 0);
        }
      }
    }
  }
}

TEST_CASE("paged_attention: NaN and infinity that are attended to spread like the formula says") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  for (const Device& device : support::attending_devices()) {
    for (const double special : {nan, infinity, -infinity}) {
      for (const bool value : {false, true}) {
        for (const int64_t token : {0, 17, 299}) {
          for (const int32_t window : {0, 100}) {
            if (support::reduced() && (token != 17 || window == 0)) continue;
            CAPTURE(device.name, special, value, token, window, support::process_seed());
            PagedAttentionProblem problem(device, make([&](auto& c) {
                                            c.dtype = c.cache = VKV_DTYPE_F32, c.window = window, c.lengths = {300, 50},
                                            c.queries = {300, 1}, c.dim = 16;
                                          }),
                                          11);
            const int64_t block = problem.block_table.integer({0, token / 16});
            support::Array& cache = value ? problem.caches[1] : problem.caches[0];
            cache.set({0, block, token % 16, 1, 5}, special);
            cache.upload();
            solve(device, problem);
            check_rows(device, problem);
          }
        }
      }
    }
  }
}

TEST_CASE("paged_attention: values that are not finite stay with the query rows that attend to them") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  constexpr vkv_dtype kF16 = VKV_DTYPE_F16, kBf16 = VKV_DTYPE_BF16, kE4m3 = VKV_DTYPE_FP8_E4M3;
  constexpr vkv_dtype kE5m2 = VKV_DTYPE_FP8_E5M2, kNvfp4 = VKV_DTYPE_NVFP4;
  for (const Device& device : support::attending_devices()) {
    for (const vkv_dtype cache : {kF16, kBf16, kE4m3, kE5m2, kNvfp4}) {
      for (const bool x_packed : {false, true}) {
        for (const int64_t dim : {64, 128, 256}) {
          for (const int rule : {0, 1, 2}) {
            if (x_packed && cache == kNvfp4) continue;
            if (support::reduced() && (dim != 128 || rule == 0)) continue;
            CAPTURE(device.name, cache, x_packed, dim, rule, support::process_seed());
            PagedAttentionProblem problem(device, make([&](auto& c) {
                                            c.dtype = cache == kF16 ? kF16 : kBf16, c.cache = cache;
                                            c.x_packed = x_packed, c.dim = dim, c.heads = 6, c.lengths = {40, 300, 70};
                                            c.queries = {4, 9, 1};
                                            if (rule == 1) c.window = 20;
                                            if (rule == 2) {
                                              c.local_blocks = 1, c.vert_stride = 3, c.sparse_block_size = 16;
                                              c.sliding_step = 1;
                                            }
                                          }),
                                          static_cast<uint64_t>(11 + rule));
            problem.set_value(0, 38, 0, 5, nan);
            if (cache != kE4m3) {
              problem.set_value(1, 293, 1, 33, infinity);
              problem.set_value(1, 296, 1, 33, -infinity);
              problem.set_value(1, 299, 0, dim - 1, -infinity);
            }
            problem.set_value(1, 275, 0, 0, nan);
            problem.set_value(2, 20, 1, dim / 2, nan);
            solve(device, problem);
            check_rows(device, problem);
          }
        }
      }
    }
  }
}

// ---- batch invariance

namespace {

// Each sequence of the case alone.
Bits alone(const Device& device, const cases::PagedAttention& c, uint64_t seed) {
  Bits all;
  for (std::size_t s = 0; s < c.lengths.size(); ++s) {
    PagedAttentionProblem problem(device, c, seed, {{static_cast<int64_t>(s)}, s});
    all.push_back(solve(device, problem).front());
  }
  return all;
}

}  // namespace

TEST_CASE("paged_attention: a sequence's bits do not depend on the batch around it") {
  Random random(12);
  const auto c = make([&](auto& c) {
    c.heads = 2, c.kv_heads = 1, c.dim = 8, c.alibi = true;
    c.lengths.clear();
    for (int i = 0; i < 256; ++i) c.lengths.push_back(i % 50 == 7 ? random.integer(500, 2500) : random.integer(0, 90));
  });
  for (const Device& device : support::attending_devices()) {
    PagedAttentionProblem problem(device, c, 13);
    const Bits want = solve(device, problem);
    const support::OwnedContext one_thread = support::cpu_context(1);
    CHECK(want == alone(device.memory->is_host() ? cpu(one_thread) : device, c, 13));
    int64_t wrong = 0;
    for (int64_t n = 1; n <= 256; n += support::reduced() ? 85 : 1) {
      // Sequences [first, first + n) by views of the same tensors.
      const int64_t first = random.integer(0, 256 - n);
      auto p = problem.params();
      for (vkv_tensor* t : {&p.query, &p.out, &p.lse, &p.block_table, &p.seq_lens}) {
        t->data = static_cast<char*>(t->data) + first * t->stride[0] * support::element_size(t->dtype);
        t->shape[0] = n;
      }
      problem.out.fill_poison();
      problem.lse.fill_poison();
      VKV_CHECK_OK(call(device, p));
      const Bits bits = bits_of(problem);
      for (int64_t s = first; s < first + n; ++s)
        wrong += bits[static_cast<std::size_t>(s)] != want[static_cast<std::size_t>(s)];
    }
    CHECK(wrong == 0);
    for (uint64_t round = 0; round < 3; ++round) {
      Placement shuffled;
      shuffled.sequences = random.distinct(256, 256);
      shuffled.blocks = round + 1;
      PagedAttentionProblem again(device, c, 13, shuffled);
      const Bits bits = solve(device, again);
      wrong = 0;
      for (std::size_t i = 0; i < 256; ++i) wrong += bits[i] != want[static_cast<std::size_t>(shuffled.sequences[i])];
      CHECK(wrong == 0);
    }
  }
}

namespace {

// The same sequences in every block size, table form, bound and place; round by round on another of `devices`, which must
// agree.
void check_same_bits(const std::vector<Device>& devices) {
  struct Kind {
    const char* name;
    std::function<void(cases::PagedAttention&)> change;
  };
  const Kind kinds[] = {
      {"decode", [](auto&) {}},
      {"fp8", [](auto& c) { c.cache = VKV_DTYPE_FP8_E4M3, c.scales = Scales::per_head; }},
      {"window and sinks", [](auto& c) { c.window = 700, c.sinks = true; }},
      {"rows", [](auto& c) { c.queries = {3, 1, 700, 0, 40, 2}; }},
      {"everything",
       [](auto& c) { c.queries = {1, 1, 333, 9, 40, 2}, c.window = 2000, c.sinks = c.alibi = true, c.softcap = 9; }},
  };
  for (const Kind& kind : kinds) {
    for (const bool x_packed : {false, true}) {
      if (support::reduced() && x_packed) continue;
      const auto c = make([&](auto& c) {
        c.heads = 6, c.kv_heads = 2, c.dim = 16, c.x_packed = x_packed, c.lengths = {9000, 1, 700, 257, 512, 2};
        kind.change(c);
      });
      const Bits want = alone(devices.front(), c, 14);
      uint64_t round = 0;
      for (const int64_t block_size : {1, 5, 8, 16, 64, 256}) {
        auto other = c;
        other.block_size = block_size;
        other.csr = ++round % 2 == 0;
        other.max_seq_len = round % 3 == 0 ? 9000 : round % 3 == 1 ? 0 : 9001 + static_cast<int32_t>(round) * 1000;
        if (!c.queries.empty() && round % 2 == 0) other.max_query_len = 700;
        const Device& device = devices[round % devices.size()];
        CAPTURE(device.name, kind.name, x_packed, block_size, other.csr, round, support::process_seed());
        PagedAttentionProblem problem(device, other, 14, {{}, round});
        CHECK(solve(device, problem) == want);
        if (block_size != 16) continue;
        for (const Device& each : devices) {
          if (each.memory->is_host()) CHECK(solve(each, problem) == want);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("paged_attention: bits do not depend on blocks, table form, bounds or threads") {
  std::vector<support::OwnedContext> contexts;
  std::vector<Device> cpus, gpu;
  for (int threads : {1, 2, 3, 7}) {
    contexts.push_back(support::cpu_context(threads));
    cpus.push_back(cpu(contexts.back()));
  }
  check_same_bits(cpus);
  for (const Device& device : support::attending_devices()) {
    if (!device.memory->is_host()) gpu.push_back(device);
  }
  if (!gpu.empty()) check_same_bits(gpu);
}

TEST_CASE("paged_attention: a row's bits are those of decoding its token alone") {
  // The CPU's trees follow positions, so that a verified draft token gets the bits that decoding it would have given.
  const support::OwnedContext context = support::cpu_context(2);
  for (const int32_t window : {0, 100}) {
    const auto rows = make([&](auto& c) {
      c.dtype = c.cache = VKV_DTYPE_F32, c.dim = 8, c.lengths = {600}, c.queries = {500}, c.window = window;
    });
    PagedAttentionProblem problem(cpu(context), rows, 15);
    const std::vector<uint64_t> all = solve(cpu(context), problem).front();
    const std::size_t row = static_cast<std::size_t>(rows.heads * (rows.dim + 1));
    for (const int64_t r : {0, 1, 155, 156, 157, 300, 499}) {
      auto p = problem.params();
      p.query.data = static_cast<char*>(p.query.data) + r * p.query.stride[0] * 4;
      p.query.shape[0] = p.out.shape[0] = p.lse.shape[0] = 1;
      p.query_start_loc = {};
      problem.seq_lens.fill_integers({101 + r});
      problem.out.fill_poison();
      VKV_CHECK_OK(call(cpu(context), p));
      const std::vector<uint64_t> one = bits_of(problem).front();
      CHECK(std::equal(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(row),
                       all.begin() + r * static_cast<std::ptrdiff_t>(row)));
    }
  }
}

// ---- bad device data

namespace {

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

// Expects one event, or more where other kernels may meet the same number more often.
void check_report(const Device& device, int32_t op, int32_t what, int64_t index, int64_t value, int64_t limit) {
  const vkv_device_report report = support::take_report(device);
  INFO(report.message);
  CHECK(report.count >= 1);
  CHECK(report.op == op);
  CHECK(report.what == what);
  CHECK(report.index == index);
  CHECK(report.value == value);
  CHECK(report.limit == limit);
}

// Rows of the reference, whose problem holds the same bad number.
void check_bad(const Device& device, PagedAttentionProblem& problem, int32_t what, int64_t index, int64_t value,
               int64_t limit) {
  CAPTURE(device.name, what, index, value, support::process_seed());
  solve(device, problem);
  check_rows(device, problem);
  check_report(device, VKV_OP_PAGED_ATTENTION, what, index, value, limit);
}

}  // namespace

TEST_CASE("paged_attention: tokens of a bad block id are absent") {
  for (const Device& device : support::attending_devices()) {
    for (const bool x_packed : {false, true}) {
      for (const bool rows : {false, true}) {
        for (const bool csr : {false, true}) {
          const auto c = make([&](auto& c) {
            c.lengths = {300, 20, 70}, c.x_packed = x_packed, c.csr = csr, c.block_size = 12;
            if (rows) c.queries = {30, 1, 70};
          });
          for (const int64_t bad : {int64_t{-1}, int64_t{36}, kMost, -kMost - 1}) {
            PagedAttentionProblem problem(device, c, 16);
            REQUIRE(problem.caches[0].dim(x_packed ? 0 : 1) == 36);
            support::Array& table = csr ? problem.kv_indices : problem.block_table;
            const int64_t index = csr ? 25 + 2 + 3 : 2 * table.dim(1) + 3;  // fourth block of the third sequence
            table.set_bits(index, static_cast<uint64_t>(bad));
            table.upload();
            check_bad(device, problem, VKV_REPORT_BLOCK_ID, index, bad, 36);
          }
        }
      }
    }
    // Every block of a sequence: it attends to nothing. A block that no row attends to is not looked at.
    PagedAttentionProblem nothing(device, make([](auto& c) { c.lengths = {40, 40}; }), 17);
    for (int64_t column = 0; column < 3; ++column) nothing.block_table.set_bits({1, column}, static_cast<uint64_t>(-5));
    nothing.block_table.upload();
    check_bad(device, nothing, VKV_REPORT_BLOCK_ID, nothing.block_table.dim(1), -5, nothing.caches[0].dim(1));
    PagedAttentionProblem window(device, make([](auto& c) { c.lengths = {400}, c.window = 30; }), 18);
    for (int64_t column = 0; column < 23; ++column)
      window.block_table.set_bits({0, column}, static_cast<uint64_t>(kMost));
    window.block_table.upload();
    solve(device, window);
    check_rows(device, window);
    CHECK(support::take_report(device).count == 0);
    // v1 and v2 report under their own names.
    PagedAttentionProblem decode(device, make([](auto& c) { c.x_packed = true, c.lse = false; }), 19);
    decode.block_table.set_bits({2, 1}, 1000);
    decode.block_table.upload();
    const int64_t index = 2 * decode.block_table.dim(1) + 1, blocks = decode.caches[0].dim(0);
    VKV_CHECK_OK(call(device, decode.decode_params<vkv_paged_attention_v1_params>()));
    check_rows(device, decode);
    check_report(device, VKV_OP_PAGED_ATTENTION_V1, VKV_REPORT_BLOCK_ID, index, 1000, blocks);
    VKV_CHECK_OK(call(device, decode.decode_params<vkv_paged_attention_v2_params>()));
    check_rows(device, decode);
    check_report(device, VKV_OP_PAGED_ATTENTION_V2, VKV_REPORT_BLOCK_ID, index, 1000, blocks);
  }
}

TEST_CASE("paged_attention: lengths out of range are clamped") {
  for (const Device& device : support::attending_devices()) {
    const auto c = make([](auto& c) { c.lengths = {300, 20, 70}; });
    const auto with = [&](const cases::PagedAttention& given, int64_t length) {
      PagedAttentionProblem problem(device, given, 20);
      problem.seq_lens.set_bits(1, static_cast<uint64_t>(length));
      problem.seq_lens.upload();
      return problem;
    };
    for (const int64_t negative : {int64_t{-1}, -kMost - 1}) {
      auto problem = with(c, negative);
      check_bad(device, problem, VKV_REPORT_LENGTH, 1, negative, problem.block_table.dim(1) * 16 + 1);
    }
    // What the table holds, or max_seq_len, is the most. The row's further table entries are garbage, and reported too.
    auto bound = c;
    bound.max_seq_len = 25;
    bound.lengths = {20, 20, 7};
    for (const int64_t length : {int64_t{26}, kMost}) {
      PagedAttentionProblem problem(device, bound, 21, {{}, 1, 0});
      problem.seq_lens.set_bits(1, static_cast<uint64_t>(length));
      problem.seq_lens.upload();
      check_bad(device, problem, VKV_REPORT_LENGTH, 1, length, 26);
      bound.max_seq_len = 0;
      PagedAttentionProblem table(device, bound, 21, {{}, 1, 0});
      table.seq_lens.set_bits(1, static_cast<uint64_t>(length + 7));
      table.seq_lens.upload();
      if (length != kMost) check_bad(device, table, VKV_REPORT_LENGTH, 1, length + 7, 33);
      bound.max_seq_len = 25;
    }
    // CSR: the last page holds 0 to block_size tokens.
    for (const int64_t tokens : {int64_t{-1}, int64_t{17}, kMost}) {
      PagedAttentionProblem problem(device, make([](auto& c) { c.lengths = {300, 32, 70}, c.csr = true; }), 22);
      problem.kv_last_page_len.set_bits(1, static_cast<uint64_t>(tokens));
      problem.kv_last_page_len.upload();
      solve(device, problem);
      check_report(device, VKV_OP_PAGED_ATTENTION, VKV_REPORT_LENGTH, 1, tokens, 17);
      problem.kv_last_page_len.set_bits(1, tokens < 0 ? 0 : 16);
      check_rows(device, problem);
    }
  }
}

TEST_CASE("paged_attention: offsets out of range are clamped and spoil their own sequences only") {
  for (const Device& device : support::attending_devices()) {
    const auto c = make([](auto& c) {
      c.lengths = {30, 20, 70, 40, 50}, c.queries = {3, 2, 4, 1, 2}, c.csr = true;  // query rows 0 3 5 9 10 12
    });
    PagedAttentionProblem good(device, c, 23);
    const Bits want = solve(device, good);
    for (const int64_t bad : {int64_t{-1}, -kMost - 1, int64_t{1}, int64_t{13}, kMost}) {
      CAPTURE(device.name, bad, support::process_seed());
      PagedAttentionProblem problem(device, c, 23);
      problem.query_start_loc.set_bits(2, static_cast<uint64_t>(bad));
      problem.query_start_loc.upload();
      const Bits bits = solve(device, problem);
      check_report(device, VKV_OP_PAGED_ATTENTION, VKV_REPORT_OFFSET, 2, bad, 13);
      CHECK(problem.out.intact());
      CHECK(problem.lse.intact());
      CHECK(bits[0] == want[0]);
    }
    const int64_t indices = good.kv_indices.size();
    for (const int64_t bad : {int64_t{-1}, -kMost - 1, int64_t{1}, indices + 1, kMost}) {
      CAPTURE(device.name, bad, support::process_seed());
      PagedAttentionProblem problem(device, c, 23);
      problem.kv_indptr.set_bits(2, static_cast<uint64_t>(bad));
      problem.kv_indptr.upload();
      const Bits bits = solve(device, problem);
      check_report(device, VKV_OP_PAGED_ATTENTION, VKV_REPORT_OFFSET, 2, bad, indices + 1);
      for (const std::size_t s : {0, 3, 4}) CHECK(bits[s] == want[s]);
    }
    // More query tokens than the bound: the sequence keeps its first ones, at the positions that they then have.
    auto bound = c;
    bound.max_query_len = 3;
    PagedAttentionProblem problem(device, bound, 23);
    const Bits bits = solve(device, problem);
    check_report(device, VKV_OP_PAGED_ATTENTION, VKV_REPORT_LENGTH, 2, 4, 4);
    for (const std::size_t s : {0, 1, 3, 4}) CHECK(bits[s] == want[s]);
    CHECK(std::isnan(problem.out.at({8, 0, 0})));
    CHECK_FALSE(std::isnan(problem.out.at({7, 0, 0})));
  }
}

TEST_CASE("paged_attention addresses caches past 2^32 elements") {
  const support::OwnedContext context = support::cpu_context(2);
  const Device device = cpu(context);
  for (const bool x_packed : {false, true}) {
    const auto c = make([&](auto& c) {
      c.dtype = VKV_DTYPE_F16, c.cache = VKV_DTYPE_FP8_E4M3, c.x_packed = x_packed, c.dim = 256, c.lengths = {100};
    });
    PagedAttentionProblem problem(device, c, 24);
    const Bits want = solve(device, problem);
    auto p = problem.params();
    const int64_t block_bytes = 2 * 16 * 256, blocks = (int64_t{1} << 33) / block_bytes;
    support::LazyMemory key(std::size_t{1} << 33), value(std::size_t{1} << 33);
    REQUIRE((key.mapped() && value.mapped()));
    for (int64_t column = 0; column < 7; ++column) {
      const int64_t from = problem.block_table.integer({0, column}), to = blocks - 1 - from * 50000;
      for (const bool v : {false, true}) {
        std::memcpy(static_cast<char*>(v ? value.data() : key.data()) + to * block_bytes,
                    problem.caches[v ? 1 : 0].base() + from * block_bytes, static_cast<std::size_t>(block_bytes));
      }
      problem.block_table.set_bits({0, column}, static_cast<uint64_t>(to));
    }
    problem.block_table.upload();
    p.key_cache.data = key.data();
    p.value_cache.data = value.data();
    p.key_cache.shape[0] = p.value_cache.shape[0] = blocks;
    VKV_CHECK_OK(call(device, p));
    CHECK(bits_of(problem) == want);
  }
}

TEST_CASE("paged_attention: calls may share a context") {
  const support::OwnedContext context = support::cpu_context(2);
  const Device device = cpu(context);
  const auto c = make([](auto& c) { c.lengths = {3000, 5, 700}; });
  PagedAttentionProblem first(device, c, 25);
  const Bits want = solve(device, first);
  std::vector<std::unique_ptr<PagedAttentionProblem>> problems;
  std::vector<vkv_paged_attention_params> params;
  std::vector<std::vector<uint8_t>> workspaces(4);
  for (std::vector<uint8_t>& w : workspaces) {
    problems.push_back(std::make_unique<PagedAttentionProblem>(device, c, 25));
    params.push_back(problems.back()->params());
    size_t bytes = 0;
    REQUIRE(vkv_paged_attention_workspace_size(context.get(), &params.back(), &bytes) == VKV_OK);
    w.resize(bytes + 256);
    void* at = w.data();
    size_t room = w.size();
    params.back().workspace = std::align(256, bytes, at, room);
    params.back().workspace_size = bytes;
  }
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (const auto& p : params) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) failures += vkv_paged_attention(context.get(), &p, nullptr) != VKV_OK;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  for (const auto& problem : problems) CHECK(bits_of(*problem) == want);
}

// ---- refusals

namespace {

constexpr vkv_status kInvalid = VKV_ERROR_INVALID_ARGUMENT, kUnsupported = VKV_ERROR_NOT_SUPPORTED;

template <class Params>
void refuse(const Device& device, Params p, vkv_status status, const char* words) {
  CAPTURE(words);
  size_t bytes = 0;
  VKV_CHECK_REFUSED(supported(device, p), status, words);
  VKV_CHECK_REFUSED(size_of(device, p, &bytes), status, words);
  VKV_CHECK_REFUSED(run(device, p), status, words);
}

void check_untouched(PagedAttentionProblem& problem) {
  problem.out.download();
  for (int64_t i = 0; i < problem.out.size(); ++i) REQUIRE(std::isnan(problem.out.at(i)));
}

}  // namespace

TEST_CASE("paged_attention refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  const auto float_nan = std::numeric_limits<float>::quiet_NaN();
  const auto c = make([](auto& c) { c.queries = {1, 2, 3}, c.scales = Scales::per_head, c.alibi = c.sinks = true; });
  PagedAttentionProblem problem(device, c, 26);
  const auto refused = [&](auto change, const char* words, vkv_status status = kInvalid) {
    auto p = problem.params();
    change(p);
    refuse(device, p, status, words);
  };
  refused([](auto& p) { p.struct_size = 8; }, "struct_size is 8, expected at least 1752");
  refused([](auto& p) { p.flags = 2; }, "flags is 0x2", kUnsupported);
  refused([](auto& p) { p.query = {}; }, "query is absent");
  refused([](auto& p) { p.query.ndim = 2; }, "query.ndim is 2, expected 3");
  refused([](auto& p) { p.query.dtype = VKV_DTYPE_FP8_E4M3; }, "query.dtype is e4m3, expected f16 or bf16 or f32");
  refused([](auto& p) { p.query.stride[2] = 2; }, "query.stride[2] is 2, expected 1");
  for (const int64_t dim : {0, 4, 60, 264, 320, 504, 520, 1024}) {
    refused([&](auto& p) { p.query.shape[2] = dim; }, "head sizes supported: multiples of 8 up to 256, and 512",
            kUnsupported);
  }
  refused([](auto& p) { p.out.dtype = VKV_DTYPE_F16; }, "out.dtype is f16, expected bf16 (query.dtype)");
  refused([](auto& p) { p.out.shape[0] = 5; }, "out.shape[0] is 5, expected 6 (query.shape[0])");
  refused([](auto& p) { p.out.shape[1] = 5; }, "out.shape[1] is 5, expected 4");
  refused([](auto& p) { p.out.shape[2] = 56; }, "out.shape[2] is 56, expected 64");
  refused([](auto& p) { p.out.stride[0] = 0; }, "out.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.out.data = p.query.data; }, "the memory of query");
  refused([](auto& p) { p.lse.ndim = 1; }, "lse.ndim is 1, expected 2");
  refused([](auto& p) { p.lse.dtype = VKV_DTYPE_F16; }, "lse.dtype is f16, expected f32");
  refused([](auto& p) { p.lse.shape[1] = 3; }, "lse.shape[1] is 3, expected 4");
  refused([](auto& p) { p.lse.data = p.out.data; }, "the memory of out");
  refused([](auto& p) { p.cache_layout = 3; }, "cache_layout is 3, expected 0 to 2");
  refused([](auto& p) { p.cache_layout = VKV_CACHE_LAYOUT_X_PACKED; }, "key_cache.ndim is 4, expected 5");
  refused([](auto& p) { p.key_cache = {}; }, "key_cache is absent");
  refused([](auto& p) { p.key_cache.dtype = VKV_DTYPE_F16; },
          "key_cache.dtype is f16, expected bf16 or e4m3 or e5m2 or nvfp4");
  refused([](auto& p) { p.key_cache.shape[1] = 0; }, "key_cache.shape[1] is 0, expected at least 1 (block_size)");
  refused([](auto& p) { p.key_cache.shape[2] = 3; },
          "query.shape[1] is 4, expected a multiple of 3 (key_cache.shape[2])");
  refused([](auto& p) { p.key_cache.shape[2] = 0; }, "query.shape[1] is 4, expected a multiple of 0");
  refused([](auto& p) { p.key_cache.shape[3] = 56; }, "key_cache.shape[3] is 56, expected 64 (query.shape[2])");
  refused([](auto& p) { p.key_cache.stride[3] = 2; }, "key_cache.stride[3] is 2, expected 1");
  refused([](auto& p) { p.value_cache.dtype = VKV_DTYPE_FP8_E4M3; },
          "value_cache.dtype is e4m3, expected bf16 (key_cache.dtype)");
  refused([](auto& p) { p.value_cache.shape[0] += 1; }, "value_cache.shape[0] is");
  refused([](auto& p) { p.value_cache.shape[1] = 8; }, "value_cache.shape[1] is 8, expected 16");
  refused([](auto& p) { p.value_cache.shape[2] = 1; }, "value_cache.shape[2] is 1, expected 2");
  refused([](auto& p) { p.value_cache.shape[3] = 128; }, "value_cache.shape[3] is 128, expected 64");
  refused([](auto& p) { p.k_scale.shape[0] = 3; }, "k_scale.shape[0] is 3, expected 1 or 2");
  refused([](auto& p) { p.v_scale.dtype = VKV_DTYPE_F16; }, "v_scale.dtype is f16");
  refused([](auto& p) { p.block_table = p.seq_lens = {}; }, "block_table and kv_indptr are absent");
  refused([](auto& p) { p.kv_indptr = p.seq_lens; }, "are both given, expected one table form");
  refused([](auto& p) { p.seq_lens = {}; }, "seq_lens is absent");
  refused([](auto& p) { p.block_table = {}; }, "block_table is absent");
  refused([](auto& p) { p.block_table.dtype = VKV_DTYPE_I64; }, "block_table.dtype is i64, expected i32");
  refused([](auto& p) { p.block_table.stride[1] = 2; }, "block_table.stride[1] is 2, expected 1");
  refused([](auto& p) { p.seq_lens.shape[0] = 4; }, "seq_lens.shape[0] is 4, expected 3 (block_table.shape[0])");
  refused([](auto& p) { p.query_start_loc.shape[0] = 3; },
          "query_start_loc.shape[0] is 3, expected 4 (block_table.shape[0], and one more)");
  refused([](auto& p) { p.query_start_loc = {}; },
          "query.shape[0] is 6, expected 3 (block_table.shape[0], as query_start_loc is absent)");
  refused([](auto& p) { p.alibi_slopes.shape[0] = 2; }, "alibi_slopes.shape[0] is 2, expected 4 (query.shape[1])");
  refused([](auto& p) { p.sinks.dtype = VKV_DTYPE_BF16; }, "sinks.dtype is bf16, expected f32");
  refused([&](auto& p) { p.softmax_scale = float_nan; }, "softmax_scale is nan, expected a finite number");
  refused([](auto& p) { p.logit_softcap = -1; }, "logit_softcap is -1, expected 0 or more");
  refused([&](auto& p) { p.logit_softcap = std::numeric_limits<float>::infinity(); },
          "logit_softcap is inf, expected a finite number");
  refused([](auto& p) { p.sliding_window = -1; }, "sliding_window is -1, expected at least 0");
  refused([](auto& p) { p.max_seq_len = -1; }, "max_seq_len is -1, expected at least 0");
  refused([](auto& p) { p.max_query_len = -1; }, "max_query_len is -1, expected at least 0");
  refused([](auto& p) { p.tp_rank = -1; }, "tp_rank is -1, expected at least 0");
  refused([](auto& p) { p.blocksparse_local_blocks = -1; }, "blocksparse_local_blocks is -1");
  refused([](auto& p) { p.blocksparse_vert_stride = -1; }, "blocksparse_vert_stride is -1");
  refused([](auto& p) { p.blocksparse_block_size = -1; }, "blocksparse_block_size is -1");
  refused([](auto& p) { p.nvfp4_v_scales = VKV_NVFP4_SCALES_LINEAR; },
          "nvfp4_v_scales is 1, expected 0 (key_cache.dtype is bf16)");

  // Pointers count in the call alone.
  auto p = problem.params();
  p.query.data = nullptr;
  VKV_CHECK_OK(supported(device, p));
  VKV_CHECK_REFUSED(run(device, p), kInvalid, "query.data is null");
  p = problem.params();
  p.query.data = static_cast<char*>(p.query.data) + 1;
  VKV_CHECK_REFUSED(run(device, p), kInvalid, "expected alignment to its 2-byte elements");
  VKV_CHECK_REFUSED(vkv_paged_attention(nullptr, &p, nullptr), kInvalid, "ctx is null");
  VKV_CHECK_REFUSED(vkv_paged_attention(device.ctx, nullptr, nullptr), kInvalid, "params is null");
  VKV_CHECK_REFUSED(vkv_paged_attention_workspace_size(device.ctx, &p, nullptr), kInvalid, "bytes is null");
  check_untouched(problem);
}

TEST_CASE("paged_attention refuses bad CSR tables, x-packed and nvfp4 caches") {
  const Device& device = support::devices().front();
  const auto refused = [&](const PagedAttentionProblem& problem, auto change, const char* words) {
    auto p = problem.params();
    change(p);
    refuse(device, p, kInvalid, words);
  };
  PagedAttentionProblem csr(device, make([](auto& c) { c.csr = true; }), 27);
  refused(
      csr, [](auto& p) { p.kv_indptr = {}; }, "kv_indptr is absent");
  refused(
      csr, [](auto& p) { p.kv_indices = {}; }, "kv_indices is absent");
  refused(
      csr, [](auto& p) { p.kv_last_page_len = {}; }, "kv_last_page_len is absent");
  refused(
      csr, [](auto& p) { p.seq_lens = p.kv_last_page_len; }, "are both given, expected one table form");
  refused(
      csr, [](auto& p) { p.kv_indptr.shape[0] = 0; }, "kv_indptr.shape[0] is 0, expected at least 1");
  refused(
      csr, [](auto& p) { p.kv_last_page_len.shape[0] = 2; }, "kv_last_page_len.shape[0] is 2, expected 3");
  refused(
      csr,
      [](auto& p) {
        p.kv_indptr.shape[0] = 3;
        p.kv_last_page_len.shape[0] = 2;
      },
      "query.shape[0] is 3, expected 2 (kv_indptr.shape[0] - 1");

  PagedAttentionProblem packed(device, make([](auto& c) { c.x_packed = true, c.cache = VKV_DTYPE_FP8_E4M3; }), 28);
  refused(
      packed, [](auto& p) { p.cache_layout = 0; }, "key_cache.ndim is 5, expected 4");
  refused(
      packed, [](auto& p) { p.key_cache.dtype = VKV_DTYPE_NVFP4; },
      "key_cache.dtype is nvfp4, expected bf16 or e4m3 or e5m2");
  refused(
      packed, [](auto& p) { p.nvfp4_v_scales = 1; }, "nvfp4_v_scales is 1, expected 0 (cache_layout is x-packed)");
  refused(
      packed, [](auto& p) { p.query.shape[2] = p.out.shape[2] = 24; },
      "query.shape[2] is 24, expected a multiple of 16 (x of an x-packed e4m3 cache)");
  refused(
      packed, [](auto& p) { p.key_cache.shape[2] = 3; }, "key_cache.shape[2] is 3, expected 4 (head_dim / x)");
  refused(
      packed, [](auto& p) { p.key_cache.shape[3] = 0; }, "key_cache.shape[3] is 0, expected at least 1");
  refused(
      packed, [](auto& p) { p.key_cache.shape[4] = 8; },
      "key_cache.shape[4] is 8, expected 16 (x = 16 / element bytes)");
  refused(
      packed, [](auto& p) { p.key_cache.stride[3] = 32; }, "dimensions from 2 on must be packed");
  refused(
      packed, [](auto& p) { p.value_cache.shape[1] = 1; }, "value_cache.shape[1] is 1, expected 2");
  refused(
      packed, [](auto& p) { p.value_cache.shape[2] = 32; }, "value_cache.shape[2] is 32, expected 64");
  refused(
      packed, [](auto& p) { p.value_cache.shape[3] = 8; }, "value_cache.shape[3] is 8, expected 16");
  refused(
      packed, [](auto& p) { p.value_cache.stride[2] = 32; }, "dimensions from 2 on must be packed");

  PagedAttentionProblem nvfp4(device, make([](auto& c) { c.cache = VKV_DTYPE_NVFP4; }), 29);
  refused(
      nvfp4, [](auto& p) { p.query.shape[2] = p.out.shape[2] = 72; },
      "query.shape[2] is 72, expected a multiple of 16 (key_cache.dtype is nvfp4)");
  refused(
      nvfp4, [](auto& p) { p.key_cache.shape[3] = 64; },
      "key_cache.shape[3] is 64, expected 36 (head_dim / 2 + head_dim / 16)");
  refused(
      nvfp4, [](auto& p) { p.key_cache.stride[1] = 73; }, "key_cache.stride[1] and [2] are 73 and 36");
  refused(
      nvfp4, [](auto& p) { p.value_cache.stride[2] = 40; }, "value_cache.stride[1] and [2] are 72 and 40");
  refused(
      nvfp4, [](auto& p) { p.nvfp4_v_scales = 3; }, "nvfp4_v_scales is 3, expected 0 to 2");
  PagedAttentionProblem narrow(device, make([](auto& c) { c.cache = VKV_DTYPE_NVFP4, c.dim = 80; }), 30);
  refused(
      narrow, [](auto& p) { p.nvfp4_v_scales = VKV_NVFP4_SCALES_SWIZZLED; },
      "query.shape[2] is 80, expected a multiple of 64 (nvfp4_v_scales is swizzled)");
  PagedAttentionProblem odd(device, make([](auto& c) { c.cache = VKV_DTYPE_NVFP4, c.block_size = 6; }), 31);
  refused(
      odd, [](auto& p) { p.nvfp4_v_scales = VKV_NVFP4_SCALES_SWIZZLED; },
      "key_cache.shape[1] is 6, expected a multiple of 4");
}

namespace {

template <class Params>
void check_decode_refusals(const Device& device) {
  PagedAttentionProblem problem(device, make([](auto& c) { c.x_packed = true, c.alibi = true, c.lse = false; }), 32);
  const auto refused = [&](auto change, const char* words, vkv_status status = kInvalid) {
    auto p = problem.decode_params<Params>();
    change(p);
    refuse(device, p, status, words);
  };
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", kUnsupported);
  refused([](auto& p) { p.reserved0 = 1; }, "reserved0 is 1, expected 0");
  refused([](auto& p) { p.query.shape[2] = 20; }, "head sizes supported", kUnsupported);
  refused([](auto& p) { p.out.shape[0] = 2; }, "out.shape[0] is 2, expected 3");
  refused([](auto& p) { p.key_cache.ndim = 4; }, "key_cache.ndim is 4, expected 5");
  refused([](auto& p) { p.num_kv_heads = 4; }, "num_kv_heads is 4, expected 2 (key_cache.shape[1])");
  refused([](auto& p) { p.block_size = 8; }, "block_size is 8, expected 16 (key_cache.shape[3])");
  refused([](auto& p) { p.k_scale = p.alibi_slopes; }, "k_scale.shape[0] is 4, expected 1");
  refused([](auto& p) { p.block_tables.shape[0] = 2; }, "seq_lens.shape[0] is 3, expected 2 (block_tables.shape[0])");
  refused([](auto& p) { p.block_tables.shape[0] = p.seq_lens.shape[0] = 2; },
          "query.shape[0] is 3, expected 2 (block_tables.shape[0])");
  refused([](auto& p) { p.seq_lens = {}; }, "seq_lens is absent");
  refused([](auto& p) { p.max_seq_len = -4; }, "max_seq_len is -4");
  check_untouched(problem);
}

}  // namespace

TEST_CASE("paged_attention_v1 and _v2 refuse bad input and write nothing") {
  const Device& device = support::devices().front();
  check_decode_refusals<vkv_paged_attention_v1_params>(device);
  check_decode_refusals<vkv_paged_attention_v2_params>(device);
  PagedAttentionProblem problem(device, make([](auto& c) { c.x_packed = true, c.lse = false; }), 33);
  support::Array sums(device, VKV_DTYPE_F32, {3, 4, 9}), partial(device, VKV_DTYPE_BF16, {3, 4, 9, 64});
  auto p = problem.decode_params<vkv_paged_attention_v2_params>();
  p.exp_sums = p.max_logits = sums.view();
  p.tmp_out = partial.view();
  VKV_CHECK_OK(call(device, p));
  check_rows(device, problem);
  p.exp_sums = partial.view();
  refuse(device, p, kInvalid, "exp_sums.ndim is 4, expected 3");
  p.exp_sums = sums.view();
  p.tmp_out.dtype = VKV_DTYPE_F16;
  refuse(device, p, kInvalid, "tmp_out.dtype is f16, expected bf16 (query.dtype)");
  p.tmp_out = partial.view();
  p.max_logits.shape[1] = 3;
  refuse(device, p, kInvalid, "max_logits.shape[1] is 3, expected 4");
}

TEST_CASE("paged_attention checks its workspace") {
  for (const Device& device : support::attending_devices()) {
    PagedAttentionProblem problem(device, make([](auto&) {}), 34);
    auto p = problem.params();
    size_t bytes = 0;
    VKV_CHECK_OK(size_of(device, p, &bytes));
    if (bytes == 0) continue;
    void* memory = device.memory->allocate(bytes + 256);
    p.workspace_size = bytes;
    VKV_CHECK_REFUSED(run(device, p), kInvalid, "workspace is null");
    p.workspace = static_cast<char*>(memory) + 128;
    VKV_CHECK_REFUSED(run(device, p), kInvalid, "expected alignment to 256 bytes");
    p.workspace = memory;
    p.workspace_size = bytes - 1;
    VKV_CHECK_REFUSED(
        run(device, p), VKV_ERROR_WORKSPACE_TOO_SMALL,
        ("workspace_size is " + std::to_string(bytes - 1) + ", expected at least " + std::to_string(bytes)).c_str());
    check_untouched(problem);
    device.memory->release(memory);

    // The size follows from shapes and bounds: pointers and contents do not matter, and an empty batch needs nothing.
    for (vkv_tensor* t : {&p.query, &p.out, &p.lse, &p.key_cache, &p.value_cache, &p.block_table, &p.seq_lens})
      t->data = nullptr;
    size_t again = 0;
    VKV_CHECK_OK(size_of(device, p, &again));
    CHECK(again == bytes);
    p = problem.params();
    p.query.shape[0] = p.out.shape[0] = p.lse.shape[0] = p.block_table.shape[0] = p.seq_lens.shape[0] = 0;
    VKV_CHECK_OK(size_of(device, p, &again));
    CHECK(again == 0);
    VKV_CHECK_OK(run(device, p));
  }
}
