// Choice of the tables of functions compiled for each vector unit.
#include "cpu/rows.hpp"

#include "cpu/attention.hpp"

namespace vkv::cpu {

namespace generic {
extern const RowKernels kRowKernels;
extern const AttentionKernels kAttentionKernels;
}
namespace avx2 {
extern const RowKernels kRowKernels;
extern const AttentionKernels kAttentionKernels;
}
namespace avx512 {
extern const RowKernels kRowKernels;
extern const AttentionKernels kAttentionKernels;
}

const RowKernels& row_kernels(Isa isa) {
#if defined(VKV_HAS_ISA_avx512)
  if (isa == Isa::avx512) return avx512::kRowKernels;
#endif
#if defined(VKV_HAS_ISA_avx2)
  if (isa == Isa::avx2) return avx2::kRowKernels;
#endif
  (void)isa;
  return generic::kRowKernels;
}

const AttentionKernels& attention_kernels(Isa isa) {
#if defined(VKV_HAS_ISA_avx512)
  if (isa == Isa::avx512) return avx512::kAttentionKernels;
#endif
#if defined(VKV_HAS_ISA_avx2)
  if (isa == Isa::avx2) return avx2::kAttentionKernels;
#endif
  (void)isa;
  return generic::kAttentionKernels;
}

}  // namespace vkv::cpu
