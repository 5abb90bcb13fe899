// Context entry points: create, destroy, describe, report.
#include "core/context.hpp"

#include "core/params.hpp"
#include "core/report.hpp"

namespace vkv {
namespace {

constexpr uint32_t kParamsSizeV1 = 24, kInfoSizeV1 = 96, kReportSizeV1 = 176;
constexpr int32_t kMaxThreads = 1024;

std::unique_ptr<Context> create(const vkv_context_params& p) {
  const Check check("vkv_context_create", true);
  check.zero("reserved0", p.reserved0);
  check.at_least("device", p.device, 0);
  check.at_least("num_threads", p.num_threads, 0);
  if (p.num_threads > kMaxThreads) check.invalid("num_threads is %d, expected at most %d", p.num_threads, kMaxThreads);
  const ContextOptions options{p.device, p.num_threads};
  switch (p.backend) {
    case VKV_BACKEND_AUTO: return cuda_device_present() ? create_cuda_context(options) : create_cpu_context({0, p.num_threads});
    case VKV_BACKEND_CUDA: return create_cuda_context(options);
    case VKV_BACKEND_CPU:
      if (p.device != 0) check.invalid("device is %d, expected 0 (the CPU backend has one device)", p.device);
      return create_cpu_context(options);
    default: check.invalid("backend is %d, expected 0 to %d", p.backend, VKV_BACKEND_CPU);
  }
}

void require(const char* function, const vkv_context* ctx) {
  if (ctx == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: ctx is null", function);
}

}  // namespace
}  // namespace vkv

vkv_status vkv_context_create(const vkv_context_params* params, vkv_context** ctx) {
  if (ctx != nullptr) *ctx = nullptr;
  return vkv::guard("vkv_context_create", [&] {
    if (ctx == nullptr) vkv::fail(VKV_ERROR_INVALID_ARGUMENT, "vkv_context_create: ctx is null");
    *ctx = vkv::create(vkv::import_params("vkv_context_create", params, vkv::kParamsSizeV1)).release();
  });
}

void vkv_context_destroy(vkv_context* ctx) { delete ctx; }

vkv_status vkv_context_get_info(const vkv_context* ctx, vkv_context_info* info) {
  return vkv::guard("vkv_context_get_info", [&] {
    vkv::require("vkv_context_get_info", ctx);
    vkv_context_info value{};
    ctx->describe(value);
    vkv::export_struct("vkv_context_get_info", value, info, vkv::kInfoSizeV1);
  });
}

vkv_status vkv_context_read_device_report(const vkv_context* ctx, vkv_device_report* report) {
  return vkv::guard("vkv_context_read_device_report", [&] {
    constexpr const char* kName = "vkv_context_read_device_report";
    vkv::require(kName, ctx);
    vkv_device_report value{};
    vkv::export_struct(kName, value, report, vkv::kReportSizeV1);  // refuses a bad `report` before anything is cleared
    value = ctx->take_report();
    vkv::describe_report(value);
    vkv::export_struct(kName, value, report, vkv::kReportSizeV1);
  });
}
