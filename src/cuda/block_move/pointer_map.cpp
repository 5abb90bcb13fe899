#include "cuda/block_move/pointer_map.hpp"

#include "cuda/block_move/driver.hpp"

namespace vkv::cuda {

const Region& PointerMap::find(const void* p, int64_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  // From the last hit on: lists go through allocations in order, or stay in one.
  for (int i = 0; i < count_; ++i) {
    const int at = last_ + i < count_ ? last_ + i : last_ + i - count_;
    if (address < regions_[at].begin || address >= regions_[at].end) continue;
    last_ = at;
    return regions_[at].holds(p, bytes) ? regions_[at] : outside_;
  }
  last_ = count_ < kRegions ? count_++ : oldest_++ % kRegions;
  regions_[last_] = ask(address, bytes);
  return regions_[last_].holds(p, bytes) ? regions_[last_] : outside_;
}

Region PointerMap::ask(uintptr_t address, int64_t bytes) const {
  // Eight zeroed bytes each: whatever width the driver writes, the low bytes are the value.
  uint64_t type = 0, managed = 0, ordinal = 0, device_pointer = 0, start = 0, size = 0;
  CUpointer_attribute names[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE,    CU_POINTER_ATTRIBUTE_IS_MANAGED,
                                 CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
                                 CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, CU_POINTER_ATTRIBUTE_RANGE_SIZE};
  void* values[] = {&type, &managed, &ordinal, &device_pointer, &start, &size};
  const auto get = driver().pointer_attributes;
  const bool known = get != nullptr && get(6, names, values, address) == CUDA_SUCCESS && type != 0;

  Region region = {address, address + static_cast<uintptr_t>(bytes), Where::kPageable, 0};
  if (!known) {
    if (address >= begin_ && address < end_) {
      region.begin = begin_;
      region.end = end_;
    }
    return region;
  }
  if (address - start < size) {
    region.begin = start;
    region.end = start + size;
  } else if (device_pointer - start < size) {  // a range in the device's addresses
    region.begin = address - (device_pointer - start);
    region.end = region.begin + size;
  }
  if (static_cast<uint8_t>(managed) != 0) {
    region.where = Where::kDevice;
  } else if (type == CU_MEMORYTYPE_DEVICE) {
    region.where = static_cast<int32_t>(ordinal) == device_ ? Where::kDevice : Where::kElsewhere;
  } else if (type == CU_MEMORYTYPE_HOST) {
    region.where = device_pointer != 0 ? Where::kPinned : Where::kPageable;
    region.to_device = static_cast<int64_t>(device_pointer - address);
  } else {
    region.where = Where::kElsewhere;
  }
  return region;
}

}  // namespace vkv::cuda
