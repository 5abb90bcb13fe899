# libvkv.so: the C entry points and the backends.

add_library(vkv SHARED
  src/core/context.cpp
  src/core/error.cpp
  src/core/library.cpp
  src/core/report.cpp
  src/core/tensor.cpp
  src/ops/concat_and_cache_mla.cpp
  src/ops/concat_and_cache_mla_rope_fused.cpp
  src/ops/concat_mla_q.cpp
  src/ops/convert_fp8.cpp
  src/ops/copy_blocks.cpp
  src/ops/cp_gather_and_upconvert_fp8_kv_cache.cpp
  src/ops/cp_gather_cache.cpp
  src/ops/cp_gather_indexer_k_quant_cache.cpp
  src/ops/gather_and_maybe_dequant_cache.cpp
  src/ops/indexer_k_quant_and_cache.cpp
  src/ops/merge_attn_states.cpp
  src/ops/paged_attention.cpp
  src/ops/reshape_and_cache.cpp
  src/ops/reshape_and_cache_flash.cpp
  src/ops/swap_blocks.cpp
  src/ops/swap_blocks_batch.cpp
  src/cpu/attention_schedule.cpp
  src/cpu/attention_unit.cpp
  src/cpu/block_move.cpp
  src/cpu/concat_and_cache_mla.cpp
  src/cpu/concat_and_cache_mla_rope_fused.cpp
  src/cpu/concat_mla_q.cpp
  src/cpu/context.cpp
  src/cpu/convert_fp8.cpp
  src/cpu/cp_gather_and_upconvert_fp8_kv_cache.cpp
  src/cpu/cp_gather_indexer_k_quant_cache.cpp
  src/cpu/gather_cache.cpp
  src/cpu/indexer_k_quant_and_cache.cpp
  src/cpu/isa.cpp
  src/cpu/merge_attn_states.cpp
  src/cpu/paged_attention.cpp
  src/cpu/reshape_and_cache.cpp
  src/cpu/reshape_and_cache_flash.cpp
  src/cpu/rows.cpp
  src/cpu/thread_pool.cpp)
add_library(vkv::vkv ALIAS vkv)

target_include_directories(vkv
  PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
  PRIVATE src)
target_compile_definitions(vkv PRIVATE VKV_BUILDING)
# Results must not depend on how the compiler fuses a multiply and an add: fused where the source says so, else not.
target_compile_options(vkv PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
# Every call clears and copies a few structs of some hundred bytes, for which GCC's own choice, string instructions, is slow.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(vkv PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-mmemset-strategy=unrolled_loop:1024:noalign,libcall:-1:noalign
                         -mmemcpy-strategy=unrolled_loop:1024:noalign,libcall:-1:noalign>)
endif()
find_package(Threads REQUIRED)
target_link_libraries(vkv PRIVATE $<BUILD_INTERFACE:vkv_flags> Threads::Threads)

# Only vkv_ names leave the library, with version nodes; the C++ runtime is inside.
set_target_properties(vkv PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}
  C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
  POSITION_INDEPENDENT_CODE ON
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/src/vkv.map)
target_link_options(vkv PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/src/vkv.map -Wl,--no-undefined -Wl,--exclude-libs,ALL)
if(NOT VKV_SANITIZE)
  target_link_options(vkv PRIVATE -static-libstdc++ -static-libgcc)
else()
  target_link_options(vkv PRIVATE -Wl,--undefined-version)
endif()

