# Imported targets for the libraries that bring no CMake package that can be relied on. Used by the build and, installed
# beside kappaConfig.cmake, by the projects that use Kappa: static libraries hand their own dependencies on.

# kappa_vendor(NAME HEADER LIBRARY [definition…]) → kappa_vendor::NAME
function(kappa_vendor name header library)
  if(TARGET kappa_vendor::${name})
    return()
  endif()
  find_path(KAPPA_VENDOR_${name}_INCLUDE ${header} PATH_SUFFIXES postgresql)
  find_library(KAPPA_VENDOR_${name}_LIBRARY ${library})
  mark_as_advanced(KAPPA_VENDOR_${name}_INCLUDE KAPPA_VENDOR_${name}_LIBRARY)
  if(NOT KAPPA_VENDOR_${name}_INCLUDE OR NOT KAPPA_VENDOR_${name}_LIBRARY)
    message(FATAL_ERROR "kappa needs the library ${library} with its header ${header}, and they are not installed")
  endif()
  add_library(kappa_vendor::${name} UNKNOWN IMPORTED)
  set_target_properties(
    kappa_vendor::${name}
    PROPERTIES IMPORTED_LOCATION ${KAPPA_VENDOR_${name}_LIBRARY}
               INTERFACE_INCLUDE_DIRECTORIES ${KAPPA_VENDOR_${name}_INCLUDE}
               INTERFACE_COMPILE_DEFINITIONS "${ARGN}")
endfunction()

# librdkafka: the CMake package that its own build makes, which knows what the static library needs, or a shared
# library (a distribution's).
function(kappa_find_rdkafka)
  if(TARGET kappa_vendor::rdkafka)
    return()
  endif()
  foreach(prefix IN LISTS CMAKE_PREFIX_PATH) # its package file asks for LZ4 with a module that lies beside it
    list(APPEND CMAKE_MODULE_PATH ${prefix}/lib/cmake/RdKafka)
  endforeach()
  find_package(RdKafka CONFIG QUIET GLOBAL)
  if(TARGET RdKafka::rdkafka)
    add_library(kappa_vendor::rdkafka INTERFACE IMPORTED)
    set_target_properties(kappa_vendor::rdkafka PROPERTIES INTERFACE_LINK_LIBRARIES RdKafka::rdkafka)
  else()
    kappa_vendor(rdkafka librdkafka/rdkafka.h rdkafka)
  endif()
endfunction()

kappa_vendor(lmdb lmdb.h lmdb)
kappa_vendor(xxhash xxhash.h xxhash)
kappa_vendor(zstd zstd.h zstd)
kappa_vendor(crypto openssl/evp.h crypto)
kappa_vendor(pq libpq-fe.h pq)
kappa_vendor(prometheus prometheus/registry.h prometheus-cpp-core)
# Debian's library is compiled with these, and the layout of its classes depends on them.
kappa_vendor(httplib httplib.h cpp-httplib CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_ZLIB_SUPPORT
             CPPHTTPLIB_BROTLI_SUPPORT)
