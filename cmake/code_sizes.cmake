# After each build of the library: the size of its code for each GPU architecture; the build fails where one is missing.
set(vkv_code_architectures ${CMAKE_CUDA_ARCHITECTURES})
list(FILTER vkv_code_architectures EXCLUDE REGEX "^[^0-9]|-virtual$")
list(TRANSFORM vkv_code_architectures REPLACE "^([0-9]+).*" "\\1")

add_executable(vkv_code_sizes cmake/code_sizes.cpp)
target_link_libraries(vkv_code_sizes PRIVATE vkv_flags)
add_dependencies(vkv vkv_code_sizes)
add_custom_command(TARGET vkv POST_BUILD VERBATIM
                   COMMAND vkv_code_sizes $<TARGET_FILE:vkv> ${vkv_code_architectures})
