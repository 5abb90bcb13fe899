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

// ---- where tokens lie

AttentionSide::AttentionSide(const PagedAttention& p, const AttentionKernels& kernels, bool values)
    : cache_(values ? p.value_cache : p.key_cache),
      kernels_(kernels),
      head_dim_(p.head_dim) {
  const vkv_dtype dtype = cache_.dtype;
  const int64_t size = element_size(dtype);
  block_ = cache_.stride[0] * size;
  if (p.x_packed) {
    stage_ = values ? kernels.x_values(dtype) : kernels.x_keys(dtype);
    head_ = cache_.stride[1] * size;
    token_ = values ? size : 16;
    pitch_ = p.block_size * token_;
    return;
  }
  token_ = pitch_ = cache_.stride[1] * size;
  head_ = cache_.stride[2] * size;
  if (dtype != VKV_DTYPE_NVFP4) {
    stage_ = kernels.strided(dtype);
  } else {
    scale_offset_ = p.num_kv_heads * p.block_size * p.head_dim / 2;
    swizzled_ = values && p.nvfp4_swizzled_v;
  }
}

void AttentionSide::stage(const AttentionSegment& segment, int64_t head, float* tile, int64_t ld) const {
  const char* block = cache_.as<const char>() + segment.block * block_;
  float* out = tile + segment.token % kTile * ld;
  if (stage_ != nullptr) {
    stage_(block + head * head_ + segment.offset * token_, pitch_, segment.tokens, head_dim_, out, ld);
    return;
  }
  // Row (token, head) of a block is number token * token_ / f + head * head_ / f of its data and of its scales.
  const int64_t f = cache_.shape[3], data = head_dim_ / 2, scales = head_dim_ / 16;
  const auto* bytes = reinterpret_cast<const uint8_t*>(block);
  Nvfp4Tokens from;
  from.data_pitch = token_ / f * data;
  from.scale_pitch = token_ / f * scales;
  from.data = bytes + head * (head_ / f) * data + segment.offset * from.data_pitch;
  from.scales = bytes + scale_offset_ + head * (head_ / f) * scales;
  from.first = segment.offset;
  from.tokens = segment.tokens;
  from.swizzled = swizzled_;
  kernels_.nvfp4(from, head_dim_, out, ld);
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
  // Columns past head_dim stay zero. The rest is zeroed too, so that tokens that are never staged are numbers.
  std::fill_n(scratch_.tile, kTile * shape_.ld, 0.0f);
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
  AttentionTree tree(kernels_, rows, ld);
  for (int64_t piece = std::max(begin, from / kPiece); piece < end && piece * kPiece < to; ++piece) {
    origin_ = piece * kPiece;
    const int64_t first = std::max<int64_t>(from - origin_, 0), last = std::min<int64_t>(to - origin_, kPiece);
    const AttentionState state = attention_state(scratch_.states, shape_.rows, tree.size(), ld);
    walk(first, last);
    mask_rows(first, last);
    keys();
    weights(state);
    values(state);
    tree.add(state, piece);
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

// Finds the tokens [begin, end) of the piece. A block id out of range has none.
void AttentionWorker::walk(int64_t begin, int64_t end) {
  first_tile_ = begin / kTile;
  last_tile_ = (end + kTile - 1) / kTile;
  const AttentionSequence& q = *unit_->sequence;
  int64_t segments = 0, known_column = -1, id = 0;
  for (int64_t tile = first_tile_; tile < last_tile_; ++tile) {
    tile_segments_[tile] = segments;
    uint32_t present = 0;
    const int64_t tile_end = (tile + 1) * kTile;
    for (int64_t token = std::max(begin, tile * kTile), next; token < std::min(end, tile_end); token = next) {
      const int64_t position = origin_ + token, column = position / p_.block_size, offset = position % p_.block_size;
      const int64_t block_end = token - offset + p_.block_size;
      next = std::min({end, tile_end, block_end});
      if (column != known_column) {
        known_column = column;
        const int64_t entry = q.table_begin + column;
        id = p_.csr ? p_.kv_indices.as<const int32_t>()[entry * p_.kv_indices.stride[0]]
                    : p_.block_table.as<const int32_t>()[q.table_row * p_.block_table.stride[0] + entry];
        if (id < 0 || id >= p_.num_blocks) {
          const int64_t index = p_.csr ? entry : q.table_row * p_.table_columns + entry;
          // All heads meet the same block; one tells.
          if (unit_->head == 0) cpu_.report.note(p_.op, VKV_REPORT_BLOCK_ID, index, id, p_.num_blocks);
          id = -1;
        }
      }
      if (id < 0) continue;
      present |= bits_between(token - tile * kTile, next - tile * kTile);
      const int64_t back = p_.x_packed ? std::min(token - tile * kTile, offset) : 0;
      const int64_t stop = p_.x_packed ? std::min(tile_end, block_end) : next;
      scratch_.segments[segments++] = {id, static_cast<int32_t>(offset - back),
                                       static_cast<int32_t>(stop - token + back), static_cast<int32_t>(token - back)};
    }
    present_[tile] = static_cast<uint16_t>(present);
  }
  tile_segments_[last_tile_] = segments;
}

void AttentionWorker::mask_rows(int64_t begin, int64_t end) {
  const int64_t first = position(0), last = position(unit_->rows - 1);
  const bool sparse = p_.sparse.vert_stride > 1;
  uniform_ = !sparse && (first == last || (oldest(last) <= origin_ + begin && first + 1 >= origin_ + end));
  if (uniform_) return;
  uint16_t* out = scratch_.masks;
  for (int64_t i = 0; i < unit_->heads; ++i) {
    for (int64_t r = 0; r < unit_->rows; ++r, out += kTilesPerPiece) {
      const int64_t at = position(r), head = (unit_->head + i) * shape_.group + (unit_->row + r) % shape_.group;
      for (int64_t tile = first_tile_; tile < last_tile_; ++tile) {
        const int64_t token = origin_ + tile * kTile;
        uint32_t bits = present_[tile] & bits_between(oldest(at) - token, at + 1 - token);
        if (sparse && bits != 0) bits &= sparse_bits(tile, unit_->head + i, head, at);
        out[tile] = static_cast<uint16_t>(bits);
      }
    }
  }
}

// Tokens of the blocks of a tile that the block-sparse rule lets a row attend to.
uint32_t AttentionWorker::sparse_bits(int64_t tile, int64_t kv_head, int64_t query_head, int64_t position) const {
  const BlockSparse& rule = p_.sparse;
  const int64_t stride = rule.vert_stride, step = rule.head_sliding_step;
  const int64_t heads = step >= 0 ? p_.num_heads : p_.num_kv_heads, head = step >= 0 ? query_head : kv_head;
  // (tp_rank * heads + head) * |step| + 1, modulo the stride so that nothing overflows
  const int64_t rank = (rule.tp_rank % stride * (heads % stride) + head % stride) % stride;
  const int64_t offset = (rank * ((step >= 0 ? step : -step) % stride) + 1) % stride;
  uint32_t bits = 0;
  for (int64_t s = tile_segments_[tile]; s < tile_segments_[tile + 1]; ++s) {
    const AttentionSegment& segment = scratch_.segments[s];
    const int64_t first_token = origin_ + segment.token - segment.offset;  // of its block
    const int64_t key_block = first_token / rule.block_size, query_block = position / rule.block_size;
    if (key_block > query_block - rule.local_blocks || (key_block % stride + offset) % stride == 0) {
      const int64_t token = segment.token - tile * kTile;
      bits |= bits_between(token, token + segment.tokens);
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

void AttentionWorker::stage(const AttentionSide& side, int64_t tile, int64_t head) {
  for (int64_t s = tile_segments_[tile]; s < tile_segments_[tile + 1]; ++s) {
    side.stage(scratch_.segments[s], unit_->head + head, scratch_.tile, shape_.ld);
  }
}

void AttentionWorker::keys() {
  for (int64_t tile = first_tile_; tile < last_tile_; ++tile) {
    for (int64_t head = 0; head < unit_->heads; ++head) {
      if (!attended(head, tile)) continue;
      stage(keys_, tile, head);
      const int64_t row = head * unit_->rows;
      kernels_.scores(scratch_.q + row * shape_.ld, unit_->rows, scratch_.tile, shape_.ld,
                      scratch_.logits + row * kPiece + tile * kTile);
    }
  }
}

void AttentionWorker::weights(const AttentionState& state) {
  for (int64_t head = 0; head < unit_->heads; ++head) {
    Logits logits;
    logits.scale = p_.softmax_scale * scale_of(p_, p_.k_scale, unit_->head + head);
    logits.softcap = p_.logit_softcap;
    for (int64_t r = 0; r < unit_->rows; ++r) {
      const int64_t row = head * unit_->rows + r;
      const uint16_t* bits = mask(head, r);
      const bool any = std::any_of(bits + first_tile_, bits + last_tile_, [](uint16_t b) { return b != 0; });
      if (!any) {
        state.sum[row] = -1.0f;
        continue;
      }
      const float* slope =
          per_head(p_.alibi_slopes, (unit_->head + head) * shape_.group + (unit_->row + r) % shape_.group);
      logits.slope = slope == nullptr ? 0.0f : *slope;
      logits.distance = static_cast<float>(origin_ - position(r));
      kernels_.softmax(scratch_.logits + row * kPiece, bits, first_tile_, last_tile_ - first_tile_, logits,
                       state.max + row, state.sum + row);
    }
  }
}

void AttentionWorker::values(const AttentionState& state) {
  const int64_t ld = shape_.ld;
  std::fill_n(state.acc, unit_->heads * unit_->rows * ld, 0.0f);
  // Adds the tokens in `bits` to `rows` rows from `row` of a head on: runs of them, so that no other is touched.
  const auto add = [&](int64_t head, int64_t row, int64_t rows, int64_t tile, uint32_t bits) {
    const int64_t at = head * unit_->rows + row;
    while (bits != 0) {
      const int begin = __builtin_ctz(bits), end = begin + __builtin_ctz(~(bits >> begin));
      kernels_.accumulate(scratch_.logits + at * kPiece + tile * kTile, rows, scratch_.tile, begin, end, ld,
                          state.acc + at * ld);
      bits &= ~((1u << end) - 1u);
    }
  };
  for (int64_t tile = first_tile_; tile < last_tile_; ++tile) {
    for (int64_t head = 0; head < unit_->heads; ++head) {
      if (!attended(head, tile)) continue;
      stage(values_, tile, head);
      bool same = true;
      for (int64_t r = 1; r < unit_->rows && !uniform_; ++r) same = same && mask(head, r)[tile] == mask(head, 0)[tile];
      if (same) {
        add(head, 0, unit_->rows, tile, mask(head, 0)[tile]);
      } else {
        for (int64_t r = 0; r < unit_->rows; ++r) add(head, r, 1, tile, mask(head, r)[tile]);
      }
    }
  }
}

void AttentionWorker::write(const AttentionUnit& unit, const AttentionState& state) {
  const auto narrow = cpu_.rows.narrow(p_.out.dtype);
  const int64_t size = element_size(p_.out.dtype);
  for (int64_t i = 0; i < unit.heads; ++i) {
    const float v_scale = scale_of(p_, p_.v_scale, unit.head + i);
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
