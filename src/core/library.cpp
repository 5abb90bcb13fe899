// Entry points that need no context: versions, names, this thread's message.
#include "core/context.hpp"
#include "core/dtype.hpp"
#include "core/report.hpp"

#define VKV_STRING_(x) #x
#define VKV_STRING(x) VKV_STRING_(x)

uint32_t vkv_version(void) { return VKV_VERSION_MAJOR * 1000000u + VKV_VERSION_MINOR * 1000u + VKV_VERSION_PATCH; }

const char* vkv_build_info(void) {
  // Built once; initialisation of function statics is thread-safe.
  static const struct Text {
    char text[256];
    Text() {
      const char* parts[] = {"libvkv " VKV_STRING(VKV_VERSION_MAJOR) "." VKV_STRING(VKV_VERSION_MINOR) "." VKV_STRING(
                                 VKV_VERSION_PATCH) "; backends cpu",
                             "; ", vkv::cuda_build_info(), "; compiler " __VERSION__};
      size_t at = 0;
      for (const char* part : parts) {
        while (*part != '\0' && at + 1 < sizeof text) text[at++] = *part++;
      }
      text[at] = '\0';
    }
  } info;
  return info.text;
}

const char* vkv_status_string(vkv_status status) {
  switch (status) {
    case VKV_OK: return "VKV_OK";
    case VKV_ERROR_INVALID_ARGUMENT: return "VKV_ERROR_INVALID_ARGUMENT";
    case VKV_ERROR_WORKSPACE_TOO_SMALL: return "VKV_ERROR_WORKSPACE_TOO_SMALL";
    case VKV_ERROR_NOT_SUPPORTED: return "VKV_ERROR_NOT_SUPPORTED";
    case VKV_ERROR_NO_DEVICE: return "VKV_ERROR_NO_DEVICE";
    case VKV_ERROR_CUDA: return "VKV_ERROR_CUDA";
    case VKV_ERROR_INTERNAL: return "VKV_ERROR_INTERNAL";
    case VKV_ERROR_OUT_OF_MEMORY: return "VKV_ERROR_OUT_OF_MEMORY";
    default: return "unknown status";
  }
}

const char* vkv_last_error_message(void) { return vkv::last_message(); }

const char* vkv_dtype_string(vkv_dtype dtype) { return vkv::dtype_name(dtype); }

const char* vkv_op_string(int32_t op) { return vkv::op_name(op); }
