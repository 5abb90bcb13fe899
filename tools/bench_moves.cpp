// Benchmark cases of the operations that move whole blocks. What they must do is simple enough to be its own reference:
// a destination holds the bytes of its source.
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"
#include "tools/pinned_memory.hpp"

namespace bench {

namespace {

using support::Device;
using support::Random;

enum class Way { in_device, to_device, to_host };

struct Move {
  int64_t pieces, piece_bytes;
  Way way = Way::in_device;
};

// Where a pool lies: in the device's memory or in host memory that it copies from and to by itself.
Device home(const Device& device, bool on_host) {
  return on_host ? Device{"host", nullptr, &tools::pinned_memory(device), nullptr} : device;
}

vkv_tensor host_view(const std::vector<int64_t>& values) {
  const auto n = static_cast<int64_t>(values.size());
  return {const_cast<int64_t*>(values.data()), VKV_DTYPE_I64, 1, {n}, {1}};
}

vkv_tensor pairs_view(const std::vector<int64_t>& values) {
  return {const_cast<int64_t*>(values.data()), VKV_DTYPE_I64, 2, {static_cast<int64_t>(values.size() / 2), 2}, {2, 1}};
}

// Two pools, and which block of one goes to which of the other.
struct Pools : Instance {
  Pools(const Device& on, const Move& m, Random& random)
      : device(on),
        src(home(on, m.way == Way::to_device), VKV_DTYPE_U8, {2 * m.pieces, m.piece_bytes}),
        dst(home(on, m.way == Way::to_host), VKV_DTYPE_U8, {2 * m.pieces, m.piece_bytes}),
        picked(some_of(m.pieces, random)),
        from(random.distinct(m.pieces, 2 * m.pieces)),
        to(random.distinct(m.pieces, 2 * m.pieces)) {
    src.fill(random);
    dst.zero();
  }

  std::string verify() const override {
    Pick sources, destinations;
    for (const int64_t i : picked) {
      sources.push_back(from[static_cast<std::size_t>(i)]);
      destinations.push_back(to[static_cast<std::size_t>(i)]);
    }
    return compare_bits("dst", dst.sample({destinations}), src.sample({sources}));
  }

  Sides one_copy() const override { return {dst.view().data, src.view().data}; }

  Device device;
  Tensor src, dst;
  Pick picked;
  std::vector<int64_t> from, to;
};

struct SwapBlocks final : Pools {
  SwapBlocks(const Device& on, const Move& m, Random& random) : Pools(on, m, random) {
    for (std::size_t i = 0; i < from.size(); ++i) mapping.insert(mapping.end(), {from[i], to[i]});
    params.src = src.view();
    params.dst = dst.view();
    params.block_mapping = pairs_view(mapping);
  }

  vkv_status call(vkv_stream stream) const override { return vkv_swap_blocks(device.ctx, &params, stream); }

  std::vector<int64_t> mapping;
  vkv_swap_blocks_params params = VKV_INIT(vkv_swap_blocks_params);
};

struct SwapBlocksBatch final : Pools {
  SwapBlocksBatch(const Device& on, const Move& m, Random& random) : Pools(on, m, random) {
    const auto address = [&](const Tensor& pool, int64_t block) {
      return static_cast<int64_t>(reinterpret_cast<intptr_t>(pool.view().data)) + block * m.piece_bytes;
    };
    for (std::size_t i = 0; i < from.size(); ++i) {
      src_ptrs.push_back(address(src, from[i]));
      dst_ptrs.push_back(address(dst, to[i]));
      sizes.push_back(m.piece_bytes);
    }
    params.src_ptrs = host_view(src_ptrs);
    params.dst_ptrs = host_view(dst_ptrs);
    params.sizes = host_view(sizes);
  }

  vkv_status call(vkv_stream stream) const override { return vkv_swap_blocks_batch(device.ctx, &params, stream); }

