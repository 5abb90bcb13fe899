// Rows that are not there yet. Each leaves this file when its op arrives; the file goes with the last.
#include "cpu/ops.hpp"

namespace vkv::cpu {

namespace {
[[noreturn]] void pending() { fail(VKV_ERROR_NOT_SUPPORTED, "this op is not on the CPU backend yet"); }
}  // namespace

}  // namespace vkv::cpu
