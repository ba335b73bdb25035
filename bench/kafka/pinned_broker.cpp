#include "kafka/pinned_broker.hpp"

#include <stdexcept>

#include "bench.hpp"
#include "kappa/log/open_log.hpp"
#include "measure.hpp"

namespace bench::kafka {

pinned_broker::pinned_broker() : cores_{cores()} {
  if (cores_.size() < 2)
    throw std::runtime_error{"the broker and the program take a core each, and there is one"};
  run_on({cores_.front()});
  kappa::testing::kafka_broker_options o;
  o.full_speed = true;
  o.heap_mb = 1024;
  broker_.emplace(o);
  run_on({cores_.back()});
}

pinned_broker::~pinned_broker() {
  broker_.reset();
  run_on(cores_);
}

std::shared_ptr<kappa::event_log> pinned_broker::open_log() const {
  return must(kappa::open_log({.url = url()}));
}

}  // namespace bench::kafka
