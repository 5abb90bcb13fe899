# The layout dump is sound JSON, its fields tile every struct, and it names every struct and constant of the header.
# Arguments: DUMP (the program), INCLUDE (folder of vkv.h).
cmake_minimum_required(VERSION 3.22)

execute_process(COMMAND ${DUMP} OUTPUT_VARIABLE json ERROR_VARIABLE text RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(SEND_ERROR "layout_dump failed: ${result}\n${text}")
endif()
file(READ ${INCLUDE}/vkv.h header)

function(expect_members kind pattern)
  string(REGEX MATCHALL "${pattern}" found "${header}")
  set(names "")
  foreach(match IN LISTS found)
    string(REGEX REPLACE "${pattern}" "\\1" name "${match}")
    list(APPEND names ${name})
    string(JSON type ERROR_VARIABLE error TYPE "${json}" ${kind} ${name})
    if(error)
      message(SEND_ERROR "vkv.h has ${name}, layout.inc has not")
    endif()
  endforeach()
  list(LENGTH names in_header)
  string(JSON in_dump LENGTH "${json}" ${kind})
  if(NOT in_header EQUAL in_dump OR in_header EQUAL 0)
    message(SEND_ERROR "vkv.h has ${in_header} ${kind}, layout.inc ${in_dump}")
  endif()
endfunction()

expect_members(structs "typedef struct (vkv_[a-z0-9_]+) {")
# Enumerators, and macros that are numbers; the version's own numbers change with each release.
string(REGEX REPLACE "#define VKV_VERSION_[^\n]*" "" header "${header}")
string(REGEX REPLACE "#define (VKV_[A-Z0-9_]+) ([0-9])" "  \\1 = \\2" header "${header}")
expect_members(constants "\n  (VKV_[A-Z0-9_]+) = [0-9]+")
