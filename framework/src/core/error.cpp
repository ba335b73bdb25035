#include "kappa/core/error.hpp"

#include <cstdio>
#include <cstdlib>

namespace kappa {

std::string_view name_of(errc code) {
  switch (code) {
    case errc::invalid_argument:
      return "invalid argument";
    case errc::not_found:
      return "not found";
    case errc::already_exists:
      return "already exists";
    case errc::io:
      return "i/o error";
    case errc::no_space:
      return "no space";
    case errc::corrupt:
      return "corrupt";
    case errc::out_of_range:
      return "out of range";
    case errc::too_large:
      return "too large";
    case errc::fenced:
      return "fenced";
    case errc::owned:
      return "owned by another";
    case errc::incompatible:
      return "incompatible";
    case errc::decode:
      return "cannot decode";
    case errc::indefinite:
      return "outcome unknown";
    case errc::unavailable:
      return "unavailable";
    case errc::stopped:
      return "stopped";
    case errc::timed_out:
      return "timed out";
    case errc::user_code:
      return "user code failed";
    case errc::refused_start:
      return "refused to start";
    case errc::bad_config:
      return "bad configuration";
    case errc::quarantined:
      return "quarantined";
    case errc::denied:
      return "not permitted";
    case errc::elsewhere:
      return "elsewhere";
    case errc::id_reused:
      return "id reused";
    case errc::too_old:
      return "too old";
    case errc::erased:
      return "erased";
    case errc::injected:
      return "injected fault";
  }
  return "error";
}

std::string error::text() const {
  if (subject.empty()) return fmt::format("{}: {}", name_of(code), message);
  return fmt::format("{}: {}: {}", subject, name_of(code), message);
}

void bug(std::string_view what) {
  std::fprintf(stderr, "kappa: bug: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace kappa
