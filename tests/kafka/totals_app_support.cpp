#include "kafka/totals_app_support.hpp"

#include <atomic>

#include "kappa/core/partitioner.hpp"
#include "kappa/log/open_log.hpp"
#include "kappa_paths.hpp"
#include "support/kafka_broker.hpp"

namespace kafka_test {

using kappa::testing::the_broker;

std::string fresh_name() {
  static std::atomic<int> count = 0;
  return fmt::format("app{}", ++count);
}

app totals_app(const std::string& name) {
  app a{name};
  a.stream<reading>(name + "-readings")
      .already_keyed(&reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to(name + "-sums");
  a.stream<reading>(name + "-readings")
      .key_by("first-letter", [](const reading& r) { return r.place.substr(0, 1); })
      .fold<totals>("by-letter", [](totals& t, const reading& r) { t.add(r.value); })
      .to(name + "-letters");
  return a;
}

void make_input(event_log& log, const std::string& name, std::int32_t count) {
  topic_config c;
  c.name = name + "-readings";
  c.partitions = count;
  must(log.create_topic(c));
}

void send(event_log& log, const std::string& name, int from, int count) {
  std::map<partition, record_batch> batches;
  for (int i = from; i < from + count; ++i) {
    const reading r{fmt::format("{}{}", static_cast<char>('a' + i % 7), i % 50),
                    ts("2001-01-01T00:00Z") + milliseconds{i}, i % 13};
    batches[partition_of(encoded(r.place), totals_partitions)].add(r.at, bytes_view{r.place},
                                                                   bytes_view{encoded(r)});
  }
  for (const auto& [p, batch] : batches) must(log.append({name + "-readings", p}, batch));
}

host_options options_on(const std::string& log, const std::filesystem::path& state) {
  host_options o;
  o.log = log;
  o.state = state;
  o.partitions = totals_partitions;
  o.worker_threads = 2;
  o.session_timeout = 6s;
  o.limits.commit_interval = 20ms;
  o.limits.snapshot_interval = 100ms;
  o.crash_ledger = false;  // Boost.Test has handlers of its own
  return o;
}

std::string kafka_url() { return "kafka://" + the_broker().bootstrap(); }
std::shared_ptr<event_log> log_on_kafka() { return must(open_log({.url = kafka_url()})); }

std::filesystem::path flag_in(const std::filesystem::path& folder) { return folder / "flag"; }

std::unique_ptr<kappa::testing::child_process> start_helper(
    const std::string& name, const std::filesystem::path& folder,
    const std::vector<std::string>& environment) {
  auto helper = std::make_unique<kappa::testing::child_process>(
      std::filesystem::path{test_paths::binary_dir} / "tests/kafka/kafka_helper",
      std::vector<std::string>{kafka_url(), folder / "state", name, flag_in(folder)}, environment);
  BOOST_TEST_REQUIRE((helper->line() == "started"));
  return helper;
}

std::vector<std::string> lines_of(event_log& log, const std::string& topic) {
  std::vector<std::string> all;
  must(for_each_record(log, topic, [&](const record_view& r) -> result<void> {
    if (r.headers.find(marker_header)) return {};
    const auto t = must(codec<totals>::decode(*r.value));
    all.push_back(fmt::format("{}: {} {}", *r.key, t.count, t.sum));
    return {};
  }));
  return all;
}

bool has_taken_in(event_log& log, const std::string& name, std::size_t readings) {
  return eventually(
      [&] {
        return lines_of(log, name + "-sums").size() == readings &&
               lines_of(log, name + "-letters").size() == readings;
      },
      120s);
}

void check_counts(event_log& log, const std::string& topic) {
  std::map<std::string, int> counts;
  for (const auto& l : lines_of(log, topic)) {
    const auto colon = l.find(": ");
    BOOST_TEST_REQUIRE(std::stoi(l.substr(colon + 2)) == ++counts[l.substr(0, colon)], l);
  }
}

std::size_t running(const host& h) {
  std::size_t n = 0;
  for (const auto& t : h.status()) n += t.health == task_health::running ? 1 : 0;
  return n;
}

}  // namespace kafka_test
