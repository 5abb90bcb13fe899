#include "cuda/paged_attention/decode_policy.hpp"

namespace vkv::cuda {
namespace {

// Asked for at once by all CTAs of a multiprocessor: more only queues in front of the memory. On an H100, bf16, 8 KV heads,
// 64 / 128 KiB: one sequence of 8192 tokens 18.2 / 23.0 us, 8 of 4096 50.4 / 50.9 us, 64 of 8192 708 / 708 us.
constexpr int32_t kInFlight = 64 << 10;
// The same of rows of less than 128 bytes, in launches of few waves of CTAs. On an H100, NVFP4, 64 / 32 KiB: 32 sequences of
// 2048 tokens 35.6 / 34.6 us, 256 of 4096 457 / 477 us.
constexpr int32_t kNarrowInFlight = 32 << 10;
constexpr int64_t kFewWaves = 4;
constexpr int32_t kReservedShared = 1024;  // per CTA, by the driver
// Where sequences are cut by their own length: CTAs of one launch that leave parts behind, at most, which bounds the workspace.
constexpr int64_t kMostParts = 16384;
// What no part of several sequences has more of, so that ragged batches end evenly: bytes of K and V, and in launches of few
// waves, where the longest part counts most, elements of K. On an H100, NVFP4, 20 sequences of up to 4143 tokens, 28,547 in all:
// 54 us without the second, 28 us with it.
constexpr int64_t kChunkBytes = 1 << 20, kChunkElements = 2048 * 128;
// Where all lengths decide: parts that cutting may add, in waves of CTAs.
constexpr int64_t kMostWaves = 4;
// Tiles of 16-bit caches, of parts that go into clusters of 4, and of 16, where most multiprocessors have a CTA. On an H100, 128
// parts apart, in clusters of 4, and of 16: of 64 tiles 30.9 / 30.9 / 29.3 us, of 128 tiles 53.3 / 53.2 / 51.7 us, of 512
// tiles 187 / 192 / 187 us.
constexpr int64_t kShortPart = 32, kLongPart = 128;
// Bytes a second that a CTA reads which has a multiprocessor for itself, of 16-bit and of narrower caches; and the share of
// the memory's nominal rate that all of them reach. Measured on H100 and H200.
constexpr double kAlone = 25e9, kAloneWidening = 20e9, kReached = 0.9;
// As WorkPolicy has them. From measurements of batches of equal and of spread lengths, of 16-bit caches on H100 and H200, of
// narrower ones on H100.
struct BalanceCosts {
  float per_part, tail;
};
constexpr BalanceCosts kCosts = {14.0f, 0.3f}, kCostsWidening = {18.0f, 0.15f};

DecodeInstances instances(vkv_dtype cache) {
  switch (cache) {
    case VKV_DTYPE_F16: return decode_f16();
    case VKV_DTYPE_BF16: return decode_bf16();
    case VKV_DTYPE_FP8_E4M3: return decode_e4m3();
    case VKV_DTYPE_FP8_E5M2: return decode_e5m2();
    case VKV_DTYPE_NVFP4: return decode_nvfp4();
    default: return {nullptr, 0};
  }
}

// Tiles of a ring where `ctas` CTAs share a multiprocessor; 0: too many.
int stages(const CudaContext& ctx, const DecodeInstance& i, int ctas, int32_t in_flight = kInFlight) {
  if (i.stage_bytes == 0) return 0;
  const int32_t room = std::min(ctx.shared_per_block, ctx.shared_per_sm / ctas - kReservedShared);
  const int32_t fit = (room - i.fixed_bytes) / i.stage_bytes, wanted = (in_flight + ctas * i.stage_bytes - 1) / (ctas * i.stage_bytes);
  const int32_t most = std::clamp(std::min(fit, wanted), 0, kMostStages);
  return most == 3 ? 2 : most;
}

// CTAs that share a multiprocessor.
int most_ctas(const CudaContext& ctx, const DecodeInstance& i, int64_t parts) {
  if (i.stage_bytes == 0) return i.ctas;
  int most = static_cast<int>(std::min<int64_t>(i.ctas, ceil_div(parts, ctx.num_sms)));
  while (most > 1 && stages(ctx, i, most) == 0) --most;
  return most;
}

// Where they all run in one or two waves, a wave that is not full costs as much as one that is, and fewer at a time may
// take no more of them.
int resident_ctas(const CudaContext& ctx, const DecodeInstance& i, int64_t parts) {
  const int most = most_ctas(ctx, i, parts);
  if (i.stage_bytes == 0) return most;
  const auto waves = [&](int ctas) { return ceil_div(parts, int64_t{ctx.num_sms} * ctas); };
  int best = most;
  if (waves(most) > 2) return best;
  for (int ctas = most - 1; ctas > 0; --ctas) {
    if (waves(ctas) * ctas < waves(best) * best) best = ctas;
  }
  return best;
}

// The narrowest that fits the head size, and of those the one with the fewest rows to spare that does it in one tile, if any.
const DecodeInstance* choose(const CudaContext& ctx, const PagedAttention& p, int64_t rows) {
  const DecodeInstance* best = nullptr;
  for (const DecodeInstance& i : instances(p.query.dtype == VKV_DTYPE_F32 ? VKV_DTYPE_F32 : p.key_cache.dtype)) {
    if (i.dim < p.head_dim || i.x_packed != p.x_packed || stages(ctx, i, 1) == 0) continue;
    const auto tiles = [&](const DecodeInstance& one) { return ceil_div(rows, 8 * one.row_tiles); };
    if (best == nullptr || i.dim < best->dim || (i.dim == best->dim && tiles(i) < tiles(*best))) best = &i;
  }
  return best != nullptr ? best : generic_instance(p.head_dim);
}

// Bytes that every row, block and head is a multiple of.
int64_t alignment(const PagedAttention& p, const Tensor& cache, const CacheSide& side) {
  Alignment all;
  if (p.x_packed) return all.add(cache, 2).bytes();
  if (cache.dtype != VKV_DTYPE_NVFP4) return all.add(cache, 3).add(p.head_dim * element_size(cache.dtype)).bytes();
  return all.add(cache, 1).add(side.token).add(side.head).add(p.head_dim / 2).bytes();
}

// Of a token and head, K or V, with NVFP4's scales.
int64_t row_bytes(const PagedAttention& p) {
  return p.key_cache.dtype == VKV_DTYPE_NVFP4 ? p.key_cache.shape[3] : p.head_dim * element_size(p.key_cache.dtype);
}

void balance(const CudaContext& ctx, const PagedAttention& p, int deepest, DecodePlan& plan) {
  const int64_t all = p.num_seqs << (2 * deepest);
  plan.ctas = most_ctas(ctx, *plan.instance, all * plan.units);
  const int64_t slots = int64_t{ctx.num_sms} * plan.ctas;
  plan.items = std::min(all, p.num_seqs + ceil_div(kMostWaves * slots, plan.units));
  plan.work.balanced = true;
  plan.work.units = static_cast<float>(plan.units);
  plan.work.slots = static_cast<float>(slots);
  plan.work.turns = 1.0f / plan.work.slots;
  const bool widens = element_size(p.key_cache.dtype) < 2;
  const double alone = widens ? kAloneWidening : kAlone;
  const double streams = ctx.memory_bandwidth > 0 ? kReached * ctx.memory_bandwidth / alone : ctx.num_sms;
  plan.work.memory = static_cast<float>(1 / streams);
  plan.work.per_part = (widens ? kCostsWidening : kCosts).per_part;
  plan.work.tail = (widens ? kCostsWidening : kCosts).tail;
}

// Tiles of 16 bits that take as long.
int64_t weight(const PagedAttention& p, int64_t tiles) {
  return tiles * (p.key_cache.dtype == VKV_DTYPE_NVFP4 ? 4 : element_size(p.key_cache.dtype) == 1 ? 2 : 1);
}

void cut_by_length(const CudaContext& ctx, const PagedAttention& p, int32_t tiles, int deepest, DecodePlan& plan) {
  const DecodeInstance& instance = *plan.instance;
  WorkPolicy& w = plan.work;
  const int64_t whole = p.num_seqs * plan.units;
  int64_t chunk_tokens = kChunkBytes / (2 * row_bytes(p));
  if (whole <= kFewWaves * ctx.num_sms * instance.ctas) chunk_tokens = std::min(chunk_tokens, kChunkElements / p.head_dim);
  w.chunk_tiles = static_cast<int32_t>(std::max<int64_t>(chunk_tokens / instance.tile_tokens, 1));
  // Nine tenths of the multiprocessors: one more cut would cost more folds than it fills. So would one of short parts into
  // more than there are multiprocessors: on an H100, one KV head, 16 sequences of 2048 tokens in 64 / 256 12.0 / 13.7 us.
  const auto parts = [&](int cut) { return whole << (2 * cut); };
  while (w.least_cut < deepest && parts(w.least_cut) * 10 < int64_t{ctx.num_sms} * 9) {
    if (parts(w.least_cut + 1) > ctx.num_sms && weight(p, tiles) >> (2 * w.least_cut) <= kShortPart) break;
    ++w.least_cut;
  }
  w.most_cut = w.least_cut;
  while (p.num_seqs > 1 && w.most_cut < deepest && tiles >> (2 * w.most_cut) > w.chunk_tiles &&
         parts(w.most_cut + 1) <= kMostParts) {
    ++w.most_cut;
  }
  plan.items = p.num_seqs << (2 * w.most_cut);
  plan.ctas = resident_ctas(ctx, instance, plan.parts());
}

// The levels of the tree, `most` of them, whose nodes meet in clusters of 4^levels CTAs, without the workspace: where all
// sequences but the shortest have several parts. Clusters may leave a multiprocessor idle and another with two CTAs, which
// counts where most have one and parts are long. Where all have two, clusters of 4 save about 0.9 us.
int cluster_levels(const CudaContext& ctx, const PagedAttention& p, int64_t tiles, const DecodePlan& plan, int most) {
  if (ctx.cc_major < 9 || plan.instance->exchange_bytes == 0 || plan.work.balanced) return 0;
  const auto fits = [&](int levels) {
    return levels <= std::min(most, plan.work.least_cut) && plan.instance->shared_bytes(plan.stages, levels) <= ctx.shared_per_block;
  };
  const int64_t part = weight(p, tiles) >> (2 * plan.work.least_cut), parts = plan.parts();
  if (parts <= ctx.num_sms) {
    if (fits(2) && part <= kLongPart) return 2;
    return fits(1) && (part <= kShortPart || parts <= ctx.num_sms / 2) ? 1 : 0;
  }
  return fits(1) && part <= kLongPart && parts <= int64_t{ctx.num_sms} * plan.ctas ? 1 : 0;
}

}  // namespace

LoaderPolicy loader_policy(const PagedAttention& p, const AttentionParams& a, const DecodePlan& plan) {
  const int64_t bytes = std::min(alignment(p, p.key_cache, a.key), alignment(p, p.value_cache, a.value));
  LoaderPolicy l;
  l.stages = plan.stages;
  l.piece_bytes = static_cast<int32_t>(bytes);
  l.runs = p.block_size * element_size(p.key_cache.dtype) % 16 == 0;
  l.sixteens = p.block_size % 16 == 0;
  const auto small = [](const CacheSide& side) { return (side.block | side.token | side.pitch) >> 27 == 0; };
  const bool all_dims = (!p.x_packed && p.key_cache.dtype != VKV_DTYPE_NVFP4) || p.head_dim == plan.instance->dim;
  l.whole_tiles = l.sixteens && bytes == 16 && small(a.key) && small(a.value) && all_dims;
  return l;
}

DecodePlan decode_plan(const CudaContext& ctx, const PagedAttention& p, int32_t longest_query) {
  DecodePlan plan = {};
  const int64_t group = p.num_heads / p.num_kv_heads, queries = std::min<int64_t>(p.max_query_len, longest_query);
  const int64_t rows = group * queries;
  plan.instance = choose(ctx, p, rows);
  if (plan.instance == nullptr) return plan;
  const DecodeInstance& instance = *plan.instance;
  plan.longest_query = longest_query;
  plan.row_tiles = ceil_div(rows, 8 * instance.row_tiles);
  plan.units = p.num_kv_heads * plan.row_tiles;

  int64_t span = p.max_seq_len;
  if (p.sliding_window > 0) span = std::min(span, p.sliding_window + p.max_query_len + 16);
  const int64_t tiles = ceil_div(span, instance.tile_tokens);
  plan.tree = TreePolicy::of(p.num_kv_heads);
  const int deepest = plan.tree.depth(static_cast<int32_t>(tiles)) - 1;
  cut_by_length(ctx, p, static_cast<int32_t>(tiles), deepest, plan);
  // Where sequences may need different cuts, their lengths decide together. Where the window begins depends on
  // query_start_loc, which only a sequence's own CTAs read.
  const bool tiles_follow_length = p.sliding_window == 0 || !p.query_start_loc.present();
  if (plan.work.most_cut > plan.work.least_cut && p.num_seqs > 1 && p.num_seqs <= kMostBalanced &&
      p.num_seqs * tiles < int64_t{1} << 31 && tiles_follow_length) {
    balance(ctx, p, deepest, plan);
  }
  plan.work.items = static_cast<int32_t>(std::min<int64_t>(plan.items, 0x7FFFFFFF));
  const bool narrow = row_bytes(p) < 128 && p.num_seqs * plan.units <= kFewWaves * ctx.num_sms * plan.ctas;
  plan.stages = stages(ctx, instance, plan.ctas, narrow ? kNarrowInFlight : kInFlight);
  plan.work.cluster_levels = cluster_levels(ctx, p, tiles, plan, 2);
  plan.else_levels = cluster_levels(ctx, p, tiles, plan, 1);
  return plan;
}

}  // namespace vkv::cuda
