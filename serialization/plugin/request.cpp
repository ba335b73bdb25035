#include "request.hpp"

#include <capnp/message.h>
#include <capnp/schema.capnp.h>
#include <capnp/serialize.h>
#include <kj/exception.h>
#include <kj/io.h>

#include "reading.hpp"

namespace kappa::plugin {
namespace {

capnp::ReaderOptions no_limits() {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = std::uint64_t{1} << 30;  // of our own compiler: no enemy
  return options;
}

}  // namespace

struct compiled_schema::inside {
  inside(std::string_view request, const std::string& folder)
      : in{kj::arrayPtr(reinterpret_cast<const kj::byte*>(request.data()), request.size())},
        message{in, no_limits()},
        lines{folder},
        reader{message.getRoot<capnp::schema::CodeGeneratorRequest>(), lines} {}

  kj::ArrayInputStream in;
  capnp::InputStreamMessageReader message;
  source_lines lines;
  schema_reader reader;
};

compiled_schema::compiled_schema(std::string_view request, const std::string& folder) {
  try {
    in_ = std::make_unique<inside>(request, folder);
  } catch (const kj::Exception& e) {
    throw refusal{e.getDescription().cStr()};
  }
}
compiled_schema::~compiled_schema() = default;

const std::vector<file_model>& compiled_schema::files() const { return in_->reader.requested(); }

}  // namespace kappa::plugin
