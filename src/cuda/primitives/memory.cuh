// Vector accesses: N bytes in one instruction, N = 16, 8, 4, 2 or 1.
#pragma once

#include <cstdint>

namespace vkv::cuda {

template <int kBytes>
struct BytesOf;
template <>
struct BytesOf<16> {
  using type = uint4;
};
template <>
struct BytesOf<8> {
  using type = uint2;
};
template <>
struct BytesOf<4> {
  using type = uint32_t;
};
template <>
struct BytesOf<2> {
  using type = uint16_t;
};
template <>
struct BytesOf<1> {
  using type = uint8_t;
};

template <int kBytes>
using Bytes = typename BytesOf<kBytes>::type;

// Read-once data: not kept in L1.
template <int kBytes>
__device__ Bytes<kBytes> load_once(const void* p) {
  return __ldcs(static_cast<const Bytes<kBytes>*>(p));
}

template <int kBytes>
__device__ void store(void* p, Bytes<kBytes> value) {
  *static_cast<Bytes<kBytes>*>(p) = value;
}

// Data that nobody reads soon.
template <int kBytes>
__device__ void store_once(void* p, Bytes<kBytes> value) {
  __stcs(static_cast<Bytes<kBytes>*>(p), value);
}

// Starts the line at p on its way to L2, without reading it.
__device__ inline void prefetch(const void* p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

// Data that fills kBytes of registers, in pieces of at most 16 bytes.
template <int kBytes>
struct alignas(kBytes < 16 ? kBytes : 16) Pack {
  static constexpr int kPiece = kBytes < 16 ? kBytes : 16;
  Bytes<kPiece> piece[kBytes / kPiece];

  __device__ void load(const void* p) {
#pragma unroll
    for (int i = 0; i < kBytes / kPiece; ++i) piece[i] = load_once<kPiece>(static_cast<const char*>(p) + i * kPiece);
  }
  // Data that other threads read too: kept in L1.
  __device__ void load_shared(const void* p) {
#pragma unroll
    for (int i = 0; i < kBytes / kPiece; ++i) piece[i] = __ldg(static_cast<const Bytes<kPiece>*>(p) + i);
  }
  __device__ void store_to(void* p) const {
#pragma unroll
    for (int i = 0; i < kBytes / kPiece; ++i) store<kPiece>(static_cast<char*>(p) + i * kPiece, piece[i]);
  }
  template <class T>
  __device__ const T* as() const {
    return reinterpret_cast<const T*>(piece);
  }
  template <class T>
  __device__ T* as() {
    return reinterpret_cast<T*>(piece);
  }
};

}  // namespace vkv::cuda
