// Choice of the row kernels compiled for each vector unit.
#include "cpu/rows.hpp"

namespace vkv::cpu {

namespace generic {
extern const RowKernels kRowKernels;
}
namespace avx2 {
extern const RowKernels kRowKernels;
}
namespace avx512 {
extern const RowKernels kRowKernels;
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

}  // namespace vkv::cpu
