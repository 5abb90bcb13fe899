// The tests' own number formats, on which every reference rests: known codes, ties, limits, and the machine's float32.
#include "support/number.hpp"

#include <cmath>
#include <cstring>
#include <limits>

#include "support/catch.hpp"
#include "support/random.hpp"

using support::decode;
using support::encode;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Known {
  vkv_dtype dtype;
  uint64_t code;
  double value;
};

struct Rounding {
  vkv_dtype dtype;
  double value;
  uint64_t code;
};

}  // namespace

TEST_CASE("known codes have their published values") {
  const Known known[] = {
      {VKV_DTYPE_F16, 0x3C00, 1},          {VKV_DTYPE_F16, 0xC000, -2},          {VKV_DTYPE_F16, 0x7BFF, 65504},
      {VKV_DTYPE_F16, 0x0001, 0x1p-24},    {VKV_DTYPE_F16, 0x0400, 0x1p-14},     {VKV_DTYPE_F16, 0x7C00, kInf},
      {VKV_DTYPE_F16, 0xFC00, -kInf},      {VKV_DTYPE_F16, 0x3555, 0.333251953125},
      {VKV_DTYPE_BF16, 0x3F80, 1},         {VKV_DTYPE_BF16, 0x7F7F, 0x1.FEp127}, {VKV_DTYPE_BF16, 0x0001, 0x1p-133},
      {VKV_DTYPE_BF16, 0xFF80, -kInf},     {VKV_DTYPE_BF16, 0x4049, 3.140625},
      {VKV_DTYPE_F32, 0x3F800000, 1},      {VKV_DTYPE_F32, 0x00000001, 0x1p-149}, {VKV_DTYPE_F32, 0x7F800000, kInf},
      {VKV_DTYPE_FP8_E4M3, 0x38, 1},       {VKV_DTYPE_FP8_E4M3, 0x7E, 448},      {VKV_DTYPE_FP8_E4M3, 0xFE, -448},
      {VKV_DTYPE_FP8_E4M3, 0x01, 0x1p-9},  {VKV_DTYPE_FP8_E4M3, 0x08, 0x1p-6},   {VKV_DTYPE_FP8_E4M3, 0x78, 256},
      {VKV_DTYPE_FP8_E5M2, 0x3C, 1},       {VKV_DTYPE_FP8_E5M2, 0x7B, 57344},    {VKV_DTYPE_FP8_E5M2, 0x7C, kInf},
      {VKV_DTYPE_FP8_E5M2, 0x01, 0x1p-16}, {VKV_DTYPE_FP8_E5M2, 0x04, 0x1p-14},  {VKV_DTYPE_FP8_E5M2, 0xFC, -kInf},
      {VKV_DTYPE_I32, 0xFFFFFFFF, -1},     {VKV_DTYPE_I64, ~0ull, -1},           {VKV_DTYPE_U8, 0xFF, 255},
  };
  for (const Known& k : known) {
    CAPTURE(vkv_dtype_string(k.dtype), k.code);
    CHECK(decode(k.dtype, k.code) == k.value);
  }
  CHECK(std::signbit(decode(VKV_DTYPE_F16, 0x8000)));
  for (uint64_t code : {0x7F, 0xFF}) CHECK(std::isnan(decode(VKV_DTYPE_FP8_E4M3, code)));
  for (uint64_t code : {0x7D, 0x7E, 0x7F, 0xFD}) CHECK(std::isnan(decode(VKV_DTYPE_FP8_E5M2, code)));
  for (uint64_t code : {0x7C01, 0x7E00, 0xFFFF}) CHECK(std::isnan(decode(VKV_DTYPE_F16, code)));
}

