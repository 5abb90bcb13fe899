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

namespace bench {

// What no implementation can beat: reading the bytes (attention, which writes next to nothing), or copying them.
enum class Limit { read, copy };

// One set of tensors, ready to be called. A row makes several, so that each call finds its data out of the caches.
class Instance {
 public:
  virtual ~Instance() = default;
  virtual vkv_status call(vkv_stream stream) const = 0;
  // Samples the outputs of the call before it and compares them with the reference: empty, or what is wrong.
  virtual std::string verify() const = 0;
  // Before that call: keeps what it will overwrite and verify() needs.
  virtual void prepare() {}
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

struct Case {
  std::string op;
  std::string chart;   // one plot, such as "paged_attention, bf16 cache"
  std::string series;  // one line in it, such as "32x8"
  std::string size;    // one point on it, such as "b8_s4096"
  Limit limit;
  int64_t read, written;  // bytes that a call must move, each counted once
  int64_t footprint;      // bytes of device memory that an instance takes, roughly
  Maker make;

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
  double share(const Row& row) const {
    return limits.seconds(row.what->limit, static_cast<double>(row.what->read + row.what->written)) / row.timing.median;
  }
};

std::string bytes_text(double bytes);
std::string seconds_text(double seconds);
std::string device_text(const vkv_context_info& info);
void print_header(const Result& result);
void print_row(const Result& result, const Row& row);
// The limits in the end, and whether something else was using the machine.
void print_limits(const Result& result);
std::string to_json(const Result& result);
std::string to_html(const Result& result);

}  // namespace bench
