// convert_fp8: dense tensors as one run of 16 elements a thread and step; strided ones element by element.
#include "cuda/launch.hpp"
#include "cuda/ops.hpp"
#include "cuda/policy.hpp"
#include "cuda/primitives/memory.cuh"
#include "cuda/primitives/number.cuh"

namespace vkv::cuda {
namespace {

struct Params {
  const char* src;
  char* dst;
  int64_t elements;
  float scale;
  // Strided only: shape and strides in elements, outermost first.
  int32_t ndim;
  int64_t shape[VKV_MAX_DIMS], src_stride[VKV_MAX_DIMS], dst_stride[VKV_MAX_DIMS];
};

// Conversions of kUnit packed elements, or of one.
template <class From, class To>
struct Quantize {
  using In = typename From::Storage;
  using Out = uint8_t;
  static constexpr int kUnit = 16, kDepth = 2;
  template <int kElements>
  static __device__ void convert(const In* x, Out* y, float scale) {
    quantize<From, To, kElements>(x, y, scale);
  }
};

template <class From, class To>
struct Dequantize {
  using In = uint8_t;
  using Out = typename To::Storage;
  static constexpr int kUnit = 16 / sizeof(Out), kDepth = 8;  // one 16-byte store a unit
  template <int kElements>
  static __device__ void convert(const In* x, Out* y, float scale) {
    if constexpr (kElements == 1) {
      y[0] = To::encode(__fmul_rn(From::decode(x[0]), scale));
    } else {
#pragma unroll
      for (int i = 0; i < kElements; i += 2) {
        const float2 pair = From::decode2(*reinterpret_cast<const uint16_t*>(x + i));
        y[i] = To::encode(__fmul_rn(pair.x, scale));
        y[i + 1] = To::encode(__fmul_rn(pair.y, scale));
      }
    }
  }
};

// Grid: any. Block: kThreads. Whole units by vectors, Convert::kDepth of them in flight; the tail by single elements.
template <class Convert>
__global__ void __launch_bounds__(kThreads) dense_kernel(const __grid_constant__ Params p) {
  using In = typename Convert::In;
  using Out = typename Convert::Out;
  constexpr int kUnit = Convert::kUnit, kDepth = Convert::kDepth;
  const int64_t units = p.elements / kUnit, step = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  for (int64_t unit = thread; unit < units; unit += step * kDepth) {
    Pack<kUnit * sizeof(In)> in[kDepth];
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      if (unit + i * step < units) in[i].load(p.src + (unit + i * step) * kUnit * static_cast<int64_t>(sizeof(In)));
    }
#pragma unroll
    for (int i = 0; i < kDepth; ++i) {
      if (unit + i * step >= units) continue;
      Pack<kUnit * sizeof(Out)> out;
      Convert::template convert<kUnit>(in[i].template as<In>(), out.template as<Out>(), p.scale);
      out.store_to(p.dst + (unit + i * step) * kUnit * static_cast<int64_t>(sizeof(Out)));
    }
  }
  for (int64_t i = units * kUnit + thread; i < p.elements; i += step) {
    Convert::template convert<1>(reinterpret_cast<const In*>(p.src) + i, reinterpret_cast<Out*>(p.dst) + i, p.scale);
  }
}

// Grid: any. Block: kThreads, one element a thread and step.
template <class Convert>
__global__ void __launch_bounds__(kThreads) strided_kernel(const __grid_constant__ Params p) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < p.elements; i += step) {
    int64_t left = i, src = 0, dst = 0;
    for (int axis = p.ndim - 1; axis >= 0; --axis) {
      const int64_t at = left % p.shape[axis];
      left /= p.shape[axis];
      src += at * p.src_stride[axis];
      dst += at * p.dst_stride[axis];
    }
    Convert::template convert<1>(reinterpret_cast<const typename Convert::In*>(p.src) + src,
                                 reinterpret_cast<typename Convert::Out*>(p.dst) + dst, p.scale);
  }
}

bool is_dense(const Tensor& t) {
  int64_t expected = 1;
  for (int i = t.ndim - 1; i >= 0; --i) {
    if (t.shape[i] > 1 && t.stride[i] != expected) return false;
    expected *= t.shape[i];
  }
  return true;
}

template <class Convert>
void launch_convert(const CudaContext& ctx, const ConvertFp8& q, vkv_stream stream) {
  Params p{};
  p.src = q.src.as<const char>();
  p.dst = q.dst.as<char>();
  p.elements = q.src.elements();
  p.scale = q.scale;
  if (is_dense(q.src) && is_dense(q.dst) && Alignment().add(p.src).add(p.dst).bytes() == 16) {
    return launch(ctx, dense_kernel<Convert>, spread(ceil_div(p.elements, Convert::kUnit), Convert::kDepth, ctx.num_sms), kThreads, 0, stream, p);
  }
  p.ndim = q.src.ndim;
  for (int i = 0; i < q.src.ndim; ++i) {
    p.shape[i] = q.src.shape[i];
    p.src_stride[i] = q.src.stride[i];
    p.dst_stride[i] = q.dst.stride[i];
  }
  launch(ctx, strided_kernel<Convert>, spread(p.elements, 4, ctx.num_sms), kThreads, 0, stream, p);
}

template <class Narrow>
void convert(const CudaContext& ctx, const ConvertFp8& q, vkv_stream stream) {
  switch (q.quantizes() ? q.src.dtype : q.dst.dtype) {
    case VKV_DTYPE_F16:
      return q.quantizes() ? launch_convert<Quantize<F16, Narrow>>(ctx, q, stream)
                           : launch_convert<Dequantize<Narrow, F16>>(ctx, q, stream);
    case VKV_DTYPE_BF16:
      return q.quantizes() ? launch_convert<Quantize<BF16, Narrow>>(ctx, q, stream)
                           : launch_convert<Dequantize<Narrow, BF16>>(ctx, q, stream);
    default:
      return q.quantizes() ? launch_convert<Quantize<F32, Narrow>>(ctx, q, stream)
                           : launch_convert<Dequantize<Narrow, F32>>(ctx, q, stream);
  }
}

}  // namespace

void run(const Context& context, const ConvertFp8& q, vkv_stream stream) {
  const vkv_dtype narrow = q.quantizes() ? q.dst.dtype : q.src.dtype;
  if (narrow == VKV_DTYPE_FP8_E4M3) return convert<E4M3>(self(context), q, stream);
  convert<E5M2>(self(context), q, stream);
}

}  // namespace vkv::cuda
