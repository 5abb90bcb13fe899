// The import rule, for every params struct and function that takes one; the export rule, for every output struct.
#include <algorithm>
#include <cstring>

#include "abi/ops.hpp"
#include "support/catch.hpp"
#include "support/device.hpp"
#include "support/random.hpp"
#include "support/refusal.hpp"

namespace {

using abi::Bytes;

void set_word(Bytes& bytes, std::size_t at, uint32_t value) { std::memcpy(bytes.data() + at, &value, sizeof value); }

// One struct in all functions that take it, context creation included.
struct Struct {
  std::string name;
  uint32_t size_v1, flags;
  Bytes example;
  std::vector<std::function<vkv_status(const void*)>> functions;
};

std::vector<Struct> structs() {
  static const support::OwnedContext owned = support::cpu_context(2);
  const vkv_context* ctx = owned.get();
  std::vector<Struct> all;
  for (const abi::Op& op : abi::ops()) {
    Struct s{op.name, op.size_v1, op.flags, op.example, {}};
    s.functions.push_back([=](const void* p) { return op.run(ctx, p); });
    s.functions.push_back([=](const void* p) { return op.supported(ctx, p); });
    if (op.workspace_size) {
      s.functions.push_back([=](const void* p) {
        size_t bytes = 0;
        return op.workspace_size(ctx, p, &bytes);
      });
    }
    all.push_back(s);
  }
  vkv_context_params params = VKV_INIT(vkv_context_params);
  params.backend = VKV_BACKEND_CPU;
  params.num_threads = 1;
  Bytes example(sizeof params);
  std::memcpy(example.data(), &params, sizeof params);
  all.push_back({"vkv_context_create", 24, 0, example, {[](const void* p) {
                   vkv_context* created = nullptr;
                   const vkv_status status = vkv_context_create(static_cast<const vkv_context_params*>(p), &created);
                   vkv_context_destroy(created);
                   return status;
                 }}});
  return all;
}

// The example with this struct_size, in an allocation of exactly that many bytes (but never less than the header).
Bytes sized(const Struct& s, uint32_t size) {
  Bytes bytes(size < 8 ? 8 : size);
  std::memcpy(bytes.data(), s.example.data(), std::min(bytes.size(), s.example.size()));
  set_word(bytes, 0, size);
  return bytes;
}

}  // namespace

TEST_CASE("every params struct is taken at its size in 1.0, at today's, and longer with zeros") {
  for (const Struct& s : structs()) {
    const auto size = static_cast<uint32_t>(s.example.size());
    REQUIRE(s.size_v1 <= size);
    for (uint32_t n : {s.size_v1, size, size + 1, size + 8, size + 4096}) {
      for (const auto& call : s.functions) {
        CAPTURE(s.name, n, size);
        VKV_CHECK_OK(call(sized(s, n).data()));
      }
    }
  }
}

TEST_CASE("a struct shorter than in 1.0 is refused, a zeroed one too") {
  for (const Struct& s : structs()) {
    const std::string sentence = s.name + ": struct_size is ";
    for (uint32_t n : {0u, 1u, 8u, s.size_v1 - 8, s.size_v1 - 1}) {
      for (const auto& call : s.functions) {
        CAPTURE(s.name, n);
        VKV_CHECK_REFUSED(call(sized(s, n).data()), VKV_ERROR_INVALID_ARGUMENT,
                          sentence + std::to_string(n) + ", expected at least " + std::to_string(s.size_v1));
      }
    }
    const Bytes zeroed(s.example.size());
    for (const auto& call : s.functions) VKV_CHECK_REFUSED(call(zeroed.data()), VKV_ERROR_INVALID_ARGUMENT, sentence + "0");
    for (const auto& call : s.functions) {
      VKV_CHECK_REFUSED(call(nullptr), VKV_ERROR_INVALID_ARGUMENT, s.name + ": params is null");
    }
  }
}

