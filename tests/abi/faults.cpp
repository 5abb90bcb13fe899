// Nothing that a caller puts into a struct brings the process down: null, garbage pointers, absurd shapes and strides, random
// bytes. Every refusal is a status with a sentence that begins with the function's name.
#include <algorithm>
#include <cstring>
#include <limits>

#include "abi/ops.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/random.hpp"
#include "support/refusal.hpp"

namespace {

using abi::Bytes;
using support::Random;

vkv_tensor get_tensor(const Bytes& bytes, std::size_t at) {
  vkv_tensor t;
  std::memcpy(&t, bytes.data() + at, sizeof t);
  return t;
}

void set_tensor(Bytes& bytes, std::size_t at, const vkv_tensor& t) { std::memcpy(bytes.data() + at, &t, sizeof t); }

template <class T>
T pick(Random& random, std::initializer_list<T> values) {
  return values.begin()[random.integer(0, static_cast<int64_t>(values.size()) - 1)];
}

// An address that faults if it is touched.
void* garbage(Random& random) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(random.bits() | (1ull << 63)) & ~std::uintptr_t{0xFF});
}

int64_t absurd_size(Random& random) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  return pick<int64_t>(random, {0, 1, 2, 3, 7, 8, 16, 64, 132, 512, 576, 656, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                1ll << 40, 1ll << 59, 1ll << 60, 1ll << 61, 1ll << 62, kMax, kMax - 1, kMax / 2, kMax / 8, -1,
                                -2, kMin, kMin + 1});
}

// Changes one thing of a params struct.
void mutate(const abi::Op& op, Bytes& bytes, Random& random) {
  const std::vector<std::size_t> tensors = op.tensors();
  if (random.integer(0, 4) != 0) {
    const std::size_t at = tensors[static_cast<std::size_t>(random.integer(0, static_cast<int64_t>(tensors.size()) - 1))];
    vkv_tensor t = get_tensor(bytes, at);
    const int64_t axis = random.integer(0, VKV_MAX_DIMS - 1);
    switch (random.integer(0, 6)) {
      case 0: t.dtype = pick<vkv_dtype>(random, {0, -1, 1, 2, 3, 10, 11, 20, 21, 30, 31, 32, 40, 50, 51, 0x7FFFFFFF}); break;
      case 1: t.ndim = pick<int32_t>(random, {-1, 0, 1, 2, 3, 4, 5, 6, 7, 0x7FFFFFFF, std::numeric_limits<int32_t>::min()}); break;
      case 2: t = {}; break;
      case 3: t = get_tensor(op.example, tensors.front()); break;
      case 4:
        for (int i = 0; i < VKV_MAX_DIMS; ++i) t.stride[i] = absurd_size(random);
        break;
      case 5: t.stride[axis] = absurd_size(random); break;
      default: t.shape[axis] = absurd_size(random); break;
    }
    set_tensor(bytes, at, t);
    return;
  }
  // The options behind the last tensor, as 32-bit or 64-bit words.
  const std::size_t first = tensors.back() + sizeof(vkv_tensor);
  if (first + 8 > bytes.size()) return;
  const auto words = static_cast<int64_t>((bytes.size() - first) / 4);
  const std::size_t at = first + 4 * static_cast<std::size_t>(random.integer(0, words - 2));
  const int64_t value = random.integer(0, 3) == 0 ? static_cast<int64_t>(random.bits()) : absurd_size(random);
  std::memcpy(bytes.data() + at, &value, random.integer(0, 1) == 0 ? 4 : 8);
}

// A refusal must carry one of the published statuses and a sentence of its own function.
void check_refusal(const abi::Op& op, vkv_status status) {
  const std::string message = vkv_last_error_message();
  const bool named = message.compare(0, op.name.size() + 2, op.name + ": ") == 0;
  const bool known = std::string(vkv_status_string(status)) != "unknown status";
  if (named && known && message.size() > op.name.size() + 4) return;
  CAPTURE(op.name, status, message);
  CHECK(named);
  CHECK(known);
  CHECK(message.size() > op.name.size() + 4);
}

// What holds for any params whatsoever. The data pointers in `bytes` are garbage, so an accepted problem is not run.
void check_sound(const vkv_context* ctx, const abi::Op& op, const Bytes& bytes) {
  const vkv_status supported = op.supported(ctx, bytes.data());
  if (supported != VKV_OK) {
    check_refusal(op, supported);
    const std::string message = vkv_last_error_message();
    const vkv_status ran = op.run(ctx, bytes.data());
    check_refusal(op, ran);
    if (ran != supported) CHECK(ran == VKV_ERROR_INVALID_ARGUMENT);  // a pointer was refused before the rest was looked at
  }
  if (op.workspace_size) {
    size_t needed = 0;
    const vkv_status status = op.workspace_size(ctx, bytes.data(), &needed);
    CHECK(status == supported);
    if (status != VKV_OK) check_refusal(op, status);
  }
}

}  // namespace

TEST_CASE("the rows cover every op of the library, and no row of the CPU backend is null") {
  const support::OwnedContext ctx = support::cpu_context(2);
  const std::vector<abi::Op>& ops = abi::ops();
  std::size_t known = 0;
  for (int32_t id = 1; std::string(vkv_op_string(id)) != "unknown op"; ++id, ++known) {
    const std::string name = std::string("vkv_") + vkv_op_string(id);
    CHECK(std::count_if(ops.begin(), ops.end(), [&](const abi::Op& op) { return op.name == name; }) == 1);
  }
  CHECK(known == ops.size());
  for (const abi::Op& op : ops) {
    CAPTURE(op.name);
    CHECK(op.tensors().size() >= 2);
    VKV_CHECK_OK(op.supported(ctx.get(), op.example.data()));
    VKV_CHECK_OK(op.run(ctx.get(), op.example.data()));
  }
  vkv_device_report report = VKV_INIT(vkv_device_report);
  VKV_CHECK_OK(vkv_context_read_device_report(ctx.get(), &report));
  CAPTURE(report.message);
  CHECK(report.count == 0);
}

