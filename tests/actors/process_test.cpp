// What only a process of its own can show: deaths by user code, signals, exit codes.
#include <csignal>
#include <fstream>

#include "actors/actors_support.hpp"
#include "kappa_paths.hpp"
#include "support/child_process.hpp"

namespace actors_test {
using kappa::testing::child_process;

BOOST_AUTO_TEST_SUITE(processes)

namespace {

const auto program = std::filesystem::path{test_paths::binary_dir} / "tests/actors/actors_helper";

struct ended {
  int code = 0;
  std::string out;
  std::string err;
  [[nodiscard]] bool says(std::string_view what) const {
    return out.find(what) != std::string::npos || err.find(what) != std::string::npos;
  }
  [[nodiscard]] int count(std::string_view line_start) const {
    int n = 0;
    for (std::size_t at = 0; at < out.size(); at = out.find('\n', at) + 1) {
      if (std::string_view{out}.substr(at).starts_with(line_start)) ++n;
    }
    return n;
  }
};

struct helper_world {
  helper_world() {
    child_process feeder{program, {"feed", log(), "10"}};
    BOOST_REQUIRE_EQUAL(feeder.wait(), 0);
  }
  [[nodiscard]] std::string log() const { return "lmdb:" + (folder.path() / "log").string(); }
  [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> more) const {
    std::vector<std::string> all{"--log", log(), "--state", (folder.path() / "state").string(),
                                 "--quiet"};
    for (const auto& [option, value] :
         {std::pair{"--commit-interval", "1ms"}, std::pair{"--snapshot-interval", "5ms"}}) {
      if (std::find(more.begin(), more.end(), option) == more.end()) {
        all.insert(all.end(), {option, value});
      }
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // Standard error goes to a file: the child_process speaks by standard output alone.
  ended run(std::vector<std::string> more) const {
    const auto err = folder.path() / "err";
    std::vector<std::string> shell{"-c", R"(err=$1; shift; exec "$@" 2>"$err")", "sh", err.string(),
                                   program.string()};
    const auto own = arguments(std::move(more));
    shell.insert(shell.end(), own.begin(), own.end());
    child_process child{"/bin/sh", shell};
    ended e;
    while (auto line = child.line()) e.out += *line + "\n";
    e.code = child.wait();
    std::ifstream in{err};
    e.err.assign(std::istreambuf_iterator<char>{in}, {});
    return e;
  }

  temporary_folder folder;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_record_that_kills_the_process_goes_to_dead_letters_after_the_third_death) {
  const std::vector<std::pair<std::string, int>> ways{{"segv", SIGSEGV},      {"bus", SIGBUS},
                                                      {"ill", SIGILL},        {"abort", SIGABRT},
                                                      {"terminate", SIGABRT}, {"fpe", SIGFPE}};
  for (const auto& [how, signal] : ways) {
    BOOST_TEST_CONTEXT(how) {
      const helper_world w;
      const std::vector<std::string> arguments{"--until-end", "--misbehave", how, "--at", "6"};
      for (int death = 1; death <= deaths_until_dead_letter; ++death) {
        const auto e = w.run(arguments);
        BOOST_TEST(e.code == -signal, "death " << death << ": " << e.code << e.err);
        BOOST_TEST(e.says("deaths=\"" + std::to_string(death - 1) + "\"") == (death > 1));
      }
      const auto e = w.run(arguments);
      BOOST_TEST(e.code == 0, e.err);
      BOOST_TEST(e.count("sum ") == 9);
      BOOST_TEST(e.count("dead readings[0]@6 ") == 1, e.out);
      BOOST_TEST(e.says("the process died at this record"), e.out);
      BOOST_TEST(e.says("sum 9 39"));
      BOOST_TEST(w.run(arguments).says("done before"));
    }
  }
}

BOOST_AUTO_TEST_CASE(
    after_the_first_death_what_precedes_the_suspect_is_committed_record_by_record) {
  const helper_world w;
  auto slow = std::vector<std::string>{
      "--until-end", "--misbehave",         "abort", "--at", "6", "--commit-interval",
      "10s",         "--snapshot-interval", "10s"};
  const auto committed = [&] {
    const auto log = must(open_log({w.log()}));
    const auto at = must(log->position({"helper", "sum", generation{1}, partition{0}, "readings"}));
    return at ? at->next.value : -1;
  };
  BOOST_TEST(w.run(slow).code == -SIGABRT);
  BOOST_TEST(committed() == -1);  // it was one epoch
  BOOST_TEST(w.run(slow).code == -SIGABRT);
  BOOST_TEST(committed() >= 2);  // at most four of the six were still under way
  BOOST_TEST(committed() <= 6);
  // With code that survives it: one death or two leave no mark on the results.
  const auto e = w.run({"--until-end", "--misbehave", "none"});
  BOOST_TEST(e.code == 0, e.err);
  BOOST_TEST(e.count("sum ") == 10);
  BOOST_TEST(e.count("dead ") == 0);
}

BOOST_AUTO_TEST_CASE(records_behind_a_declared_end_are_refused_once_all_is_done) {
  const helper_world w;
  BOOST_TEST(w.run({"--until-end"}).code == 0);
  child_process feeder{program, {"feed", w.log(), "3"}};
  BOOST_REQUIRE_EQUAL(feeder.wait(), 0);
  const auto e = w.run({"--until-end"});
  BOOST_TEST(e.code == 3, e.err);
  BOOST_TEST(e.says("helper/sum.g1[0]"), e.err);
  BOOST_TEST(e.says("3 records came after"), e.err);
  BOOST_TEST(e.says("--fresh"), e.err);
  // A run that lost its state has something to do; the end stands where it was.
  std::filesystem::remove_all(w.folder.path() / "state");
  BOOST_TEST(w.run({"--until-end"}).code == 3);
}

BOOST_AUTO_TEST_CASE(a_timer_that_kills_the_process_goes_to_dead_letters_and_no_record_is_blamed) {
  const helper_world w;
  const std::vector<std::string> arguments{"--until-end", "--windowed", "--misbehave",
                                           "segv",        "--at",       "6"};
  for (int death = 1; death <= deaths_until_dead_letter; ++death) {
    BOOST_TEST(w.run(arguments).code == -SIGSEGV);
  }
  const auto e = w.run(arguments);
  BOOST_TEST(e.code == 0, e.err);
  BOOST_TEST(e.count("sum ") == 9);
  BOOST_TEST(e.count("dead ") == 1, e.out);
  BOOST_TEST(e.says("the process died at this timer"), e.out);
}

BOOST_AUTO_TEST_CASE(a_stack_overflow_is_blamed_on_its_record) {
  const helper_world w;
  const std::vector<std::string> arguments{"--until-end", "--misbehave", "stack", "--at", "3"};
  for (int death = 1; death <= deaths_until_dead_letter; ++death) {
    BOOST_TEST(w.run(arguments).code != 0);
  }
  const auto e = w.run(arguments);
  BOOST_TEST(e.code == 0, e.err);
  BOOST_TEST(e.count("dead readings[0]@3 ") == 1);
}

BOOST_AUTO_TEST_CASE(a_kill_from_outside_never_counts_against_a_record) {
  const helper_world w;
  for (int death = 0; death < deaths_until_dead_letter + 2; ++death) {
    const auto e = w.run({"--until-end", "--misbehave", "kill", "--at", "6"});
    BOOST_TEST(e.code == -SIGKILL);
    BOOST_TEST(!e.says("died in user code"));
  }
  const auto e = w.run({"--until-end"});
  BOOST_TEST(e.code == 0, e.err);
  BOOST_TEST(e.count("sum ") == 10);
  BOOST_TEST(e.count("dead ") == 0);
}

BOOST_AUTO_TEST_CASE(a_handler_that_hangs_is_reported_by_name_and_ends_the_process_with_1) {
  const helper_world w;
  const auto e =
      w.run({"--until-end", "--misbehave", "hang", "--at", "6", "--handler-limit", "200ms"});
  BOOST_TEST(e.code == 1);
  BOOST_TEST(e.says("helper/sum.g1[0]"), e.err);
  BOOST_TEST(e.says("a handler has been running for more than 200 ms"), e.err);
  BOOST_TEST(w.run({"--until-end"}).count("sum ") == 10);
}

// A command of the process is not in the log: the next one does not meet it again.
BOOST_AUTO_TEST_CASE(a_decision_that_hangs_is_reported_by_name_and_whoever_asked_is_told) {
  const helper_world w;
  const auto hung = w.run({"--until-end", "--keep-running", "--misbehave", "hang", "--ask", "13",
                           "--handler-limit", "200ms"});
  BOOST_TEST(hung.code == 1);
  BOOST_TEST(hung.says("helper/accounts.g1[0]"), hung.err);
  BOOST_TEST(hung.says("a handler has been running for more than 200 ms"), hung.err);
  BOOST_TEST(hung.says("opened: version 1"), hung.out);
  BOOST_TEST(hung.says("deposited: timed out, "), hung.out);
  const auto next = w.run({"--until-end", "--misbehave", "hang", "--ask", "12"});
  BOOST_TEST(next.code == 0, next.err);
  BOOST_TEST(next.says("opened: version 1"), next.out);
  BOOST_TEST(next.says("deposited: version 2"), next.out);
}

BOOST_AUTO_TEST_CASE(a_source_that_hangs_is_reported_by_name_and_ends_the_process_with_1) {
  const helper_world w;
  const std::vector<std::string> arguments{"--until-end", "--from-source", "--handler-limit",
                                           "200ms"};
  auto hanging = arguments;
  hanging.insert(hanging.end(), {"--misbehave", "hang", "--at", "6"});
  const auto e = w.run(hanging);
  BOOST_TEST(e.code == 1);
  BOOST_TEST(e.says("helper/ingest.g1[0]"), e.err);
  BOOST_TEST(e.says("has been running for more than 200 ms"), e.err);
  BOOST_TEST(w.run(arguments).count("sum ") == 10);
}

BOOST_AUTO_TEST_CASE(sigterm_and_sigint_end_in_order_with_0_and_the_next_run_replays_nothing) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const helper_world w;
    child_process child{program, w.arguments({"--http", "127.0.0.1:0", "--commit-interval", "5s",
                                              "--snapshot-interval", "10s"})};
    // Nothing is printed before the end, so the first commit tells that it runs.
    auto log = must(open_log({w.log()}));
    BOOST_REQUIRE(eventually([&] {
      const auto at = log->position({"helper", "sum", generation{1}, partition{0}, "readings"});
      return at && *at;
    }));
    child.kill(signal);
    BOOST_TEST(child.wait() == 0);
    const auto at = must(log->position({"helper", "sum", generation{1}, partition{0}, "readings"}));
    BOOST_REQUIRE(at.has_value());
    BOOST_TEST(at->next.value == 10);
    log.reset();
    const auto again = w.run({"--until-end", "--log-level", "info"});
    BOOST_TEST(again.code == 0, again.err);
    BOOST_TEST(again.count("sum ") == 10);
  }
}

BOOST_AUTO_TEST_CASE(a_second_process_of_the_app_is_refused_with_3_and_told_the_holder) {
  const helper_world w;
  child_process first{program, w.arguments({"--keep-running", "--until-end"})};
  while (auto line = first.line()) {
    if (line->starts_with("done")) break;
  }
  const auto second = w.run({"--until-end"});
  BOOST_TEST(second.code == 3);
  BOOST_TEST(second.says("pid " + std::to_string(first.pid())), second.err);
  const auto fresh = w.run({"--fresh"});
  BOOST_TEST(fresh.code == 3);
  first.kill(SIGTERM);
  BOOST_TEST(first.wait() == 0);
}

BOOST_AUTO_TEST_CASE(wrong_flags_and_keys_end_with_2_and_name_the_nearest_right_one) {
  const helper_world w;
  const auto refused_with = [&](std::vector<std::string> arguments, std::string_view words) {
    const auto e = w.run(std::move(arguments));
    BOOST_TEST(e.code == 2);
    BOOST_TEST(e.says(words), e.err);
  };
  refused_with({"--comit-interval", "1ms"}, "did you mean --commit-interval?");
  refused_with({"--qqqqqqqqqqqq"}, "unknown argument --qqqqqqqqqqqq (see --help)");
  refused_with({"--commit-interval", "soon"}, "expected a duration as 100ms, 5s, 10min");
  refused_with({"--commit-interval", "2h"}, "--commit-interval");
  refused_with({"--commit-interval", "5s"}, "--snapshot-interval");
  refused_with({"--partitions", "many"}, "--partitions");
  refused_with({"--on-failure", "ignore"}, "expected dead-letter or stop");
  refused_with({"--log-level", "loud"}, "--log-level");
  refused_with({"--rate", "-1"}, "--rate");
  refused_with({"--handler-limit", "1ms"}, "--handler-limit");
  refused_with({"--cache-bytes", "10"}, "--cache-bytes");
  refused_with({"--http", "nowhere"}, "ADDRESS:PORT");
  refused_with({"--http", "0.0.0.0:0"}, "KAPPA_HTTP_TOKEN");

  const auto file = w.folder.path() / "config";
  const auto with_config = [&](const std::string& text) {
    std::ofstream{file} << text;
    return std::vector<std::string>{"--config", file.string()};
  };
  refused_with(with_config("max-drifft=1h\n"), "did you mean max-drift?");
  refused_with(with_config("zzzzzzzzzzzzzzzz=1\n"), "unknown key zzzzzzzzzzzzzzzz");
  refused_with({"--config", (w.folder.path() / "absent").string()}, "absent");
  const auto good = w.run([&] {
    auto a = with_config("handler-limit=\"5s\"\n");
    a.push_back("--until-end");
    return a;
  }());
  BOOST_TEST(good.code == 0, good.err);
}

BOOST_AUTO_TEST_CASE(a_wrong_partition_count_is_refused_with_2_and_the_mend) {
  const helper_world w;
  BOOST_TEST(w.run({"--until-end"}).code == 0);
  const auto e = w.run({"--until-end", "--partitions", "3"});
  BOOST_TEST(e.code == 2);
  BOOST_TEST(e.says("--partitions 1"), e.err);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
