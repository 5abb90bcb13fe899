// A golden case, and its text as README.md defines it. Knows the format, not the operations.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

#include "vkv.h"

namespace golden {

using Bytes = std::vector<uint8_t>;

struct Tensor {
  std::string field;
  vkv_dtype dtype;
  std::vector<int64_t> shape, stride;  // no strides: compact
  bool null = false;
  Bytes storage;
};

struct Scalar {
  std::string field, value;
};

struct Expectation {
  std::string field;
  double relative_l2;  // negative: byte for byte
  vkv_dtype dtype;     // of the elements in `bytes`
  Bytes bytes;
  bool exact() const { return relative_l2 < 0; }
};

struct Case {
  std::string name, op;
  std::vector<Tensor> tensors;
  std::vector<Scalar> scalars;
  vkv_status status = VKV_OK;
  std::string message;
  std::vector<Expectation> expectations;
  std::string report_what;  // empty: nothing is reported
  int64_t report_count = 0;

  Tensor& tensor(const std::string& field);  // throws where there is none
};

std::string text(const std::vector<Case>& cases);

// Throws std::runtime_error, which names the line, on anything that README.md does not define.
std::vector<Case> parse(std::istream& in);

}  // namespace golden
