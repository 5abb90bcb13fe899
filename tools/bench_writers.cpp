// Benchmark cases of the writers of paged key and value caches.
#include "support/reference/reshape_and_cache_flash.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr int64_t kHeads = 8, kDim = 128, kBlockSize = 16;
constexpr float kScale = 0.01f;

struct Write {
  vkv_dtype dtype, cache_dtype;
  bool head_major;  // HND
  int64_t tokens;
  bool scattered;
};

int64_t row_elements(vkv_dtype cache) { return cache == VKV_DTYPE_NVFP4 ? kDim / 2 + kDim / 16 : kDim; }

struct FlashWriter final : Instance {
  FlashWriter(const Device& on, const Write& w, Random& random)
      : device(on),
        slots(w.tokens, kBlockSize, w.scattered, random),
        picked(slots.slots, kBlockSize, random),
        slot_mapping(on, VKV_DTYPE_I64, {w.tokens}),
        scale(on, VKV_DTYPE_F32, {1}) {
    slot_mapping.set(slots.slots);
    scale.set(std::vector<float>{kScale});
    const int64_t row = row_elements(w.cache_dtype);
    const Shape stride = w.head_major ? Shape{kBlockSize * kHeads * row, row, kBlockSize * row, 1} : Shape{};
    for (Side& side : sides) {
      side.input = Tensor(on, w.dtype, {w.tokens, kHeads, kDim});
      side.cache = Tensor(on, w.cache_dtype, {slots.num_blocks, kBlockSize, kHeads, row}, stride);
      side.input.fill(random);
      side.cache.zero();
    }
    params.key = sides[0].input.view();
    params.value = sides[1].input.view();
    params.key_cache = sides[0].cache.view();
    params.value_cache = sides[1].cache.view();
    params.slot_mapping = slot_mapping.view();
    params.k_scale = params.v_scale = scale.view();
  }

  vkv_status call(vkv_stream stream) const override { return vkv_reshape_and_cache_flash(device.ctx, &params, stream); }

  std::string verify() const override {
    const Array scale_value = scale.sample({});
    std::string wrong;
    for (const Side& side : sides) {
      const Array got = side.cache.sample({picked.blocks});
      Array want = zeros(got.dtype(), {1, got.dim(0), got.dim(1), got.dim(2), got.dim(3)});
      reference::reshape_and_cache_flash(side.input.sample({picked.tokens}), picked.slots, scale_value, want, 0);
      if (wrong.empty()) wrong = compare_bits(&side == sides ? "key_cache" : "value_cache", got, want);
    }
    return wrong;
  }

  struct Side {
    Tensor input, cache;
  };
  Device device;
  Slots slots;
  SlotSample picked;
  Tensor slot_mapping, scale;
  Side sides[2];
  vkv_reshape_and_cache_flash_params params = VKV_INIT(vkv_reshape_and_cache_flash_params);
};

Case flash_case(const std::string& series, const Write& w) {
  const int64_t rows = 2 * w.tokens * kHeads;
  const int64_t read = rows * kDim * support::element_size(w.dtype) + 8 * w.tokens;
  const int64_t written = rows * row_elements(w.cache_dtype) * support::element_size(w.cache_dtype);
  return {"reshape_and_cache_flash",
          "reshape_and_cache_flash, 8 heads x 128",
          series,
          "T=" + std::to_string(w.tokens) + (w.scattered ? " scattered" : ""),
          Limit::copy,
          read,
          written,
          read + written,
          maker<FlashWriter>(w)};
}

}  // namespace

void add_writer_cases(Cases& cases) {
  for (const bool head_major : {false, true}) {
    for (const vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_NVFP4}) {
      if (head_major && cache == VKV_DTYPE_NVFP4) continue;  // the same work in another order
      const std::string series = std::string(head_major ? "HND " : "NHD ") + vkv_dtype_string(cache);
      for (const int64_t tokens : {1, 64, 1024, 16384}) {
        cases.push_back(flash_case(series, {VKV_DTYPE_BF16, cache, head_major, tokens, false}));
      }
      cases.push_back(flash_case(series, {VKV_DTYPE_BF16, cache, head_major, 16384, true}));
    }
  }
}

}  // namespace bench
