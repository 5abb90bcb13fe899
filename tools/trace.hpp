// A request trace: who asks when for how much. CSV with the header TIMESTAMP,ContextTokens,GeneratedTokens.
#pragma once

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace tools {

struct Request {
  int64_t id;         // place in the file, from 0
  double arrival;     // seconds after the first request
  int64_t prompt;     // tokens, at least 1
  int64_t generated;  // tokens, at least 1

  // Tokens in the cache when the last one is generated: that one itself is never written.
  int64_t final_length() const { return prompt + generated - 1; }
};

// In order of arrival; at most `most` requests, the first of the file. A file that is missing, malformed or empty is a
// Refusal that names the line.
std::vector<Request> read_trace(std::istream& in, const std::string& name, int64_t most);
std::vector<Request> read_trace(const std::string& path, int64_t most);

// The text of data/azure_conv_excerpt.csv, built into the program.
extern const char* const kDefaultTrace;

}  // namespace tools