# Vector units: each file below is compiled once per unit, with VKV_ISA naming the namespace it must put everything into.
function(vkv_isa_sources)
  foreach(isa generic avx2 avx512)
    if(NOT isa STREQUAL generic AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
      continue()
    endif()
    if(NOT TARGET vkv_isa_${isa})
      add_library(vkv_isa_${isa} OBJECT)
      target_include_directories(vkv_isa_${isa} PRIVATE include src)
      target_compile_definitions(vkv_isa_${isa} PRIVATE VKV_ISA=${isa} VKV_ISA_${isa})
      # Nobody looks at floating-point exceptions; selecting between two results is then free of branches.
      target_compile_options(vkv_isa_${isa} PRIVATE -ffp-contract=off -fno-trapping-math -O3)
      target_link_libraries(vkv_isa_${isa} PRIVATE vkv_flags)
      set_target_properties(vkv_isa_${isa} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                            POSITION_INDEPENDENT_CODE ON)
      target_sources(vkv PRIVATE $<TARGET_OBJECTS:vkv_isa_${isa}>)
      target_compile_definitions(vkv PRIVATE VKV_HAS_ISA_${isa})
    endif()
    target_sources(vkv_isa_${isa} PRIVATE ${ARGN})
  endforeach()
  if(TARGET vkv_isa_avx2)
    target_compile_options(vkv_isa_avx2 PRIVATE -mavx2 -mfma -mf16c)
    target_compile_options(vkv_isa_avx512 PRIVATE -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq
                           -mprefer-vector-width=512)
  endif()
endfunction()

vkv_isa_sources(
  src/cpu/isa/attention.cpp
  src/cpu/isa/rows.cpp)

# CUDA
if(VKV_CUDA STREQUAL "AUTO")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(vkv_cuda ON)
  else()
    set(vkv_cuda OFF)
  endif()
else()
  set(vkv_cuda ${VKV_CUDA})
endif()
if(vkv_cuda)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90a-real)
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  string(REPLACE ";" "," vkv_arch_list "${CMAKE_CUDA_ARCHITECTURES}")
  target_sources(vkv PRIVATE
    src/cuda/context.cpp
    src/cuda/block_move/copy_blocks.cu
    src/cuda/block_move/copy_list.cpp
    src/cuda/block_move/copy_table.cu
    src/cuda/block_move/pointer_map.cpp
    src/cuda/block_move/swap_blocks.cpp
    src/cuda/cache_gather/cp_gather_and_upconvert_fp8_kv_cache.cu
    src/cuda/cache_gather/cp_gather_indexer_k_quant_cache.cu
    src/cuda/cache_gather/gather_cache.cu
    src/cuda/cache_write/concat_and_cache_mla.cpp
    src/cuda/cache_write/concat_and_cache_mla_rope_fused.cu
    src/cuda/cache_write/convert_fp8.cu
    src/cuda/cache_write/ds_mla.cu
    src/cuda/cache_write/indexer_k_quant_and_cache.cu
    src/cuda/cache_write/nvfp4.cu
    src/cuda/cache_write/reshape_and_cache.cu
    src/cuda/cache_write/reshape_and_cache_flash.cpp
    src/cuda/cache_write/rows.cu
    src/cuda/elementwise/concat_mla_q.cu
    src/cuda/elementwise/merge_attn_states.cu
    src/cuda/paged_attention/decode_bf16.cu
    src/cuda/paged_attention/decode_e4m3.cu
    src/cuda/paged_attention/decode_e5m2.cu
    src/cuda/paged_attention/decode_f16.cu
    src/cuda/paged_attention/decode_nvfp4.cu
    src/cuda/paged_attention/decode_policy.cpp
    src/cuda/paged_attention/generic.cu
    src/cuda/paged_attention/launch.cu
    src/cuda/paged_attention/params.cpp
    src/cuda/paged_attention/prefill.cu)
  # Fused where the source says so (see -ffp-contract above).
  set(vkv_cuda_options $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false $<$<BOOL:${VKV_LINE_INFO}>:-lineinfo> -Xcompiler=-Wall,-Wextra>)
  set_target_properties(vkv PROPERTIES CUDA_ARCHITECTURES "${CMAKE_CUDA_ARCHITECTURES}" CUDA_STANDARD 17
                        CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY Static LINKER_LANGUAGE CXX)
  target_compile_options(vkv PRIVATE ${vkv_cuda_options})
  # Files named for an architecture are compiled for it and its kind alone.
  function(vkv_arch_sources name architectures)
    set(found ${CMAKE_CUDA_ARCHITECTURES})
    list(FILTER found INCLUDE REGEX "${architectures}")
    if(NOT found)
      return()
    endif()
    add_library(vkv_${name} OBJECT ${ARGN})
    target_include_directories(vkv_${name} PRIVATE include src)
    target_compile_options(vkv_${name} PRIVATE ${vkv_cuda_options})
    target_link_libraries(vkv_${name} PRIVATE vkv_flags)
    set_target_properties(vkv_${name} PROPERTIES CUDA_ARCHITECTURES "${found}" CUDA_STANDARD 17 CUDA_VISIBILITY_PRESET hidden
                          CUDA_RUNTIME_LIBRARY Static POSITION_INDEPENDENT_CODE ON)
    target_sources(vkv PRIVATE $<TARGET_OBJECTS:vkv_${name}>)
    string(TOUPPER ${name} upper)
    target_compile_definitions(vkv PRIVATE VKV_HAS_${upper})
  endfunction()
  vkv_arch_sources(bulk_copies "^(9|1[0-9])[0-9]" src/cuda/block_move/copy_table_sm90.cu)
  vkv_arch_sources(sm90a "^90a" src/cuda/paged_attention/prefill_sm90.cu)
  target_compile_definitions(vkv PRIVATE
    VKV_CUDA_BUILD_INFO="cuda sm_${vkv_arch_list}, toolkit ${CUDAToolkit_VERSION_MAJOR}.${CUDAToolkit_VERSION_MINOR}")
  target_link_libraries(vkv PRIVATE CUDA::cudart_static)
else()
  target_sources(vkv PRIVATE src/core/no_cuda.cpp)
endif()
message(STATUS "vkv ${PROJECT_VERSION}: CUDA backend ${vkv_cuda} ${CMAKE_CUDA_ARCHITECTURES}")

install(TARGETS vkv EXPORT vkv-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/vkv.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
