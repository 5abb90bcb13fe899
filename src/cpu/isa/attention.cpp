// The inner loops of attention, for one vector unit.
#include "cpu/attention.hpp"

#include "cpu/isa/tile.hpp"

namespace vkv::cpu::VKV_ISA {

namespace {

constexpr float kInfinity = __builtin_inff();

// Numbers past the last whole vector of head_dim, a multiple of 8.
constexpr bool kHalves = kLanes > 8;

// ---- keys

// R rows and as many tokens at a time as give one vector of results.
template <int R, class Source>
void score_rows(const AttentionTiles& keys, const float* q, int64_t head_dim, int64_t ld, float* logits) {
  constexpr int T = kLanes / R;
  for (int t0 = 0; t0 < kTile; t0 += T) {
    Vec acc[kLanes];
    for (Vec& a : acc) a = broadcast(0.0f);
    const auto add = [&](const Vec(&k)[T], int64_t d) {
      for (int r = 0; r < R; ++r) {
        const Vec row = load(q + r * ld + d);
        for (int t = 0; t < T; ++t) acc[r * T + t] = madd(row, k[t], acc[r * T + t]);
      }
    };
    int64_t d = 0;
    for (; d + kLanes <= head_dim; d += kLanes) {
      Vec k[T];
      for (int t = 0; t < T; ++t) {
        Source::template fetch<Nearness::second_cache, kLanes>(keys.later, t0 + t, d);
        Source::template fetch<Nearness::first_cache, kLanes>(keys.next, t0 + t, d);
      }
      for (int t = 0; t < T; ++t) k[t] = Source::vector(keys.now, t0 + t, d);
      add(k, d);
    }
    if constexpr (kHalves) {
      if (d < head_dim) {
        Vec k[T];
        for (int t = 0; t < T; ++t) k[t] = Source::half(keys.now, t0 + t, d);
        add(k, d);
      }
    }
    float dots[kLanes];
    store(dots, sums(acc));
    for (int r = 0; r < R; ++r) {
      for (int t = 0; t < T; ++t) logits[r * kPiece + t0 + t] = dots[r * T + t];
    }
  }
}

template <class Source>
void scores(const AttentionTiles& keys, const float* q, int64_t rows, int64_t head_dim, int64_t ld, float* logits) {
  AttentionTiles tiles = keys;
  for (int64_t r = 0; r < rows;) {
    const int64_t left = rows - r;
    const auto kernel = left >= 4 ? score_rows<4, Source> : left >= 2 ? score_rows<2, Source> : score_rows<1, Source>;
    kernel(tiles, q + r * ld, head_dim, ld, logits + r * kPiece);
    r += left >= 4 ? 4 : left >= 2 ? 2 : 1;
    tiles.next = tiles.later = tiles.now;  // asked for once
  }
}

// ---- values

// R rows by C vectors of dims from d on, kept in registers over the tokens.
template <int R, int C, bool kHalf, class Source>
void accumulate_block(const AttentionTiles& values, const float* weights, int64_t begin, int64_t end, int64_t d,
                      int64_t ld, float* acc) {
  Vec a[R][C];
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) a[r][c] = load(acc + r * ld + c * kLanes);
  }
  for (int64_t t = begin; t < end; ++t) {
    Source::template fetch<Nearness::second_cache, C * kLanes>(values.later, t, d);
    Source::template fetch<Nearness::first_cache, C * kLanes>(values.next, t, d);
    Vec v[C];
    for (int c = 0; c < C; ++c) {
      if constexpr (kHalf) v[c] = Source::half(values.now, t, d);
      else v[c] = Source::vector(values.now, t, d + c * kLanes);
    }
    for (int r = 0; r < R; ++r) {
      const Vec w = broadcast(weights[r * kPiece + t]);
      for (int c = 0; c < C; ++c) a[r][c] = madd(w, v[c], a[r][c]);
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int c = 0; c < C; ++c) store(acc + r * ld + c * kLanes, a[r][c]);
  }
}

template <int R, class Source>
void accumulate_rows(const AttentionTiles& values, const float* weights, int64_t begin, int64_t end, int64_t head_dim,
                     int64_t ld, float* acc) {
  constexpr int C = kLanes == 16 ? 4 : 2;  // what fits in 32 or 16 registers
  int64_t d = 0;
  for (; d + C * kLanes <= head_dim; d += C * kLanes) {
    accumulate_block<R, C, false, Source>(values, weights, begin, end, d, ld, acc + d);
  }
  for (; d + kLanes <= head_dim; d += kLanes) {
    accumulate_block<R, 1, false, Source>(values, weights, begin, end, d, ld, acc + d);
  }
  if constexpr (kHalves) {
    if (d < head_dim) accumulate_block<R, 1, true, Source>(values, weights, begin, end, d, ld, acc + d);
  }
}

template <class Source>
void accumulate(const AttentionTiles& values, const float* weights, int64_t rows, int64_t begin, int64_t end,
                int64_t head_dim, int64_t ld, float* acc) {
  AttentionTiles tiles = values;
  for (int64_t r = 0; r < rows;) {
    const auto kernel = rows - r >= 4 ? accumulate_rows<4, Source> : accumulate_rows<1, Source>;
    kernel(tiles, weights + r * kPiece, begin, end, head_dim, ld, acc + r * ld);
    r += rows - r >= 4 ? 4 : 1;
    tiles.next = tiles.later = tiles.now;  // asked for once
  }
}

