# What is installed beside the library and the program, and the packages made of it all. Installed files find each other
# by relative paths, so that the tree may be moved.
#
# There is no vkv::vkv_static. libvkv.so has the C++ runtime and CUDA's inside and shows the names of vkv.h alone; an
# archive would ask every program, of whatever language, to link both, and show each internal name to its linker.
include(CMakePackageConfigHelpers)

set(vkv_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vkv)
configure_package_config_file(cmake/vkv-config.cmake.in vkv-config.cmake INSTALL_DESTINATION ${vkv_cmake_dir})
write_basic_package_version_file(vkv-config-version.cmake COMPATIBILITY SameMajorVersion)
install(EXPORT vkv-targets NAMESPACE vkv:: DESTINATION ${vkv_cmake_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkv-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vkv-config-version.cmake
        DESTINATION ${vkv_cmake_dir})

# A folder that was given as an absolute path stays one.
set(vkv_pc_libdir "\${prefix}")
set(vkv_pc_includedir "\${prefix}")
cmake_path(APPEND vkv_pc_libdir ${CMAKE_INSTALL_LIBDIR})
cmake_path(APPEND vkv_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
file(RELATIVE_PATH vkv_prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" vkv_prefix_from_pc ${vkv_prefix_from_pc})
configure_file(cmake/vkv.pc.in vkv.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vkv.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/doc/libvkv RENAME copyright)

if(TARGET vkv_tool)
  file(RELATIVE_PATH vkv_lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(vkv_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${vkv_lib_from_bin}")
endif()

if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
set(CPACK_PACKAGE_NAME libvkv)
set(CPACK_PACKAGE_VENDOR libvkv)
set(CPACK_PACKAGE_CONTACT "libvkv maintainers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${PROJECT_DESCRIPTION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_FILE_NAME libvkv-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_GENERATOR TGZ)

# dpkg-shlibdeps finds what the package depends on; both commands belong to it as CPack drives it.
find_program(VKV_DPKG_SHLIBDEPS dpkg-shlibdeps)
find_program(VKV_FILE file)
set(vkv_deb OFF)
if(VKV_DPKG_SHLIBDEPS AND VKV_FILE)
  set(vkv_deb ON)
  list(APPEND CPACK_GENERATOR DEB)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION libs)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})  # libvkv itself, for the program
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)                            # and ldconfig on the machine
endif()
include(CPack)
