// The device report: the first event of many, an exact count, a sentence, and cleared by reading.
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "support/array.hpp"
#include "support/catch.hpp"
#include "support/refusal.hpp"

using support::Array;

namespace {

constexpr int64_t kBlocks = 2, kBlockSize = 4;

// Writes one token for each slot into a small cache.
vkv_status write(const support::Device& device, const std::vector<int64_t>& slot_values) {
  const auto tokens = static_cast<int64_t>(slot_values.size());
  Array key(device, VKV_DTYPE_F32, {tokens, 1, 8}), value(device, VKV_DTYPE_F32, {tokens, 1, 8});
  Array key_cache(device, VKV_DTYPE_F32, {kBlocks, kBlockSize, 1, 8}), value_cache(device, VKV_DTYPE_F32, {kBlocks, kBlockSize, 1, 8});
  Array slots(device, VKV_DTYPE_I64, {tokens});
  slots.fill_integers(slot_values);
  vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
  p.key = key.view();
  p.value = value.view();
  p.key_cache = key_cache.view();
  p.value_cache = value_cache.view();
  p.slot_mapping = slots.view();
  const vkv_status status = vkv_reshape_and_cache_flash(device.ctx, &p, device.stream);
  support::synchronize(device);
  return status;
}

bool is_empty(const vkv_device_report& r) {
  return r.count == 0 && r.op == 0 && r.what == 0 && r.index == 0 && r.value == 0 && r.limit == 0 && r.message[0] == '\0';
}

}  // namespace

TEST_CASE("a report is empty until an event, tells it, and is empty again after a read") {
  for (const support::Device& device : support::devices()) {
    support::take_report(device);
    VKV_CHECK_OK(write(device, {0, -1, kBlocks * kBlockSize - 1}));
    CHECK(is_empty(support::take_report(device)));

    VKV_CHECK_OK(write(device, {0, 1, 9, 2}));
    const vkv_device_report r = support::take_report(device);
    CHECK(r.struct_size == sizeof r);
    CHECK(r.count == 1);
    CHECK(r.op == VKV_OP_RESHAPE_AND_CACHE_FLASH);
    CHECK(r.what == VKV_REPORT_SLOT);
    CHECK(r.index == 2);
    CHECK(r.value == 9);
    CHECK(r.limit == kBlocks * kBlockSize);
    CHECK(std::string(r.message) == "reshape_and_cache_flash: slot 9 at index 2 is outside [0, 8); events: 1");
    CHECK(is_empty(support::take_report(device)));
  }
}

TEST_CASE("events add up over calls until they are read, the first one staying") {
  for (const support::Device& device : support::devices()) {
    support::take_report(device);
    VKV_CHECK_OK(write(device, {int64_t{1} << 62}));
    VKV_CHECK_OK(write(device, {0, 100, 101, -5}));
    const vkv_device_report r = support::take_report(device);
    CHECK(r.count == 3);
    CHECK(r.index == 0);
    CHECK(r.value == int64_t{1} << 62);
    CHECK(std::string(r.message).find("slot 4611686018427387904 at index 0") != std::string::npos);
  }
}

TEST_CASE("a refused call reports nothing, and a refused read clears nothing") {
  const support::Device& device = support::devices().front();
  support::take_report(device);
  vkv_reshape_and_cache_flash_params p = VKV_INIT(vkv_reshape_and_cache_flash_params);
  CHECK(vkv_reshape_and_cache_flash(device.ctx, &p, device.stream) != VKV_OK);
  CHECK(is_empty(support::take_report(device)));

  VKV_CHECK_OK(write(device, {8}));
  vkv_device_report small = VKV_INIT(vkv_device_report);
  small.struct_size = 16;
  VKV_CHECK_REFUSED(vkv_context_read_device_report(device.ctx, &small), VKV_ERROR_INVALID_ARGUMENT, "struct_size is 16");
  VKV_CHECK_REFUSED(vkv_context_read_device_report(device.ctx, nullptr), VKV_ERROR_INVALID_ARGUMENT, "output struct is null");
  VKV_CHECK_REFUSED(vkv_context_read_device_report(nullptr, &small), VKV_ERROR_INVALID_ARGUMENT,
                    "vkv_context_read_device_report: ctx is null");
  CHECK(support::take_report(device).count == 1);
}

TEST_CASE("events from many threads are counted exactly, and each context has its own report") {
  const support::OwnedContext ctx = support::cpu_context(3), other = support::cpu_context(1);
  const support::Device device{"cpu", ctx.get(), &support::host_memory(), nullptr};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) write(device, {8, 9, 0, 10});
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(support::take_report(device).count == 6 * 50 * 3);
  CHECK(is_empty(support::take_report({"cpu", other.get(), &support::host_memory(), nullptr})));
}

TEST_CASE("reads beside writers lose no event") {
  const support::OwnedContext ctx = support::cpu_context(2);
  const support::Device device{"cpu", ctx.get(), &support::host_memory(), nullptr};
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) write(device, {8, 9});
  });
  uint64_t seen = 0;
  for (int i = 0; i < 200; ++i) seen += support::take_report(device).count;
  writer.join();
  CHECK(seen + support::take_report(device).count == 400);
}
