#include "cpu/attention_schedule.hpp"

#include <algorithm>

#include "cpu/attention_unit.hpp"

namespace vkv::cpu {

namespace {

// Rows of a unit: enough to use each widened key for all heads of a group, few enough to stay in the second cache.
constexpr int64_t kUnitRows = 64;
// Bytes of keys of a piece that a unit walks before it returns to them for the values.
constexpr int64_t kUnitPieceBytes = 512 * 1024;
// Units for each thread when trees are cut, so that threads end at about the same time.
constexpr int64_t kUnitsPerThread = 4;

int64_t bit_width(int64_t n) {
  int64_t width = 0;
  for (; n > 0; n >>= 1) ++width;
  return width;
}

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Takes aligned arrays off one block of memory, in order.
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<char*>(base)) {}

  template <class T>
  T* take(int64_t count) {
    constexpr std::size_t kAlignment = 256;
    char* at = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return reinterpret_cast<T*>(at);
  }
  std::size_t used() const { return used_; }

 private:
  char* base_;
  std::size_t used_ = 0;
};

AttentionScratch carve_scratch(Carver& carver, const AttentionShape& shape) {
  AttentionScratch s;
  s.q = carver.take<float>(shape.rows * shape.ld);
  s.logits = carver.take<float>(shape.rows * kPiece);
  s.tile = carver.take<float>(kTile * shape.ld);
  s.states = carver.take<float>(shape.levels * shape.rows * (shape.ld + 2));
  s.masks = carver.take<uint16_t>(shape.rows * kTilesPerPiece);
  s.pieces = carver.take<AttentionPiece>(2);
  return s;
}

}  // namespace

AttentionShape::AttentionShape(const PagedAttention& p, int pool_threads) : threads(pool_threads) {
  const int64_t kv_heads = std::max<int64_t>(p.num_kv_heads, 1);
  group = p.num_heads / kv_heads;
  tile_rows = std::clamp<int64_t>(std::min(p.max_query_len, kUnitRows) * std::min(group, kUnitRows), 1, kUnitRows);
  const int64_t piece_bytes = kPiece * p.head_dim * element_size(p.key_cache.dtype);
  most_heads = std::min({kUnitRows / tile_rows, std::max<int64_t>(kUnitPieceBytes / piece_bytes, 1), kv_heads});
  rows = tile_rows * most_heads;
  ld = divide_up(p.head_dim, kTile) * kTile;
  levels = bit_width(divide_up(std::max<int64_t>(p.max_seq_len, 1), kPiece)) + 1;
  // A tree is cut only if it has more pieces than a span; so it has at most three times pieces / span units (one more
  // at each end, as spans lie at fixed places), and all trees have at most kUnitsPerThread * threads spans of pieces.
  most_partials = threads > 1 ? 3 * kUnitsPerThread * threads : 0;
}

AttentionWorkspace::AttentionWorkspace(void* base, const PagedAttention& p, const AttentionShape& shape)
    : shape_(shape) {
  Carver measure(nullptr);
  carve_scratch(measure, shape);
  scratch_bytes_ = measure.used();

  Carver carver(base);
  sequences = carver.take<AttentionSequence>(p.num_seqs);
  partials = carver.take<float>(shape.most_partials * shape.rows * (shape.ld + 2));
  scratch_ = carver.take<char>(shape.threads * static_cast<int64_t>(scratch_bytes_));
  bytes = carver.used();
}

AttentionScratch AttentionWorkspace::scratch(int64_t thread) const {
  Carver carver(scratch_ + static_cast<std::size_t>(thread) * scratch_bytes_);
  return carve_scratch(carver, shape_);
}

AttentionSchedule::AttentionSchedule(const Context& ctx, const PagedAttention& p, const AttentionShape& shape,
                                     AttentionSequence* sequences)
    : p_(p),
      shape_(shape),
      sequences_(sequences) {
  read_sequences(ctx);
  cut();
}

// ---- lengths and offsets

namespace {

// Numbers of device memory, each put into its bounds; one that was outside is noted.
class Reader {
 public:
  Reader(const Context& ctx, const PagedAttention& p) : report_(self(ctx).report), p_(p) {}

  static int64_t at(const Tensor& tensor, int64_t i) { return tensor.as<const int32_t>()[i * tensor.stride[0]]; }

  int64_t bounded(int32_t what, int64_t index, int64_t value, int64_t low, int64_t high) const {
    if (value >= low && value <= high) return value;
    report_.note(p_.op, what, index, value, high + 1);
    return value < low ? low : high;
  }

  // Tokens of sequence s, and in CSR form where its blocks begin.
  int64_t length(int64_t s, int64_t* table_begin) {
    int64_t tokens = 0;
    if (p_.csr) {
      if (s == 0) indptr_ = bounded(VKV_REPORT_OFFSET, 0, at(p_.kv_indptr, 0), 0, p_.table_columns);
      const int64_t begin = indptr_, next = at(p_.kv_indptr, s + 1);
      const int64_t end = bounded(VKV_REPORT_OFFSET, s + 1, next, begin, p_.table_columns);
      indptr_ = std::clamp<int64_t>(next, 0, p_.table_columns);  // a bad entry spoils its two sequences, no others
      *table_begin = begin;
      if (end > begin) {
        tokens = (end - begin - 1) * p_.block_size +
                 bounded(VKV_REPORT_LENGTH, s, at(p_.kv_last_page_len, s), 0, p_.block_size);
      }
    } else {
      tokens = at(p_.seq_lens, s);
    }
    return bounded(VKV_REPORT_LENGTH, s, tokens, 0, p_.max_seq_len);
  }

