// Addressing past 2^32 elements: an op gives the same where strides are beyond 2^32 elements as where they are small.
#include <cstring>
#include <deque>
#include <memory>

#include "cases/concat_and_cache_mla.hpp"
#include "cases/concat_and_cache_mla_rope_fused.hpp"
#include "cases/cp_gather_and_upconvert_fp8_kv_cache.hpp"
#include "cases/cp_gather_indexer_k_quant_cache.hpp"
#include "cases/indexer_k_quant_and_cache.hpp"
#include "support/catch.hpp"
#include "support/lazy_memory.hpp"
#include "support/refusal.hpp"

using support::Array;
using support::Device;
using support::Random;

namespace {

// Copies of small arrays in host memory, with strides past 2^32 elements in front of the packed dimensions.
class FarCopies {
 public:
  // A copy of `near`, dimensions from `packed` on packed. Data is null where there is no address space for it.
  vkv_tensor add(const Array& near, int packed) {
    Copy copy{&near, near.view(), nullptr};
    int64_t stride = 1;
    for (int i = copy.view.ndim - 1; i >= 0; --i) {
      if (i == packed - 1) stride = (int64_t{1} << 32) + 8 * stride;  // a multiple of 4 bytes for every array here
      copy.view.stride[i] = stride;
      stride *= near.dim(i);
    }
    copies_.push_back(std::move(copy));
    Copy& added = copies_.back();
    added.memory =
        std::make_unique<support::LazyMemory>(static_cast<std::size_t>(stride * support::element_size(near.dtype())));
    added.view.data = added.memory->mapped() ? added.memory->data() : nullptr;
    for (int64_t i = 0; i < near.size() && added.view.data != nullptr; ++i) {
      const uint64_t bits = near.bits(i);
      std::memcpy(added.at(i), &bits, static_cast<std::size_t>(support::element_size(near.dtype())));
    }
    return added.view;
  }

  bool mapped() const {
    bool all = true;
    for (const Copy& copy : copies_) all = all && copy.view.data != nullptr;
    return all;
  }

  // Elements in which a copy differs from its array.
  int64_t different() const {
    int64_t wrong = 0;
    for (const Copy& copy : copies_) {
      for (int64_t i = 0; i < copy.near->size(); ++i) {
        uint64_t bits = 0;
        std::memcpy(&bits, copy.at(i), static_cast<std::size_t>(support::element_size(copy.near->dtype())));
        wrong += bits != copy.near->bits(i);
      }
    }
    return wrong;
  }

 private:
  struct Copy {
    const Array* near;
    vkv_tensor view;
    std::unique_ptr<support::LazyMemory> memory;

    void* at(int64_t i) const {
      int64_t offset = 0;
      for (int axis = view.ndim - 1; axis >= 0; --axis) {
        offset += i % view.shape[axis] * view.stride[axis];
        i /= view.shape[axis];
      }
      return static_cast<char*>(view.data) + offset * support::element_size(view.dtype);
    }
  };
  std::deque<Copy> copies_;
};

// Runs the op on the small arrays and on far copies of them; `outputs` are the arrays that it writes.
template <class Params, class Run>
void check(Params near, Params far, const FarCopies& copies, std::vector<Array*> outputs, Run run) {
  if (!copies.mapped()) {
    WARN("this system has too little address space for this test");
    return;
  }
  const Device& device = support::devices().front();
  REQUIRE(device.memory->is_host());
  VKV_CHECK_OK(run(device.ctx, &near, device.stream));
  VKV_CHECK_OK(run(device.ctx, &far, device.stream));
  bool written = true;
  for (Array* output : outputs) {
    const std::vector<uint8_t> image = output->image();
    output->download();
    written = written && output->image() != image;
  }
  CHECK(written);
  CHECK(copies.different() == 0);
  CHECK(support::take_report(device).count == 0);
}

}  // namespace

