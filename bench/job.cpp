#include "job.hpp"

#include "bench.hpp"

namespace bench {

std::shared_ptr<kappa::event_log> open_log(const std::filesystem::path& folder) {
  kappa::embedded_log_options o;
  o.folder = folder;
  return must(kappa::open_embedded_log(o));
}

namespace {

kappa::local_runner_options options_for(std::shared_ptr<kappa::event_log> log,
                                        std::filesystem::path state, const kappa::app& a,
                                        kappa::task_limits limits) {
  kappa::local_runner_options o;
  o.topology = std::make_shared<const kappa::topology>(must(kappa::topology::compile(a)));
  o.log = std::move(log);
  o.state_folder = std::move(state);
  o.layout.partitions = 1;
  o.limits = limits;
  return o;
}

}  // namespace

job::job(std::shared_ptr<kappa::event_log> log, std::filesystem::path state, const kappa::app& a,
         kappa::task_limits limits)
    : runner_{options_for(std::move(log), std::move(state), a, limits)} {
  must(runner_.open());
}

void job::run() { (void)must(runner_.run_until_quiet({.budget = 2048, .when_due = true})); }

void job::snapshot() { must(runner_.snapshot_all()); }

}  // namespace bench
