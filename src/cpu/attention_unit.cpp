#include "cpu/attention_unit.hpp"

#include <algorithm>
#include <cmath>

namespace vkv::cpu {

namespace {

bool reads_scale(const PagedAttention& p) { return p.key_cache.dtype != p.query.dtype; }

float scale_of(const PagedAttention& p, const Tensor& scale, int64_t kv_head) {
  return reads_scale(p) && scale.present() ? scale.as<const float>()[scale_index(scale, kv_head)] : 1.0f;
}

const float* per_head(const Tensor& tensor, int64_t head) {
  return tensor.present() ? tensor.as<const float>() + head * tensor.stride[0] : nullptr;
}

// Bits [begin, end) of a tile's mask, where the numbers may lie outside the tile.
uint32_t bits_between(int64_t begin, int64_t end) {
  const auto low = static_cast<uint32_t>(std::clamp<int64_t>(begin, 0, kTile));
  const auto high = static_cast<uint32_t>(std::clamp<int64_t>(end, 0, kTile));
  return low < high ? (1u << high) - (1u << low) : 0u;
}

}  // namespace

// ---- where numbers lie

AttentionSide::AttentionSide(const PagedAttention& p, const AttentionKernels& kernels, bool of_values)
    : values(of_values), x_packed(p.x_packed), neighbours(p.x_packed && p.block_size % kTile == 0) {
  const Tensor& cache = of_values ? p.value_cache : p.key_cache;
  const int64_t size = element_size(cache.dtype);
  base = cache.as<const char>();
  block = cache.stride[0] * size;
  if (cache.dtype == VKV_DTYPE_NVFP4) {
    // Row (token, head) of a block is row token * stride / f + head * stride / f of its data and of its scales.
    const int64_t f = cache.shape[3], data = p.head_dim / 2, scales = p.head_dim / 16;
    const int64_t token_rows = cache.stride[1] / f, head_rows = cache.stride[2] / f;
    source = nullptr;
    head = token = pitch = 0;
    nvfp4 = {base, nullptr, nullptr, 0, token_rows * data, p.num_kv_heads * p.block_size * data, token_rows * scales,
             of_values && p.nvfp4_swizzled_v};
    nvfp4_data = head_rows * data;
    nvfp4_scales = head_rows * scales;
    return;
  }
  const int index = AttentionKernels::dtype_index(cache.dtype);
  if (x_packed) {
    source = of_values ? kernels.x_values + index : kernels.x_keys + index;
    head = cache.stride[1] * size;
    token = of_values ? size : 16;
    pitch = p.block_size * token;
  } else {
    source = kernels.strided + index;
    token = cache.stride[1] * size;
    head = cache.stride[2] * size;
    pitch = 0;
  }
}

// Whether kernels read the cache themselves. Where many rows share a tile, it is widened once for all of them.
bool AttentionSide::direct(int64_t rows) const {
  constexpr int64_t kMostRows = 8;
  if (source == nullptr || (values ? source->accumulate == nullptr : source->scores == nullptr)) return false;
  return x_packed ? neighbours && (values || rows <= kMostRows) : rows <= kMostRows;
}

// ---- one unit

AttentionWorker::AttentionWorker(const Context& ctx, const PagedAttention& p, const AttentionShape& shape,
                                 const AttentionScratch& scratch)
    : cpu_(self(ctx)),
      p_(p),
      shape_(shape),
      scratch_(scratch),
      kernels_(attention_kernels(cpu_.isa)),
      keys_(p, kernels_, false),
      values_(p, kernels_, true) {
  for (int64_t t = 0; t < kTile; ++t) staged_at_[t] = t * shape.ld * static_cast<int64_t>(sizeof(float));
}

int64_t AttentionWorker::position(int64_t row) const {
  const AttentionSequence& q = *unit_->sequence;
  return q.length - q.query_len + (unit_->row + row) / shape_.group;
}

int64_t AttentionWorker::oldest(int64_t position) const {
  return p_.sliding_window == 0 ? 0 : std::max<int64_t>(position - p_.sliding_window + 1, 0);
}

AttentionState AttentionWorker::compute(const AttentionUnit& unit, int64_t begin, int64_t end) {
  unit_ = &unit;
  const int64_t rows = unit.heads * unit.rows, ld = shape_.ld;
  load_queries();
  const int64_t from = oldest(position(0)), to = position(unit.rows - 1) + 1;  // tokens that some row attends to
  const int64_t first = std::max(begin, from / kPiece), last = std::min(end, (to + kPiece - 1) / kPiece);
  AttentionPiece* buffers[2] = {scratch_.pieces, scratch_.pieces + 1};
  AttentionTree tree(kernels_, rows, ld);
  if (first < last) walk(first, from, to, buffers[0]);
  for (int64_t i = first; i < last; ++i) {
    const AttentionPiece& piece = *buffers[0];
    next_ = i + 1 < last ? buffers[1] : nullptr;
    if (next_ != nullptr) walk(i + 1, from, to, buffers[1]);
    const AttentionState state = attention_state(scratch_.states, shape_.rows, tree.size(), ld);
    mask_rows(piece);
    keys(piece);
    weights(piece, state);
    values(piece, state);
    tree.add(state, i);
    std::swap(buffers[0], buffers[1]);
  }
  if (const auto root = tree.root()) return *root;
  const AttentionState nothing = attention_state(scratch_.states, shape_.rows, 0, ld);
  std::fill_n(nothing.sum, rows, -1.0f);
  return nothing;
}

void AttentionWorker::load_queries() {
  const auto widen = cpu_.rows.widen(p_.query.dtype);
  const int64_t size = element_size(p_.query.dtype);
  float* out = scratch_.q;
  for (int64_t i = 0; i < unit_->heads; ++i) {
    for (int64_t r = 0; r < unit_->rows; ++r, out += shape_.ld) {
      const int64_t row = unit_->row + r;
      const int64_t token = unit_->sequence->query_begin + row / shape_.group;
      const int64_t head = (unit_->head + i) * shape_.group + row % shape_.group;
      widen(p_.query.as<const char>() + (token * p_.query.stride[0] + head * p_.query.stride[1]) * size, out,
            p_.head_dim);
      std::fill(out + p_.head_dim, out + shape_.ld, 0.0f);
    }
  }
}

// Finds the tokens of positions [from, to) in a piece. A block id out of range has none.
void AttentionWorker::walk(int64_t piece, int64_t from, int64_t to, AttentionPiece* out) {
  const AttentionSequence& q = *unit_->sequence;
  const int64_t origin = piece * kPiece;
  const int64_t begin = std::max<int64_t>(from - origin, 0), end = std::min<int64_t>(to - origin, kPiece);
  out->origin = origin;
  out->first_token = begin;
  out->last_token = end;
  out->first_tile = begin / kTile;
  out->last_tile = (end + kTile - 1) / kTile;
  std::fill(out->present, out->present + kTilesPerPiece, uint16_t{0});
  const auto place = [&](int64_t t, int64_t block, int64_t offset) {
    out->key_at[t] = block * keys_.block + offset * keys_.token;
    out->value_at[t] = block * values_.block + offset * values_.token;
    out->offset[t] = static_cast<int32_t>(offset);
  };
  for (int64_t token = begin, next; token < end; token = next) {
    const int64_t column = (origin + token) / p_.block_size, offset = (origin + token) % p_.block_size;
    const int64_t entry = q.table_begin + column;
    const int64_t id = p_.csr ? p_.kv_indices.as<const int32_t>()[entry * p_.kv_indices.stride[0]]
                              : p_.block_table.as<const int32_t>()[q.table_row * p_.block_table.stride[0] + entry];
    next = std::min(end, token - offset + p_.block_size);
    if (id < 0 || id >= p_.num_blocks) {
      const int64_t index = p_.csr ? entry : q.table_row * p_.table_columns + entry;
      // All heads meet the same block; one tells.
      if (unit_->head == 0) cpu_.report.note(p_.op, VKV_REPORT_BLOCK_ID, index, id, p_.num_blocks);
      continue;
    }
    for (int64_t t = token; t < next; ++t) place(t, id, offset + t - token);
    for (int64_t tile = token / kTile; tile * kTile < next; ++tile) {
      out->present[tile] = static_cast<uint16_t>(out->present[tile] | bits_between(token - tile * kTile, next - tile * kTile));
    }
  }
  // Kernels read whole tiles: the other tokens stand where a present one does, or, where tokens must be neighbours, in
  // their own places of its block.
  for (int64_t tile = out->first_tile; tile < out->last_tile; ++tile) {
    const uint32_t present = out->present[tile];
    const int64_t known = tile * kTile + (present != 0 ? __builtin_ctz(present) : 0);
    for (int64_t t = tile * kTile; t < (tile + 1) * kTile && present != 0xFFFF; ++t) {
      if ((present >> (t % kTile) & 1) != 0) continue;
      const int64_t away = keys_.neighbours ? t - known : 0;
      out->key_at[t] = present == 0 ? 0 : out->key_at[known] + away * keys_.token;
      out->value_at[t] = present == 0 ? 0 : out->value_at[known] + away * values_.token;
      out->offset[t] = present == 0 ? 0 : out->offset[known];
    }
  }
}

void AttentionWorker::mask_rows(const AttentionPiece& piece) {
  const int64_t first = position(0), last = position(unit_->rows - 1);
  const bool sparse = p_.sparse.vert_stride > 1;
  present_ = piece.present;
  uniform_ = !sparse && (first == last || (oldest(last) <= piece.origin + piece.first_token &&
                                           first + 1 >= piece.origin + piece.last_token));
  if (uniform_) return;
  uint16_t* out = scratch_.masks;
  for (int64_t i = 0; i < unit_->heads; ++i) {
    for (int64_t r = 0; r < unit_->rows; ++r, out += kTilesPerPiece) {
      const int64_t at = position(r), head = (unit_->head + i) * shape_.group + (unit_->row + r) % shape_.group;
      for (int64_t tile = piece.first_tile; tile < piece.last_tile; ++tile) {
        const int64_t token = piece.origin + tile * kTile;
        uint32_t bits = piece.present[tile] & bits_between(oldest(at) - token, at + 1 - token);
        if (sparse && bits != 0) bits &= sparse_bits(piece, tile, unit_->head + i, head, at);
        out[tile] = static_cast<uint16_t>(bits);
      }
    }
  }
}

// Tokens of the blocks of a tile that the block-sparse rule lets a row attend to.
uint32_t AttentionWorker::sparse_bits(const AttentionPiece& piece, int64_t tile, int64_t kv_head, int64_t query_head,
                                      int64_t position) const {
  const BlockSparse& rule = p_.sparse;
  const int64_t stride = rule.vert_stride, step = rule.head_sliding_step;
  const int64_t heads = step >= 0 ? p_.num_heads : p_.num_kv_heads, head = step >= 0 ? query_head : kv_head;
  // (tp_rank * heads + head) * |step| + 1, modulo the stride so that nothing overflows
  const int64_t rank = (rule.tp_rank % stride * (heads % stride) + head % stride) % stride;
  const int64_t offset = (rank * ((step >= 0 ? step : -step) % stride) + 1) % stride;
  const int64_t query_block = position / rule.block_size, origin = piece.origin + tile * kTile;
  uint32_t bits = 0;
  for (int64_t token = 0, next; token < kTile; token = next) {
    const int64_t first_token = (origin + token) / p_.block_size * p_.block_size;  // of its cache block
    next = std::min<int64_t>(first_token + p_.block_size - origin, kTile);
    const int64_t key_block = first_token / rule.block_size;
    if (key_block > query_block - rule.local_blocks || (key_block % stride + offset) % stride == 0) {
      bits |= bits_between(token, next);
    }
  }
  return bits;
}

bool AttentionWorker::attended(int64_t head, int64_t tile) const {
  if (uniform_) return present_[tile] != 0;
  for (int64_t r = 0; r < unit_->rows; ++r) {
    if (mask(head, r)[tile] != 0) return true;
  }
  return false;
}

// ---- steps

// Goes `steps` steps on. False: that is past the unit's end, or of what is known of it.
bool AttentionWorker::advance(Step* step, int64_t steps) const {
  step->head += steps;
  step->tile += step->head / unit_->heads;
  step->head %= unit_->heads;
  while (step->tile >= step->piece->last_tile) {
    const int64_t beyond = step->tile - step->piece->last_tile;
    if (step->side == &keys_) {
      step->side = &values_;
    } else if (step->piece != next_ && next_ != nullptr) {
      step->side = &keys_;
      step->piece = next_;
    } else {
      return false;
    }
    step->tile = step->piece->first_tile + beyond;
  }
  return true;
}

AttentionTile AttentionWorker::tile(const Step& step) const {
  const AttentionSide& side = *step.side;
  const int64_t* at = side.values ? step.piece->value_at : step.piece->key_at;
  return {side.base + (unit_->head + step.head) * side.head, at + step.tile * kTile, side.pitch};
}

// What the kernel of this step reads and asks for. A step that reads the cache itself asks for two others: the next one,
// to be in the first cache, and one so far ahead that memory has time to answer. Still further ahead the page tables are
// asked, a page at a time, as a kernel that had to wait for them could ask for nothing else meanwhile.
AttentionTiles AttentionWorker::prepare(const Step& step) {
  constexpr int64_t kMemorySteps = 8, kPageSteps = 16;
  constexpr std::uintptr_t kPage = 4096;
  const int64_t ld = shape_.ld;
  if (!step.side->direct(unit_->rows)) {
    const AttentionTile staged{reinterpret_cast<const char*>(scratch_.tile), staged_at_, 0};
    if (step.side->source != nullptr) {
      step.side->source->stage(tile(step), p_.head_dim, scratch_.tile, ld);
    } else {
      Nvfp4Tile from = step.side->nvfp4;
      const int64_t head = unit_->head + step.head;
      from.at = tile(step).at;
      from.offset = step.piece->offset + step.tile * kTile;
      from.data += head * step.side->nvfp4_data;
      from.scales += head * step.side->nvfp4_scales;
      kernels_.stage_nvfp4(from, p_.head_dim, scratch_.tile, ld);
    }
    return {staged, staged, staged};
  }
  const AttentionTile now = tile(step);
  AttentionTiles tiles{now, now, now};
  Step ahead = step;
  if (!advance(&ahead, 1)) return tiles;
  tiles.next = tile(ahead);
  ahead = step;
  if (!advance(&ahead, kMemorySteps)) return tiles;
  tiles.later = tile(ahead);
  ahead = step;
  if (!advance(&ahead, kPageSteps)) return tiles;
  const AttentionTile pages = tile(ahead);
  const auto page = [&](int64_t t) { return reinterpret_cast<std::uintptr_t>(pages.base + pages.at[t]) / kPage; };
  if (ahead.head == 0) {
    for (int64_t t = 0; t < kTile; ++t) {
      if (t == 0 || page(t) != page(t - 1)) __builtin_prefetch(pages.base + pages.at[t], 0, 2);
    }
  } else {
    __builtin_prefetch(pages.base + pages.at[0], 0, 2);
  }
  return tiles;
}

void AttentionWorker::keys(const AttentionPiece& piece) {
  const auto scores = keys_.direct(unit_->rows) ? keys_.source->scores : kernels_.staged.scores;
  for (int64_t tile = piece.first_tile; tile < piece.last_tile; ++tile) {
    for (int64_t head = 0; head < unit_->heads; ++head) {
      if (!attended(head, tile)) continue;
      const int64_t row = head * unit_->rows;
      scores(prepare({&piece, &keys_, tile, head}), scratch_.q + row * shape_.ld, unit_->rows, p_.head_dim, shape_.ld,
             scratch_.logits + row * kPiece + tile * kTile);
    }
  }
}

void AttentionWorker::weights(const AttentionPiece& piece, const AttentionState& state) {
  for (int64_t head = 0; head < unit_->heads; ++head) {
    Logits logits;
    logits.scale = p_.softmax_scale * (scale_of(p_, p_.k_scale, unit_->head + head) * keys_.gain());
    logits.softcap = p_.logit_softcap;
    for (int64_t r = 0; r < unit_->rows; ++r) {
      const int64_t row = head * unit_->rows + r;
      const uint16_t* bits = mask(head, r);
      const bool any =
          std::any_of(bits + piece.first_tile, bits + piece.last_tile, [](uint16_t b) { return b != 0; });
      if (!any) {
        state.sum[row] = -1.0f;
        continue;
      }
      const float* slope =
          per_head(p_.alibi_slopes, (unit_->head + head) * shape_.group + (unit_->row + r) % shape_.group);
      logits.slope = slope == nullptr ? 0.0f : *slope;
      logits.distance = static_cast<float>(piece.origin - position(r));
      kernels_.softmax(scratch_.logits + row * kPiece, bits, piece.first_tile, piece.last_tile - piece.first_tile,
                       logits, state.max + row, state.sum + row);
    }
  }
}

void AttentionWorker::values(const AttentionPiece& piece, const AttentionState& state) {
  const int64_t ld = shape_.ld;
  std::fill_n(state.acc, unit_->heads * unit_->rows * ld, 0.0f);
  const auto accumulate = values_.direct(unit_->rows) ? values_.source->accumulate : kernels_.staged.accumulate;
  // Adds the tokens in `bits` to `rows` rows from `row` of a head on: runs of them, so that no other is touched.
  const auto add = [&](const AttentionTiles& tiles, int64_t row, int64_t rows, int64_t tile, uint32_t bits) {
    while (bits != 0) {
      const int begin = __builtin_ctz(bits), end = begin + __builtin_ctz(~(bits >> begin));
      accumulate(tiles, scratch_.logits + row * kPiece + tile * kTile, rows, begin, end, p_.head_dim, ld,
                 state.acc + row * ld);
      bits &= ~((1u << end) - 1u);
    }
  };
  for (int64_t tile = piece.first_tile; tile < piece.last_tile; ++tile) {
    for (int64_t head = 0; head < unit_->heads; ++head) {
      if (!attended(head, tile)) continue;
      const AttentionTiles tiles = prepare({&piece, &values_, tile, head});
      const int64_t row = head * unit_->rows;
      bool same = true;
      for (int64_t r = 1; r < unit_->rows && !uniform_; ++r) same = same && mask(head, r)[tile] == mask(head, 0)[tile];
      if (same) {
        add(tiles, row, unit_->rows, tile, mask(head, 0)[tile]);
      } else {
        for (int64_t r = 0; r < unit_->rows; ++r) {
          add({tiles.now, tiles.now, tiles.now}, row + r, 1, tile, mask(head, r)[tile]);
        }
      }
    }
  }
}

void AttentionWorker::write(const AttentionUnit& unit, const AttentionState& state) {
  const auto narrow = cpu_.rows.narrow(p_.out.dtype);
  const int64_t size = element_size(p_.out.dtype);
  for (int64_t i = 0; i < unit.heads; ++i) {
    const float v_scale = scale_of(p_, p_.v_scale, unit.head + i) * values_.gain();
    for (int64_t r = 0; r < unit.rows; ++r) {
      const int64_t row = i * unit.rows + r, query_row = unit.row + r;
      const int64_t token = unit.sequence->query_begin + query_row / shape_.group;
      const int64_t head = (unit.head + i) * shape_.group + query_row % shape_.group;
      float* acc = state.acc + row * shape_.ld;
      kernels_.finish(state.max + row, state.sum + row, acc, per_head(p_.sinks, head), v_scale, shape_.ld);
      narrow(acc, p_.out.as<char>() + (token * p_.out.stride[0] + head * p_.out.stride[1]) * size, p_.head_dim);
      if (p_.lse.present()) {
        p_.lse.as<float>()[token * p_.lse.stride[0] + head * p_.lse.stride[1]] =
            state.max[row] + std::log(state.sum[row]);
      }
    }
  }
}

}  // namespace vkv::cpu