TEST_CASE("concat_and_cache_mla addresses tensors past 2^32 elements") {
  const Device& device = support::devices().front();
  for (vkv_dtype cache : {VKV_DTYPE_BF16, VKV_DTYPE_FP8_E4M3, VKV_DTYPE_FP8_DS_MLA}) {
    CAPTURE(cache, support::process_seed());
    Random random(1);
    cases::ConcatAndCacheMlaProblem problem(device, {"", VKV_DTYPE_BF16, cache, 3, 512, 64, 2, 2}, random);
    problem.slot_mapping.fill_integers({3, 0, 2});
    FarCopies copies;
    auto far = problem.params();
    far.kv_c = copies.add(problem.kv_c, 1);
    far.k_pe = copies.add(problem.k_pe, 1);
    far.kv_cache = copies.add(problem.kv_cache, 2);
    check(problem.params(), far, copies, {&problem.kv_cache}, vkv_concat_and_cache_mla);
  }
}

TEST_CASE("concat_and_cache_mla_rope_fused addresses tensors past 2^32 elements") {
  const Device& device = support::devices().front();
  Random random(2);
  cases::ConcatAndCacheMlaRopeFusedProblem problem(
      device, {"", VKV_DTYPE_F16, VKV_DTYPE_F16, 3, 2, 16, 8, 0, 0, 2, 2, 3}, random);
  problem.slot_mapping.fill_integers({3, 0, 2});
  problem.positions.fill_integers({2, 0, 1});
  FarCopies copies;
  auto far = problem.params();
  far.q_pe = copies.add(problem.q_pe, 2);
  far.k_pe = copies.add(problem.k_pe, 1);
  far.kv_c = copies.add(problem.kv_c, 1);
  far.cos_sin_cache = copies.add(problem.cos_sin_cache, 1);
  far.kv_cache = copies.add(problem.kv_cache, 2);
  check(problem.params(), far, copies, {&problem.q_pe, &problem.k_pe, &problem.kv_cache},
        vkv_concat_and_cache_mla_rope_fused);
}

TEST_CASE("indexer_k_quant_and_cache addresses tensors past 2^32 elements") {
  Random random(3);
  cases::IndexerKQuantAndCacheProblem problem(support::devices().front(), {"", VKV_DTYPE_F32, 3, 64, 32, 0, 3, 2},
                                              random);
  problem.slot_mapping.fill_integers({5, 0, 3});
  FarCopies copies;
  auto far = problem.params();
  far.k = copies.add(problem.k, 1);
  far.kv_cache = copies.add(problem.kv_cache, 1);
  check(problem.params(), far, copies, {&problem.kv_cache}, vkv_indexer_k_quant_and_cache);
}

TEST_CASE("cp_gather_indexer_k_quant_cache addresses tensors past 2^32 elements") {
  Random random(4);
  cases::CpGatherIndexerKQuantCacheProblem problem(support::devices().front(), {"", {{3, 2}, 2, {}, 0, 0, 3}, 64, 2},
                                                   random);
  FarCopies copies;
  auto far = problem.params();
  far.kv_cache = copies.add(problem.kv_cache, 1);
  far.dst_k = copies.add(problem.dst_k, 1);
  far.dst_scale = copies.add(problem.dst_scale, 1);
  far.block_table = copies.add(problem.ragged.block_table, 1);
  check(problem.params(), far, copies, {&problem.dst_k, &problem.dst_scale}, vkv_cp_gather_indexer_k_quant_cache);
}

TEST_CASE("cp_gather_and_upconvert_fp8_kv_cache addresses tensors past 2^32 elements") {
  Random random(5);
  cases::CpGatherAndUpconvertFp8KvCacheProblem problem(support::devices().front(),
                                                       {"", VKV_DTYPE_BF16, {{3, 2}, 2, {1, 0}, 0, 0, 3}}, random);
  FarCopies copies;
  auto far = problem.params();
  far.src_cache = copies.add(problem.src_cache, 2);
  far.dst = copies.add(problem.dst, 1);
  far.block_table = copies.add(problem.ragged.block_table, 1);
  check(problem.params(), far, copies, {&problem.dst}, vkv_cp_gather_and_upconvert_fp8_kv_cache);
}
