# Installs the build into an empty folder; a C program is compiled with nothing but that folder, and runs.
# Arguments: BUILD, PREFIX (emptied), SOURCES (this folder), LIBDIR, CC, SOVERSION.
cmake_minimum_required(VERSION 3.22)

function(run_step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGN}: ${result}\n${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${PREFIX})
run_step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX})
foreach(name include/vkv.h ${LIBDIR}/libvkv.so ${LIBDIR}/libvkv.so.${SOVERSION})
  if(NOT EXISTS ${PREFIX}/${name})
    message(SEND_ERROR "${name} is not installed")
  endif()
endforeach()
run_step(${CC} -std=c99 -Wall -Wextra -Wpedantic -Werror -I${PREFIX}/include ${SOURCES}/client.c -o ${PREFIX}/client
         -L${PREFIX}/${LIBDIR} -lvkv -Wl,-rpath,${PREFIX}/${LIBDIR})
run_step(${PREFIX}/client)
