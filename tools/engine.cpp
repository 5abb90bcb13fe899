#include "tools/engine.hpp"

#include <algorithm>
#include <chrono>

#include "support/number.hpp"
#include "tools/command.hpp"
#include "tools/pinned_memory.hpp"

namespace tools {

namespace {

constexpr int64_t kStagedTokens = 4096;  // written to the cache by one call

vkv_tensor tensor(const Buffer& buffer, vkv_dtype dtype, std::initializer_list<int64_t> shape) {
  vkv_tensor t{};
  t.data = buffer.data();
  t.dtype = dtype;
  for (int64_t d : shape) t.shape[t.ndim++] = d;
  return t;
}

void require(vkv_status status) {
  if (status != VKV_OK) throw std::runtime_error(vkv_last_error_message());
}

void require_supported(vkv_status status) {
  if (status != VKV_OK) throw Refusal(vkv_last_error_message());
}

template <class T>
void upload(Buffer& to, const std::vector<T>& from) {
  to.upload(from.data(), from.size() * sizeof(T));
}

// The two writers differ in name only.
vkv_status write_to_cache(const vkv_context* ctx, const vkv_reshape_and_cache_params& p, vkv_stream stream) {
  return vkv_reshape_and_cache(ctx, &p, stream);
}
vkv_status write_to_cache(const vkv_context* ctx, const vkv_reshape_and_cache_flash_params& p, vkv_stream stream) {
  return vkv_reshape_and_cache_flash(ctx, &p, stream);
}

}  // namespace

Engine::Engine(const support::Device& device, const ReplayOptions& options, const Content& content, int64_t longest)
    : device_(device),
      options_(options),
      content_(content),
      layout_{options.layout, options.cache_dtype, options.limits.block_size, options.kv_heads, options.head_size},
      longest_(longest),
      row_bytes_(
          static_cast<std::size_t>(options.heads * options.head_size * support::element_size(options.input_dtype()))),
      token_bytes_(row_bytes_ / static_cast<std::size_t>(options.heads) * static_cast<std::size_t>(options.kv_heads)),
      device_pool_(*device.memory, static_cast<std::size_t>(options.limits.device_blocks * layout_.block_bytes())),
      host_pool_(pinned_memory(device), static_cast<std::size_t>(options.limits.host_blocks * layout_.block_bytes())),
      keys_(*device.memory, kStagedTokens * token_bytes_),
      values_(*device.memory, kStagedTokens * token_bytes_),
      slots_(*device.memory, kStagedTokens * sizeof(int64_t)),
      k_scale_(*device.memory, content.scales(Which::key).size() * sizeof(float)),
      v_scale_(*device.memory, content.scales(Which::value).size() * sizeof(float)),
      query_(*device.memory, static_cast<std::size_t>(options.limits.max_batch) * row_bytes_),
      out_(*device.memory, static_cast<std::size_t>(options.limits.max_batch) * row_bytes_),
      table_(*device.memory,
             static_cast<std::size_t>(options.limits.max_batch * (longest / options.limits.block_size + 1)) *
                 sizeof(int32_t)),
      lengths_(*device.memory, static_cast<std::size_t>(options.limits.max_batch) * sizeof(int32_t)),
      workspace_(*device.memory, 0) {
  refuse_unsupported();
  times_.write.op = layout_.layout == Layout::x ? "reshape_and_cache" : "reshape_and_cache_flash";
  times_.attention.op = "paged_attention";
  upload(k_scale_, content.scales(Which::key));
  upload(v_scale_, content.scales(Which::value));
  // What is read before it is written is a NaN in every format; and every page is there before the clock runs.
  device_pool_.fill(0xFF);
  host_pool_.fill(0xFF);
}

void Engine::refuse_unsupported() {
  const auto attention = attention_params(options_.limits.max_batch, longest_ / options_.limits.block_size + 1);
  if (options_.layout == Layout::x) {
    const auto write = write_params<vkv_reshape_and_cache_params>(kStagedTokens);
    require_supported(vkv_reshape_and_cache_supported(device_.ctx, &write));
  } else {
    const auto write = write_params<vkv_reshape_and_cache_flash_params>(kStagedTokens);
    require_supported(vkv_reshape_and_cache_flash_supported(device_.ctx, &write));
  }
  require_supported(vkv_paged_attention_supported(device_.ctx, &attention));
  const int64_t pair[2] = {};
  const auto swap = swap_params(device_pool_, host_pool_, pair, 1);
  require_supported(vkv_swap_blocks_supported(device_.ctx, &swap));
}

template <class Call>
void Engine::timed(OpTime& time, double bytes, Call&& call) {
  support::synchronize(device_);
  const auto start = std::chrono::steady_clock::now();
  require(call());
  support::synchronize(device_);
  time.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  time.bytes += bytes;
  ++time.calls;
}

template <class Params>
void Engine::set_caches(Params& p) const {
  p.key_cache = layout_.view(Which::key, device_pool_.data(), options_.limits.device_blocks);
  p.value_cache = layout_.view(Which::value, device_pool_.data(), options_.limits.device_blocks);
  const auto scales = static_cast<int64_t>(content_.scales(Which::key).size());
  if (scales > 0) {
    p.k_scale = tensor(k_scale_, VKV_DTYPE_F32, {scales});
    p.v_scale = tensor(v_scale_, VKV_DTYPE_F32, {scales});
  }
}

template <class Params>
Params Engine::write_params(int64_t tokens) const {
  Params p = VKV_INIT(Params);
  p.key = tensor(keys_, options_.input_dtype(), {tokens, options_.kv_heads, options_.head_size});
  p.value = tensor(values_, options_.input_dtype(), {tokens, options_.kv_heads, options_.head_size});
  p.slot_mapping = tensor(slots_, VKV_DTYPE_I64, {tokens});
  set_caches(p);
  return p;
}

void Engine::write(const std::vector<Step::Write>& writes) {
  staged_keys_.resize(kStagedTokens * token_bytes_);
  staged_values_.resize(kStagedTokens * token_bytes_);
  const int64_t block_size = options_.limits.block_size;
  for (const Step::Write& write : writes) {
    for (int64_t token = write.first; token < write.last; ++token) {
      const std::size_t at = staged_slots_.size() * token_bytes_;
      content_.write(Which::key, write.sequence->request.id, token, &staged_keys_[at]);
      content_.write(Which::value, write.sequence->request.id, token, &staged_values_[at]);
      const int64_t block = write.sequence->blocks[static_cast<std::size_t>(token / block_size)];
      staged_slots_.push_back(block * block_size + token % block_size);
      if (staged_slots_.size() == kStagedTokens) write_staged(kStagedTokens);
    }
  }
  write_staged(static_cast<int64_t>(staged_slots_.size()));
}

void Engine::write_staged(int64_t tokens) {
  if (tokens == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(tokens) * token_bytes_;
  keys_.upload(staged_keys_.data(), bytes);
  values_.upload(staged_values_.data(), bytes);
  upload(slots_, staged_slots_);
  staged_slots_.clear();
  const auto cached = static_cast<double>(tokens * layout_.block_bytes() / layout_.block_size);
  timed(times_.write, 2 * static_cast<double>(bytes) + cached, [&] {
    if (options_.layout == Layout::x) {
      return write_to_cache(device_.ctx, write_params<vkv_reshape_and_cache_params>(tokens), device_.stream);
    }
    return write_to_cache(device_.ctx, write_params<vkv_reshape_and_cache_flash_params>(tokens), device_.stream);
  });
}

vkv_paged_attention_params Engine::attention_params(int64_t rows, int64_t columns) const {
  vkv_paged_attention_params p = VKV_INIT(vkv_paged_attention_params);
  p.query = tensor(query_, options_.input_dtype(), {rows, options_.heads, options_.head_size});
  p.out = tensor(out_, options_.input_dtype(), {rows, options_.heads, options_.head_size});
  set_caches(p);
  p.block_table = tensor(table_, VKV_DTYPE_I32, {rows, columns});
  p.seq_lens = tensor(lengths_, VKV_DTYPE_I32, {rows});
  p.cache_layout = options_.layout == Layout::x ? VKV_CACHE_LAYOUT_X_PACKED : VKV_CACHE_LAYOUT_STRIDED;
  return p;
}

void Engine::attend(const std::vector<const Sequence*>& rows) {
  const auto count = static_cast<int64_t>(rows.size());
  std::size_t columns = 0;
  double tokens = 0;
  for (const Sequence* sequence : rows) columns = std::max(columns, sequence->blocks.size());
  staged_table_.assign(rows.size() * columns, -1);  // what follows a sequence's last block is never read
  staged_lengths_.clear();
  staged_queries_.resize(rows.size() * row_bytes_);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const Sequence& sequence = *rows[row];
    std::copy(sequence.blocks.begin(), sequence.blocks.end(),
              staged_table_.begin() + static_cast<int64_t>(row * columns));
    staged_lengths_.push_back(static_cast<int32_t>(sequence.length));
    content_.write(Which::query, sequence.request.id, sequence.length - 1, &staged_queries_[row * row_bytes_]);
    tokens += static_cast<double>(sequence.length);
  }
  upload(table_, staged_table_);
  upload(lengths_, staged_lengths_);
  upload(query_, staged_queries_);

  vkv_paged_attention_params p = attention_params(count, static_cast<int64_t>(columns));
  std::size_t needed = 0;
  require(vkv_paged_attention_workspace_size(device_.ctx, &p, &needed));
  if (needed > workspace_.bytes()) workspace_ = Buffer(*device_.memory, needed);
  p.workspace = workspace_.data();
  p.workspace_size = workspace_.bytes();
  const double cached = tokens * static_cast<double>(layout_.block_bytes()) / static_cast<double>(layout_.block_size);
  timed(times_.attention, cached + 2 * static_cast<double>(staged_queries_.size()),
        [&] { return vkv_paged_attention(device_.ctx, &p, device_.stream); });
}

vkv_tensor Engine::pool_view(const Buffer& pool) const {
  return layout_.blocks_view(pool.data(), static_cast<int64_t>(pool.bytes()) / layout_.block_bytes());
}

vkv_swap_blocks_params Engine::swap_params(const Buffer& from, const Buffer& to, const int64_t* pairs,
                                           int64_t count) const {
  vkv_swap_blocks_params p = VKV_INIT(vkv_swap_blocks_params);
  p.src = pool_view(from);
  p.dst = pool_view(to);
  p.block_mapping.data = const_cast<int64_t*>(pairs);
  p.block_mapping.dtype = VKV_DTYPE_I64;
  p.block_mapping.ndim = 2;
  p.block_mapping.shape[0] = count;
  p.block_mapping.shape[1] = 2;
  return p;
}

void Engine::swap(const std::vector<BlockMove>& moves, const Buffer& from, const Buffer& to, OpTime& time) {
  if (moves.empty()) return;
  std::vector<int64_t> pairs;
  for (const BlockMove& move : moves) pairs.insert(pairs.end(), {move.from, move.to});
  const auto p = swap_params(from, to, pairs.data(), static_cast<int64_t>(moves.size()));
  timed(time, static_cast<double>(moves.size()) * static_cast<double>(layout_.block_bytes()),
        [&] { return vkv_swap_blocks(device_.ctx, &p, device_.stream); });
}

void Engine::read_output_row(int64_t row, void* to) const {
  out_.download(to, static_cast<std::size_t>(row) * row_bytes_, row_bytes_);
}

void Engine::read_block(int32_t block, void* to) const {
  const auto bytes = static_cast<std::size_t>(layout_.block_bytes());
  device_pool_.download(to, static_cast<std::size_t>(block) * bytes, bytes);
}

}  // namespace tools
