// The trace reader: what it takes, and the sentence for everything that it does not.
#include "tools/trace.hpp"

#include <cmath>
#include <sstream>

#include "support/catch.hpp"
#include "tools/command.hpp"

using tools::Request;

namespace {

constexpr int64_t kAll = 1'000'000;
const std::string kHeader = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

std::vector<Request> read(const std::string& text, int64_t most = kAll) {
  std::istringstream in(text);
  return tools::read_trace(in, "t.csv", most);
}

// Arrivals are sums of decimal digits in float64.
bool near(double a, double b) { return std::fabs(a - b) < 1e-9; }

std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const tools::Refusal& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a trace is read in order of arrival") {
  const auto requests = read(kHeader +
                             "2023-11-16 18:15:46.6805900,374,44\r\n"
                             "2023-11-16 18:15:50.9951690,396,109\r\n"
                             "\n"
                             "2023-11-16 18:15:46.5,1,1\n"
                             "2023-11-17 00:00:00,9,2");
  REQUIRE(requests.size() == 4);
  CHECK(requests[0].id == 2);
  CHECK(requests[0].arrival == 0);
  CHECK(requests[0].final_length() == 1);
  CHECK(requests[1].id == 0);
  CHECK(near(requests[1].arrival, 0.18059));
  CHECK(requests[1].prompt == 374);
  CHECK(requests[1].generated == 44);
  CHECK(requests[1].final_length() == 417);
  CHECK(near(requests[2].arrival, 4.495169));
  CHECK(near(requests[3].arrival, 5 * 3600 + 44 * 60 + 13.5));
  CHECK(read(kHeader + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:47,1,1\n", 1).size() == 1);
}

TEST_CASE("arrivals follow the calendar") {
  const auto seconds = [](const std::string& from, const std::string& to) {
    return read(kHeader + from + ",1,1\n" + to + ",1,1\n").back().arrival;
  };
  CHECK(seconds("2023-12-31 23:59:59", "2024-01-01 00:00:00") == 1);
  CHECK(seconds("2024-02-28 00:00:00", "2024-03-01 00:00:00") == 2 * 86400);
  CHECK(seconds("2023-02-28 00:00:00", "2023-03-01 00:00:00") == 86400);
  CHECK(seconds("1900-02-28 00:00:00", "1900-03-01 00:00:00") == 86400);
  CHECK(seconds("2000-01-01 00:00:00", "2001-01-01 00:00:00") == 366 * 86400.0);
}

TEST_CASE("a malformed trace is refused with its line") {
  const std::string good = "2023-11-16 18:15:46.5,1,1\n";
  CHECK(refusal("") == "t.csv line 1: expected the header TIMESTAMP,ContextTokens,GeneratedTokens");
  CHECK(refusal("a,b,c\n" + good) == "t.csv line 1: expected the header TIMESTAMP,ContextTokens,GeneratedTokens");
  CHECK(refusal(kHeader) == "t.csv holds no requests");
  const auto line3 = [&](const std::string& line) { return refusal(kHeader + good + line + "\n"); };
  CHECK(line3("nonsense") == "t.csv line 3: TIMESTAMP's year is missing or not a whole number");
  CHECK(line3("2023-11") == "t.csv line 3: expected '-' after TIMESTAMP's month");
  CHECK(line3("2023-13-16 18:15:46,1,1") == "t.csv line 3: TIMESTAMP's month is 13, expected 1 to 12");
  CHECK(line3("2023-11-16 24:15:46,1,1") == "t.csv line 3: TIMESTAMP's hour is 24, expected 0 to 23");
  CHECK(line3("2023-11-16T18:15:46,1,1") == "t.csv line 3: expected ' ' after TIMESTAMP's day");
  CHECK(line3("2023-11-16 18:15:46") == "t.csv line 3: expected ',' after TIMESTAMP");
  CHECK(line3("2023-11-16 18:15:46,,1") == "t.csv line 3: ContextTokens is missing or not a whole number");
  CHECK(line3("2023-11-16 18:15:46,0,1") == "t.csv line 3: ContextTokens is 0, expected 1 to 1000000000");
  CHECK(line3("2023-11-16 18:15:46,7,-1") == "t.csv line 3: GeneratedTokens is -1, expected 1 to 1000000000");
  CHECK(line3("2023-11-16 18:15:46,7") == "t.csv line 3: expected ',' after ContextTokens");
  CHECK(line3("2023-11-16 18:15:46,7,8,9") == "t.csv line 3: \",9\" follows the last column");
  CHECK(line3("2023-11-16 18:15:46,7,99999999999999999999999") ==
        "t.csv line 3: GeneratedTokens is missing or not a whole number");
  CHECK_THROWS_AS(tools::read_trace("no/such/file.csv", kAll), tools::Refusal);
  CHECK_THROWS_AS(tools::read_trace(".", kAll), tools::Refusal);
}

TEST_CASE("the built-in trace is the excerpt") {
  const auto requests = read(tools::kDefaultTrace);
  REQUIRE(requests.size() == 300);
  CHECK(requests.front().prompt == 374);
  CHECK(requests.back().generated == 183);
}
