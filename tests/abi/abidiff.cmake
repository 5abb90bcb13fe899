# Compares the ABI of the C entry points, types included, with the recorded baseline; WRITE=ON records it anew. Both sides
# are written by the same command: what the headers do not show is left out.
# Arguments: LIBRARY (with debug information), BASELINE, INCLUDE (folder of vkv.h), SCRATCH (a file), ABIDW, ABIDIFF, WRITE.
cmake_minimum_required(VERSION 3.22)

set(output ${SCRATCH})
if(WRITE)
  set(output ${BASELINE})
  get_filename_component(folder ${BASELINE} DIRECTORY)
  file(MAKE_DIRECTORY ${folder})
endif()
execute_process(COMMAND ${ABIDW} --headers-dir ${INCLUDE} --drop-private-types --exported-interfaces-only
                        --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --type-id-style hash
                        --out-file ${output} ${LIBRARY}
                RESULT_VARIABLE result ERROR_VARIABLE text)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "abidw: ${result}\n${text}")
endif()
if(WRITE)
  return()
endif()

execute_process(COMMAND ${ABIDIFF} ${BASELINE} ${SCRATCH} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "abidiff ${result}: the ABI is not what ${BASELINE} records. A release that adds to it says so in "
                      "CHANGELOG.md and records a new baseline with scripts/abi-baseline.\n${text}")
endif()
