#include "support/reference/paged_attention.hpp"

#include <cmath>
#include <limits>

#include "support/reference/nvfp4.hpp"

namespace reference {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Sizes {
  int64_t heads, kv_heads, dim, num_blocks, block_size;
};

Sizes sizes_of(const PagedAttention& p) {
  const support::Array& k = p.key_cache;
  if (p.x_packed) return {p.query.dim(1), k.dim(1), p.query.dim(2), k.dim(0), k.dim(3)};
  return {p.query.dim(1), k.dim(3), p.query.dim(2), k.dim(1), k.dim(2)};
}

double number(const PagedAttention& p, bool value, int64_t block, int64_t token, int64_t head, int64_t d) {
  const support::Array& cache = value ? p.value_cache : p.key_cache;
  const int64_t plane = value ? p.value_plane : p.key_plane;
  if (cache.dtype() == VKV_DTYPE_NVFP4) {
    const uint8_t* bytes = cache.base() + plane * cache.stride()[0] + block * cache.stride()[1];
    return nvfp4_read(bytes, 1.0f, Nvfp4Block(cache, value && p.swizzled_values), token, head, d);
  }
  if (!p.x_packed) return cache.at({plane, block, token, head, d});
  if (value) return cache.at({block, head, d, token});
  const int64_t x = cache.dim(4);
  return cache.at({block, head, d / x, token, d % x});
}

// A scale counts where the cache is narrower than the query.
double scale_of(const PagedAttention& p, const support::Array& scale, int64_t head) {
  if (!scale.present() || p.key_cache.dtype() == p.query.dtype()) return 1;
  return scale.at(scale.size() == 1 ? 0 : head);
}

struct Sequence {
  int64_t query_begin, query_len, length;
  std::vector<int64_t> blocks;
};

std::vector<Sequence> sequences(const PagedAttention& p, const Sizes& z) {
  const bool csr = p.kv_indptr.present();
  const int64_t n = csr ? p.kv_last_page_len.size() : p.seq_lens.size();
  const int64_t capacity = (csr ? p.kv_indices.size() : p.block_table.dim(1)) * z.block_size;
  std::vector<Sequence> all(static_cast<std::size_t>(n));
  for (int64_t s = 0; s < n; ++s) {
    Sequence& q = all[static_cast<std::size_t>(s)];
    q.query_begin = p.query_start_loc.present() ? p.query_start_loc.integer(s) : s;
    q.query_len = p.query_start_loc.present() ? p.query_start_loc.integer(s + 1) - q.query_begin : 1;
    if (csr) {
      const int64_t begin = p.kv_indptr.integer(s), end = p.kv_indptr.integer(s + 1);
      for (int64_t i = begin; i < end; ++i) q.blocks.push_back(p.kv_indices.integer(i));
      q.length = begin == end ? 0 : (end - begin - 1) * z.block_size + p.kv_last_page_len.integer(s);
    } else {
      for (int64_t c = 0; c < p.block_table.dim(1); ++c) q.blocks.push_back(p.block_table.integer({s, c}));
      q.length = p.seq_lens.integer(s);
    }
    const int64_t most = p.max_seq_len == 0 ? capacity : std::min(p.max_seq_len, capacity);
    q.length = std::min(std::max<int64_t>(q.length, 0), most);
  }
  return all;
}

bool lets_through(const PagedAttention& p, const Sizes& z, int64_t head, int64_t kv_head, int64_t first_token,
                  int64_t position) {
  if (p.vert_stride <= 1) return true;
  const int64_t bs = p.sparse_block_size == 0 ? 64 : p.sparse_block_size, step = p.head_sliding_step;
  const int64_t kb = first_token / bs, qb = position / bs;
  const int64_t off =
      step >= 0 ? (p.tp_rank * z.heads + head) * step + 1 : (p.tp_rank * z.kv_heads + kv_head) * -step + 1;
  return kb > qb - p.local_blocks || (kb + off) % p.vert_stride == 0;
}

}  // namespace

