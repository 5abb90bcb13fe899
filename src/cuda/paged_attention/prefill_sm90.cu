// The prefill kernel over wgmma: a warpgroup multiplies its 64 rows, from registers, with tiles in shared memory.
#include "cuda/paged_attention/prefill.cuh"

namespace vkv::cuda {
namespace {

constexpr int kStages = 3;  // two tiles under way while one is computed

template <class Number>
struct Name;
template <>
struct Name<PrefillF16> {
  static constexpr char text[] = "f16";
};
template <>
struct Name<PrefillBF16> {
  static constexpr char text[] = "bf16";
};

// Starts d[64 x n] (+)= a[64 x 16] * b[16 x n]; b transposed: its rows lie along k. Fragments are those of mma.sync, 16
// rows a warp.
template <class Number, bool kAdd, bool kTransposed>
__device__ void wgmma(float (&d)[8][4], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "{.reg .pred add; setp.ne.b32 add, %37, 0; "
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.%39.%39 {"
      "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,"
      "%26,%27,%28,%29,%30,%31"
      "}, {%32,%33,%34,%35}, %36, add, 1, 1, %38;}"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kAdd ? 1 : 0), "n"(kTransposed ? 1 : 0),
        "C"(Name<Number>::text));
}
template <class Number, bool kAdd, bool kTransposed>
__device__ void wgmma(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b) {
  asm volatile(
      "{.reg .pred add; setp.ne.b32 add, %69, 0; "
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.%71.%71 {"
      "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,"
      "%26,%27,%28,%29,%30,%31,%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,"
      "%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
      "}, {%64,%65,%66,%67}, %68, add, 1, 1, %70;}"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3]), "+f"(d[8][0]), "+f"(d[8][1]), "+f"(d[8][2]), "+f"(d[8][3]),
        "+f"(d[9][0]), "+f"(d[9][1]), "+f"(d[9][2]), "+f"(d[9][3]), "+f"(d[10][0]), "+f"(d[10][1]),
        "+f"(d[10][2]), "+f"(d[10][3]), "+f"(d[11][0]), "+f"(d[11][1]), "+f"(d[11][2]), "+f"(d[11][3]),
        "+f"(d[12][0]), "+f"(d[12][1]), "+f"(d[12][2]), "+f"(d[12][3]), "+f"(d[13][0]), "+f"(d[13][1]),
        "+f"(d[13][2]), "+f"(d[13][3]), "+f"(d[14][0]), "+f"(d[14][1]), "+f"(d[14][2]), "+f"(d[14][3]),
        "+f"(d[15][0]), "+f"(d[15][1]), "+f"(d[15][2]), "+f"(d[15][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(kAdd ? 1 : 0), "n"(kTransposed ? 1 : 0),
        "C"(Name<Number>::text));
}

// A matrix in the layout of piece_offset(): bytes from 64 numbers of a row to the next. A descriptor has units of 16 bytes;
// one of what lies further on is a sum.
__device__ uint32_t matrix(const char* at, uint32_t next_numbers) { return (next_numbers / 16 << 16) + shared_address(at) / 16; }
__device__ uint64_t descriptor(uint32_t matrix, uint32_t bytes) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62, kNextRows = uint64_t{1024 / 16} << 32;  // bytes from 8 rows to the next 8
  return kSwizzle128 | kNextRows | (matrix + bytes / 16);
}

template <class Number>
struct WarpgroupProduct {
  using Type = Number;
  static constexpr uint32_t kPart = kPrefillTokens * 128;  // bytes of 64 numbers of each token

  template <int kDims>
  static __device__ void scores(PrefillScores& s, const uint32_t (&query)[kDims / 16][4], const char* keys) {
    const uint32_t tile = matrix(keys, 16);
    start();
    wgmma<Number, false, false>(s, query[0], descriptor(tile, 0));
#pragma unroll
    for (int k = 1; k < kDims / 16; ++k) {
      wgmma<Number, true, false>(s, query[k], descriptor(tile, k / 4 * kPart + k % 4 * 32));
    }
    commit();
  }

  template <int kDims>
  static __device__ void values(float (&sums)[kDims / 8][4], const PrefillWeights& weights, const char* values) {
    const uint32_t tile = matrix(values, kPart);
    start();
#pragma unroll
    for (int k = 0; k < kPrefillTokens / 16; ++k) wgmma<Number, true, true>(sums, weights[k], descriptor(tile, k * 2048));
    commit();
  }

  // The registers are not to be touched before.
  template <int kUnderWay, class... Registers>
  static __device__ void wait(Registers&... registers) {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kUnderWay) : "memory");
    (hold(registers), ...);
  }

  // The assembler moves a wait up over arithmetic, but not over a branch.
  static __device__ void before_wait(float x) {
    if (x < 0) asm volatile("nanosleep.u32 0;" ::: "memory");
  }

  static __device__ void publish() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

 private:
  static __device__ void start() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
  template <class T, int kCount>
  static __device__ void hold(T (&registers)[kCount][4]) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) hold(registers[i][j]);
    }
  }
  static __device__ void hold(float& x) { asm volatile("" : "+f"(x)::"memory"); }
  static __device__ void hold(uint32_t& x) { asm volatile("" : "+r"(x)::"memory"); }
  static __device__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
};

template <class Number>
void launch_number(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream) {
  const auto run = params.attention.head_dim <= 64 ? launch_prefill_kernel<WarpgroupProduct<Number>, 64, kStages>
                                                   : launch_prefill_kernel<WarpgroupProduct<Number>, 128, kStages>;
  run(ctx, params, ctas, stream);
}

}  // namespace

void launch_prefill_sm90(const CudaContext& ctx, const PrefillParams& params, int64_t ctas, vkv_stream stream) {
  const auto run =
      params.attention.query_dtype == VKV_DTYPE_F16 ? launch_number<PrefillF16> : launch_number<PrefillBF16>;
  run(ctx, params, ctas, stream);
}

}  // namespace vkv::cuda
