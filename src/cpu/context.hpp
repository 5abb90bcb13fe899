// The CPU backend's context: threads, vector units, report.
#pragma once

#include "core/context.hpp"
#include "core/report.hpp"
#include "cpu/isa.hpp"
#include "cpu/rows.hpp"
#include "cpu/thread_pool.hpp"

namespace vkv::cpu {

struct CpuContext final : Context {
  explicit CpuContext(int threads);
  void describe(vkv_context_info& info) const override;
  vkv_device_report take_report() const override { return report.take(); }

  const Isa isa;
  const RowKernels& rows;
  mutable ThreadPool pool;
  mutable Report report;
};

inline const CpuContext& self(const Context& ctx) { return static_cast<const CpuContext&>(ctx); }

}  // namespace vkv::cpu
