// The inner loops of attention, for one vector unit.
#include "cpu/attention.hpp"

#include "cpu/isa/vector.hpp"

namespace vkv::cpu::VKV_ISA {

namespace {

constexpr float kInfinity = __builtin_inff();

// ---- tiles

template <class T>
const typename T::Storage* numbers(const void* first, int64_t bytes) {
  return reinterpret_cast<const typename T::Storage*>(static_cast<const char*>(first) + bytes);
}

template <class T>
void stage_strided(const void* first, int64_t pitch, int64_t tokens, int64_t head_dim, float* tile, int64_t ld) {
  for (int64_t t = 0; t < tokens; ++t) widen<T>(numbers<T>(first, t * pitch), tile + t * ld, head_dim);
}

template <class T>
void stage_x_keys(const void* first, int64_t pitch, int64_t tokens, int64_t head_dim, float* tile, int64_t ld) {
  constexpr int64_t x = 16 / sizeof(typename T::Storage);
  for (int64_t d = 0; d < head_dim; d += x) {
    for (int64_t t = 0; t < tokens; ++t) widen<T>(numbers<T>(first, d / x * pitch + t * 16), tile + t * ld + d, x);
  }
}

template <class T>
void stage_x_values(const void* first, int64_t pitch, int64_t tokens, int64_t head_dim, float* tile, int64_t ld) {
  if (tokens == kTile) {
    constexpr int64_t size = sizeof(typename T::Storage);
    return widen_transposed<T>(numbers<T>(first, 0), pitch / size, head_dim, tile, ld);
  }
  for (int64_t d = 0; d < head_dim; ++d) {
    const auto* in = numbers<T>(first, d * pitch);
    for (int64_t t = 0; t < tokens; ++t) tile[t * ld + d] = T::decode(in[t]);
  }
}

void stage_nvfp4(const Nvfp4Tokens& from, int64_t head_dim, float* tile, int64_t ld) {
  constexpr float kE2m1[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  const int64_t groups = head_dim / 16;
  for (int64_t t = 0; t < from.tokens; ++t) {
    const int64_t token = from.first + t;
    const uint8_t* data = from.data + t * from.data_pitch;
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t q = groups / 4;
      const uint8_t* scale = from.swizzled
                                 ? from.scales + (token / 4 * 4 + g / q) * from.scale_pitch + g % q * 4 + token % 4
                                 : from.scales + token * from.scale_pitch + g;
      const float s = E4M3::decode(*scale);
      float* out = tile + t * ld + g * 16;
      for (int64_t i = 0; i < 8; ++i) {
        const unsigned pair = data[g * 8 + i];
        out[2 * i] = kE2m1[pair & 15u] * s;
        out[2 * i + 1] = kE2m1[pair >> 4] * s;
      }
    }
  }
}

// ---- keys

// R rows and as many tokens at a time as give one vector of results.
template <int R>
void score_rows(const float* q, const float* tile, int64_t ld, float* logits) {
  constexpr int T = kLanes / R;
  for (int t0 = 0; t0 < kTile; t0 += T) {
    Vec acc[kLanes];
    for (Vec& a : acc) a = broadcast(0.0f);
    for (int64_t d = 0; d < ld; d += kLanes) {
      Vec k[T];
      for (int t = 0; t < T; ++t) k[t] = load(tile + (t0 + t) * ld + d);
      for (int r = 0; r < R; ++r) {
        const Vec row = load(q + r * ld + d);
        for (int t = 0; t < T; ++t) acc[r * T + t] = madd(row, k[t], acc[r * T + t]);
      }
    }
    float dots[kLanes];
    store(dots, sums(acc));
    for (int r = 0; r < R; ++r) {
      for (int t = 0; t < T; ++t) logits[r * kPiece + t0 + t] = dots[r * T + t];
    }
  }
}

void scores(const float* q, int64_t rows, const float* tile, int64_t ld, float* logits) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) score_rows<4>(q + r * ld, tile, ld, logits + r * kPiece);
  if (r + 2 <= rows) {
    score_rows<2>(q + r * ld, tile, ld, logits + r * kPiece);
    r += 2;
  }
  if (r < rows) score_rows<1>(q + r * ld, tile, ld, logits + r * kPiece);
}

// ---- softmax

void softmax(float* row, const uint16_t* mask, int64_t first_tile, int64_t tiles, const Logits& logits, float* max,
             float* sum_out) {
  const Vec scale = broadcast(logits.scale), nothing = broadcast(-kInfinity);
  const Vec cap = broadcast(logits.softcap), inverse_cap = broadcast(1.0f / logits.softcap);
  const int64_t begin = first_tile * kTile, end = begin + tiles * kTile;
  Vec highest = nothing;
  for (int64_t t = begin; t < end; t += kLanes) {
    Vec z = load(row + t) * scale;
    if (logits.softcap != 0) z = cap * tanh(z * inverse_cap);
    if (logits.slope != 0) {
      const Vec distance = broadcast(logits.distance + static_cast<float>(t)) + first_integers();
      z = madd(broadcast(logits.slope), distance, z);
    }
    z = select(mask_of(static_cast<uint32_t>(mask[t / kTile]) >> (t % kTile)), z, nothing);
    store(row + t, z);
    highest = larger(z, highest);
  }
  *max = largest(highest);
  const Vec top = broadcast(*max == -kInfinity ? 0.0f : *max);
  Vec total = broadcast(0.0f);
  for (int64_t t = begin; t < end; t += kLanes) {
    const Vec e = exp(load(row + t) - top);
    store(row + t, e);
    total = total + e;
  }
  *sum_out = sum(total);
}

