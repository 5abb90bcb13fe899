// What the benchmark knows of an operation: cases, each of which can be made, verified and called. The frame times them
// without knowing which operation it times; an operation is one function that lists its cases.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/device.hpp"
#include "support/random.hpp"
#include "tools/command.hpp"
#include "tools/trace.hpp"

namespace bench {

// What no implementation can beat: reading the bytes (attention, which writes next to nothing), copying them, one copy of
// them by the machine itself, timed beside the call (moves between host and device), or the arithmetic (long prompts).
enum class Limit { read, copy, one_copy, arithmetic };
const char* limit_name(Limit limit);

// One set of tensors, ready to be called. A row makes several, so that each call finds its data out of the caches.
class Instance {
 public:
  virtual ~Instance() = default;
  virtual vkv_status call(vkv_stream stream) const = 0;
  // Samples the outputs of the call before it and compares them with the reference: empty, or what is wrong.
  virtual std::string verify() const = 0;
  // Before that call: keeps what it will overwrite and verify() needs.
  virtual void prepare() {}
  // Limit::one_copy: the two memories. The first `read` bytes of the one go to the other.
  struct Sides {
    void* to;
    const void* from;
  };
  virtual Sides one_copy() const { return {}; }
};
using Instances = std::vector<std::unique_ptr<Instance>>;
using Maker = std::function<std::unique_ptr<Instance>(const support::Device&, support::Random&)>;

// Makes Problems: Instances with a constructor (device, description, random).
template <class Problem, class Description>
Maker maker(Description description) {
  return [description](const support::Device& device, support::Random& random) {
    return std::make_unique<Problem>(device, description, random);
  };
}

// What a row is to reach: `factor` times the limit of `bytes` and `extra` seconds more, or `most` seconds where that is given.
struct Goal {
  double factor = 0, extra = 0;  // factor 0: none
  int64_t bytes = 0;             // 0: all that the call reads and writes
  double most = 0;
};

struct Case {
  std::string op;
  std::string chart;   // one plot, such as "paged_attention, bf16 cache"
  std::string series;  // one line in it, such as "32x8"
  std::string size;    // one point on it, such as "b8_s4096"
  Limit limit;
  int64_t read, written;  // bytes that a call must move, each counted once
  int64_t footprint;      // bytes of device memory that an instance takes, roughly
  Maker make;
  Goal goal = {};
  double operations = 0;  // multiplications and additions, where the limit is arithmetic
  bool of_trace = false;  // one batch of many

  std::string name() const { return op + " " + series + " " + size; }
};

// A call that the library refused, as an exception.
struct Refused : std::runtime_error {
  explicit Refused(vkv_status what) : std::runtime_error(vkv_last_error_message()), status(what) {}
  vkv_status status;
};
inline void require(vkv_status status) {
  if (status != VKV_OK) throw Refused(status);
}

// The cases of each family of operations.
using Cases = std::vector<Case>;
void add_attention_cases(Cases& cases);
// Of batches that the replay of a trace forms, evenly spread over its schedule.
void add_trace_cases(Cases& cases, const std::vector<tools::Request>& trace, int64_t batches);
void add_writer_cases(Cases& cases);
void add_mla_cases(Cases& cases);
void add_gather_cases(Cases& cases);
void add_convert_cases(Cases& cases);
void add_move_cases(Cases& cases);
Cases all_cases();

struct Effort {
  int repeats = 10;       // samples at least
  double min_time = 0.3;  // seconds of samples at least
};

// Seconds of one call.
struct Timing {
  double median = 0, low = 0, high = 0;  // quartiles
  int samples = 0;
  double host = -1;  // the caller's cost where the work itself runs elsewhere; negative = the same as the time
  double one_copy = 0;  // of the same bytes, in turn with the calls (Limit::one_copy)
};
Timing summarise(std::vector<double> seconds);

// Measured limits of a device.
struct Limits {
  struct Point {
    double bytes, seconds;
  };
  std::vector<Point> read;  // time to read so many cold bytes, by increasing size; beyond the last point it scales
  double copy = 0;          // bytes per second, read + written
  double quiet = 1;  // rate of the median read as a share of the best: less where something else uses the machine
  double operations = 0;  // a second: what the maker states for dense bf16; 0 = not known

  double seconds(Limit limit, double bytes) const;
  double read_rate() const { return read.back().bytes / read.back().seconds; }  // of the largest size
  void take_better(
      const Limits& other);  // measured at the same sizes; something else on the machine can only slow down
};

// Where and how rows are timed: one implementation a backend.
class BenchDevice {
 public:
  virtual ~BenchDevice() = default;
  virtual const support::Device& device() const = 0;
  virtual std::string method() const = 0;    // a sentence for the reader of the report
  virtual int64_t memory_bytes() const = 0;  // most that a row's instances may take together
  virtual int64_t cold_bytes() const = 0;    // after touching this many others, nothing of a buffer is in a cache
  virtual Limits measure_limits(int passes) = 0;
  // Times calls over the instances in turn. `evict`: together they are smaller than cold_bytes(), so that the caches
  // must be emptied otherwise. A call that fails throws.
  virtual Timing time(const Instances& instances, bool evict, const Effort& effort) = 0;
  // Times calls by the wall clock, in turn with one copy of `bytes` between the same memories.
  virtual Timing time_beside_copy(const Instances& instances, int64_t bytes, const Effort& effort) = 0;
};
std::unique_ptr<BenchDevice> cpu_bench_device(const tools::OpenDevice& open);
std::unique_ptr<BenchDevice> cuda_bench_device(const tools::OpenDevice& open);

struct Row {
  const Case* what;
  std::string wrong;    // verification failed: how
  std::string skipped;  // not run: why
  Timing timing;
  bool verified = false;
  double gb_per_second() const { return static_cast<double>(what->read + what->written) / timing.median * 1e-9; }
  double spread() const { return (timing.high - timing.low) / timing.median; }
};

struct Result {
  std::string method, date;
  vkv_context_info info;
  Limits limits;  // the best of all measurements in the run
  std::vector<Row> rows;
  double limit(const Row& row) const;  // seconds; 0 = not known
  double share(const Row& row) const { return limit(row) / row.timing.median; }
  double goal(const Row& row) const;  // seconds; 0 = none
};

// The best other library on one NVIDIA H200, for the cases that were measured there.
struct Peer {
  const char *op, *series, *size, *name;
  double us;
  double limit_us;  // measured on that machine in the same run
};
int num_peers();
const Peer* peer_of(const Case& c);
bool is_peers_device(const vkv_context_info& info);
// The row's time over the peer's. On another device than the peer's each in multiples of its own limit. 0 = no peer.
double over_peer(const Result& result, const Row& row);

// Time over the limit, over the timed rows of a trace's series: how far from the floor real batches are.
struct Overhead {
  std::string series;
  int rows = 0;
  double mean = 0, worst = 0;  // geometric mean
  std::string worst_size = {};
};
std::vector<Overhead> trace_overheads(const Result& result);

std::string bytes_text(double bytes);
std::string seconds_text(double seconds);
std::string device_text(const vkv_context_info& info);
void print_header(const Result& result);
void print_row(const Result& result, const Row& row);
// The limits in the end, how many goals were met, and whether something else was using the machine.
void print_limits(const Result& result);
void print_overheads(const Result& result);  // of the series of a trace
std::string to_json(const Result& result);
std::string to_html(const Result& result);

}  // namespace bench