AttentionRows paged_attention(const PagedAttention& p) {
  const Sizes z = sizes_of(p);
  const int64_t tokens = p.query.dim(0), group = z.kv_heads > 0 ? z.heads / z.kv_heads : 1;
  const double scale = p.softmax_scale == 0 ? 1 / std::sqrt(static_cast<double>(z.dim)) : p.softmax_scale;
  AttentionRows rows;
  rows.out.assign(static_cast<std::size_t>(tokens * z.heads * z.dim), 0);
  rows.lse.assign(static_cast<std::size_t>(tokens * z.heads), 0);
  rows.owned.assign(static_cast<std::size_t>(tokens), false);

  for (const Sequence& s : sequences(p, z)) {
    for (int64_t kv_head = 0; kv_head < z.kv_heads; ++kv_head) {
      std::vector<double> k(static_cast<std::size_t>(s.length * z.dim)), v(k.size());
      std::vector<bool> present(static_cast<std::size_t>(s.length));
      for (int64_t j = 0; j < s.length; ++j) {
        const int64_t block = s.blocks[static_cast<std::size_t>(j / z.block_size)];
        if (block < 0 || block >= z.num_blocks) continue;
        present[static_cast<std::size_t>(j)] = true;
        for (int64_t d = 0; d < z.dim; ++d) {
          const auto at = static_cast<std::size_t>(j * z.dim + d);
          k[at] = number(p, false, block, j % z.block_size, kv_head, d) * scale_of(p, p.k_scale, kv_head);
          v[at] = number(p, true, block, j % z.block_size, kv_head, d) * scale_of(p, p.v_scale, kv_head);
        }
      }
      for (int64_t r = 0; r < s.query_len; ++r) {
        const int64_t token = s.query_begin + r, position = s.length - s.query_len + r;
        rows.owned[static_cast<std::size_t>(token)] = true;
        for (int64_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
          std::vector<double> q(static_cast<std::size_t>(z.dim));
          for (int64_t d = 0; d < z.dim; ++d) q[static_cast<std::size_t>(d)] = p.query.at({token, head, d});
          std::vector<double> logits(static_cast<std::size_t>(std::max<int64_t>(position + 1, 0)), -kInfinity);
          std::vector<bool> attended(logits.size());
          const double sink = p.sinks.present() ? p.sinks.at(head) : -kInfinity;
          double top = sink;
          bool nan = false;
          for (int64_t j = 0; j <= position; ++j) {
            const auto at = static_cast<std::size_t>(j);
            if (p.window != 0 && j <= position - p.window) continue;
            if (!present[at] || !lets_through(p, z, head, kv_head, j / z.block_size * z.block_size, position)) continue;
            attended[at] = true;
            double dot = 0;
            for (int64_t d = 0; d < z.dim; ++d)
              dot += q[static_cast<std::size_t>(d)] *
                     k[at * static_cast<std::size_t>(z.dim) + static_cast<std::size_t>(d)];
            double logit = scale * dot;
            if (p.softcap != 0) logit = p.softcap * std::tanh(logit / p.softcap);
            if (p.alibi_slopes.present()) logit += p.alibi_slopes.at(head) * static_cast<double>(j - position);
            logits[at] = logit;
            nan = nan || std::isnan(logit);
            top = std::max(top, logit);
          }
          double sum = top == -kInfinity ? 0 : std::exp(sink - top);
          if (nan) sum = std::numeric_limits<double>::quiet_NaN();
          double* out = rows.out.data() + (token * z.heads + head) * z.dim;
          for (std::size_t j = 0; j < logits.size(); ++j) {
            if (!attended[j] || (top == -kInfinity && !nan)) continue;
            const double weight = std::exp(logits[j] - top);
            sum += weight;
            for (int64_t d = 0; d < z.dim; ++d)
              out[d] += weight * v[j * static_cast<std::size_t>(z.dim) + static_cast<std::size_t>(d)];
          }
          for (int64_t d = 0; d < z.dim && sum != 0; ++d) out[d] /= sum;
          rows.lse[static_cast<std::size_t>(token * z.heads + head)] = sum == 0 ? -kInfinity : top + std::log(sum);
        }
      }
    }
  }
  return rows;
}

}  // namespace reference
