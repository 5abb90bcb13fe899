#include "tools/content.hpp"

#include <cmath>
#include <cstring>

#include "support/number.hpp"
#include "tools/hash.hpp"

namespace tools {

namespace {

constexpr int kCodeBits = 12;
constexpr uint64_t kCodes = 1u << kCodeBits;
constexpr int64_t kGroup = 16;  // elements under one nvfp4 block scale

double normal(uint64_t seed, uint64_t i) {
  const auto unit = [&](uint64_t n) { return static_cast<double>(mix(seed + n) >> 11) * 0x1.0p-53; };
  return std::sqrt(-2.0 * std::log(1.0 - unit(2 * i))) * std::cos(6.283185307179586 * unit(2 * i + 1));
}

bool is_float(vkv_dtype dtype) { return dtype == VKV_DTYPE_F16 || dtype == VKV_DTYPE_BF16 || dtype == VKV_DTYPE_F32; }

}  // namespace

Content::Content(const ContentShape& shape, uint64_t seed) : shape_(shape), seed_(mix(seed)) {
  const bool copied = is_float(shape.cache);
  if (!copied) {
    // Scales that are no powers of two, so that a store or load that forgets one is far off. nvfp4 has one in all.
    for (int64_t head = 0; head < (shape.cache == VKV_DTYPE_NVFP4 ? 1 : shape.kv_heads); ++head) {
      k_scales_.push_back(0.011f * static_cast<float>(head % 7 + 3));
      v_scales_.push_back(0.013f * static_cast<float>(head % 5 + 3));
    }
  }
  for (uint64_t code = 0; code < kCodes; ++code) {
    input_bits_.push_back(static_cast<uint32_t>(support::encode(shape.input, normal(seed_, code))));
    input_values_.push_back(support::decode(shape.input, input_bits_.back()));
  }
  if (shape.cache == VKV_DTYPE_NVFP4) return;
  const auto fill = [&](const std::vector<float>& scales, std::vector<uint32_t>& bits, std::vector<double>& values) {
    for (float scale : copied ? std::vector<float>{1} : scales) {
      for (double x : input_values_) {
        bits.push_back(static_cast<uint32_t>(support::encode(shape.cache, static_cast<float>(x) / scale)));
        values.push_back(support::decode(shape.cache, bits.back()) * static_cast<double>(scale));
      }
    }
  };
  fill(k_scales_, k_cached_bits_, k_cached_values_);
  fill(v_scales_, v_cached_bits_, v_cached_values_);
}

template <class To>
void Content::codes(Which which, int64_t request, int64_t token, int64_t elements, To&& to) const {
  const uint64_t sequence = mix(seed_ ^ (static_cast<uint64_t>(request) * 4 + static_cast<uint64_t>(which)));
  const uint64_t base = mix(sequence ^ static_cast<uint64_t>(token));
  for (int64_t i = 0; i < elements; i += 4) {
    uint64_t word = mix(base + static_cast<uint64_t>(i));
    for (int64_t j = i; j < i + 4 && j < elements; ++j, word >>= 16) to(j, word & (kCodes - 1));
  }
}

template <class Bits>
void Content::write_as(Which which, int64_t request, int64_t token, int64_t elements, Bits* to) const {
  codes(which, request, token, elements,
        [&](int64_t i, uint64_t code) { to[i] = static_cast<Bits>(input_bits_[code]); });
}

void Content::write(Which which, int64_t request, int64_t token, void* to) const {
  const int64_t elements = (which == Which::query ? shape_.heads : shape_.kv_heads) * shape_.head_size;
  if (shape_.input == VKV_DTYPE_F32) write_as(which, request, token, elements, static_cast<uint32_t*>(to));
  else write_as(which, request, token, elements, static_cast<uint16_t*>(to));
}

void Content::query_values(int64_t request, int64_t token, double* to) const {
  codes(Which::query, request, token, shape_.heads * shape_.head_size,
        [&](int64_t i, uint64_t code) { to[i] = input_values_[code]; });
}

int64_t Content::scale_index(Which which, int64_t head) const { return scales(which).size() > 1 ? head : 0; }

// Calls group(first element, block scale's code, 16 element codes, scale) for each run of 16 elements, by the steps
// that vkv_reshape_and_cache_flash states, in float32.
template <class Group>
void Content::nvfp4_groups(Which which, int64_t request, int64_t token, Group&& group) const {
  const float scale = scales(which).front(), inverse_scale = 1.0f / scale;
  const float sixth = 1.0f / 6.0f;
  float x[kGroup];
  codes(which, request, token, shape_.kv_heads * shape_.head_size, [&](int64_t i, uint64_t code) {
    x[i % kGroup] = static_cast<float>(input_values_[code]);
    if (i % kGroup != kGroup - 1) return;
    float largest = 0;
    for (float v : x) largest = std::fmax(largest, std::fabs(v));
    const float exact = largest * sixth * inverse_scale;
    const uint64_t block_scale = support::encode(VKV_DTYPE_FP8_E4M3, std::fmin(exact, 448.0f));
    const auto sf = static_cast<float>(support::decode(VKV_DTYPE_FP8_E4M3, block_scale));
    const float inverse = sf == 0 ? 0 : 1.0f / (sf * (1.0f / inverse_scale));
    unsigned elements[kGroup];
    for (int64_t j = 0; j < kGroup; ++j) elements[j] = support::encode_e2m1(x[j] * inverse);
    group(i - (kGroup - 1), static_cast<uint8_t>(block_scale), elements,
          static_cast<double>(sf) * static_cast<double>(scale));
  });
}

void Content::cached_values(Which which, int64_t request, int64_t token, double* to) const {
  if (shape_.cache == VKV_DTYPE_NVFP4) {
    nvfp4_groups(which, request, token, [&](int64_t first, uint8_t, const unsigned* elements, double scale) {
      for (int64_t j = 0; j < kGroup; ++j) to[first + j] = support::decode_e2m1(elements[j]) * scale;
    });
    return;
  }
  const std::vector<double>& table = which == Which::key ? k_cached_values_ : v_cached_values_;
  codes(which, request, token, shape_.kv_heads * shape_.head_size, [&](int64_t i, uint64_t code) {
    to[i] = table[static_cast<uint64_t>(scale_index(which, i / shape_.head_size)) * kCodes + code];
  });
}

void Content::cached_bytes(Which which, int64_t request, int64_t token, uint8_t* rows, uint8_t* scales) const {
  if (shape_.cache == VKV_DTYPE_NVFP4) {
    nvfp4_groups(which, request, token, [&](int64_t first, uint8_t block_scale, const unsigned* elements, double) {
      scales[first / kGroup] = block_scale;
      for (int64_t j = 0; j < kGroup; j += 2) {
        rows[(first + j) / 2] = static_cast<uint8_t>(elements[j] | elements[j + 1] << 4);
      }
    });
    return;
  }
  const std::vector<uint32_t>& table = which == Which::key ? k_cached_bits_ : v_cached_bits_;
  const int64_t size = support::element_size(shape_.cache);
  codes(which, request, token, shape_.kv_heads * shape_.head_size, [&](int64_t i, uint64_t code) {
    const uint32_t bits = table[static_cast<uint64_t>(scale_index(which, i / shape_.head_size)) * kCodes + code];
    std::memcpy(rows + i * size, &bits, static_cast<std::size_t>(size));  // little-endian, as every target is
  });
}

}  // namespace tools