TEST_CASE("rounding is to nearest, ties to even; overflow and NaN go where each format says") {
  const Rounding roundings[] = {
      {VKV_DTYPE_F16, 1 + 0x1p-11, 0x3C00},       {VKV_DTYPE_F16, 1 + 0x1.8p-10, 0x3C02}, {VKV_DTYPE_F16, 1 + 0x1.001p-11, 0x3C01},
      {VKV_DTYPE_F16, 65519.99, 0x7BFF},          {VKV_DTYPE_F16, 65520, 0x7C00},         {VKV_DTYPE_F16, 0x1p-25, 0x0000},
      {VKV_DTYPE_F16, 0x1.8p-25, 0x0001},         {VKV_DTYPE_F16, -0.0, 0x8000},          {VKV_DTYPE_F16, -kInf, 0xFC00},
      {VKV_DTYPE_BF16, 1 + 0x1p-8, 0x3F80},       {VKV_DTYPE_BF16, 1 + 0x1.8p-7, 0x3F82}, {VKV_DTYPE_BF16, 1e39, 0x7F80},
      {VKV_DTYPE_FP8_E4M3, 1 + 0x1p-4, 0x38},     {VKV_DTYPE_FP8_E4M3, 1 + 0x1.8p-3, 0x3A}, {VKV_DTYPE_FP8_E4M3, 449, 0x7E},
      {VKV_DTYPE_FP8_E4M3, 1e9, 0x7E},            {VKV_DTYPE_FP8_E4M3, kInf, 0x7E},       {VKV_DTYPE_FP8_E4M3, -kInf, 0xFE},
      {VKV_DTYPE_FP8_E4M3, kNaN, 0x7F},           {VKV_DTYPE_FP8_E4M3, 0x1p-10, 0x00},    {VKV_DTYPE_FP8_E4M3, 0x1.8p-10, 0x01},
      {VKV_DTYPE_FP8_E5M2, 1 + 0x1p-3, 0x3C},     {VKV_DTYPE_FP8_E5M2, 1e9, 0x7B},        {VKV_DTYPE_FP8_E5M2, kInf, 0x7B},
      {VKV_DTYPE_FP8_E5M2, -kInf, 0xFB},          {VKV_DTYPE_FP8_E5M2, kNaN, 0x7F},       {VKV_DTYPE_FP8_E5M2, 61440, 0x7B},
      {VKV_DTYPE_F16, kNaN, 0x7E00},              {VKV_DTYPE_BF16, kNaN, 0x7FC0},         {VKV_DTYPE_F32, kNaN, 0x7FC00000},
  };
  for (const Rounding& r : roundings) {
    CAPTURE(vkv_dtype_string(r.dtype), r.value);
    CHECK(encode(r.dtype, r.value) == r.code);
  }
}

TEST_CASE("every finite code of the small formats survives a round trip, and codes are ordered") {
  for (vkv_dtype dtype : {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2}) {
    const uint64_t codes = support::element_size(dtype) == 1 ? 0x100 : 0x10000, sign = codes / 2;
    int64_t changed = 0, unordered = 0;
    for (uint64_t code = 0; code < codes; ++code) {
      const double value = decode(dtype, code);
      if (!std::isfinite(value)) continue;
      changed += encode(dtype, value) != code;
      const uint64_t magnitude = code & (sign - 1);
      if (magnitude != 0) unordered += std::fabs(value) <= std::fabs(decode(dtype, code - 1));
    }
    CAPTURE(vkv_dtype_string(dtype));
    CHECK(changed == 0);
    CHECK(unordered == 0);
  }
}

TEST_CASE("float32 rounds as the machine does") {
  support::Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = random.normal() * std::ldexp(1.0, static_cast<int>(random.integer(-155, 130)));
    const auto machine = static_cast<float>(value);
    uint32_t bits;
    std::memcpy(&bits, &machine, sizeof bits);
    CAPTURE(value, support::process_seed());
    if (encode(VKV_DTYPE_F32, value) != bits) CHECK(encode(VKV_DTYPE_F32, value) == bits);
    if (decode(VKV_DTYPE_F32, bits) != machine) CHECK(decode(VKV_DTYPE_F32, bits) == machine);
  }
}

TEST_CASE("e2m1 has sixteen codes; ties go to the even one, NaN to +6") {
  const double values[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (unsigned code = 0; code < 8; ++code) {
    CHECK(support::decode_e2m1(code) == values[code]);
    CHECK(support::decode_e2m1(code + 8) == -values[code]);
    CHECK(support::encode_e2m1(values[code]) == code);
    CHECK(support::encode_e2m1(-values[code]) == code + 8);
  }
  const double ties[] = {0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5};
  const unsigned even[] = {0, 2, 2, 4, 4, 6, 6};
  for (int i = 0; i < 7; ++i) {
    CHECK(support::encode_e2m1(ties[i]) == even[i]);
    CHECK(support::encode_e2m1(-ties[i]) == even[i] + 8);
  }
  CHECK(support::encode_e2m1(1e9) == 7);
  CHECK(support::encode_e2m1(-kInf) == 15);
  CHECK(support::encode_e2m1(kNaN) == 7);
}
