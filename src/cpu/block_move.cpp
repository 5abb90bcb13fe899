// swap_blocks, swap_blocks_batch and copy_blocks on the CPU: each is a list of copies, cut into pieces of equal size
// that threads take from a shared cursor, whatever the sizes of the copies are.
#include <cstring>
#include <mutex>

#include "cpu/context.hpp"
#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {

struct Copy {
  const char* src;
  char* dst;
  int64_t bytes;  // 0 copies nothing
};

// `copy_at(i)` is copy i of `count`.
template <class CopyAt>
class Copies {
 public:
  Copies(int64_t count, CopyAt copy_at) : count_(count), copy_at_(copy_at) {}

  // Does all of them. The first piece is done before other threads are woken: most lists are no longer than that.
  void run(ThreadPool& pool) {
    if (!run_piece()) return;
    pool.for_each(pool.threads(), [this](int64_t) {
      while (run_piece()) {
      }
    });
  }

 private:
  static constexpr int64_t kPieceBytes = 256 * 1024;

  // Takes and does the next piece; false if none is left.
  bool run_piece() {
    int64_t i = 0, offset = 0, bytes = 0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      i = next_;
      offset = offset_;
      while (next_ < count_ && bytes < kPieceBytes) {
        const int64_t left = copy_at_(next_).bytes - offset_, wanted = kPieceBytes - bytes;
        bytes += left < wanted ? left : wanted;
        offset_ += left < wanted ? left : wanted;
        if (left > wanted) break;
        ++next_;
        offset_ = 0;
      }
    }
    if (bytes == 0) return false;
    move(i, offset, bytes);
    return true;
  }

  // `bytes` bytes from `offset` in copy i on, with neighbours in both memories joined. A block may be both source and
  // destination, hence memmove.
  void move(int64_t i, int64_t offset, int64_t bytes) {
    Copy joined{};
    for (; bytes > 0 && i < count_; ++i, offset = 0) {
      Copy c = copy_at_(i);
      if (c.bytes == 0) continue;
      c.src += offset;
      c.dst += offset;
      c.bytes = c.bytes - offset < bytes ? c.bytes - offset : bytes;
      bytes -= c.bytes;
      if (joined.bytes != 0 && c.src == joined.src + joined.bytes && c.dst == joined.dst + joined.bytes) {
        joined.bytes += c.bytes;
        continue;
      }
      flush(joined);
      joined = c;
    }
    flush(joined);
  }

  static void flush(const Copy& c) {
    if (c.bytes != 0) std::memmove(c.dst, c.src, static_cast<std::size_t>(c.bytes));
  }

  const int64_t count_;
  const CopyAt copy_at_;
  std::mutex mutex_;
  int64_t next_ = 0, offset_ = 0;  // where the next piece starts; guarded by mutex_
};

}  // namespace

void run(const Context& ctx, const SwapBlocks& s, vkv_stream) {
  Copies(s.num_pairs, [&s](int64_t i) {
    return Copy{s.src.as<const char>() + s.block(i, 0) * s.src_stride_bytes,
                s.dst.as<char>() + s.block(i, 1) * s.dst_stride_bytes, s.block_bytes};
  }).run(self(ctx).pool);
}

void run(const Context& ctx, const SwapBlocksBatch& s, vkv_stream) {
  Copies(s.count, [&s](int64_t i) { return Copy{s.src(i), s.dst(i), s.size(i)}; }).run(self(ctx).pool);
}

void run(const Context& ctx, const CopyBlocks& c, vkv_stream) {
  const auto in_range = [&c](int64_t id) { return id >= 0 && id < c.num_blocks; };
  for (int64_t pair = 0; pair < c.num_pairs; ++pair) {
    for (int column = 0; column < 2; ++column) {
      const int64_t id = c.block(pair, column);
      if (!in_range(id)) {
        self(ctx).report.note(VKV_OP_COPY_BLOCKS, VKV_REPORT_BLOCK_ID, 2 * pair + column, id, c.num_blocks);
      }
    }
  }
  Copies(c.num_caches() * c.num_pairs, [&](int64_t i) {
    const int64_t from = c.block(i % c.num_pairs, 0), to = c.block(i % c.num_pairs, 1);
    if (!in_range(from) || !in_range(to)) return Copy{};
    char* cache = c.cache(i / c.num_pairs);
    return Copy{cache + from * c.block_stride_bytes, cache + to * c.block_stride_bytes, c.block_bytes};
  }).run(self(ctx).pool);
}

}  // namespace vkv::cpu
