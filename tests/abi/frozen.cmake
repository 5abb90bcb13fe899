# Frozen headers are as they were frozen. Argument: SOURCES (this folder).
cmake_minimum_required(VERSION 3.22)

file(GLOB frozen ${SOURCES}/v*_*/vkv.h)
if(NOT frozen)
  message(SEND_ERROR "no frozen header in ${SOURCES}")
endif()
foreach(header IN LISTS frozen)
  file(SHA256 ${header} checksum)
  file(READ ${header}.sha256 recorded)
  if(NOT recorded STREQUAL "${checksum}  vkv.h\n")
    message(SEND_ERROR "${header} was changed after it was frozen (scripts/freeze-header makes a new one)")
  endif()
endforeach()
