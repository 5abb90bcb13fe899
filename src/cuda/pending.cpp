// Rows that are not there yet. Each leaves this file when its kernel arrives; the file goes with the last.
#include "cuda/ops.hpp"

namespace vkv::cuda {

namespace {
[[noreturn]] void pending() { fail(VKV_ERROR_NOT_SUPPORTED, "this operation is not on the CUDA backend yet"); }
}  // namespace

void run(const Context&, const GatherAndMaybeDequantCache&, vkv_stream) { pending(); }
void run(const Context&, const CpGatherCache&, vkv_stream) { pending(); }
void run(const Context&, const CpGatherAndUpconvertFp8KvCache&, vkv_stream) { pending(); }
void run(const Context&, const CpGatherIndexerKQuantCache&, vkv_stream) { pending(); }
void run(const Context&, const MergeAttnStates&, vkv_stream) { pending(); }
void run(const Context&, const ConcatMlaQ&, vkv_stream) { pending(); }
void run(const Context&, const SwapBlocks&, vkv_stream) { pending(); }
void run(const Context&, const SwapBlocksBatch&, vkv_stream) { pending(); }
void run(const Context&, const CopyBlocks&, vkv_stream) { pending(); }

}  // namespace vkv::cuda
