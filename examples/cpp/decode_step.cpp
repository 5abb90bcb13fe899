// One decode step in C++: the C interface behind a small RAII layer. Writes the keys and values of three sequences into a
// paged cache, attends to it with one query token a sequence, and compares the result with a plain computation.
//
//     decode_step          on the CPU
//     decode_step --cuda   on the GPU, if the example was built with the CUDA runtime; exits with 77 where no GPU is
#include <vkv.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory.hpp"

namespace {

// A refusal: the status, and the library's sentence as what().
class VkvError : public std::runtime_error {
 public:
  explicit VkvError(vkv_status status) : std::runtime_error(vkv_last_error_message()), status(status) {}
  const vkv_status status;
};

void check(vkv_status status) {
  if (status != VKV_OK) throw VkvError(status);
}

struct DestroyContext {
  void operator()(vkv_context* ctx) const { vkv_context_destroy(ctx); }
};
using Context = std::unique_ptr<vkv_context, DestroyContext>;

Context make_context(int32_t backend) {
  vkv_context_params params = VKV_INIT(vkv_context_params);
  params.backend = backend;
  vkv_context* ctx = nullptr;
  check(vkv_context_create(&params, &ctx));
  return Context(ctx);
}

template <class T>
constexpr vkv_dtype kDtype = VKV_DTYPE_F32;
template <>
constexpr vkv_dtype kDtype<int32_t> = VKV_DTYPE_I32;
template <>
constexpr vkv_dtype kDtype<int64_t> = VKV_DTYPE_I64;

// A tensor: memory where the context works, and the view that the library takes.
template <class T>
struct Tensor {
  Tensor(Device device, std::initializer_list<int64_t> shape, const std::vector<T>& values = {})
      : memory(device, bytes(shape)) {
    if (!values.empty()) memory.upload(values.data());
    view.data = memory.data();
    view.dtype = kDtype<T>;
    view.ndim = static_cast<int32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), view.shape);
  }
  std::vector<T> values() const {
    std::vector<T> host(memory.size() / sizeof(T));
    memory.download(host.data());
    return host;
  }

  Memory memory;
  vkv_tensor view{};  // all-zero strides: row-major

 private:
  static std::size_t bytes(std::initializer_list<int64_t> shape) {
    std::size_t n = sizeof(T);
    for (int64_t extent : shape) n *= static_cast<std::size_t>(extent);
    return n;
  }
};

constexpr int kSeqs = 3, kTokens = 5 + 16 + 33, kHeads = 8, kKvHeads = 2, kDim = 64, kBlocks = 8, kBlockSize = 16;
const std::vector<int32_t> kLengths = {5, 16, 33};
// One row a sequence; columns past its end are never read.
const std::vector<int32_t> kTable = {7, 0, 0, 6, 0, 0, 5, 4, 3};
constexpr int kColumns = 3;

std::vector<float> numbers(std::size_t n, uint64_t first) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = static_cast<float>(((first + i) * 1103515245u + 12345u) % 2147483648u / 2147483648.0 - 0.5);
  }
  return x;
}

std::vector<int64_t> slots() {
  std::vector<int64_t> all;
  for (int s = 0; s < kSeqs; ++s) {
    for (int t = 0; t < kLengths[s]; ++t) {
      all.push_back(int64_t{kTable[s * kColumns + t / kBlockSize]} * kBlockSize + t % kBlockSize);
    }
  }
  return all;
}

