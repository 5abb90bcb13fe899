// Where a test runs: a context and the memory that its tensors live in.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "vkv.h"

namespace support {

// Device memory as seen by a test. The CPU's is plain host memory.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* pointer) = 0;
  virtual void to_device(void* device, const void* host, std::size_t bytes) = 0;
  virtual void to_host(void* host, const void* device, std::size_t bytes) = 0;
  virtual bool is_host() const = 0;
  // Waits until the stream's work is done.
  virtual void finish(vkv_stream) {}
};

Memory& host_memory();

struct Device {
  std::string name;  // "cpu", "cuda", "cuda graph"
  vkv_context* ctx;
  Memory* memory;
  vkv_stream stream;
};

// Every backend of this machine: the CPU always; where a GPU is present, CUDA twice: calls run as they are made, and calls
// captured into a graph that runs at synchronize(). Created once, never destroyed.
const std::vector<Device>& devices();

// The CPU once with each set of vector units, named by it; where the machine lacks one, the best that it has instead.
const std::vector<Device>& vector_unit_devices();

// Those of devices() that have paged_attention. Says once which do not.
const std::vector<Device>& attending_devices();
bool has_attention(const Device& device);

// A context of its own, destroyed with the object.
struct ContextDeleter {
  void operator()(vkv_context* ctx) const { vkv_context_destroy(ctx); }
};
using OwnedContext = std::unique_ptr<vkv_context, ContextDeleter>;
OwnedContext cpu_context(int num_threads);

// Host memory in place of a device's, for what is host memory on every backend. It has no context.
const Device& host();

// Waits for the device's stream; nothing on the CPU.
void synchronize(const Device& device);

// The device report since the last read.
vkv_device_report take_report(const Device& device);

}  // namespace support
