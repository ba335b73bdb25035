#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "kappa/log/open_log.hpp"
#include "kappa_paths.hpp"
#include "lmdb/lmdb.hpp"
#include "log/buffer_pool.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_fixtures.hpp"
#include "support/child_process.hpp"

namespace {

using namespace log_contract;
using kappa::testing::child_process;

struct folder_with_log {
  folder_with_log() { options.folder = folder.path() / "log"; }

  std::shared_ptr<event_log> open() { return must(open_embedded_log(options)); }
  [[nodiscard]] std::string text() const { return options.folder.string(); }
  [[nodiscard]] std::filesystem::path data() const { return options.folder / "data.mdb"; }

  temporary_folder folder;
  embedded_log_options options;
};

void create(event_log& log, const std::string& name, std::int32_t partitions = 1,
            const std::string& owner = {}) {
  topic_config c;
  c.name = name;
  c.partitions = partitions;
  c.owner = owner;
  must(log.create_topic(c));
}

child_process helper(std::vector<std::string> arguments,
                     const std::vector<std::string>& environment = {}) {
  const auto program = std::filesystem::path{test_paths::binary_dir} / "tests/log/log_helper";
  return child_process{program, arguments, environment};
}

std::string file_content(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Changes one byte in the middle of where `pattern` is in the file; tells how often it was there.
int spoil(const std::filesystem::path& path, const std::string& pattern) {
  auto content = file_content(path);
  int found = 0;
  for (auto at = content.find(pattern); at != std::string::npos;
       at = content.find(pattern, at + 1)) {
    content[at + pattern.size() / 2] ^= 0x01;
    ++found;
  }
  // In place: LMDB's file is never replaced.
  std::fstream out{path, std::ios::binary | std::ios::in | std::ios::out};
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  return found;
}

std::size_t entries_of(const char* folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{folder}, {}));
}

BOOST_AUTO_TEST_SUITE(embedded_log_files)

BOOST_FIXTURE_TEST_CASE(a_flipped_byte_is_reported_with_its_place_and_never_read, folder_with_log) {
  {
    const auto log = open();
    create(*log, "orders", 2);
    for (std::int32_t p = 0; p < 2; ++p) {
      must(log->append(tp("orders", p), *batch_of({"a", "b"})));
      must(log->append(tp("orders", p), *batch_of({fmt::format("to be spoiled {}", p), "c"})));
      must(log->append(tp("orders", p), *batch_of({"d"})));
    }
  }
  BOOST_REQUIRE(spoil(data(), "to be spoiled 0") >= 1);
  const auto log = open();
  const auto reader = must(log->open_reader(tp("orders")));
  // What comes before it is good.
  const auto good = must(reader->read(offset{0}, 1 << 20));
  BOOST_TEST(good.records().size() == 2U);
  BOOST_TEST(good.next() == offset{2});
  must_fail(reader->read(offset{2}, 1 << 20), errc::corrupt, "orders[0]@2");
  must_fail(reader->read(offset{3}, 1 << 20), errc::corrupt, "orders[0]@2");
  BOOST_TEST(*must(reader->read(offset{4}, 1 << 20)).records()[0].value == "d");
  BOOST_TEST(values_of(*log, tp("orders", 1)).size() == 5U);
}

BOOST_FIXTURE_TEST_CASE(a_damaged_position_is_named, folder_with_log) {
  const auto key = key_of("app", "stage", "in");
  {
    const auto log = open();
    const auto writer = must(log->open_writer({"app", {}}));
    log_transaction tx;
    tx.moves = {{key, {offset{1}, "metadata to be spoiled"}}};
    must(writer->commit(tx));
  }
  BOOST_REQUIRE(spoil(data(), "metadata to be spoiled") >= 1);
  must_fail(open()->position(key), errc::corrupt, "app/stage.g1[0]<-in");
}

