# How everything of Kappa's own is compiled: standard, warnings, sanitizers, ccache, precompiled headers.

include_guard(GLOBAL)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
  endif()
  # -g1 gives stack traces and profiles with lines at a third of the size that -g costs. A release is compiled like what
  # was tested and measured, which ccache knows.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  set(CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(KAPPA_CCACHE ccache)
  if(KAPPA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Base folder and prefix maps: a second clone of the repository finds what the first one compiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND}
        -E
        env
        CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
        CCACHE_NOHASHDIR=1
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        ${KAPPA_CCACHE})
  endif()
  # Without it ccache finds nothing again that was compiled with a precompiled header. (The tests of the installation and of
  # the documentation hand their build's launcher on.)
  if("${CMAKE_CXX_COMPILER_LAUNCHER}" MATCHES "ccache")
    add_compile_options(-fpch-preprocess)
  endif()
  add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
endif()

# Linked by each target of our own, so that an outer project's are left alone.
add_library(kappa_compile INTERFACE)
target_compile_features(kappa_compile INTERFACE cxx_std_20)
target_compile_options(
  kappa_compile
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            # g++ 12 sees overlaps in std::string's operator+ that are not there (its bug 105651), and unset
            # members in variants that are moved.
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict$<SEMICOLON>-Wno-maybe-uninitialized>)
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(kappa_compile INTERFACE -Werror)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # Which instructions are chosen, not which are allowed. g++'s generic choice clears a small struct, as each `result`
  # that is returned, with `rep stos`, which takes longer than the rest of a small call.
  target_compile_options(kappa_compile INTERFACE $<$<CXX_COMPILER_ID:GNU>:-mtune=skylake>)
endif()

if(KAPPA_SANITIZE STREQUAL "address")
  # -Og: compiled in two thirds of the time that -O1 takes.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -Og -g1)
  if(KAPPA_FEWER_CHECKS)
    add_compile_options(-fno-sanitize=null,alignment,vptr,object-size)
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=address,undefined)
elseif(KAPPA_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer -O1 -g1)
  add_link_options(-fsanitize=thread)
elseif(KAPPA_SANITIZE)
  message(FATAL_ERROR "KAPPA_SANITIZE is '${KAPPA_SANITIZE}'; it may be empty, address or thread")
endif()
if(KAPPA_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR NOT KAPPA_SANITIZE STREQUAL "address")
    message(FATAL_ERROR "KAPPA_FUZZ needs clang and KAPPA_SANITIZE=address: ./dev build fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
# Where several sources are compiled as one, g++ takes them for headers.
add_compile_options("$<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wno-subobject-linkage>")
if(KAPPA_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "") # assertions stay on
  # The instrumentation makes g++ 12 guess wrong; the plain build has this one as an error.
  target_compile_options(kappa_compile INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
endif()

# One precompiled header for the three layers, one with Boost.Test for the tests. Only system headers, in angle
# brackets: they hold no path of this clone, so ccache shares what was compiled against them.
set(KAPPA_PCH_HEADERS
    <algorithm> <array> <atomic> <bit> <chrono> <compare> <concepts> <condition_variable> <cstddef> <cstdint>
    <cstring> <deque> <filesystem> <functional> <limits> <map> <memory> <mutex> <optional> <set> <span> <string>
    <string_view> <thread> <tuple> <type_traits> <unordered_map> <utility> <variant> <vector>
    <fmt/format.h> <tl/expected.hpp>)

# kappa_add_pch(NAME library… HEADERS header…): a target that others link nothing from but REUSE_FROM. It must be compiled
# like its users: g++ refuses a header made with other definitions or another kind of position independence.
function(kappa_add_pch name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/${name}.cpp CONTENT "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/generated/${name}.cpp)
  target_link_libraries(${name} PRIVATE kappa_compile fmt::fmt tl::expected ${arg_UNPARSED_ARGUMENTS})
  target_precompile_headers(${name} PRIVATE ${KAPPA_PCH_HEADERS} ${arg_HEADERS})
endfunction()

# kappa_use_pch(TARGET): with the layers' header.
function(kappa_use_pch target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    target_compile_options(${target} PRIVATE -fPIC) # CMake's would be -fPIE
  else()
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
  target_precompile_headers(${target} REUSE_FROM kappa_pch)
endfunction()

# kappa_add_layer(NAME): static library kappa_<NAME> from src/**/*.cpp, public headers in include/, private ones in src/.
function(kappa_add_layer name)
  set(target kappa_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp)
  if(NOT sources) # a layer that is all headers still is a library, so that it can be linked and installed like the rest
    set(sources ${CMAKE_BINARY_DIR}/generated/${target}_empty.cpp)
    file(CONFIGURE OUTPUT ${sources} CONTENT "")
  endif()
  add_library(${target} STATIC ${sources})
  add_library(kappa::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  kappa_use_pch(${target})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:kappa_compile>)
  target_include_directories(
    ${target}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE src)
  install(TARGETS ${target} EXPORT kappa ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
endfunction()
