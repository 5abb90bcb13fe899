#include "support/device.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "support/cuda_device.hpp"

namespace support {

namespace {

class HostMemory final : public Memory {
 public:
  void* allocate(std::size_t bytes) override {
    void* pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (pointer == nullptr) throw std::bad_alloc();
    return pointer;
  }
  void release(void* pointer) override { std::free(pointer); }
  void to_device(void* device, const void* host, std::size_t bytes) override {
    if (bytes != 0) std::memcpy(device, host, bytes);
  }
  void to_host(void* host, const void* device, std::size_t bytes) override {
    if (bytes != 0) std::memcpy(host, device, bytes);
  }
  bool is_host() const override { return true; }
};

}  // namespace

Memory& host_memory() {
  static HostMemory memory;
  return memory;
}

OwnedContext cpu_context(int num_threads) {
  vkv_context_params params = VKV_INIT(vkv_context_params);
  params.backend = VKV_BACKEND_CPU;
  params.num_threads = num_threads;
  vkv_context* ctx = nullptr;
  if (vkv_context_create(&params, &ctx) != VKV_OK) throw std::runtime_error(vkv_last_error_message());
  return OwnedContext(ctx);
}

const std::vector<Device>& devices() {
  static const std::vector<Device> all = [] {
    // Three threads even on a machine with fewer cores, so that work is always split.
    std::vector<Device> list{{"cpu", cpu_context(3).release(), &host_memory(), nullptr}};
    add_cuda_devices(list);
    return list;
  }();
  return all;
}

const std::vector<Device>& vector_unit_devices() {
  static const std::vector<Device> all = [] {
    const char* given = std::getenv("VKV_CPU_ISA");
    const std::string before = given != nullptr ? given : "";
    std::vector<Device> list;
    for (const char* isa : {"generic", "avx2", "avx512"}) {
      setenv("VKV_CPU_ISA", isa, 1);
      list.push_back({std::string("cpu ") + isa, cpu_context(2).release(), &host_memory(), nullptr});
    }
    if (given != nullptr) setenv("VKV_CPU_ISA", before.c_str(), 1);
    else unsetenv("VKV_CPU_ISA");
    return list;
  }();
  return all;
}

const Device& host() {
  static const Device device{"host", nullptr, &host_memory(), nullptr};
  return device;
}

bool has_attention(const Device& device) {
  vkv_paged_attention_params p = VKV_INIT(vkv_paged_attention_params);
  p.query = {nullptr, VKV_DTYPE_F32, 3, {1, 1, 64}, {}};
  p.out = p.query;
  p.key_cache = {nullptr, VKV_DTYPE_F32, 4, {1, 16, 1, 64}, {}};
  p.value_cache = p.key_cache;
  p.block_table = {nullptr, VKV_DTYPE_I32, 2, {1, 1}, {}};
  p.seq_lens = {nullptr, VKV_DTYPE_I32, 1, {1}, {}};
  return vkv_paged_attention_supported(device.ctx, &p) == VKV_OK;
}

const std::vector<Device>& attending_devices() {
  static const std::vector<Device> all = [] {
    std::vector<Device> list;
    for (const Device& device : devices()) {
      if (has_attention(device)) list.push_back(device);
      else std::fprintf(stderr, "skipped: paged_attention on %s: %s\n", device.name.c_str(), vkv_last_error_message());
    }
    return list;
  }();
  return all;
}

void synchronize(const Device& device) { device.memory->finish(device.stream); }

vkv_device_report take_report(const Device& device) {
  synchronize(device);
  vkv_device_report report = VKV_INIT(vkv_device_report);
  if (vkv_context_read_device_report(device.ctx, &report) != VKV_OK) throw std::runtime_error(vkv_last_error_message());
  return report;
}

}  // namespace support
