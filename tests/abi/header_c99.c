/* vkv.h is plain C, needs nothing before it, and may be included twice. */
#include "vkv.h"
#include "vkv.h"

int use(const vkv_context* ctx);

int use(const vkv_context* ctx) {
  vkv_paged_attention_params params = VKV_INIT(vkv_paged_attention_params);
  size_t bytes = 0;
  params.query.dtype = VKV_DTYPE_BF16;
  if (vkv_paged_attention_workspace_size(ctx, &params, &bytes) != VKV_OK) return (int)vkv_last_error_message()[0];
  return vkv_paged_attention(ctx, &params, NULL);
}
