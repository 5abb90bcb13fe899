// Benchmark cases of the operations that move whole blocks. What they must do is simple enough to be its own reference: a
// destination holds the bytes of its source.
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Device;
using support::Random;

struct Move {
  int64_t pieces, piece_bytes;
};

vkv_tensor pairs_view(const std::vector<int64_t>& values) {
  return {const_cast<int64_t*>(values.data()), VKV_DTYPE_I64, 2, {static_cast<int64_t>(values.size() / 2), 2}, {2, 1}};
}

// Two pools, and which block of one goes to which of the other.
struct Pools : Instance {
  Pools(const Device& on, const Move& m, Random& random)
      : device(on), src(on, VKV_DTYPE_U8, {2 * m.pieces, m.piece_bytes}), dst(on, VKV_DTYPE_U8, {2 * m.pieces, m.piece_bytes}),
        picked(some_of(m.pieces, random)), from(random.distinct(m.pieces, 2 * m.pieces)), to(random.distinct(m.pieces, 2 * m.pieces)) {
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

}  // namespace

void add_move_cases(Cases& cases) {
  const auto pool_cases = [&](const std::string& op, auto make) {
    for (const int64_t kib : {4, 64}) {
      for (const int64_t mib : {1, 16, 128}) {
        const Move m{(mib << 10) / kib, kib << 10};
        cases.push_back({op, op, std::to_string(kib) + " KiB pieces", std::to_string(mib) + " MiB", Limit::copy, mib << 20, mib << 20,
                         mib << 22, make(m)});
      }
    }
  };
  pool_cases("swap_blocks", [](const Move& m) { return maker<SwapBlocks>(m); });
}

}  // namespace bench
