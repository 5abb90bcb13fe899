#include "golden/golden.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace golden {

namespace {

constexpr const char* kHexDigits = "0123456789abcdef";

std::string hex(const Bytes& bytes) {
  std::string out;
  for (const uint8_t byte : bytes) (out += kHexDigits[byte >> 4]) += kHexDigits[byte & 15];
  return out;
}

std::string list(const std::vector<int64_t>& numbers) {
  std::string out;
  for (const int64_t n : numbers) out += (out.empty() ? "" : ",") + std::to_string(n);
  return out.empty() ? "-" : out;
}

std::string storage(const Tensor& t) {
  if (t.null) return "null";
  const bool zero = std::all_of(t.storage.begin(), t.storage.end(), [](uint8_t byte) { return byte == 0; });
  return zero ? "zero:" + std::to_string(t.storage.size()) : hex(t.storage);
}

Bytes read_bytes(const std::string& word) {
  if (word.rfind("zero:", 0) == 0) return Bytes(std::stoul(word.substr(5)));
  const auto digit = [&](std::size_t i) {
    const char* at = std::find(kHexDigits, kHexDigits + 16, word[i]);
    if (at == kHexDigits + 16) throw std::runtime_error("'" + std::string(1, word[i]) + "' is no hex digit");
    return static_cast<int>(at - kHexDigits);
  };
  if (word.size() % 2 != 0) throw std::runtime_error("odd number of hex digits");
  Bytes bytes;
  for (std::size_t i = 0; i < word.size(); i += 2) bytes.push_back(static_cast<uint8_t>(digit(i) * 16 + digit(i + 1)));
  return bytes;
}

std::vector<int64_t> read_list(const std::string& word) {
  std::vector<int64_t> numbers;
  if (word == "-") return numbers;
  std::istringstream in(word);
  for (std::string number; std::getline(in, number, ',');) numbers.push_back(std::stoll(number));
  return numbers;
}

vkv_dtype read_dtype(const std::string& word) {
  for (vkv_dtype dtype = 1; dtype < 100; ++dtype) {
    if (word == vkv_dtype_string(dtype)) return dtype;
  }
  throw std::runtime_error("'" + word + "' is no dtype");
}

Tensor read_tensor(std::istream& words) {
  Tensor t;
  std::string dtype, shape, stride, bytes;
  words >> t.field >> dtype >> shape >> stride >> bytes;
  t.dtype = read_dtype(dtype);
  t.shape = read_list(shape);
  t.stride = read_list(stride);
  t.null = bytes == "null";
  if (!t.null) t.storage = read_bytes(bytes);
  return t;
}

Expectation read_expectation(std::istream& words) {
  Expectation e{"", -1, 0, {}};
  std::string how, dtype, bytes;
  words >> e.field >> how;
  if (how == "close") {
    words >> e.relative_l2 >> dtype;
    e.dtype = read_dtype(dtype);
  } else if (how != "exact") {
    throw std::runtime_error("'" + how + "' is neither exact nor close");
  }
  words >> bytes;
  e.bytes = read_bytes(bytes);
  return e;
}

void read_line(Case& c, const std::string& directive, std::istream& words) {
  if (directive == "op") {
    words >> c.op;
  } else if (directive == "tensor") {
    c.tensors.push_back(read_tensor(words));
  } else if (directive == "scalar") {
    c.scalars.emplace_back();
    words >> c.scalars.back().field >> c.scalars.back().value;
  } else if (directive == "status") {
    words >> c.status;
  } else if (directive == "message") {
    std::getline(words >> std::ws, c.message);
    words.clear();
  } else if (directive == "expect") {
    c.expectations.push_back(read_expectation(words));
  } else if (directive == "report") {
    words >> c.report_what >> c.report_count;
  } else {
    throw std::runtime_error("unknown directive " + directive);
  }
  if (!words) throw std::runtime_error("too few words");
}

}  // namespace

Tensor& Case::tensor(const std::string& field) {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.field == field; });
  if (at == tensors.end()) throw std::logic_error(name + " has no tensor " + field);
  return *at;
}

std::string text(const std::vector<Case>& cases) {
  std::ostringstream out;
  out << "# Written by generate.cpp. Format: README.md.\n";
  for (const Case& c : cases) {
    out << "\ncase " << c.name << "\nop " << c.op << "\n";
    for (const Tensor& t : c.tensors) {
      out << "tensor " << t.field << " " << vkv_dtype_string(t.dtype) << " " << list(t.shape) << " " << list(t.stride)
          << " " << storage(t) << "\n";
    }
    for (const Scalar& s : c.scalars) out << "scalar " << s.field << " " << s.value << "\n";
    out << "status " << c.status << "\n";
    if (!c.message.empty()) out << "message " << c.message << "\n";
    for (const Expectation& e : c.expectations) {
      out << "expect " << e.field << (e.exact() ? " exact " : " close ");
      if (!e.exact()) out << e.relative_l2 << " " << vkv_dtype_string(e.dtype) << " ";
      out << hex(e.bytes) << "\n";
    }
    if (!c.report_what.empty()) out << "report " << c.report_what << " " << c.report_count << "\n";
    out << "end\n";
  }
  return out.str();
}

std::vector<Case> parse(std::istream& in) {
  std::vector<Case> cases;
  bool inside = false;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream words(line);
    std::string directive;
    words >> directive;
    try {
      if (directive.empty() || directive[0] == '#') continue;
      if (inside == (directive == "case")) throw std::runtime_error(directive + " is out of place");
      if (directive == "case") {
        cases.emplace_back();
        std::getline(words >> std::ws, cases.back().name);
      }
      if (directive != "case" && directive != "end") read_line(cases.back(), directive, words);
      inside = directive != "end";
    } catch (const std::exception& e) {
      throw std::runtime_error("line " + std::to_string(number) + ": " + e.what());
    }
  }
  if (inside) throw std::runtime_error("the last case has no end");
  return cases;
}

}  // namespace golden
