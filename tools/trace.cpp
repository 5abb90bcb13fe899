#include "tools/trace.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "tools/command.hpp"

namespace tools {

namespace {

constexpr int64_t kMostTokens = 1'000'000'000;  // keeps every sum of lengths far from overflow

// Reads the front of a line; the first thing that does not fit is thrown as a sentence.
class Line {
 public:
  Line(std::string_view text, const std::string& file, int64_t number) : rest_(text), file_(file), number_(number) {}

  [[noreturn]] void refuse(const std::string& why) const {
    throw Refusal(file_ + " line " + std::to_string(number_) + ": " + why);
  }

  int64_t integer(const char* what, int64_t least, int64_t most) {
    int64_t value = 0;
    const auto read = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (read.ec != std::errc{}) refuse(std::string(what) + " is missing or not a whole number");
    if (value < least || value > most) {
      refuse(std::string(what) + " is " + std::to_string(value) + ", expected " + std::to_string(least) + " to " +
             std::to_string(most));
    }
    rest_.remove_prefix(static_cast<std::size_t>(read.ptr - rest_.data()));
    return value;
  }

  void separator(char c, const char* after) {
    if (rest_.empty() || rest_.front() != c) refuse(std::string("expected '") + c + "' after " + after);
    rest_.remove_prefix(1);
  }

  // Digits after a decimal point, where there is one.
  double fraction() {
    double value = 0, digit = 0.1;
    if (rest_.empty() || rest_.front() != '.') return 0;
    for (rest_.remove_prefix(1); !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
         rest_.remove_prefix(1)) {
      value += digit * (rest_.front() - '0');
      digit /= 10;
    }
    return value;
  }

  void end() const {
    if (!rest_.empty()) refuse("\"" + std::string(rest_) + "\" follows the last column");
  }

 private:
  std::string_view rest_;
  const std::string& file_;
  int64_t number_;
};

// Days from 1970-01-01 in the Gregorian calendar.
int64_t days(int64_t year, int64_t month, int64_t day) {
  if (month <= 2) --year, month += 12;
  return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day - 719469;
}

struct Moment {
  int64_t seconds;
  double fraction;
};

Moment timestamp(Line& line) {
  const int64_t year = line.integer("TIMESTAMP's year", 1, 9999);
  line.separator('-', "TIMESTAMP's year");
  const int64_t month = line.integer("TIMESTAMP's month", 1, 12);
  line.separator('-', "TIMESTAMP's month");
  const int64_t day = line.integer("TIMESTAMP's day", 1, 31);
  line.separator(' ', "TIMESTAMP's day");
  const int64_t hour = line.integer("TIMESTAMP's hour", 0, 23);
  line.separator(':', "TIMESTAMP's hour");
  const int64_t minute = line.integer("TIMESTAMP's minute", 0, 59);
  line.separator(':', "TIMESTAMP's minute");
  const int64_t second = line.integer("TIMESTAMP's second", 0, 60);
  return {((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second, line.fraction()};
}

bool next_line(std::istream& in, std::string& line) {
  if (!std::getline(in, line)) return false;
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

}  // namespace

std::vector<Request> read_trace(std::istream& in, const std::string& name, int64_t most) {
  constexpr const char* kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens";
  std::string text;
  if (!next_line(in, text) || text != kHeader) throw Refusal(name + " line 1: expected the header " + kHeader);
  std::vector<Request> requests;
  int64_t epoch = 0;
  for (int64_t number = 2; static_cast<int64_t>(requests.size()) < most && next_line(in, text); ++number) {
    if (text.empty()) continue;
    Line line(text, name, number);
    const Moment at = timestamp(line);
    line.separator(',', "TIMESTAMP");
    const int64_t prompt = line.integer("ContextTokens", 1, kMostTokens);
    line.separator(',', "ContextTokens");
    const int64_t generated = line.integer("GeneratedTokens", 1, kMostTokens);
    line.end();
    if (requests.empty()) epoch = at.seconds;
    requests.push_back({static_cast<int64_t>(requests.size()), static_cast<double>(at.seconds - epoch) + at.fraction,
                        prompt, generated});
  }
  if (in.bad()) throw Refusal(name + " cannot be read");
  if (requests.empty()) throw Refusal(name + " holds no requests");
  std::stable_sort(requests.begin(), requests.end(),
                   [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  const double first = requests.front().arrival;
  for (Request& request : requests) request.arrival -= first;
  return requests;
}

std::vector<Request> read_trace(const std::string& path, int64_t most) {
  std::ifstream in(path);
  if (!in) throw Refusal("cannot open " + path + ": " + std::strerror(errno));
  return read_trace(in, path, most);
}

}  // namespace tools
