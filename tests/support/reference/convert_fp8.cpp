#include "support/reference/convert_fp8.hpp"

namespace reference {

std::vector<uint64_t> convert_fp8(const support::Array& src, vkv_dtype dst, double scale) {
  const float s = scale == 0 ? 1.0f : static_cast<float>(scale);
  const bool narrows = dst == VKV_DTYPE_FP8_E4M3 || dst == VKV_DTYPE_FP8_E5M2;
  std::vector<uint64_t> bits;
  for (int64_t i = 0; i < src.size(); ++i) {
    const auto x = static_cast<float>(src.at(i));
    const float y = narrows ? x / s : x * s;
    bits.push_back(support::encode(dst, static_cast<double>(y)));
  }
  return bits;
}

}  // namespace reference
