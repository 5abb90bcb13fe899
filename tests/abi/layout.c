/* Every size, offset, field type and constant of vkv.h against layout.inc, at compile time. */
#include "layout.h"

#define STRUCT(name, size) \
  _Static_assert(sizeof(name) == (size), "size of " #name); \
  _Static_assert((size) % 8 == 0, "size of " #name " is a multiple of 8");
#define FIELD(name, type, field, offset) \
  _Static_assert(offsetof(name, field) == (offset), "offset of " #name "." #field); \
  _Static_assert(_Generic(&((name*)0)->field, type*: 1, default: 0), "type of " #name "." #field);
#define CONSTANT(name, value) _Static_assert((name) == (value), "value of " #name);
#include "layout.inc"

_Static_assert(sizeof(vkv_status) == 4 && (vkv_status)-1 < 0, "vkv_status is int32_t");
_Static_assert(sizeof(vkv_dtype) == 4 && (vkv_dtype)-1 < 0, "vkv_dtype is int32_t");
_Static_assert(sizeof(vkv_stream) == sizeof(void*), "vkv_stream is a pointer");
