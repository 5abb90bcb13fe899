// Contexts: what creation takes and refuses, what they tell of themselves, which vector units they use.
#include <stdlib.h>

#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/refusal.hpp"

namespace {

vkv_context_params cpu_params() {
  vkv_context_params p = VKV_INIT(vkv_context_params);
  p.backend = VKV_BACKEND_CPU;
  return p;
}

vkv_context_info info_of(const vkv_context* ctx) {
  vkv_context_info info = VKV_INIT(vkv_context_info);
  VKV_CHECK_OK(vkv_context_get_info(ctx, &info));
  return info;
}

// The CPU backend's vector units with VKV_CPU_ISA set to `isa`; null unsets it.
std::string units(const char* isa) {
  if (isa == nullptr) unsetenv("VKV_CPU_ISA");
  else setenv("VKV_CPU_ISA", isa, 1);
  const support::OwnedContext ctx = support::cpu_context(1);
  unsetenv("VKV_CPU_ISA");
  const std::string name = info_of(ctx.get()).name;
  return name.substr(name.rfind(' ') + 1);
}

}  // namespace

TEST_CASE("a CPU context tells what it is") {
  for (int32_t threads : {1, 2, 7}) {
    const support::OwnedContext ctx = support::cpu_context(threads);
    const vkv_context_info info = info_of(ctx.get());
    CHECK(info.backend == VKV_BACKEND_CPU);
    CHECK(info.device == 0);
    CHECK(info.num_threads == threads);
    CHECK(info.num_sms == 0);
    CHECK(info.cc_major == 0);
    CHECK(info.cc_minor == 0);
    CHECK(std::string(info.name).find(' ') != std::string::npos);
  }
  CHECK(info_of(support::cpu_context(0).get()).num_threads >= 1);
}

TEST_CASE("context creation refuses what it cannot mean, and leaves a null handle") {
  const auto refused = [](auto change, vkv_status status, const char* words) {
    vkv_context_params p = cpu_params();
    change(p);
    auto* ctx = reinterpret_cast<vkv_context*>(0x10);
    VKV_CHECK_REFUSED(vkv_context_create(&p, &ctx), status, words);
    CHECK(ctx == nullptr);
  };
  refused([](auto& p) { p.backend = 3; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: backend is 3, expected 0 to 2");
  refused([](auto& p) { p.backend = -1; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: backend is -1");
  refused([](auto& p) { p.device = 1; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: device is 1, expected 0");
  refused([](auto& p) { p.device = -1; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: device is -1");
  refused([](auto& p) { p.num_threads = -1; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: num_threads is -1");
  refused([](auto& p) { p.num_threads = 1025; }, VKV_ERROR_INVALID_ARGUMENT,
          "vkv_context_create: num_threads is 1025, expected at most 1024");
  refused([](auto& p) { p.reserved0 = 1; }, VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: reserved0 is 1, expected 0");
  refused([](auto& p) { p.flags = 4; }, VKV_ERROR_NOT_SUPPORTED, "vkv_context_create: flags is 0x4");

  auto* ctx = reinterpret_cast<vkv_context*>(0x10);
  VKV_CHECK_REFUSED(vkv_context_create(nullptr, &ctx), VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: params is null");
  CHECK(ctx == nullptr);
  const vkv_context_params p = cpu_params();
  VKV_CHECK_REFUSED(vkv_context_create(&p, nullptr), VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: ctx is null");
  vkv_context_info info = VKV_INIT(vkv_context_info);
  VKV_CHECK_REFUSED(vkv_context_get_info(nullptr, &info), VKV_ERROR_INVALID_ARGUMENT, "vkv_context_get_info: ctx is null");
  vkv_context_destroy(nullptr);
}

TEST_CASE("CUDA without a device is refused as such, and auto then means CPU") {
  vkv_context_params p = VKV_INIT(vkv_context_params);
  vkv_context* automatic = nullptr;
  VKV_CHECK_OK(vkv_context_create(&p, &automatic));
  const bool has_cuda = info_of(automatic).backend == VKV_BACKEND_CUDA;
  vkv_context_destroy(automatic);

  p.backend = VKV_BACKEND_CUDA;
  vkv_context* ctx = nullptr;
  if (has_cuda) {
    VKV_CHECK_OK(vkv_context_create(&p, &ctx));
    vkv_context_destroy(ctx);
  } else {
    const bool built = std::string(vkv_build_info()).find("cuda off") == std::string::npos;
    VKV_CHECK_REFUSED(vkv_context_create(&p, &ctx), VKV_ERROR_NO_DEVICE,
                      built ? "vkv_context_create: no usable CUDA device" : "vkv_context_create: this library was built without CUDA");
    CHECK(ctx == nullptr);
  }
  p.device = 1000;
  VKV_CHECK_REFUSED(vkv_context_create(&p, &ctx), VKV_ERROR_NO_DEVICE, "vkv_context_create: ");
  CHECK(ctx == nullptr);
}

TEST_CASE("a message stays until the next failure") {
  vkv_context_params p = cpu_params();
  p.device = 77;
  vkv_context* ctx = nullptr;
  VKV_CHECK_REFUSED(vkv_context_create(&p, &ctx), VKV_ERROR_INVALID_ARGUMENT, "device is 77");
  p.device = 0;
  VKV_CHECK_OK(vkv_context_create(&p, &ctx));
  CHECK(std::string(vkv_last_error_message()).find("device is 77") != std::string::npos);
  p.device = 78;
  vkv_context* other = nullptr;
  VKV_CHECK_REFUSED(vkv_context_create(&p, &other), VKV_ERROR_INVALID_ARGUMENT, "device is 78");
  vkv_context_destroy(ctx);
}

TEST_CASE("VKV_CPU_ISA chooses the vector units that the machine has") {
  const std::string best = units(nullptr);
  CHECK(units("generic") == "generic");
  CHECK(units("no such unit") == best);
  CHECK(units("") == best);
  bool has_avx2 = false, has_avx512 = false;
#if defined(__x86_64__)
  has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
  CHECK(best == (has_avx512 ? "avx512" : has_avx2 ? "avx2" : "generic"));
  CHECK(units("avx2") == (has_avx2 ? "avx2" : best));
  CHECK(units("avx512") == best);
}
