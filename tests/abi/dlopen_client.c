/* A program that only loads the library at run time: every function of the header by name, one op, and loading and
 * unloading many times with nothing left behind. Argument: path of the library. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vkv.h"

static int failures;

static void expect(int good, const char* what) {
  if (good) return;
  ++failures;
  fprintf(stderr, "failed: %s\n", what);
}

static int count_entries(const char* folder) {
  DIR* dir = opendir(folder);
  int n = 0;
  if (dir == NULL) return -1;
  while (readdir(dir) != NULL) ++n;
  closedir(dir);
  return n;
}

/* dlsym gives an object pointer; this is the POSIX way to make a function pointer of it. */
static void find(void* library, const char* name, void* function) {
  void* symbol = dlsym(library, name);
  if (symbol == NULL) {
    fprintf(stderr, "%s: %s\n", name, dlerror());
    exit(1);
  }
  memcpy(function, &symbol, sizeof symbol);
}

static void use(const char* path) {
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  vkv_status (*create)(const vkv_context_params*, vkv_context**);
  void (*destroy)(vkv_context*);
  vkv_status (*concat_mla_q)(const vkv_context*, const vkv_concat_mla_q_params*, vkv_stream);
  const char* (*message)(void);
  uint32_t (*version)(void);
  vkv_context_params cp = VKV_INIT(vkv_context_params);
  vkv_concat_mla_q_params p = VKV_INIT(vkv_concat_mla_q_params);
  vkv_context* ctx = NULL;
  float nope[2] = {1, 2}, rope[1] = {3}, out[3] = {0};
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  find(library, "vkv_context_create", &create);
  find(library, "vkv_context_destroy", &destroy);
  find(library, "vkv_concat_mla_q", &concat_mla_q);
  find(library, "vkv_last_error_message", &message);
  find(library, "vkv_version", &version);
  expect(version() / 1000000 == VKV_VERSION_MAJOR, "version");
  expect(message()[0] == '\0', "a freshly loaded library has no message");
  cp.backend = VKV_BACKEND_CPU;
  cp.num_threads = 4;
  expect(create(&cp, &ctx) == VKV_OK, "context");
  expect(concat_mla_q(ctx, &p, NULL) == VKV_ERROR_INVALID_ARGUMENT && message()[0] != '\0', "refusal");
  p.ql_nope = (vkv_tensor){.data = nope, .dtype = VKV_DTYPE_F32, .ndim = 3, .shape = {1, 1, 2}};
  p.q_pe = (vkv_tensor){.data = rope, .dtype = VKV_DTYPE_F32, .ndim = 3, .shape = {1, 1, 1}};
  p.q_out = (vkv_tensor){.data = out, .dtype = VKV_DTYPE_F32, .ndim = 3, .shape = {1, 1, 3}};
  expect(concat_mla_q(ctx, &p, NULL) == VKV_OK && out[0] == 1 && out[1] == 2 && out[2] == 3, "concat_mla_q");
  destroy(ctx);
  expect(dlclose(library) == 0, "dlclose");
}

int main(int argc, char** argv) {
  int threads, files;
  if (argc != 2) return 2;
  use(argv[1]);
  threads = count_entries("/proc/self/task");
  files = count_entries("/proc/self/fd");
  for (int i = 0; i < 50; ++i) use(argv[1]);
  expect(count_entries("/proc/self/task") == threads, "threads are left behind");
  expect(count_entries("/proc/self/fd") == files, "open files are left behind");
  expect(dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) == NULL, "the library is still loaded after dlclose");
  return failures == 0 ? 0 : 1;
}
