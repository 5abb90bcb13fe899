/* A program with the header alone, which links nothing of libvkv: argument, the library's path. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <vkv.h>

int main(int argc, char** argv) {
  uint32_t (*version)(void) = NULL;
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  void* symbol = library != NULL ? dlsym(library, "vkv_version") : NULL;
  if (symbol == NULL) {
    fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "usage: dlopen_client LIBRARY");
    return 1;
  }
  memcpy(&version, &symbol, sizeof version);
  return version() / 1000000 == VKV_VERSION_MAJOR ? 0 : 1;
}
