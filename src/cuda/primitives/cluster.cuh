// Thread block clusters: CTAs that run at the same time and read one another's shared memory. From sm_90 on.
#pragma once

#include <cstdint>

namespace vkv::cuda {

constexpr int kClusterCtas = 4;  // where a launch has clusters

#ifdef __CUDACC__

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool kHasClusters = false;
__device__ inline void cluster_arrive() {}
__device__ inline void cluster_arrive(float) {}
__device__ inline void cluster_wait() {}
template <class T>
__device__ const T* in_cluster(const T* shared, int) {
  return shared;
}
#else
constexpr bool kHasClusters = true;

// A barrier of all threads of the cluster, in two steps: what they wrote before the first, all read after the second.
__device__ inline void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
// The same by one who has only read: after the loads that `x` comes from.
__device__ inline void cluster_arrive(float x) { asm volatile("barrier.cluster.arrive.relaxed.aligned; // %0" ::"f"(x) : "memory"); }
__device__ inline void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

// The same place in the shared memory of another CTA of the cluster.
template <class T>
__device__ const T* in_cluster(const T* shared, int rank) {
  const T* there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(shared), "r"(rank));
  return there;
}
#endif

#endif

}  // namespace vkv::cuda
