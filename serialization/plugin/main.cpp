// capnpc-kappa: plug-in of Cap'n Proto's schema compiler. Reads the compiler's request on standard
// input and writes <stem>.kappa.hpp and <stem>.kappa.cpp for each file into the current folder.
//
//   capnp compile -I<include folder of Kappa> -o<path>/capnpc-kappa:<out> flights.capnp
//
// KAPPA_SCHEMA_DIR: the folder that the files' names are relative to, for line numbers in messages.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "emit.hpp"
#include "request.hpp"

namespace kappa::plugin {
namespace {

void write_file(const std::string& path, const std::string& text) {
  std::ofstream out{path, std::ios::binary};
  out << text;
  out.close();
  if (!out) throw std::runtime_error{"cannot write " + path};
}

std::string schema_folder() {
  const char* folder = std::getenv("KAPPA_SCHEMA_DIR");
  // The compiler changes into the output folder; the shell's PWD still is where it was started.
  if (!folder) folder = std::getenv("PWD");
  return folder ? folder : "";
}

void run() {
  const std::string request{std::istreambuf_iterator<char>{std::cin}, {}};
  const compiled_schema schema{request, schema_folder()};
  for (const auto& model : schema.files()) {
    write_file(model.stem + ".kappa.hpp", emit_header(model));
    write_file(model.stem + ".kappa.cpp", emit_source(model));
  }
}

}  // namespace
}  // namespace kappa::plugin

int main() {
  try {
    kappa::plugin::run();
    return 0;
  } catch (const kappa::plugin::refusal& e) {
    fmt::print(stderr, "{}\n", e.what());
  } catch (const std::exception& e) {
    fmt::print(stderr, "capnpc-kappa: {}\n", e.what());
  }
  return 1;
}
