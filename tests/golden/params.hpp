// Params structs by the names of their fields, as tests/abi/layout.inc lists them.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "vkv.h"

namespace golden {

struct Field {
  std::string type, name;
  std::size_t offset;
  bool is_tensor() const { return type == "vkv_tensor"; }
  // What a case has no line for: every runner sets it by itself.
  bool is_implied() const { return name == "struct_size" || name == "workspace" || name.rfind("reserved", 0) == 0; }
};

struct Op {
  std::size_t size;
  std::function<vkv_status(const vkv_context*, const void*, vkv_stream)> run;
  std::function<vkv_status(const vkv_context*, const void*, size_t*)> workspace_size;  // empty where there is none
  std::vector<Field> fields;

  const Field& field(const std::string& name) const;  // throws where there is none
};

// By name, without "vkv_".
const std::map<std::string, Op>& ops();

}  // namespace golden
