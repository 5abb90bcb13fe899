// The three C functions of an op, written once. An op is a struct:
//
//     struct Op {
//       static constexpr const char* name = "vkv_concat_mla_q";
//       using Params = vkv_concat_mla_q_params;
//       static constexpr uint32_t size_v1 = 352, flags = 0;
//       static constexpr auto row = &Backend::concat_mla_q;
//       static ConcatMlaQ check(const Params& p, const Check& check);     // all validation
//     };
#pragma once

#include <cstdint>

#include "core/context.hpp"
#include "core/params.hpp"

namespace vkv {

template <class Op>
auto checked(const vkv_context* ctx, const typename Op::Params* given, bool pointers_matter) {
  const auto params = import_params(Op::name, given, Op::size_v1, Op::flags);
  if (ctx == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: ctx is null", Op::name);
  return Op::check(params, Check(Op::name, pointers_matter));
}

template <class Problem>
void check_workspace(const char* function, const Problem& problem, std::size_t needed) {
  if constexpr (std::is_same_v<Problem, PagedAttention>) {
    if (needed == 0) return;
    if (problem.workspace_size < needed) {
      fail(VKV_ERROR_WORKSPACE_TOO_SMALL, "%s: workspace_size is %llu, expected at least %zu", function,
           static_cast<unsigned long long>(problem.workspace_size), needed);
    }
    if (problem.workspace == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: workspace is null", function);
    if (reinterpret_cast<std::uintptr_t>(problem.workspace) % 256 != 0) {
      fail(VKV_ERROR_INVALID_ARGUMENT, "%s: workspace is %p, expected alignment to 256 bytes", function, problem.workspace);
    }
  }
}

template <class Op>
vkv_status enqueue(const vkv_context* ctx, const typename Op::Params* params, vkv_stream stream) noexcept {
  return guard(Op::name, [&] {
    const auto problem = checked<Op>(ctx, params, true);
    const auto& row = ctx->backend.*Op::row;
    const std::size_t needed = row.plan(*ctx, problem);
    if (problem.empty()) return;
    check_workspace(Op::name, problem, needed);
    row.run(*ctx, problem, stream);
  });
}

template <class Op>
vkv_status supported(const vkv_context* ctx, const typename Op::Params* params) noexcept {
  return guard(Op::name, [&] {
    const auto problem = checked<Op>(ctx, params, false);
    (ctx->backend.*Op::row).plan(*ctx, problem);
  });
}

template <class Op>
vkv_status workspace_size(const vkv_context* ctx, const typename Op::Params* params, size_t* bytes) noexcept {
  return guard(Op::name, [&] {
    if (bytes == nullptr) fail(VKV_ERROR_INVALID_ARGUMENT, "%s: bytes is null", Op::name);
    const auto problem = checked<Op>(ctx, params, false);
    const std::size_t needed = (ctx->backend.*Op::row).plan(*ctx, problem);
    *bytes = problem.empty() ? 0 : needed;
  });
}

}  // namespace vkv
