// The golden cases through the C interface, on every backend; and that they notice each field that is not passed.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "golden/golden.hpp"
#include "golden/params.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/number.hpp"

using golden::Bytes;
using golden::Case;
using golden::Expectation;
using golden::Field;
using golden::Op;
using golden::Tensor;
using support::Device;
using support::Memory;

namespace {

std::vector<Case> cases_of(const std::string& op) {
  std::ifstream in(GOLDEN_FILES "/" + op + ".txt");
  if (!in) throw std::runtime_error("no golden file of " + op);
  std::vector<Case> cases = golden::parse(in);
  if (cases.empty()) throw std::runtime_error("no case of " + op);
  return cases;
}

// ---- one call

class Buffer {
 public:
  Buffer(Memory& memory, const Bytes& bytes)
      : memory_(memory), size_(bytes.size()), data_(memory.allocate(std::max<std::size_t>(size_, 1))) {
    memory_.to_device(data_, bytes.data(), size_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { memory_.release(data_); }

  void* data() const { return data_; }
  Bytes read() const {
    Bytes bytes(size_);
    memory_.to_host(bytes.data(), data_, size_);
    return bytes;
  }

 private:
  Memory& memory_;
  std::size_t size_;
  void* data_;
};

bool in_host_memory(const std::string& op, const std::string& field) {
  return op == "swap_blocks_batch" || (op == "swap_blocks" && field == "block_mapping") ||
         (op == "copy_blocks" && field != "block_mapping");
}

vkv_tensor view(const Tensor& t, void* data) {
  vkv_tensor v;
  std::memset(&v, 0, sizeof v);
  v.data = data;
  v.dtype = t.dtype;
  v.ndim = static_cast<int32_t>(t.shape.size());
  if (t.shape.size() > VKV_MAX_DIMS || t.stride.size() > VKV_MAX_DIMS) throw std::runtime_error(t.field + ": rank");
  std::copy(t.shape.begin(), t.shape.end(), v.shape);
  std::copy(t.stride.begin(), t.stride.end(), v.stride);
  return v;
}

template <class Number>
void put(Bytes& params, const Field& f, Number value) {
  std::memcpy(params.data() + f.offset, &value, sizeof value);
}

void put_text(Bytes& params, const Field& f, const std::string& value) {
  if (f.type == "float") put(params, f, std::stof(value));
  else if (f.type == "double") put(params, f, std::stod(value));
  else if (f.type == "int32_t" || f.type == "uint32_t") put(params, f, static_cast<int32_t>(std::stol(value)));
  else if (f.type == "int64_t" || f.type == "uint64_t") put(params, f, static_cast<int64_t>(std::stoll(value)));
  else throw std::runtime_error(f.name + " is no number");
}

struct Outcome {
  vkv_status status;
  std::string message;
  std::vector<Bytes> outputs;  // of the expectations, in order
  vkv_device_report report;
};

// The field as which one of the case is passed; empty: not at all.
using Naming = std::function<std::string(const std::string&)>;
std::string rightly(const std::string& field) { return field; }

Outcome call(const Device& device, const Case& c, const Naming& passed_as = rightly) {
  const Op& op = golden::ops().at(c.op);
  Bytes params(op.size);
  put(params, op.field("struct_size"), static_cast<uint32_t>(op.size));
  std::map<std::string, std::unique_ptr<Buffer>> buffers;
  for (const Tensor& t : c.tensors) {
    Memory& memory = in_host_memory(c.op, t.field) ? support::host_memory() : *device.memory;
    auto& buffer = buffers[t.field];
    if (!t.null) buffer = std::make_unique<Buffer>(memory, t.storage);
    if (!op.field(t.field).is_tensor()) throw std::runtime_error(t.field + " is no tensor");
    const std::string field = passed_as(t.field);
    if (!field.empty()) put(params, op.field(field), view(t, t.null ? nullptr : buffer->data()));
  }
  bool size_given = false;
  for (const golden::Scalar& s : c.scalars) {
    const std::string field = passed_as(s.field);
    if (!field.empty()) put_text(params, op.field(field), s.value);
    size_given = size_given || field == "workspace_size";
  }
  std::optional<Buffer> workspace;
  if (op.workspace_size) {
    std::size_t bytes = 0;
    op.workspace_size(device.ctx, params.data(), &bytes);  // 0 where the call itself will be refused
    workspace.emplace(*device.memory, Bytes(bytes, 0xFF));
    put(params, op.field("workspace"), bytes > 0 ? workspace->data() : nullptr);
    if (!size_given) put(params, op.field("workspace_size"), static_cast<uint64_t>(bytes));
  }

  Outcome out{op.run(device.ctx, params.data(), device.stream), vkv_last_error_message(), {}, {}};
  out.report = support::take_report(device);
  for (const Expectation& e : c.expectations) {
    const auto& buffer = buffers.at(e.field);
    out.outputs.push_back(buffer ? buffer->read() : Bytes());
  }
  return out;
}

// ---- comparison

std::vector<double> values(const Bytes& bytes, vkv_dtype dtype) {
  const auto size = static_cast<std::size_t>(support::element_size(dtype));
  std::vector<double> all;
  for (std::size_t i = 0; i + size <= bytes.size(); i += size) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i, size);
    all.push_back(support::decode(dtype, bits));
  }
  return all;
}

double relative_l2(const std::vector<double>& got, const std::vector<double>& want) {
  if (got.size() != want.size()) return INFINITY;
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(error / norm);
}

int32_t report_number(const std::string& name) {
#define STRUCT(structure, size)
#define FIELD(structure, type, member, offset)
#define CONSTANT(constant, value) \
  if (name == #constant) return value;
#include "abi/layout.inc"
#undef STRUCT
#undef FIELD
#undef CONSTANT
  throw std::runtime_error("the header has no " + name);
}

// What is not as the case says; empty where all is.
std::string mismatch(Case& c, const Outcome& got) {
  if (got.status != c.status) {
    return "status " + std::to_string(got.status) + (got.status == VKV_OK ? "" : ", " + got.message);
  }
  if (c.status != VKV_OK && got.message.find(c.message) == std::string::npos) return "message: " + got.message;
  for (std::size_t i = 0; i < c.expectations.size(); ++i) {
    const Expectation& e = c.expectations[i];
    if (e.exact()) {
      if (got.outputs[i] != e.bytes) return "bytes of " + e.field;
      continue;
    }
    const double distance = relative_l2(values(got.outputs[i], c.tensor(e.field).dtype), values(e.bytes, e.dtype));
    if (!(distance <= e.relative_l2)) return e.field + ": relative L2 " + std::to_string(distance);
  }
  const bool reported = !c.report_what.empty();
  if (got.report.count != static_cast<uint64_t>(c.report_count) ||
      got.report.what != (reported ? report_number(c.report_what) : 0)) {
    return "report: " + std::to_string(got.report.count) + " " + got.report.message;
  }
  return "";
}

bool has_op(const Device& device, const std::string& op) {
  return op.rfind("paged_attention", 0) != 0 || support::has_attention(device);
}

}  // namespace

namespace {

bool tells_workspace_size(const Case& c) {
  return std::any_of(c.scalars.begin(), c.scalars.end(), [](const auto& s) { return s.field == "workspace_size"; });
}

}  // namespace

TEST_CASE("every golden case comes out as its file says, on every backend") {
  for (const auto& [name, op] : golden::ops()) {
    for (Case& c : cases_of(name)) {
      for (const Device& device : support::devices()) {
        if (!has_op(device, name)) continue;
        if (tells_workspace_size(c) && !device.memory->is_host()) continue;  // what is too small differs by backend
        CAPTURE(name, c.name, device.name);
        CHECK(c.op == name);
        CHECK(mismatch(c, call(device, c)) == "");
      }
    }
  }
}

// A binding's mistakes, each of which must make some case fail.

namespace {

// Whether the mistake makes some case of the operation fail.
bool noticed(std::vector<Case>& cases, const Naming& passed_as) {
  const Device& cpu = support::devices().front();
  return std::any_of(cases.begin(), cases.end(), [&](Case& c) {
    return !mismatch(c, call(cpu, c, passed_as)).empty();
  });
}

bool in_cases(const std::string& op, const Field& f) {
  return !f.is_implied() && (f.name != "flags" || op == "swap_blocks_batch");  // the others have no flags yet
}

}  // namespace

TEST_CASE("no field can be forgotten unnoticed by the golden cases") {
  for (const auto& [name, op] : golden::ops()) {
    std::vector<Case> cases = cases_of(name);
    for (const Field& f : op.fields) {
      CAPTURE(name, f.name);
      if (in_cases(name, f)) CHECK(noticed(cases, [&](const std::string& g) { return g == f.name ? "" : g; }));
    }
  }
}

TEST_CASE("no two fields can be swapped unnoticed by the golden cases") {
  for (const auto& [name, op] : golden::ops()) {
    std::vector<Case> cases = cases_of(name);
    for (const Field& a : op.fields) {
      for (const Field& b : op.fields) {
        if (a.offset >= b.offset || a.type != b.type || !in_cases(name, a) || !in_cases(name, b)) continue;
        CAPTURE(name, a.name, b.name);
        CHECK(noticed(cases, [&](const std::string& g) { return g == a.name ? b.name : g == b.name ? a.name : g; }));
      }
    }
  }
}

TEST_CASE("no tensor's strides can be forgotten unnoticed by the golden cases") {
  const Device& cpu = support::devices().front();
  for (const auto& [name, op] : golden::ops()) {
    for (const Field& f : op.fields) {
      if (!f.is_tensor()) continue;
      int strided = 0, failed = 0;
      for (Case c : cases_of(name)) {
        if (c.message.find("stride") != std::string::npos) continue;
        for (Tensor& t : c.tensors) {
          if (t.field != f.name || t.stride.empty()) continue;
          t.stride.clear();
          ++strided;
          failed += !mismatch(c, call(cpu, c)).empty();
        }
      }
      CAPTURE(name, f.name);
      // Not in copy_blocks: its mapping has no id that is in range, however it is read.
      if (strided > 0 && !(name == "copy_blocks" && f.name == "block_mapping")) CHECK(failed > 0);
    }
  }
}