std::vector<double> expected(const std::vector<float>& key, const std::vector<float>& value,
                             const std::vector<float>& query) {
  std::vector<double> out(kSeqs * kHeads * kDim);
  int first = 0;
  for (int s = 0; s < kSeqs; ++s) {
    for (int h = 0; h < kHeads; ++h) {
      double* row = &out[(s * kHeads + h) * kDim];
      double sum = 0;
      for (int j = 0; j < kLengths[s]; ++j) {
        const int at = ((first + j) * kKvHeads + h / (kHeads / kKvHeads)) * kDim;
        double dot = 0;
        for (int d = 0; d < kDim; ++d) dot += double{query[(s * kHeads + h) * kDim + d]} * key[at + d];
        const double weight = std::exp(dot / std::sqrt(kDim));  // the scores here are small: no maximum to take off
        sum += weight;
        for (int d = 0; d < kDim; ++d) row[d] += weight * value[at + d];
      }
      for (int d = 0; d < kDim; ++d) row[d] /= sum;
    }
    first += kLengths[s];
  }
  return out;
}

std::vector<float> decode_step(Device device, const std::vector<float>& key, const std::vector<float>& value,
                               const std::vector<float>& query) {
  const Context ctx = make_context(device == Device::kCuda ? VKV_BACKEND_CUDA : VKV_BACKEND_CPU);
  const Tensor<float> k(device, {kTokens, kKvHeads, kDim}, key), v(device, {kTokens, kKvHeads, kDim}, value);
  const Tensor<float> q(device, {kSeqs, kHeads, kDim}, query), out(device, {kSeqs, kHeads, kDim});
  const Tensor<float> key_cache(device, {kBlocks, kBlockSize, kKvHeads, kDim});
  const Tensor<float> value_cache(device, {kBlocks, kBlockSize, kKvHeads, kDim});
  const Tensor<int64_t> slot_mapping(device, {kTokens}, slots());
  const Tensor<int32_t> table(device, {kSeqs, kColumns}, kTable), lengths(device, {kSeqs}, kLengths);

  vkv_reshape_and_cache_flash_params write = VKV_INIT(vkv_reshape_and_cache_flash_params);
  write.key = k.view;
  write.value = v.view;
  write.key_cache = key_cache.view;
  write.value_cache = value_cache.view;
  write.slot_mapping = slot_mapping.view;
  check(vkv_reshape_and_cache_flash(ctx.get(), &write, nullptr));

  vkv_paged_attention_params attend = VKV_INIT(vkv_paged_attention_params);
  attend.query = q.view;
  attend.out = out.view;
  attend.key_cache = key_cache.view;
  attend.value_cache = value_cache.view;
  attend.block_table = table.view;
  attend.seq_lens = lengths.view;
  std::size_t scratch = 0;
  check(vkv_paged_attention_workspace_size(ctx.get(), &attend, &scratch));
  const Memory workspace(device, scratch);
  attend.workspace = workspace.data();
  attend.workspace_size = workspace.size();
  check(vkv_paged_attention(ctx.get(), &attend, nullptr));

  const std::vector<float> result = out.values();  // waits for the stream
  vkv_device_report report = VKV_INIT(vkv_device_report);
  check(vkv_context_read_device_report(ctx.get(), &report));
  if (report.count != 0) throw std::runtime_error(report.message);
  return result;
}

}  // namespace

int main(int argc, char** argv) try {
  const bool cuda = argc > 1 && std::string(argv[1]) == "--cuda";
  const std::vector<float> key = numbers(kTokens * kKvHeads * kDim, 0);
  const std::vector<float> value = numbers(kTokens * kKvHeads * kDim, 1000000);
  const std::vector<float> query = numbers(kSeqs * kHeads * kDim, 2000000);
  const std::vector<float> out = decode_step(cuda ? Device::kCuda : Device::kCpu, key, value, query);
  const std::vector<double> want = expected(key, value, query);
  double error = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double e = std::abs(out[i] - want[i]);
    if (e > error || std::isnan(e)) error = e;
  }
  std::printf("decode step: max error %.1e over %d sequences\n", error, kSeqs);
  return error <= 1e-5 ? 0 : 1;
} catch (const VkvError& e) {
  std::fprintf(stderr, "%s: %s\n", vkv_status_string(e.status), e.what());
  return e.status == VKV_ERROR_NO_DEVICE ? 77 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