// Bytes to each token of tokens that lie `pitch` bytes apart.
struct Evenly {
  explicit Evenly(int64_t pitch) {
    for (int64_t t = 0; t < kTile; ++t) at[t] = t * pitch;
  }
  int64_t at[kTile];
};

// x-packed values lie by dims: 16 dims at a time are turned into tokens by dims, and go on as a strided tile of float32.
template <class T>
void accumulate_dims(const AttentionTiles& values, const float* weights, int64_t rows, int64_t begin, int64_t end,
                     int64_t head_dim, int64_t ld, float* acc) {
  alignas(64) float turned[kTile * 16] = {};
  const Evenly by_token(16 * sizeof(float));
  const AttentionTile tile{reinterpret_cast<const char*>(turned), by_token.at, 0};
  const AttentionTiles tiles{tile, tile, tile};
  const int64_t lines = values.now.pitch < 64 ? 64 / values.now.pitch : 1;  // dims from one cache line to the next
  const auto run = [](const AttentionTile& from, int64_t d) { return from.base + from.at[0] + d * from.pitch; };
  for (int64_t d = 0; d < head_dim; d += 16) {
    const int64_t dims = head_dim - d < 16 ? head_dim - d : 16;
    for (int64_t i = 0; i < dims; i += lines) {
      ask<Nearness::second_cache>(run(values.later, d + i));
      ask<Nearness::first_cache>(run(values.next, d + i));
    }
    transpose<T>(run(values.now, d), values.now.pitch, dims, turned);
    accumulate<Staged>(tiles, weights, rows, begin, end, 16, ld, acc + d);
  }
}

// ---- staged tiles

template <class T>
void stage_strided(const AttentionTile& from, int64_t head_dim, float* tile, int64_t ld) {
  for (int64_t t = 0; t < kTile; ++t) {
    int64_t d = 0;
    for (; d + kLanes <= head_dim; d += kLanes) store(tile + t * ld + d, Strided<T>::vector(from, t, d));
    if constexpr (kHalves) {
      if (d < head_dim) store(tile + t * ld + d, Strided<T>::half(from, t, d));
    }
  }
}

// Any x-packed tile, number by number.
template <class T, bool kKeys>
void stage_x(const AttentionTile& from, int64_t head_dim, float* tile, int64_t ld) {
  constexpr int64_t kSize = sizeof(typename T::Storage), kRun = 16 / kSize;
  for (int64_t d = 0; d < head_dim; ++d) {
    const char* p = from.base + (kKeys ? d / kRun * from.pitch + d % kRun * kSize : d * from.pitch);
    for (int64_t t = 0; t < kTile; ++t) {
      typename T::Storage number;
      __builtin_memcpy(&number, p + from.at[t], sizeof number);
      tile[t * ld + d] = T::decode(number) * (1.0f / Load<T>::kGain);
    }
  }
}

void stage_nvfp4(const Nvfp4Tile& from, int64_t head_dim, float* tile, int64_t ld) {
  constexpr float kE2m1[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                               -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  const int64_t groups = head_dim / 16, quarter = groups / 4;
  for (int64_t t = 0; t < kTile; ++t) {
    const auto* block = reinterpret_cast<const uint8_t*>(from.base + from.at[t]);
    const int64_t token = from.offset[t];
    const uint8_t* data = block + from.data + token * from.data_pitch;
    for (int64_t g = 0; g < groups; ++g) {
      const int64_t row = from.swizzled ? token / 4 * 4 + g / quarter : token;
      const int64_t byte = from.swizzled ? g % quarter * 4 + token % 4 : g;
      const float scale = E4M3::decode(block[from.scales + row * from.scale_pitch + byte]);
      float* out = tile + t * ld + g * 16;
      for (int64_t i = 0; i < 8; ++i) {
        const unsigned pair = data[g * 8 + i];
        out[2 * i] = kE2m1[pair & 15u] * scale;
        out[2 * i + 1] = kE2m1[pair >> 4] * scale;
      }
    }
  }
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

// ---- the table

template <class T>
constexpr AttentionKernels::Source strided() {
  return {scores<Strided<T>>, accumulate<Strided<T>>, stage_strided<T>, Load<T>::kGain};
}
template <class T>
constexpr AttentionKernels::Source x_keys() {
  return {scores<Runs<T>>, nullptr, stage_x<T, true>, Load<T>::kGain};
}
template <class T>
constexpr AttentionKernels::Source x_values() {
  return {nullptr, accumulate_dims<T>, stage_x<T, false>, Load<T>::kGain};
}

}  // namespace

extern const AttentionKernels kAttentionKernels;
const AttentionKernels kAttentionKernels = {
    {strided<F16>(), strided<BF16>(), strided<F32>(), strided<E4M3>(), strided<E5M2>()},
    {x_keys<F16>(), x_keys<BF16>(), {nullptr, nullptr, stage_x<F32, true>, 1.0f}, x_keys<E4M3>(), x_keys<E5M2>()},
    {x_values<F16>(), x_values<BF16>(), {nullptr, nullptr, stage_x<F32, false>, 1.0f}, x_values<E4M3>(), x_values<E5M2>()},
    {scores<Staged>, accumulate<Staged>, nullptr, 1.0f},
    stage_nvfp4,
    softmax,
    fold,
    finish,
};

}  // namespace vkv::cpu::VKV_ISA
