# kappa_add_schema(TARGET file.capnp… [IMPORT_DIRS folder…] [PREFIX folder] [READERS]): a library TARGET with a C++ struct for each struct
# of the schemas. Link it and #include "<file>.kappa.hpp".
#
#   kappa_add_schema(flights flights.capnp)
#   target_link_libraries(my_service PRIVATE kappa::kappa flights)
#
# IMPORT_DIRS: where imports that start with "/" are looked for, besides Kappa's own ("/kappa/kappa.capnp"). A schema of
# another target is imported by its path; link that target to TARGET (target_link_libraries(TARGET PUBLIC other)).
# PREFIX: #include "<folder>/<file>.kappa.hpp" instead.
# READERS: Cap'n Proto's own C++ code too, "<file>.capnp.h", for kappa/serialization/zero_copy.hpp.

include_guard(GLOBAL)

function(kappa_add_schema target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "READERS" "PREFIX" "IMPORT_DIRS")
  if(NOT arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "kappa_add_schema(${target}): name at least one .capnp file")
  endif()
  if(NOT CAPNP_EXECUTABLE) # CapnProto's own package sets it when it is found
    find_program(CAPNP_EXECUTABLE capnp)
  endif()
  if(NOT CAPNP_EXECUTABLE)
    message(FATAL_ERROR "kappa_add_schema(${target}): Cap'n Proto's schema compiler 'capnp' is not installed. "
                        "Debian: apt-get install capnproto; or set CAPNP_EXECUTABLE to where it is.")
  endif()
  if(NOT TARGET kappa::capnpc-kappa)
    message(FATAL_ERROR "kappa_add_schema(${target}): the target kappa::capnpc-kappa is not there: "
                        "find_package(kappa REQUIRED) comes first")
  endif()

  # Kappa's own schema: beside the headers, in the source tree or installed.
  get_target_property(includes kappa::serialization INTERFACE_INCLUDE_DIRECTORIES)
  set(kappa_imports "")
  foreach(folder IN LISTS includes)
    string(REGEX REPLACE "^\\$<BUILD_INTERFACE:(.*)>$" "\\1" folder "${folder}")
    if(EXISTS "${folder}/kappa/kappa.capnp")
      set(kappa_imports "${folder}")
    endif()
  endforeach()
  if(NOT kappa_imports)
    message(FATAL_ERROR "kappa_add_schema(${target}): kappa/kappa.capnp is not beside Kappa's headers; install Kappa again")
  endif()

  set(import_flags -I ${kappa_imports})
  set(import_files ${kappa_imports}/kappa/kappa.capnp)
  foreach(folder IN LISTS arg_IMPORT_DIRS)
    cmake_path(ABSOLUTE_PATH folder NORMALIZE)
    list(APPEND import_flags -I ${folder})
  endforeach()

  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}.schema)
  set(code ${out})
  if(arg_PREFIX)
    set(code ${out}/${arg_PREFIX})
  endif()
  file(MAKE_DIRECTORY ${code})
  set(schemas "")
  foreach(schema IN LISTS arg_UNPARSED_ARGUMENTS)
    cmake_path(ABSOLUTE_PATH schema NORMALIZE)
    if(NOT EXISTS ${schema})
      message(FATAL_ERROR "kappa_add_schema(${target}): there is no ${schema}")
    endif()
    list(APPEND schemas ${schema})
  endforeach()

  set(generated "")
  if(arg_READERS)
    find_program(CAPNPC_CXX_EXECUTABLE capnpc-c++)
    if(NOT CAPNPC_CXX_EXECUTABLE)
      message(FATAL_ERROR "kappa_add_schema(${target} READERS): capnpc-c++ is not installed; it comes with capnp")
    endif()
    # What the schemas import is included by the code for them, Kappa's annotations too.
    add_custom_command(
      OUTPUT ${out}/kappa/kappa.capnp.h
      COMMAND ${CAPNP_EXECUTABLE} compile -o${CAPNPC_CXX_EXECUTABLE}:${out} kappa/kappa.capnp
      WORKING_DIRECTORY ${kappa_imports}
      DEPENDS ${import_files}
      VERBATIM)
    list(APPEND generated ${out}/kappa/kappa.capnp.h)
  endif()
  foreach(schema IN LISTS schemas)
    cmake_path(GET schema PARENT_PATH folder)
    cmake_path(GET schema FILENAME file)
    cmake_path(GET schema STEM LAST_ONLY stem)
    # A schema may import those beside it: all of a target's files are made anew when one changes.
    add_custom_command(
      OUTPUT ${code}/${stem}.kappa.hpp ${code}/${stem}.kappa.cpp
      COMMAND
        ${CMAKE_COMMAND} -E env KAPPA_SCHEMA_DIR=${folder} ${CAPNP_EXECUTABLE} compile ${import_flags}
        -o$<TARGET_FILE:kappa::capnpc-kappa>:${code} ${file}
      WORKING_DIRECTORY ${folder}
      DEPENDS ${schemas} ${import_files} kappa::capnpc-kappa
      COMMENT "Generating ${stem}.kappa.hpp"
      VERBATIM)
    list(APPEND generated ${code}/${stem}.kappa.cpp)
    if(arg_READERS)
      add_custom_command(
        OUTPUT ${out}/${file}.h ${out}/${file}.c++
        COMMAND ${CAPNP_EXECUTABLE} compile ${import_flags} -o${CAPNPC_CXX_EXECUTABLE}:${out} ${file}
        WORKING_DIRECTORY ${folder}
        DEPENDS ${schemas} ${import_files}
        VERBATIM)
      list(APPEND generated ${out}/${file}.c++)
      # Not our code: its warnings are not ours either.
      set_source_files_properties(${out}/${file}.c++ PROPERTIES COMPILE_OPTIONS -w)
    endif()
  endforeach()

  add_library(${target} STATIC ${generated})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${target} PUBLIC kappa::serialization)
endfunction()
