#include "kappa/log/wait_and_read.hpp"

#include <fmt/format.h>

#include "kappa/core/bell.hpp"

namespace kappa {

result<read_batch> wait_and_read(log_reader& reader, offset from, offset until,
                                 std::size_t max_bytes) {
  auto batch = reader.read(from, max_bytes);
  if (!batch || batch->next() > from || from >= until) return batch;
  const auto news = std::make_shared<bell>();
  const auto subscribed = reader.subscribe([news] { news->ring(); });
  if (!subscribed) return fail(subscribed.error());
  const auto patience = std::chrono::steady_clock::now() + patience_with_log;
  for (;;) {
    batch = reader.read(from, max_bytes);
    if (!batch || batch->next() > from) return batch;
    if (!news->wait_until(patience)) {
      return fail(
          errc::timed_out, fmt::format("{}@{}", reader.where().text(), from),
          fmt::format("the log has records up to {}, and gave none of them for {} s", until,
                      std::chrono::duration_cast<std::chrono::seconds>(patience_with_log).count()),
          true);
    }
  }
}

}  // namespace kappa
