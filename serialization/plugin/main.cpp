// capnpc-kappa: plug-in of Cap'n Proto's schema compiler. Reads the compiler's request on standard
// input and writes <stem>.kappa.hpp and <stem>.kappa.cpp for each file into the current folder.
//
//   capnp compile -I<include folder of Kappa> -o<path>/capnpc-kappa:<out> flights.capnp
//
// KAPPA_SCHEMA_DIR: the folder that the files' names are relative to, for line numbers in messages.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#include <capnp/message.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/exception.h>
#include <unistd.h>

#include "emit.hpp"
#include "reading.hpp"

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
  capnp::ReaderOptions options;
  options.traversalLimitInWords = std::uint64_t{1} << 30;  // of our own compiler: no enemy
  capnp::StreamFdMessageReader message{STDIN_FILENO, options};
  const source_lines lines{schema_folder()};
  const schema_reader reader{message.getRoot<capnp::schema::CodeGeneratorRequest>(), lines};
  for (const auto& model : reader.requested()) {
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
  } catch (const kj::Exception& e) {
    fmt::print(stderr, "capnpc-kappa: {}\n", e.getDescription().cStr());
  }
  return 1;
}