// ---- values

// R rows by C vectors of dims, kept in registers over the tokens.
template <int R, int C>
void accumulate_block(const float* weights, const float* tile, int64_t begin, int64_t end, int64_t ld, float* acc) {
  Vec a[R][C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) a[r][c] = load(acc + r * ld + c * kLanes);
  }
  for (int64_t t = begin; t < end; ++t) {
    Vec v[C];
    for (int c = 0; c < C; ++c) v[c] = load(tile + t * ld + c * kLanes);
    for (int r = 0; r < R; ++r) {
      const Vec w = broadcast(weights[r * kPiece + t]);
      for (int c = 0; c < C; ++c) a[r][c] = madd(w, v[c], a[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(acc + r * ld + c * kLanes, a[r][c]);
  }
}

template <int R>
void accumulate_rows(const float* weights, const float* tile, int64_t begin, int64_t end, int64_t ld, float* acc) {
  constexpr int C = kLanes == 16 ? 4 : 2;  // what fits in 32 or 16 registers
  int64_t d = 0;
  for (; d + C * kLanes <= ld; d += C * kLanes) accumulate_block<R, C>(weights, tile + d, begin, end, ld, acc + d);
  for (; d < ld; d += kLanes) accumulate_block<R, 1>(weights, tile + d, begin, end, ld, acc + d);
}

void accumulate(const float* weights, int64_t rows, const float* tile, int64_t begin, int64_t end, int64_t ld,
                float* acc) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) accumulate_rows<4>(weights + r * kPiece, tile, begin, end, ld, acc + r * ld);
  for (; r < rows; ++r) accumulate_rows<1>(weights + r * kPiece, tile, begin, end, ld, acc + r * ld);
}

// ---- folding

void fold(const AttentionState& into, const AttentionState& from, int64_t rows, int64_t ld) {
  for (int64_t r = 0; r < rows; ++r) {
    if (from.sum[r] < 0) continue;
    float* acc = into.acc + r * ld;
    const float* more = from.acc + r * ld;
    if (into.sum[r] < 0) {
      into.max[r] = from.max[r];
      into.sum[r] = from.sum[r];
      for (int64_t d = 0; d < ld; d += kLanes) store(acc + d, load(more + d));
      continue;
    }
    const float top = into.max[r] > from.max[r] ? into.max[r] : from.max[r];
    const float origin = top == -kInfinity ? 0.0f : top;
    const Vec a = broadcast(exp(into.max[r] - origin)), b = broadcast(exp(from.max[r] - origin));
    into.max[r] = top;
    into.sum[r] = first(madd(broadcast(from.sum[r]), b, broadcast(into.sum[r]) * a));
    for (int64_t d = 0; d < ld; d += kLanes) store(acc + d, madd(load(more + d), b, load(acc + d) * a));
  }
}

void finish(float* max, float* sum, float* acc, const float* sink, float scale, int64_t ld) {
  float top = *sum < 0 ? -kInfinity : *max, total = *sum < 0 ? 0.0f : *sum;
  const bool nothing = *sum < 0 || (top == -kInfinity && total == 0);
  float weight = 1.0f;
  if (sink != nullptr) {
    const float before = top;
    top = before > *sink ? before : *sink;
    const float origin = top == -kInfinity ? 0.0f : top;
    weight = exp(before - origin);
    total = total * weight + exp(*sink - origin);
  }
  *max = top;
  *sum = total;
  const Vec inverse = broadcast(weight / total), factor = broadcast(scale);
  for (int64_t d = 0; d < ld; d += kLanes) store(acc + d, nothing ? broadcast(0.0f) : load(acc + d) * inverse * factor);
}

}  // namespace

extern const AttentionKernels kAttentionKernels;
const AttentionKernels kAttentionKernels = {
    stage_nvfp4,
    scores,
    softmax,
    accumulate,
    fold,
    finish,
    {stage_strided<F16>, stage_strided<BF16>, stage_strided<F32>, stage_strided<E4M3>, stage_strided<E5M2>},
    {stage_x_keys<F16>, stage_x_keys<BF16>, stage_x_keys<F32>, stage_x_keys<E4M3>, stage_x_keys<E5M2>},
    {stage_x_values<F16>, stage_x_values<BF16>, stage_x_values<F32>, stage_x_values<E4M3>, stage_x_values<E5M2>},
};

}  // namespace vkv::cpu::VKV_ISA
