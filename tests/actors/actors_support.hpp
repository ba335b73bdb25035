// What the tests of the actors share: a small app, a log that can be held back, waiting.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "engine/small_types.hpp"
#include "kappa/kappa.hpp"
#include "kappa/testing/driver.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace actors_test {

using namespace kappa;
using namespace std::chrono_literals;
using engine_test::reading;
using engine_test::totals;
using kappa::testing::ts;

using kappa::test::temporary_folder;

/// Waits for a condition that other threads bring about; false after `limit`.
[[nodiscard]] bool eventually(const std::function<bool()>& condition,
                              std::chrono::milliseconds limit = 30s);

using kappa::test::must;
using kappa::test::refused;

/// Holds commits back, and decides their fate one by one.
class commit_gate {
 public:
  explicit commit_gate(memory_log& log);
  ~commit_gate();
  commit_gate(const commit_gate&) = delete;
  commit_gate& operator=(const commit_gate&) = delete;

  /// From now on commits wait.
  void hold();
  /// A commit waits.
  [[nodiscard]] bool has_caught_one();
  /// Lets the one that waits go, and only that one.
  void release(commit_fault fate = commit_fault::none);
  /// All may go.
  void open();

 private:
  struct inside;
  std::shared_ptr<inside> in_;
};

/// Sums of readings by place, straight from a topic: one stage, "sum".
using misbehave = std::function<void(const reading&)>;
[[nodiscard]] app sums_app(misbehave on_each = {});
/// Hourly totals by place: stages "readings-by-place"'s hop, and "hourly".
[[nodiscard]] app hourly_app();

/// A log with topic "readings", and a host's options to run on it.
struct world {
  explicit world(std::int32_t partitions = 1);

  [[nodiscard]] host_options options() const;
  void send(const reading& r);
  void send(const reading& r, partition to);
  /// Records of all partitions of a topic, markers left out.
  template <class T>
  std::vector<T> read(const std::string& topic) {
    std::vector<T> all;
    each(topic, [&](const record_view& r) { all.push_back(must(codec<T>::decode(*r.value))); });
    return all;
  }
  void each(const std::string& topic, const std::function<void(const record_view&)>& f);
  /// A header of each dead letter.
  [[nodiscard]] std::vector<std::string> dead_letters(const std::string& app,
                                                      std::string_view header);

  temporary_folder folder;
  std::shared_ptr<memory_log> log = memory_log::create();
  std::int32_t partitions;
};

/// The figures of a stage's tasks, added up.
[[nodiscard]] task_progress progress_of(const host& h, const std::string& stage);
[[nodiscard]] task_status status_of(const host& h, const std::string& stage, int partition = 0);
/// Everything that was sent to the stage has been processed and committed.
[[nodiscard]] bool processed(const host& h, const std::string& stage, std::uint64_t records);

}  // namespace actors_test

template <>
struct kappa::json_traits<engine_test::totals> {
  static std::string to_json(const engine_test::totals& t) {
    return fmt::format(R"({{"count":{},"sum":{}}})", t.count, t.sum);
  }
  static result<engine_test::totals> from_json(std::string_view /*text*/) {
    return fail(errc::decode, "totals", "not needed");
  }
};
