/* Prints the layout of vkv.h as this compiler sees it, as JSON, for the bindings to compare their own structs with. Fails
 * where layout.inc leaves out a field: the fields must tile each struct without a hole. */
#include <stdio.h>

#include "layout.h"

static const char* current_struct = "";
static const char* separator = "";
static size_t current_size, tiled;
static int holes;

static void close_struct(void) {
  if (current_size == 0) return;
  if (tiled != current_size) {
    fprintf(stderr, "layout.inc: the fields of %s end at byte %zu of %zu\n", current_struct, tiled, current_size);
    ++holes;
  }
  printf("\n    ]}");
}

static void open_struct(const char* name, size_t size) {
  printf("%s\n    \"%s\": {\"size\": %zu, \"fields\": [", current_size == 0 ? "" : ",", name, size);
  current_struct = name;
  current_size = size;
  tiled = 0;
  separator = "";
}

static void field(const char* type, const char* name, size_t offset, size_t size) {
  if (offset != tiled) {
    fprintf(stderr, "layout.inc: %s.%s is at byte %zu, the field before it ends at %zu\n", current_struct, name, offset, tiled);
    ++holes;
  }
  tiled = offset + size;
  printf("%s\n      {\"name\": \"%s\", \"type\": \"%s\", \"offset\": %zu, \"size\": %zu}", separator, name, type, offset, size);
  separator = ",";
}

static void constant(const char* name, long long value) {
  printf("%s\n    \"%s\": %lld", separator, name, value);
  separator = ",";
}

int main(void) {
  printf("{\n  \"version\": \"%d.%d.%d\",\n  \"structs\": {", VKV_VERSION_MAJOR, VKV_VERSION_MINOR, VKV_VERSION_PATCH);
#define STRUCT(name, size) close_struct(); open_struct(#name, sizeof(name));
#define FIELD(name, type, member, offset) field(#type, #member, offsetof(name, member), sizeof(((name*)0)->member));
#define CONSTANT(name, value)
#include "layout.inc"
#undef STRUCT
#undef FIELD
#undef CONSTANT
  close_struct();
  printf("\n  },\n  \"constants\": {");
  separator = "";
#define STRUCT(name, size)
#define FIELD(name, type, member, offset)
#define CONSTANT(name, value) constant(#name, name);
#include "layout.inc"
  printf("\n  }\n}\n");
  return holes == 0 ? 0 : 1;
}
