// Thread block clusters: CTAs that run at the same time and write into one another's shared memory. From sm_90 on.
#pragma once

#include <cstdint>

#include "cuda/primitives/mma.cuh"

namespace vkv::cuda {

constexpr int kInboxBytes = 16;  // aligned to as many

#ifdef __CUDACC__

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool kHasClusters = false;
#else
constexpr bool kHasClusters = true;
#endif

// Shared memory that the CTAs of the cluster write to; `bar`: an mbarrier in it, of kInboxBytes, that counts their bytes.
//
// open() by a warp of its owner, and then cluster_arrive() and cluster_wait(), come before what is written.
struct Inbox {
  uint32_t bar;

  __device__ void open(uint32_t bytes) const {
    if constexpr (kHasClusters) {
      const bool one = threadIdx.x % 32 == 0;
      if (one) asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(bar) : "memory");
      __syncwarp();
      if (one) {
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(bar), "r"(bytes) : "memory");
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
      }
    }
  }
  // Until all that was announced is there.
  __device__ void wait() const {
    if constexpr (kHasClusters) {
      asm volatile(
          "{\n .reg .pred there;\n"
          "again: mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 there, [%0], 0;\n"
          " @!there bra again;\n}"
          ::"r"(bar) : "memory");
    }
  }
  // The inbox of another CTA, and a place in it that is `here` in one's own.
  __device__ Inbox of(int rank) const { return {in_cluster(bar, rank)}; }
  static __device__ uint32_t in_cluster(uint32_t here, int rank) {
    uint32_t there = here;
    if constexpr (kHasClusters) asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(here), "r"(rank));
    return there;
  }
  __device__ void send(uint32_t to, float4 x) const {
    if constexpr (kHasClusters) {
      asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.f32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(to), "f"(x.x),
                   "f"(x.y), "f"(x.z), "f"(x.w), "r"(bar)
                   : "memory");
    }
  }
  __device__ void send(uint32_t to, float2 x) const {
    if constexpr (kHasClusters) {
      asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::"r"(to), "f"(x.x), "f"(x.y),
                   "r"(bar)
                   : "memory");
    }
  }
};

// All threads of the cluster meet: who has waited knows that all have arrived, and their inboxes to be open.
__device__ inline void cluster_arrive() {
  if constexpr (kHasClusters) asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ inline void cluster_wait() {
  if constexpr (kHasClusters) asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

#endif

}  // namespace vkv::cuda