  std::vector<int64_t> src_ptrs, dst_ptrs, sizes;
  vkv_swap_blocks_batch_params params = VKV_INIT(vkv_swap_blocks_batch_params);
};

// A layer's block: 16 tokens of 8 heads x 128 in bf16.
constexpr int64_t kLayers = 32, kLayerBlock = 16 * 8 * 128 * 2;

struct CopyBlocks final : Instance {
  CopyBlocks(const Device& on, int64_t pairs, Random& random)
      : device(on), mapping(on, VKV_DTYPE_I64, {pairs, 2}), picked(some_of(pairs, random)) {
    const int64_t num_blocks = 2 * pairs;
    blocks = random.distinct(num_blocks, num_blocks);
    mapping.set(blocks);
    for (int64_t layer = 0; layer < kLayers; ++layer) {
      for (auto* side : {&keys, &values}) {
        side->emplace_back(on, VKV_DTYPE_U8, Shape{num_blocks, kLayerBlock});
        side->back().fill(random);
        (side == &keys ? key_ptrs : value_ptrs)
            .push_back(static_cast<int64_t>(reinterpret_cast<intptr_t>(side->back().view().data)));
      }
    }
    params.key_caches = host_view(key_ptrs);
    params.value_caches = host_view(value_ptrs);
    params.block_mapping = mapping.view();
    params.num_blocks = num_blocks;
    params.block_size_in_bytes = kLayerBlock;
  }

  vkv_status call(vkv_stream stream) const override { return vkv_copy_blocks(device.ctx, &params, stream); }

  std::string verify() const override {
    Pick sources, destinations;
    for (const int64_t i : picked) {
      sources.push_back(blocks[static_cast<std::size_t>(2 * i)]);
      destinations.push_back(blocks[static_cast<std::size_t>(2 * i + 1)]);
    }
    for (const auto* side : {&keys, &values}) {
      for (const Tensor* cache : {&side->front(), &side->back()}) {
        const std::string wrong = compare_bits(side == &keys ? "a key cache" : "a value cache",
                                               cache->sample({destinations}), cache->sample({sources}));
        if (!wrong.empty()) return wrong;
      }
    }
    return "";
  }

  Device device;
  Tensor mapping;
  Pick picked;
  std::vector<int64_t> blocks, key_ptrs, value_ptrs;
  std::vector<Tensor> keys, values;
  vkv_copy_blocks_params params = VKV_INIT(vkv_copy_blocks_params);
};

}  // namespace

void add_move_cases(Cases& cases) {
  const auto pool_cases = [&](const std::string& op, auto make) {
    for (const int64_t kib : {4, 64}) {
      for (const int64_t mib : {1, 16, 128}) {
        const Move m{(mib << 10) / kib, kib << 10};
        cases.push_back({op, op, std::to_string(kib) + " KiB pieces", std::to_string(mib) + " MiB", Limit::copy,
                         mib << 20, mib << 20, mib << 22, make(m)});
      }
    }
  };
  pool_cases("swap_blocks", [](const Move& m) { return maker<SwapBlocks>(m); });
  pool_cases("swap_blocks_batch", [](const Move& m) { return maker<SwapBlocksBatch>(m); });
  for (const auto& [way, series] :
       {std::pair(Way::to_device, "host to device"), std::pair(Way::to_host, "device to host")}) {
    for (const int64_t kib : {4, 64}) {
      for (const int64_t mib : {1, 16, 128}) {
        const Move m{(mib << 10) / kib, kib << 10, way};
        const std::string size = std::to_string(kib) + " KiB pieces, " + std::to_string(mib) + " MiB";
        Case c = {"swap_blocks", "swap_blocks, pinned host memory", series, size, Limit::one_copy,
                  mib << 20,     mib << 20,                         mib << 22, maker<SwapBlocks>(m)};
        c.goal = {kib == 64 ? 1.05 : 1.15, 0};
        cases.push_back(std::move(c));
      }
    }
  }
  for (const int64_t pairs : {1, 8, 64}) {
    const int64_t bytes = pairs * kLayers * 2 * kLayerBlock;
    cases.push_back({"copy_blocks", "copy_blocks", "32 layers, 32 KiB blocks", std::to_string(pairs) + " pairs",
                     Limit::copy, bytes, bytes, 2 * bytes, maker<CopyBlocks>(pairs)});
  }
}

}  // namespace bench
