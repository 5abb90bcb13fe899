// Benchmark cases of the writers of paged key and value caches.
#include <utility>

#include "support/reference/reshape_and_cache.hpp"
#include "support/reference/reshape_and_cache_flash.hpp"
#include "tools/bench.hpp"
#include "tools/bench_data.hpp"

namespace bench {

namespace {

using support::Array;
using support::Device;
using support::Random;

constexpr int64_t kHeads = 8, kDim = 128, kBlockSize = 16;
constexpr vkv_dtype kDtype = VKV_DTYPE_BF16;
constexpr float kScale = 0.01f;

enum class Layout { nhd, hnd, x_packed };

struct Write {
  vkv_dtype cache_dtype;
  Layout layout;
  int64_t tokens;
  bool scattered;

  int64_t row_elements() const { return cache_dtype == VKV_DTYPE_NVFP4 ? kDim / 2 + kDim / 16 : kDim; }
};

vkv_status run(const Device& d, const vkv_reshape_and_cache_params& p, vkv_stream stream) {
  return vkv_reshape_and_cache(d.ctx, &p, stream);
}
vkv_status run(const Device& d, const vkv_reshape_and_cache_flash_params& p, vkv_stream stream) {
  return vkv_reshape_and_cache_flash(d.ctx, &p, stream);
}

// The two writers have the same tensors; only the caches' shape differs.
template <class Params>
struct Writer final : Instance {
  static constexpr int kKey = 0, kValue = 1;

  Writer(const Device& on, const Write& w, Random& random)
      : device(on),
        layout(w.layout),
        slots(w.tokens, kBlockSize, w.scattered, random),
        picked(slots.slots, kBlockSize, random),
        slot_mapping(on, VKV_DTYPE_I64, {w.tokens}),
        scale(on, VKV_DTYPE_F32, {1}) {
    slot_mapping.set(slots.slots);
    scale.set(std::vector<float>{kScale});
    for (const int side : {kKey, kValue}) {
      inputs[side] = Tensor(on, kDtype, {w.tokens, kHeads, kDim});
      inputs[side].fill(random);
      caches[side] = make_cache(w, side);
      caches[side].zero();
    }
    params.key = inputs[kKey].view();
    params.value = inputs[kValue].view();
    params.key_cache = caches[kKey].view();
    params.value_cache = caches[kValue].view();
    params.slot_mapping = slot_mapping.view();
    params.k_scale = params.v_scale = scale.view();
  }

  vkv_status call(vkv_stream stream) const override { return run(device, params, stream); }

  std::string verify() const override {
    return tools::first_of({compare_side(kKey, "key_cache"), compare_side(kValue, "value_cache")});
  }

 private:
  Tensor make_cache(const Write& w, int side) const {
    const int64_t n = slots.num_blocks, b = kBlockSize, h = kHeads, row = w.row_elements();
    if (layout == Layout::x_packed) {
      const int64_t x = 16 / support::element_size(w.cache_dtype);
      return Tensor(device, w.cache_dtype, side == kKey ? Shape{n, h, kDim / x, b, x} : Shape{n, h, kDim, b});
    }
    return Tensor(device, w.cache_dtype, {n, b, h, row},
                  layout == Layout::hnd ? Shape{b * h * row, row, b * row, 1} : Shape{});
  }

  std::string compare_side(int side, const char* name) const {
    const Array input = inputs[side].sample({picked.tokens}), got = caches[side].sample({picked.blocks});
    Shape shape = got.shape();
    if (layout != Layout::x_packed) shape.insert(shape.begin(), 1);
    Array want = zeros(got.dtype(), shape);
    if (layout != Layout::x_packed)
      reference::reshape_and_cache_flash(input, picked.slots, scale.sample({}), want, 0);
    else if (side == kKey)
      reference::reshape_and_cache_keys(input, picked.slots, scale.sample({}), want);
    else
      reference::reshape_and_cache_values(input, picked.slots, scale.sample({}), want);
    return compare_bits(name, got, want);
  }

  Device device;
  Layout layout;
  Slots slots;
  SlotSample picked;
  Tensor slot_mapping, scale, inputs[2], caches[2];
  Params params = VKV_INIT(Params);
};

template <class Params>
void add_writer(Cases& cases, const std::string& op, const std::string& series, Write w) {
  const auto add = [&](int64_t tokens, bool scattered) {
    w.tokens = tokens;
    w.scattered = scattered;
    const int64_t rows = 2 * tokens * kHeads, read = rows * kDim * support::element_size(kDtype) + 8 * tokens;
    const int64_t written = rows * w.row_elements() * support::element_size(w.cache_dtype);
    cases.push_back({op, op + ", 8 heads x 128", series,
                     "T=" + std::to_string(tokens) + (scattered ? " scattered" : ""), Limit::copy, read, written,
                     read + written, maker<Writer<Params>>(w)});
  };
  for (const int64_t tokens : {1, 64, 1024, 16384}) add(tokens, false);
  add(16384, true);
}

}  // namespace

void add_writer_cases(Cases& cases) {
  constexpr vkv_dtype kE4m3 = VKV_DTYPE_FP8_E4M3;
  for (const vkv_dtype cache : {kDtype, kE4m3}) {
    add_writer<vkv_reshape_and_cache_params>(cases, "reshape_and_cache", vkv_dtype_string(cache),
                                             {cache, Layout::x_packed, 0, false});
  }
  for (const auto& [cache, layout] :
       {std::pair(kDtype, Layout::nhd), std::pair(kE4m3, Layout::nhd), std::pair(kDtype, Layout::hnd),
        std::pair(kE4m3, Layout::hnd), std::pair(vkv_dtype{VKV_DTYPE_NVFP4}, Layout::nhd)}) {
    add_writer<vkv_reshape_and_cache_flash_params>(
        cases, "reshape_and_cache_flash",
        std::string(layout == Layout::nhd ? "NHD " : "HND ") + vkv_dtype_string(cache), {cache, layout, 0, false});
  }
}

}  // namespace bench
