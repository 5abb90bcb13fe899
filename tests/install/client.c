/* A C99 program of an installed libvkv. */
#include <stdio.h>
#include <vkv.h>

int main(void) {
  vkv_context_params params = VKV_INIT(vkv_context_params);
  vkv_context* ctx = NULL;
  params.backend = VKV_BACKEND_CPU;
  if (vkv_context_create(&params, &ctx) != VKV_OK) {
    fprintf(stderr, "%s\n", vkv_last_error_message());
    return 1;
  }
  vkv_context_destroy(ctx);
  return vkv_version() == VKV_VERSION_MAJOR * 1000000u + VKV_VERSION_MINOR * 1000u + VKV_VERSION_PATCH ? 0 : 1;
}