TEST_CASE("supported and workspace_size need no data pointers, and the call itself refuses null ones") {
  const support::OwnedContext ctx = support::cpu_context(2);
  for (const abi::Op& op : abi::ops()) {
    CAPTURE(op.name);
    Bytes bytes = op.example;
    for (std::size_t at : op.tensors()) {
      vkv_tensor t = get_tensor(bytes, at);
      t.data = nullptr;
      set_tensor(bytes, at, t);
    }
    VKV_CHECK_OK(op.supported(ctx.get(), bytes.data()));
    size_t needed = 0;
    if (op.workspace_size) VKV_CHECK_OK(op.workspace_size(ctx.get(), bytes.data(), &needed));
    VKV_CHECK_REFUSED(op.run(ctx.get(), bytes.data()), VKV_ERROR_INVALID_ARGUMENT, ".data is null");
  }
}

TEST_CASE("null contexts and results are refused with the function's name") {
  const support::OwnedContext ctx = support::cpu_context(2);
  for (const abi::Op& op : abi::ops()) {
    VKV_CHECK_REFUSED(op.run(nullptr, op.example.data()), VKV_ERROR_INVALID_ARGUMENT, op.name + ": ctx is null");
    VKV_CHECK_REFUSED(op.supported(nullptr, op.example.data()), VKV_ERROR_INVALID_ARGUMENT, op.name + ": ctx is null");
    if (!op.workspace_size) continue;
    size_t needed = 0;
    VKV_CHECK_REFUSED(op.workspace_size(nullptr, op.example.data(), &needed), VKV_ERROR_INVALID_ARGUMENT,
                      op.name + ": ctx is null");
    VKV_CHECK_REFUSED(op.workspace_size(ctx.get(), op.example.data(), nullptr), VKV_ERROR_INVALID_ARGUMENT,
                      op.name + ": bytes is null");
  }
}

TEST_CASE("every tensor that is made absurd is refused before its memory is touched") {
  const support::OwnedContext ctx = support::cpu_context(2);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  Random random(1);
  for (const abi::Op& op : abi::ops()) {
    for (std::size_t at : op.tensors()) {
      if (get_tensor(op.example, at).ndim == 0) continue;
      const auto refused = [&](auto change) {
        Bytes bytes = op.example;
        vkv_tensor t = get_tensor(bytes, at);
        t.data = garbage(random);
        change(t);
        set_tensor(bytes, at, t);
        CAPTURE(op.name, at, support::process_seed());
        REQUIRE(op.supported(ctx.get(), bytes.data()) / 100 == 1);
        const vkv_status status = op.run(ctx.get(), bytes.data());
        CHECK(status / 100 == 1);
        check_refusal(op, status);
      };
      refused([](vkv_tensor& t) { t.ndim = 7; });
      refused([](vkv_tensor& t) { t.ndim = -1; });
      refused([](vkv_tensor& t) { t.dtype = 99; });
      refused([](vkv_tensor& t) { t.shape[0] = -1; });
      refused([](vkv_tensor& t) { t.shape[0] = kMax; });
      refused([](vkv_tensor& t) { for (int i = 0; i < t.ndim; ++i) t.shape[i] = 1ll << 61; });
      refused([](vkv_tensor& t) { for (int i = 0; i < t.ndim; ++i) t.stride[i] = -1; });
      refused([](vkv_tensor& t) { for (int i = 0; i < t.ndim; ++i) t.stride[i] = kMax; });
    }
  }
}

TEST_CASE("mutated problems with garbage pointers are answered, never followed") {
  const support::OwnedContext ctx = support::cpu_context(2);
  uint64_t stream = 100;
  for (const abi::Op& op : abi::ops()) {
    Random random(++stream);
    CAPTURE(op.name, stream, support::process_seed());
    for (int round = 0; round < 2000; ++round) {
      Bytes bytes = op.example;
      for (std::size_t at : op.tensors()) {
        vkv_tensor t = get_tensor(bytes, at);
        if (t.ndim != 0) t.data = garbage(random);
        set_tensor(bytes, at, t);
      }
      for (int64_t n = random.integer(1, 4); n > 0; --n) mutate(op, bytes, random);
      check_sound(ctx.get(), op, bytes);
    }
  }
}

TEST_CASE("random bytes in place of a struct are answered") {
  const support::OwnedContext ctx = support::cpu_context(2);
  uint64_t stream = 200;
  for (const abi::Op& op : abi::ops()) {
    Random random(++stream);
    CAPTURE(op.name, stream, support::process_seed());
    for (int round = 0; round < 300; ++round) {
      Bytes bytes(op.example.size() + static_cast<std::size_t>(random.integer(0, 32)));
      const uint64_t mask = pick<uint64_t>(random, {0xFF, 0x01, 0x00, 0x81});
      for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.bits() & mask);
      const auto size = static_cast<uint32_t>(random.integer(0, static_cast<int64_t>(bytes.size())));
      std::memcpy(bytes.data(), &size, sizeof size);
      if (random.integer(0, 1) == 0) std::memset(bytes.data() + 4, 0, 4);
      for (const vkv_status status : {op.supported(ctx.get(), bytes.data()), op.run(ctx.get(), bytes.data())}) {
        CHECK(status != VKV_OK);
        if (status != VKV_OK) check_refusal(op, status);
      }
    }
  }
}
