// convert_fp8 against its reference, bit for bit; every code of every format; refusals.
#include "cases/convert_fp8.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/reference/convert_fp8.hpp"
#include "support/refusal.hpp"

using support::Array;
using support::Device;
using support::Random;

namespace {

constexpr vkv_dtype kFp8[] = {VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_E5M2};
constexpr vkv_dtype kWide[] = {VKV_DTYPE_F16, VKV_DTYPE_BF16, VKV_DTYPE_F32};

void convert(const Device& device, const vkv_convert_fp8_params& params, Array& dst) {
  VKV_CHECK_OK(vkv_convert_fp8_supported(device.ctx, &params));
  VKV_CHECK_OK(vkv_convert_fp8(device.ctx, &params, device.stream));
  support::synchronize(device);
  dst.download();
}

// Bits must agree; in the wide formats, which have many NaNs, any NaN is as good as another.
int64_t wrong(const Array& got, const std::vector<uint64_t>& want) {
  const bool many_nans = support::element_size(got.dtype()) > 1;
  int64_t count = 0;
  for (int64_t i = 0; i < got.size(); ++i) {
    const uint64_t expected = want[static_cast<std::size_t>(i)];
    const bool both_nan = many_nans && std::isnan(got.at(i)) && std::isnan(support::decode(got.dtype(), expected));
    count += got.bits(i) != expected && !both_nan;
  }
  return count;
}

// Converts the bits given on every backend and with every set of vector units.
void check_codes(vkv_dtype from, vkv_dtype to, const std::vector<uint64_t>& codes, double scale) {
  std::vector<uint64_t> want;
  for (const auto* list : {&support::devices(), &support::vector_unit_devices()}) {
    for (const Device& device : *list) {
      CAPTURE(device.name, from, to, scale);
      const auto n = static_cast<int64_t>(codes.size());
      Array src(device, from, {n}), dst(device, to, {n});
      for (int64_t i = 0; i < n; ++i) src.set_bits(i, codes[static_cast<std::size_t>(i)]);
      src.upload();
      if (want.empty()) want = reference::convert_fp8(src, to, scale);
      vkv_convert_fp8_params params = VKV_INIT(vkv_convert_fp8_params);
      params.src = src.view();
      params.dst = dst.view();
      params.scale = scale;
      convert(device, params, dst);
      CHECK(wrong(dst, want) == 0);
    }
  }
}

std::vector<uint64_t> all_codes(uint64_t count) {
  std::vector<uint64_t> codes;
  for (uint64_t code = 0; code < count; ++code) codes.push_back(code);
  return codes;
}

}  // namespace

TEST_CASE("convert_fp8 converts any shape and any strides") {
  uint64_t stream = 0;
  for (const Device& device : support::devices()) {
    for (const cases::ConvertFp8& c : cases::convert_fp8()) {
      CAPTURE(device.name, c.name, c.dst, c.src, support::process_seed());
      Random random(++stream);
      cases::ConvertFp8Problem problem(device, c, random);
      convert(device, problem.params(), problem.dst);
      CHECK(wrong(problem.dst, reference::convert_fp8(problem.src, c.dst, c.scale)) == 0);
      CHECK(problem.dst.intact());
    }
  }
}

TEST_CASE("convert_fp8 narrows every f16 and every bf16") {
  const auto codes = all_codes(65536);
  for (vkv_dtype to : kFp8) {
    for (double scale : {0.0, 0.37, 0x1p-20, 5e4}) {
      check_codes(VKV_DTYPE_F16, to, codes, scale);
      check_codes(VKV_DTYPE_BF16, to, codes, scale);
    }
  }
}