BOOST_FIXTURE_TEST_CASE(a_file_that_was_cut_short_is_refused, folder_with_log) {
  {
    const auto log = open();
    create(*log, "orders");
    for (int i = 0; i < 50; ++i) {
      must(log->append(tp("orders"), *batch_of({std::string(100'000, 'x')})));
    }
  }
  std::filesystem::resize_file(data(), 2 << 20);
  must_fail(open_embedded_log(options), errc::corrupt, "cut short");
  must_fail(open_embedded_log(options), errc::corrupt, "cut short");
}

BOOST_FIXTURE_TEST_CASE(a_file_of_something_else_is_refused, folder_with_log) {
  std::filesystem::create_directories(options.folder);
  std::ofstream{data()} << std::string(100'000, 'n') << "ot a database";
  must_fail(open_embedded_log(options), errc::corrupt, data().string());
}

BOOST_FIXTURE_TEST_CASE(a_log_of_another_format_is_refused_by_number, folder_with_log) {
  open();
  {
    lmdb::environment_options env_options;
    env_options.folder = options.folder;
    const auto env = must(lmdb::environment::open(env_options));
    const auto meta = must(env->open_dbi(detail::table::meta));
    bytes format;
    byte_writer{format}.put(std::uint32_t{99});
    must(env->write([&](lmdb::write_txn& txn) {
      return txn.put(meta, detail::format_key,
                     detail::seal(detail::table::meta, detail::format_key, format));
    }));
  }
  must_fail(open_embedded_log(options), errc::incompatible, "format 99");
}

BOOST_FIXTURE_TEST_CASE(a_database_that_is_no_log_is_not_made_one, folder_with_log) {
  {
    lmdb::environment_options env_options;
    env_options.folder = options.folder;
    must(must(lmdb::environment::open(env_options))->open_dbi("something"));
  }
  must_fail(open_embedded_log(options), errc::incompatible, "something else");
}

BOOST_FIXTURE_TEST_CASE(the_map_grows_when_it_is_full, folder_with_log) {
  options.map_bytes = 1 << 20;
  const auto log = open();
  create(*log, "orders", 4);
  std::vector<std::thread> running;
  for (int t = 0; t < 4; ++t) {
    running.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        (void)log->append(tp("orders", t),
                          *batch_of({std::to_string(i) + std::string(200'000, 'x')}));
        (void)log->bounds(tp("orders", t));
      }
    });
  }
  for (auto& r : running) r.join();
  for (int t = 0; t < 4; ++t) BOOST_TEST(values_of(*log, tp("orders", t)).size() == 20U);
}

BOOST_FIXTURE_TEST_CASE(one_transaction_may_be_larger_than_the_map, folder_with_log) {
  options.map_bytes = 1 << 20;
  const auto log = open();
  create(*log, "orders", 1, "app");
  const auto writer = must(log->open_writer({"app", {}}));
  log_transaction tx;
  const std::vector<std::string> values(30, std::string(500'000, 'x'));
  tx.appends = {{tp("orders"), batch_of(values)}};
  BOOST_TEST(must(writer->commit(tx)).bases[0] == offset{0});
  BOOST_TEST(must(writer->commit(tx)).bases[0] == offset{30});
  BOOST_TEST(values_of(*log, tp("orders")).size() == 60U);
}

BOOST_FIXTURE_TEST_CASE(opened_twice_in_a_process_it_is_one_log, folder_with_log) {
  const auto one = open();
  const auto two = open();
  create(*one, "orders");
  event_count calls;
  const auto reader = must(two->open_reader(tp("orders")));
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  BOOST_TEST(calls.wait_for_more_than(0));
  const int before = calls.count();
  must(one->append(tp("orders"), *batch_of({"a"})));
  BOOST_TEST(calls.wait_for_more_than(before));
  BOOST_TEST((values_of(*two, tp("orders")) == std::vector<std::string>{"a"}));
  const auto writer = must(one->open_writer({"app", "first"}));
  must_fail(two->open_writer({"app", "second"}), errc::owned, "first");
}

BOOST_FIXTURE_TEST_CASE(closing_leaves_no_descriptors_and_no_threads, folder_with_log) {
  create(*open(), "orders", 2, "app");
  const auto descriptors = entries_of("/proc/self/fd");
  const auto threads = entries_of("/proc/self/task");
  for (int i = 0; i < 5; ++i) {
    const auto log = open();
    event_count calls;
    const auto reader = must(log->open_reader(tp("orders")));
    const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
    BOOST_TEST(calls.wait_for_more_than(0));
    const auto writer = must(log->open_writer({"app", {}}));
    log_transaction tx;
    tx.appends = {{tp("orders"), batch_of({"a"})}};
    must(writer->commit(tx));
    must(reader->read(offset{0}, 1000));
  }
  BOOST_TEST(entries_of("/proc/self/fd") == descriptors);
  BOOST_TEST(entries_of("/proc/self/task") == threads);
}

BOOST_FIXTURE_TEST_CASE(retention_removes_in_short_transactions, folder_with_log) {
  const auto log = open();
  topic_config c;
  c.name = "orders";
  c.retention_time = milliseconds{1};
  must(log->create_topic(c));
  {
    // One batch of one-record frames: a record that is larger than a frame has one of its own.
    options.frame_bytes = embedded_log_options::min_frame_bytes;
    const auto small = open();
    const std::vector<std::string> values(1000, std::string(1000, 'x'));
    must(small->append(tp("orders"), *batch_of(values)));
  }
  lmdb::environment_options env_options;
  env_options.folder = options.folder;
  const auto env = must(lmdb::environment::open(env_options));
  const auto before = env->stats().last_transaction;
  BOOST_TEST(must(log->apply_retention(at(1'000'000))).records == 1000U);
  BOOST_TEST(env->stats().last_transaction - before == 4U);  // 256, 256, 256, 232
  // What was freed is used again.
  const auto size = env->stats().used_bytes;
  const std::vector<std::string> values(500, std::string(1000, 'x'));
  must(log->append(tp("orders"), *batch_of(values)));
  BOOST_TEST(env->stats().used_bytes == size);
}

BOOST_FIXTURE_TEST_CASE(impossible_options_are_refused_with_what_is_possible, folder_with_log) {
  options.frame_bytes = 100;
  must_fail(open_embedded_log(options), errc::bad_config, "1024");
  options.frame_bytes = 1 << 16;
  options.map_bytes = 100;
  must_fail(open_embedded_log(options), errc::bad_config, "1048576");
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_cannot_be_made_is_named, folder_with_log) {
  std::ofstream{folder.path() / "file"} << "x";
  options.folder = folder.path() / "file" / "log";
  must_fail(open_embedded_log(options), errc::io, "file/log");
}

BOOST_FIXTURE_TEST_CASE(a_log_is_opened_by_its_url, folder_with_log) {
  open_log_options o;
  o.url = "lmdb:" + text();
  BOOST_TEST(must(open_log(o))->name() == "lmdb:" + text());
  o.url = "memory:";
  BOOST_TEST(must(open_log(o))->name() == "memory");
  o.url = "lmbd:data";
  must_fail(open_log(o), errc::bad_config, "lmdb:FOLDER");
  o.url = "lmdb:";
  must_fail(open_log(o), errc::bad_config, "FOLDER");
}

BOOST_FIXTURE_TEST_CASE(compaction_is_refused, folder_with_log) {
  topic_config c;
  c.name = "orders";
  c.compacted = true;
  must_fail(open()->create_topic(c), errc::invalid_argument, "compact");
}

BOOST_AUTO_TEST_CASE(read_buffers_are_used_again) {
  const auto pool = kappa::detail::buffer_pool::create();
  auto first = pool->take(10'000);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(first.get()) % 64 == 0U);
  const auto* const where = first.get();
  const auto also = first;
  first.reset();
  BOOST_TEST(pool->in_use() == 1U);
  BOOST_TEST((pool->take(10'000).get() != where));
  const_cast<std::shared_ptr<char>&>(also).reset();
  BOOST_TEST(pool->in_use() == 0U);
  const auto again = pool->take(9'000);
  const auto third = pool->take(9'000);
  BOOST_TEST((again.get() == where || third.get() == where));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(embedded_log_processes)

BOOST_FIXTURE_TEST_CASE(two_processes_append_and_a_third_reads_at_once, folder_with_log) {
  const auto log = open();
  create(*log, "orders");
  auto one = helper({"append", text(), "orders", "0", "100", "a"});
  auto two = helper({"append", text(), "orders", "0", "100", "b"});
  event_count calls;
  const auto reader = must(log->open_reader(tp("orders")));
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  std::vector<std::string> a;
  std::vector<std::string> b;
  offset from{0};
  while (a.size() + b.size() < 200) {
    const int before = calls.count();
    const auto batch = must(reader->read(from, 1 << 20));
    for (const auto& r : batch.records()) {
      (r.value->starts_with("a") ? a : b).emplace_back(*r.value);
    }
    from = batch.next();
    if (batch.empty()) BOOST_REQUIRE(calls.wait_for_more_than(before));
  }
  BOOST_TEST(one.wait() == 0);
  BOOST_TEST(two.wait() == 0);
  for (int i = 0; i < 100; ++i) {
    BOOST_REQUIRE(a[std::size_t(i)] == "a" + std::to_string(i));
    BOOST_REQUIRE(b[std::size_t(i)] == "b" + std::to_string(i));
  }
}

BOOST_FIXTURE_TEST_CASE(an_append_wakes_the_readers_of_other_processes, folder_with_log) {
  const auto log = open();
  create(*log, "orders");
  auto waiting = helper({"wait", text(), "orders", "0", "3"});
  BOOST_REQUIRE((waiting.line() == "ready"));
  for (const auto* value : {"x", "y", "z"}) {
    must(log->append(tp("orders"), *batch_of({value})));
    BOOST_TEST((waiting.line() == value));
  }
  BOOST_TEST(waiting.wait() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_killed_owner_frees_its_app, folder_with_log) {
  const auto log = open();
  create(*log, "out", 1, "app");
  auto owner = helper({"own", text(), "app", "out"});
  BOOST_REQUIRE((owner.line() == "owned 1"));
  owner.say("first");
  BOOST_REQUIRE((owner.line() == "committed"));
  must_fail(log->open_writer({"app", {}}), errc::owned,
            fmt::format("helper (pid {})", owner.pid()));
  const auto holder = [&] { return must(log->holder("app")).value_or("nobody"); };
  BOOST_TEST(holder() == fmt::format("helper (pid {})", owner.pid()));
  owner.kill(SIGKILL);
  BOOST_TEST(owner.wait() == -SIGKILL);
  BOOST_TEST(holder() == "nobody");
  const auto writer = must(log->open_writer({"app", {}}));
  BOOST_TEST((writer->term() == writer_term{2}));
  BOOST_TEST((values_of(*log, tp("out")) == std::vector<std::string>{"first"}));
}

BOOST_FIXTURE_TEST_CASE(a_kill_at_any_step_of_a_commit_leaves_all_of_it_or_nothing,
                        folder_with_log) {
  const auto log = open();
  create(*log, "out", 1, "app");
  const auto key = key_of("app", "stage", "in");
  std::int64_t committed = 0;
  for (const std::string point : {"log.begin", "log.after_frames", "log.after_positions",
                                  "log.before_commit", "log.after_commit", "log.after_wake"}) {
    auto owner = helper({"own", text(), "app", "out"}, {"KAPPA_FAILPOINT=" + point});
    BOOST_REQUIRE(owner.line()->starts_with("owned"));
    owner.say(point);
    BOOST_TEST(!owner.line());
    BOOST_TEST(owner.wait() == -SIGKILL, point);
    const bool done = point == "log.after_commit" || point == "log.after_wake";
    if (done) ++committed;
    BOOST_TEST(must(log->bounds(tp("out"))).latest == offset{committed}, point);
    const auto position = must(log->position(key));
    BOOST_TEST((position.has_value() == (committed > 0)), point);
    if (done) BOOST_TEST(position->metadata == point);
  }
}

BOOST_FIXTURE_TEST_CASE(a_reader_wakes_although_the_writer_was_killed_before_it_could_say,
                        folder_with_log) {
  const auto log = open();
  create(*log, "orders");
  event_count calls;
  const auto reader = must(log->open_reader(tp("orders")));
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  BOOST_TEST(calls.wait_for_more_than(0));
  auto killed =
      helper({"append", text(), "orders", "0", "1", "x"}, {"KAPPA_FAILPOINT=log.after_commit"});
  for (;;) {
    const int before = calls.count();
    if (!must(reader->read(offset{0}, 100)).empty()) break;
    BOOST_REQUIRE(calls.wait_for_more_than(before));
  }
  BOOST_TEST(killed.wait() == -SIGKILL);
}

BOOST_FIXTURE_TEST_CASE(a_process_follows_the_map_that_another_grew, folder_with_log) {
  options.map_bytes = 1 << 20;
  const auto log = open();
  create(*log, "orders");
  auto other = helper({"ask", text(), "orders", "0"}, {"KAPPA_TEST_MAP_BYTES=1048576"});
  other.say("early");
  BOOST_REQUIRE((other.line() == "appended 0"));
  for (int i = 0; i < 30; ++i)
    must(log->append(tp("orders"), *batch_of({std::string(300'000, 'x')})));
  other.say("late");
  BOOST_REQUIRE((other.line() == "appended 31"));
  auto big = std::string(60'000, 'y');
  for (int i = 0; i < 300; ++i) {
    other.say(big);
    BOOST_REQUIRE(other.line());
  }
  BOOST_TEST(values_of(*log, tp("orders")).size() == 332U);
  must(log->append(tp("orders"), *batch_of({"last"})));
}

BOOST_FIXTURE_TEST_CASE(a_read_only_process_reads_and_cannot_write, folder_with_log) {
  auto log = open();
  create(*log, "orders");
  must(log->append(tp("orders"), *batch_of({"a", "b"})));
  auto reading = helper({"read", text(), "orders", "0"});
  for (const auto* value : {"a", "b", "end"}) BOOST_TEST((reading.line() == value));
  BOOST_TEST(reading.wait() == 0);

  log.reset();
  options.read_only = true;
  log = open();
  BOOST_TEST(values_of(*log, tp("orders")).size() == 2U);
  must_fail(log->append(tp("orders"), *batch_of({"c"})), errc::invalid_argument, "read-only");
  must_fail(log->open_writer({"app", {}}), errc::invalid_argument, "read-only");
  must_fail(log->apply_retention(at(0)), errc::invalid_argument, "read-only");
  topic_config c;
  c.name = "more";
  must_fail(log->create_topic(c), errc::invalid_argument, "read-only");
  // It waits too, and closes although it cannot move the counter.
  event_count calls;
  const auto reader = must(log->open_reader(tp("orders")));
  const auto waiting = must(reader->subscribe([&] { calls.happened(); }));
  BOOST_TEST(calls.wait_for_more_than(0));
  const int before = calls.count();
  auto writing = helper({"append", text(), "orders", "0", "1", "x"});
  BOOST_TEST(calls.wait_for_more_than(before));
  BOOST_TEST(writing.wait() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_read_only_open_of_nothing_is_refused_and_makes_nothing, folder_with_log) {
  options.read_only = true;
  must_fail(open_embedded_log(options), errc::not_found, text());
  BOOST_TEST(!std::filesystem::exists(options.folder));
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_refuses_an_append_and_nothing_else, folder_with_log) {
  const auto log = open();
  create(*log, "orders");
  auto other = helper({"limited", text(), "orders", "4000000"});
  const auto full = other.line();
  BOOST_REQUIRE(full);
  BOOST_TEST(full->ends_with(name_of(errc::no_space)), *full);
  const auto n = std::stoll(full->substr(5));
  BOOST_TEST(n > 10);
  BOOST_TEST(must(log->bounds(tp("orders"))).latest == offset{n});
  BOOST_TEST(values_of(*log, tp("orders")).size() == std::size_t(n));
  other.say("go on");
  BOOST_TEST((other.line() == fmt::format("appended {}", n)));
  BOOST_TEST(other.wait() == 0);
  BOOST_TEST(values_of(*log, tp("orders")).back() == "after");
}

BOOST_FIXTURE_TEST_CASE(a_file_system_without_room_refuses_an_append_and_nothing_else,
                        folder_with_log) {
  std::filesystem::create_directories(options.folder);
  auto other = helper({"tiny", text()});
  const auto full = other.line();
  BOOST_REQUIRE(full);
  if (full->starts_with("cannot")) {
    BOOST_TEST_MESSAGE("skipped: " << *full);
    return;
  }
  BOOST_TEST(full->ends_with(name_of(errc::no_space)), *full);
  BOOST_TEST((other.line() == "kept " + full->substr(5, full->find(' ', 5) - 5)));
  BOOST_TEST((other.line() == "appended " + full->substr(5, full->find(' ', 5) - 5)));
  BOOST_TEST(other.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
