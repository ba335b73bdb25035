#include "log_folder.hpp"

#include <fmt/format.h>

#include "kappa/serialization/json.hpp"

namespace kappa::tools {

result<std::filesystem::path> log_folder(const std::string& url, const std::string& option) {
  constexpr std::string_view scheme = "lmdb:";
  if (url.starts_with(scheme) && url.size() > scheme.size()) {
    return std::filesystem::path{url.substr(scheme.size())};
  }
  if (url.starts_with("kafka:")) {
    return fail(
        errc::bad_config, option,
        "expected lmdb:FOLDER: a log on Kafka has no files here; its brokers keep and check "
        "them");
  }
  std::string why;
  if (url.starts_with("memory:")) {
    why = ": a log in memory is its process's alone";
  } else if (!url.empty() && url.find(':') == std::string::npos) {
    why = fmt::format("; did you mean lmdb:{}?", url);
  }
  return fail(errc::bad_config, option,
              fmt::format("expected lmdb:FOLDER, not {}{}", url.empty() ? "nothing" : url, why));
}

void write_range(json_writer& out, const offset_range& range) {
  out.begin_object();
  out.member("topic");
  out.text(range.topic);
  out.member("partition");
  out.integer(std::int64_t{range.partition.value});
  out.member("from");
  out.integer(range.from.value);
  out.member("to");
  if (range.to) {
    out.integer(range.to->value);
  } else {
    out.null();
  }
  out.end_object();
}

}  // namespace kappa::tools
