#include "kafka/engine.hpp"

#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "bench.hpp"

namespace bench::kafka {

using namespace std::chrono_literals;

kappa::host_options options_on(const pinned_broker& broker, const std::filesystem::path& state,
                               std::int32_t partitions) {
  kappa::host_options o;
  o.log = broker.url();
  o.state = state;
  o.partitions = partitions;
  o.worker_threads = 1;  // they share a core
  o.session_timeout = 6s;
  return o;
}

namespace {

std::int64_t taken_in(const kappa::host& h) {
  std::uint64_t n = 0;
  for (const auto& t : h.status()) n += t.progress.records_in;
  return static_cast<std::int64_t>(n);
}

}  // namespace

spent process_all(const kappa::app& a, kappa::host_options options, std::int64_t events) {
  options.until_end = true;
  kappa::host h{a, std::move(options)};
  must(h.start());
  while (taken_in(h) == 0 && !h.failure()) std::this_thread::sleep_for(2ms);
  const auto s = timed(
      [&] {
        if (!must(h.wait_finished(300s))) throw std::runtime_error{"the host did not finish"};
      },
      whose::process);
  if (taken_in(h) != events)
    throw std::runtime_error{fmt::format("{} of {} events taken in", taken_in(h), events)};
  must(h.stop());
  return s;
}

}  // namespace bench::kafka