TEST_CASE("convert_fp8 narrows f32 around every number and every midpoint of the narrow format") {
  const auto bits_of = [](double x) { return support::encode(VKV_DTYPE_F32, x); };
  for (vkv_dtype to : kFp8) {
    std::vector<uint64_t> codes;
    const auto add = [&](double x) {
      const uint64_t bits = bits_of(x);
      for (uint64_t sign : {0u, 0x80000000u}) {
        for (uint64_t near : {bits, bits + 1, bits == 0 ? bits : bits - 1}) codes.push_back(near | sign);
      }
    };
    double before = 0;
    for (uint64_t code = 0; code < 128; ++code) {
      const double x = support::decode(to, code);
      if (!std::isfinite(x)) continue;
      add(x);
      add((x + before) / 2);
      before = x;
    }
    const double largest = before;
    for (double x : {largest * 1.03125, largest * 1.0625, largest * 1.125, largest * 2, 65536.0, 1e30, 0x1.fffffep127,
                     0x1p-126, 0x1p-149, 0x1.8p-140, 1e-30, 1e-9, std::numeric_limits<double>::infinity()}) {
      add(x);
    }
    for (uint64_t nan : {0x7F800001u, 0x7FBFFFFFu, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u, 0xFFC00000u, 0xFFFFFFFFu}) {
      codes.push_back(nan);
    }
    check_codes(VKV_DTYPE_F32, to, codes, 0);
    Random random(1);
    codes.clear();
    for (int i = 0; i < 20000; ++i) codes.push_back(random.bits() & 0xFFFFFFFFu);
    for (int i = 0; i < 20000; ++i) codes.push_back(bits_of(random.normal() * std::exp2(random.uniform(-20, 20))));
    check_codes(VKV_DTYPE_F32, to, codes, random.uniform(0.01, 10));
  }
}

TEST_CASE("convert_fp8 widens every code") {
  const auto codes = all_codes(256);
  for (vkv_dtype from : kFp8) {
    for (vkv_dtype to : kWide) {
      // 1; an odd number; f16's overflow; f16's subnormals; float32's subnormals and overflow.
      for (double scale : {0.0, 0.37, 1000.3, 3e-7, 1e-37, 3e38}) check_codes(from, to, codes, scale);
    }
  }
}

TEST_CASE("convert_fp8 refuses bad input and writes nothing") {
  const Device& device = support::devices().front();
  Random random(1);
  cases::ConvertFp8Problem problem(device, {"", VKV_DTYPE_FP8_E4M3, VKV_DTYPE_BF16, {4, 6}}, random);
  const std::vector<uint8_t> before = problem.dst.image();
  const auto good = problem.params();
  const auto refused = [&](auto change, const char* words, vkv_status status = VKV_ERROR_INVALID_ARGUMENT) {
    auto p = good;
    change(p);
    VKV_CHECK_REFUSED(vkv_convert_fp8(device.ctx, &p, device.stream), status, words);
  };
  refused([](auto& p) { p.dst = {}; }, "dst is absent");
  refused([](auto& p) { p.src.data = nullptr; }, "src.data is null");
  refused([](auto& p) { p.src.dtype = VKV_DTYPE_FP8_E5M2; }, "src.dtype is e5m2, expected f16 or bf16 or f32");
  refused([](auto& p) { p.dst.dtype = VKV_DTYPE_F16; }, "src.dtype is bf16, expected e4m3 or e5m2");
  refused([](auto& p) { p.dst.dtype = VKV_DTYPE_U8; }, "dst.dtype is u8, expected f16 or bf16 or f32 or e4m3 or e5m2");
  refused([](auto& p) { p.src.ndim = 1; }, "src.ndim is 1, expected 2");
  refused([](auto& p) { p.src.shape[1] = 5; }, "src.shape[1] is 5, expected 6");
  refused([](auto& p) { p.dst.stride[0] = 0; }, "dst.stride[0] is 0, but the tensor is written");
  refused([](auto& p) { p.dst.data = p.src.data; }, "the memory of src");
  for (double scale :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(), 3.5e38, 1e-60}) {
    refused([&](auto& p) { p.scale = scale; }, "expected a number that is positive and finite as a float32");
  }
  refused([](auto& p) { p.flags = 1; }, "flags is 0x1", VKV_ERROR_NOT_SUPPORTED);
  problem.dst.download();
  CHECK(problem.dst.image() == before);
}
