/* Names of the field types in layout.inc that C has no single word for. */
#ifndef VKV_TESTS_ABI_LAYOUT_H
#define VKV_TESTS_ABI_LAYOUT_H

#include "vkv.h"

typedef void* pointer;
typedef int64_t extents[VKV_MAX_DIMS];
typedef char text64[64];
typedef char text128[128];

#endif