  // Query rows of sequence s. No row has two owners, whatever the offsets.
  void queries(int64_t s, int64_t* begin, int64_t* count) {
    if (!p_.query_start_loc.present()) {
      *begin = s;
      *count = 1;
      return;
    }
    if (s == 0) owned_ = bounded(VKV_REPORT_OFFSET, 0, at(p_.query_start_loc, 0), 0, p_.num_tokens);
    const int64_t end = bounded(VKV_REPORT_OFFSET, s + 1, at(p_.query_start_loc, s + 1), owned_, p_.num_tokens);
    *begin = owned_;
    *count = bounded(VKV_REPORT_LENGTH, s, end - owned_, 0, p_.max_query_len);
    owned_ = end;
  }

 private:
  Report& report_;
  const PagedAttention& p_;
  int64_t indptr_ = 0, owned_ = 0;
};

}  // namespace

void AttentionSchedule::read_sequences(const Context& ctx) {
  Reader reader(ctx, p_);
  for (int64_t s = 0; s < p_.num_seqs; ++s) {
    AttentionSequence& q = sequences_[s];
    q.table_row = s;
    q.table_begin = 0;
    reader.queries(s, &q.query_begin, &q.query_len);
    q.length = reader.length(s, &q.table_begin);
    const int64_t first_position = q.length - q.query_len;
    const int64_t begin = p_.sliding_window == 0 ? 0 : std::max<int64_t>(first_position - p_.sliding_window + 1, 0);
    q.first_piece = begin / kPiece;
    q.pieces = divide_up(q.length, kPiece) - q.first_piece;
    q.row_tiles = divide_up(q.query_len * shape_.group, shape_.tile_rows);
  }
}

// ---- units

void AttentionSchedule::cut() {
  int64_t work = 0;  // pieces to compute, for one head group
  for (int64_t s = 0; s < p_.num_seqs; ++s)
    work += sequences_[s].row_tiles * std::max<int64_t>(sequences_[s].pieces, 1);

  // Heads of a block lie together in memory, so a unit takes all it can, unless threads would be left without work.
  heads_ = shape_.most_heads;
  const auto groups = [&] { return divide_up(p_.num_kv_heads, heads_); };
  while (heads_ > 1 && work * groups() < 2 * shape_.threads) heads_ = divide_up(heads_, 2);
  head_groups_ = groups();
  work *= head_groups_;
  span_level_ = shape_.threads > 1 ? 0 : 62;
  while (span_level_ < 62 && (kUnitsPerThread * shape_.threads) << span_level_ < work) ++span_level_;

  int64_t partials = 0;
  for (int64_t s = 0; s < p_.num_seqs; ++s) {
    AttentionSequence& q = sequences_[s];
    const bool whole = span_level_ == 62 || q.pieces <= int64_t{1} << span_level_;
    q.spans = whole ? 1 : ((q.first_piece + q.pieces - 1) >> span_level_) - (q.first_piece >> span_level_) + 1;
    q.first_unit = units_;
    q.first_partial = partials;
    q.first_tree = trees_;
    units_ += q.row_tiles * head_groups_ * q.spans;
    if (q.spans > 1) {
      partials += q.row_tiles * head_groups_ * q.spans;
      trees_ += q.row_tiles * head_groups_;
    }
  }
}

AttentionUnit AttentionSchedule::rows_of(const AttentionSequence& q, int64_t tile_and_heads) const {
  AttentionUnit u;
  u.sequence = &q;
  u.head = tile_and_heads % head_groups_ * heads_;
  u.heads = std::min(heads_, p_.num_kv_heads - u.head);
  u.row = tile_and_heads / head_groups_ * shape_.tile_rows;
  u.rows = std::min(shape_.tile_rows, q.query_len * shape_.group - u.row);
  u.node = q.spans > 1 ? q.first_piece >> span_level_ : 0;
  u.partial = q.spans > 1 ? q.first_partial + tile_and_heads * q.spans : -1;
  return u;
}

namespace {

// The last sequence whose running count is at most `index`: the one that owns it, as counts of empty ones do not grow.
const AttentionSequence& owner(const AttentionSequence* sequences, int64_t n, int64_t AttentionSequence::*count,
                               int64_t index) {
  const auto* after = std::upper_bound(sequences, sequences + n, index,
                                       [count](int64_t i, const AttentionSequence& q) { return i < q.*count; });
  return *(after - 1);
}

}  // namespace

AttentionUnit AttentionSchedule::unit(int64_t index) const {
  const AttentionSequence& q = owner(sequences_, p_.num_seqs, &AttentionSequence::first_unit, index);
  const int64_t local = index - q.first_unit;
  AttentionUnit u = rows_of(q, local / q.spans);
  if (q.spans > 1) {
    u.node += local % q.spans;
    u.partial += local % q.spans;
  }
  return u;
}

AttentionUnit AttentionSchedule::tree(int64_t index, int64_t* spans) const {
  const AttentionSequence& q = owner(sequences_, p_.num_seqs, &AttentionSequence::first_tree, index);
  *spans = q.spans;
  return rows_of(q, index - q.first_tree);
}

}  // namespace vkv::cpu
