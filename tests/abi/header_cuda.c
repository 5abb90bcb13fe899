/* A CUDA program passes its stream as it is: vkv_stream is cudaStream_t. Compiled as C and as C++. */
#include <cuda_runtime_api.h>

#include "vkv.h"

int use(const vkv_context* ctx, const vkv_concat_mla_q_params* params, cudaStream_t stream);

int use(const vkv_context* ctx, const vkv_concat_mla_q_params* params, cudaStream_t stream) {
  vkv_stream same = stream;
  cudaStream_t back = same;
  return vkv_concat_mla_q(ctx, params, back);
}
