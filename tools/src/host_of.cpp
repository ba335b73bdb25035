#include "host_of.hpp"

#include "job.hpp"

namespace kappa::tools {

result<app_at_hand> open_app(const common_options& common, bool write) {
  app_at_hand at;
  auto log = open_log_of(common, write ? access::write : access::read);
  if (!log) return fail(log.error());
  at.log = std::move(*log);
  auto app = app_of(*at.log, common);
  if (!app) return fail(app.error());
  at.app = std::move(*app);
  auto holder = at.log->holder(at.app);
  if (!holder) return fail(holder.error());
  at.holder = std::move(*holder);
  if (at.holder && !write && !at.log->places_tasks()) {
    at.log.reset();  // a process has a log in files open in one way
    auto writable = open_log_of(common, access::write);
    if (!writable) return fail(writable.error());
    at.log = std::move(*writable);
  }
  return at;
}

}  // namespace kappa::tools
