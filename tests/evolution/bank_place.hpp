// A log and states of the bank, with which versions of it run one after the other.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "evolution/versions.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/log/memory_log.hpp"
#include "kappa/log/open_log.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace evolution_tests {

using namespace kappa;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

struct how_it_runs {
  bool embedded = true;  // else the log is in memory
  bool keeps_states = true;
  bool savepoints = false;
  std::string kafka{};  // then the log is there
};

class bank_place {
 public:
  explicit bank_place(how_it_runs how = {}) : how_{how} {
    if (!how.embedded) memory_ = memory_log::create();
    if (!how.kafka.empty()) url_ = how.kafka;
  }

  /// The version that ran before has been stopped.
  template <class Version>
  [[nodiscard]] result<void> try_start() {
    stop();
    host_options o;
    o.log = url_;
    o.shared_log = memory_;
    o.state = folder_.path() / "state";
    if (how_.savepoints) o.savepoints = folder_.path() / "savepoints";
    o.savepoint_interval = std::chrono::milliseconds{1};
    o.partitions = 3;
    service_.emplace(bank_with<typename Version::account>(), o);
    auto started = service_->start();
    if (!started) service_.reset();
    return started;
  }
  template <class Version>
  void start() {
    must(try_start<Version>());
  }
  void stop() {
    if (service_) must(service_->stop());
    service_.reset();
    if (!how_.keeps_states) lose_states();
  }
  void lose_states() { std::filesystem::remove_all(folder_.path() / "state"); }

  [[nodiscard]] host& service() { return *service_; }
  [[nodiscard]] std::shared_ptr<event_log> log() const {
    return memory_ ? memory_ : must(open_log({.url = url_}));
  }

  /// What a command came to, in words: the same for an answer that is given again.
  template <class Aggregate, class Command>
  [[nodiscard]] std::string answer(const std::string& key, const Command& command,
                                   const std::string& id = {}) {
    for (;;) {
      ask_options o;
      if (!id.empty()) o.id = id;
      const auto r = service_->ask<Aggregate>(key, command, o);
      if (r) return fmt::format("version {}, {} events", r->version, r->events);
      if (r.error().rejected()) return r.error().text();
      if (!r.error().may_be_asked_again()) throw std::runtime_error{r.error().text()};
      std::this_thread::yield();  // it replays
    }
  }
  template <class Aggregate>
  [[nodiscard]] aggregate_entry<Aggregate> at(const std::string& key) {
    for (;;) {
      const auto found = service_->query<Aggregate>(key, {.refuse_stale = true});
      if (found) return found->value.value_or(aggregate_entry<Aggregate>{});
      if (!found.error().retriable) throw std::runtime_error{found.error().text()};
      std::this_thread::yield();  // it replays
    }
  }

 private:
  how_it_runs how_;
  temporary_folder folder_;
  std::string url_ = "lmdb:" + (folder_.path() / "log").string();
  std::shared_ptr<event_log> memory_;
  std::optional<host> service_;
};

}  // namespace evolution_tests
