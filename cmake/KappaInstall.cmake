# cmake --install: find_package(kappa) then gives kappa::kappa, kappa::caf and kappa_add_schema().

include(CMakePackageConfigHelpers)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/kappa)
install(TARGETS kappa_kappa kappa_caf EXPORT kappa)
install(
  EXPORT kappa
  NAMESPACE kappa::
  FILE kappaTargets.cmake
  DESTINATION ${package_folder})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/kappaConfig.cmake.in ${CMAKE_BINARY_DIR}/kappaConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/kappaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/kappaConfig.cmake ${CMAKE_BINARY_DIR}/kappaConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/KappaVendors.cmake DESTINATION ${package_folder})
install(
  FILES ${CMAKE_CURRENT_LIST_DIR}/KappaSchema.cmake
  DESTINATION ${package_folder}
  OPTIONAL)

# The CAF that ./dev built is in the user's cache, where an outside project would not look, and no distribution has it:
# it goes along. One that was installed on the machine stays where it is.
cmake_path(IS_PREFIX KAPPA_CACHE "${CAF_DIR}" NORMALIZE caf_from_cache)
option(KAPPA_INSTALL_CAF "Install CAF together with Kappa" ${caf_from_cache})
if(KAPPA_INSTALL_CAF)
  cmake_path(SET caf_prefix NORMALIZE "${CAF_DIR}/../../..")
  install(DIRECTORY ${caf_prefix}/ DESTINATION .)
endif()

# So does librdkafka, which is linked statically.
if(KAPPA_KAFKA AND RdKafka_DIR)
  cmake_path(IS_PREFIX KAPPA_CACHE "${RdKafka_DIR}" NORMALIZE rdkafka_from_cache)
  option(KAPPA_INSTALL_RDKAFKA "Install librdkafka together with Kappa" ${rdkafka_from_cache})
  if(KAPPA_INSTALL_RDKAFKA)
    cmake_path(SET rdkafka_prefix NORMALIZE "${RdKafka_DIR}/../../..")
    install(DIRECTORY ${rdkafka_prefix}/ DESTINATION .)
  endif()
endif()
