# Installs the build into an empty folder, moves this away, and uses it from there.
# Arguments: BUILD, SCRATCH, LIBDIR, and those of tree.cmake.
cmake_minimum_required(VERSION 3.22)
include(${SOURCES}/tree.cmake)

file(REMOVE_RECURSE ${SCRATCH})
run_step(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/prefix)
file(MAKE_DIRECTORY "${SCRATCH}/moved")
file(RENAME ${SCRATCH}/prefix ${SCRATCH}/moved/here)
check_tree(${SCRATCH}/moved/here ${LIBDIR} ${SCRATCH}/consumers ${SCRATCH}/prefix)
