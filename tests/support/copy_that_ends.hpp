// A copy to another log whose process ends on the way.
#pragma once

#include <string_view>

#include <boost/test/unit_test.hpp>

#include "kappa/copy/copy_log.hpp"
#include "kappa/core/failpoint.hpp"

namespace kappa::test {

/// Copies, and ends at the n-th failpoint whose name begins so; false: the copy was complete
/// before. No other thread may pass failpoints meanwhile.
inline bool copy_ends_at(std::string_view step, int n, event_log& from, event_log& to,
                         const copy_options& options) {
  struct process_ended {};
  failpoint::set_observer([&n, step](std::string_view name) {
    if (name.starts_with(step) && --n == 0) throw process_ended{};
  });
  bool ended = false;
  try {
    const auto copied = copy_log(from, to, options);
    BOOST_REQUIRE_MESSAGE(copied, (copied ? std::string{} : copied.error().text()));
  } catch (const process_ended&) {
    ended = true;
  }
  failpoint::set_observer({});
  return ended;
}

}  // namespace kappa::test