TEST_CASE("a longer struct with any set byte past today's end is refused as newer") {
  for (const Struct& s : structs()) {
    const auto size = static_cast<uint32_t>(s.example.size());
    for (uint32_t at = size; at < size + 40; ++at) {
      Bytes bytes = sized(s, size + 40);
      bytes[at] = 1;
      for (const auto& call : s.functions) {
        VKV_CHECK_REFUSED(call(bytes.data()), VKV_ERROR_NOT_SUPPORTED,
                          s.name + ": params was built against a newer header: byte " + std::to_string(at));
      }
    }
  }
}

TEST_CASE("every unknown flag bit is refused, every known one taken") {
  for (const Struct& s : structs()) {
    for (int bit = 0; bit < 32; ++bit) {
      const uint32_t flag = 1u << bit;
      Bytes bytes = s.example;
      set_word(bytes, 4, flag);
      for (const auto& call : s.functions) {
        CAPTURE(s.name, bit);
        if ((s.flags & flag) != 0) VKV_CHECK_OK(call(bytes.data()));
        else VKV_CHECK_REFUSED(call(bytes.data()), VKV_ERROR_NOT_SUPPORTED, s.name + ": flags is 0x");
      }
    }
  }
}

TEST_CASE("structs are read, never written") {
  for (const Struct& s : structs()) {
    const Bytes before = s.example;
    for (const auto& call : s.functions) VKV_CHECK_OK(call(s.example.data()));
    CHECK(s.example == before);
  }
}

TEST_CASE("output structs: at most struct_size bytes are written, and what the library does not know is zeroed") {
  const support::OwnedContext ctx = support::cpu_context(2);
  struct Output {
    std::string name;
    uint32_t size_v1, size;
    std::function<vkv_status(void*)> call;
  };
  const Output outputs[] = {
      {"vkv_context_get_info", 96, sizeof(vkv_context_info),
       [&](void* out) { return vkv_context_get_info(ctx.get(), static_cast<vkv_context_info*>(out)); }},
      {"vkv_context_read_device_report", 176, sizeof(vkv_device_report),
       [&](void* out) { return vkv_context_read_device_report(ctx.get(), static_cast<vkv_device_report*>(out)); }},
  };
  for (const Output& o : outputs) {
    CAPTURE(o.name);
    const auto given = [&](uint32_t size, std::size_t room) {
      Bytes bytes(room, 0xEE);
      set_word(bytes, 0, size);
      set_word(bytes, 4, 0);
      return bytes;
    };
    Bytes known = given(o.size, o.size);
    VKV_CHECK_OK(o.call(known.data()));

    Bytes v1 = given(o.size_v1, o.size_v1 + 16);
    VKV_CHECK_OK(o.call(v1.data()));
    CHECK(std::memcmp(v1.data() + 8, known.data() + 8, o.size_v1 - 8) == 0);
    for (uint32_t i = 0; i < 16; ++i) CHECK(v1[o.size_v1 + i] == 0xEE);

    Bytes longer = given(o.size + 16, o.size + 16);
    VKV_CHECK_OK(o.call(longer.data()));
    CHECK(std::memcmp(longer.data() + 8, known.data() + 8, o.size - 8) == 0);
    for (uint32_t i = 0; i < 16; ++i) CHECK(longer[o.size + i] == 0);
    uint32_t header = 0;
    std::memcpy(&header, longer.data(), sizeof header);
    CHECK(header == o.size + 16);

    for (uint32_t n : {0u, 8u, o.size_v1 - 1}) {
      Bytes refused = given(n, o.size);
      const Bytes before = refused;
      VKV_CHECK_REFUSED(o.call(refused.data()), VKV_ERROR_INVALID_ARGUMENT, o.name + ": struct_size is " + std::to_string(n));
      CHECK(refused == before);
    }
    Bytes flagged = given(o.size, o.size);
    set_word(flagged, 4, 2);
    const Bytes before = flagged;
    VKV_CHECK_REFUSED(o.call(flagged.data()), VKV_ERROR_NOT_SUPPORTED, o.name + ": flags is 0x2");
    CHECK(flagged == before);
    VKV_CHECK_REFUSED(o.call(nullptr), VKV_ERROR_INVALID_ARGUMENT, o.name + ": output struct is null");
  }
}
