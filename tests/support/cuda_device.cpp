#include "support/cuda_device.hpp"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace support {

namespace {

void require(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

class CudaMemory : public Memory {
 public:
  void* allocate(std::size_t bytes) override {
    void* pointer = nullptr;
    require(cudaMalloc(&pointer, bytes > 0 ? bytes : 1), "cudaMalloc");
    return pointer;
  }
  void release(void* pointer) override { cudaFree(pointer); }
  void to_device(void* device, const void* host, std::size_t bytes) override {
    // A copy from pageable memory may return before its end, and streams that do not block do not wait for it.
    require(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice), "upload");
    require(cudaStreamSynchronize(cudaStreamLegacy), "upload");
  }
  void to_host(void* host, const void* device, std::size_t bytes) override {
    require(cudaMemcpy(host, device, bytes, cudaMemcpyDeviceToHost), "download");
  }
  bool is_host() const override { return false; }
  void finish(vkv_stream stream) override { require(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); }
};

// Its stream is always capturing: what a test enqueues becomes a graph, which finish() runs once.
class CudaGraphMemory final : public CudaMemory {
 public:
  static void begin(vkv_stream stream) {
    require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  }
  void finish(vkv_stream stream) override {
    cudaGraph_t graph = nullptr;
    require(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    require(cudaGraphInstantiate(&executable, graph, 0), "cudaGraphInstantiate");
    require(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
    require(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    cudaGraphExecDestroy(executable);
    cudaGraphDestroy(graph);
    begin(stream);
  }
};

}  // namespace

void add_cuda_devices(std::vector<Device>& devices) {
  vkv_context_params params = VKV_INIT(vkv_context_params);
  params.backend = VKV_BACKEND_CUDA;
  vkv_context* ctx = nullptr;
  if (vkv_context_create(&params, &ctx) != VKV_OK) {
    std::fprintf(stderr, "CUDA is skipped: %s\n", vkv_last_error_message());
    return;
  }
  static CudaMemory memory;
  static CudaGraphMemory graph_memory;
  // The eager stream waits for uploads on the legacy stream and they for it; the capturing one must not.
  cudaStream_t eager = nullptr, capturing = nullptr;
  require(cudaStreamCreate(&eager), "cudaStreamCreate");
  require(cudaStreamCreateWithFlags(&capturing, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  CudaGraphMemory::begin(capturing);
  devices.push_back({"cuda", ctx, &memory, eager});
  vkv_context* graph_ctx = nullptr;
  if (vkv_context_create(&params, &graph_ctx) != VKV_OK) throw std::runtime_error(vkv_last_error_message());
  devices.push_back({"cuda graph", graph_ctx, &graph_memory, capturing});
}

}  // namespace support
