// What user code throws where no record is to blame: sources, codecs in snapshots and queries.
#include <atomic>
#include <functional>
#include <mutex>
#include <new>

#include "actors/actors_support.hpp"
#include "engine/list_source.hpp"

namespace actors_test {

/// A state whose codec can be broken, for values of 1000 and more.
struct fragile {
  std::int64_t sum = 0;
  static inline std::atomic<bool> broken{false};
};

}  // namespace actors_test

template <>
struct kappa::codec<actors_test::fragile> {
  static void encode(const actors_test::fragile& v, bytes& out) {
    if (actors_test::fragile::broken && v.sum >= 1000)
      throw std::runtime_error{"the codec is broken"};
    byte_writer{out}.put(v.sum);
  }
  static result<actors_test::fragile> decode(bytes_view in) {
    byte_reader r{in};
    actors_test::fragile v;
    v.sum = r.get<std::int64_t>();
    if (!r.done()) return fail(errc::decode, "fragile", "malformed");
    return v;
  }
  static schema_info schema() { return {"fragile", 0, 21, "fragile", nullptr}; }
};

namespace actors_test {

BOOST_AUTO_TEST_SUITE(boundary)

namespace {

using engine_test::list_reader;
using engine_test::source_rows;

/// Breaks the codec for the time of a scope.
struct broken_codec {
  broken_codec() { fragile::broken = true; }
  ~broken_codec() { fragile::broken = false; }
  broken_codec(const broken_codec&) = delete;
  broken_codec& operator=(const broken_codec&) = delete;
};

app fragile_app() {
  app a{"sums"};
  a.stream<reading>("readings")
      .already_keyed(&reading::place)
      .fold<fragile>("sum", [](fragile& f, const reading& r) { f.sum += r.value; });
  return a;
}

enum class call { make, open, next, progress };

/// Rows of a list; each call is told to `before`, which may throw.
class unruly_reader final : public record_source {
 public:
  using before_fn = std::function<void(call, std::uint64_t row)>;
  unruly_reader(std::shared_ptr<source_rows> rows, before_fn before)
      : list_{std::move(rows)}, before_{std::move(before)} {}

  result<void> open(const std::optional<bytes>& place) override {
    before_(call::open, list_.progress().rows);
    return list_.open(place);
  }
  result<std::optional<source_row>> next() override {
    before_(call::next, list_.progress().rows);
    return list_.next();
  }
  bool at_end() const override { return list_.at_end(); }
  bytes place() const override { return list_.place(); }
  const std::string& name() const override { return list_.name(); }
  source_progress progress() const override {
    before_(call::progress, list_.progress().rows);
    return list_.progress();
  }

 private:
  list_reader list_;
  before_fn before_;
};

app unruly_app(const unruly_reader::before_fn& before) {
  auto rows = std::make_shared<source_rows>();
  for (int i = 0; i < 20; ++i) rows->add({"oslo", ts("2001-01-01T08:00"), i});
  rows->ended = true;
  app a{"sums"};
  a.source<reading>("ingest", {[rows, before]() -> std::unique_ptr<record_source> {
                                 before(call::make, 0);
                                 return std::make_unique<unruly_reader>(rows, before);
                               },
                               [](bytes_view row) { return codec<reading>::decode(row); }})
      .key_by("place", &reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to("sums");
  return a;
}

struct log_lines {
  log_sink sink() {
    return
        [this](log_level, std::string_view what, const std::initializer_list<log_field>& fields) {
          std::string line{what};
          for (const auto& f : fields) line += fmt::format(" {}={}", f.name, f.value);
          const std::lock_guard lock{mutex};
          lines.push_back(std::move(line));
        };
  }
  [[nodiscard]] int count(std::string_view start, std::string_view part) {
    const std::lock_guard lock{mutex};
    int n = 0;
    for (const auto& l : lines) n += l.starts_with(start) && l.find(part) != std::string::npos;
    return n;
  }
  std::mutex mutex;
  std::vector<std::string> lines;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_codec_that_throws_in_a_snapshot_ends_in_quarantine_though_commits_go_on) {
  world w{2};
  auto o = w.options();
  o.failures_until_quarantine = 4;
  o.limits.snapshot_interval = 100ms;
  std::int64_t sent = 1000;
  {
    host h{fragile_app(), o};
    must(h.start());
    const broken_codec broken;
    w.send({"oslo", ts("2001-01-01T08:00"), 1000}, partition{0});
    // Commits between the failures: they are no progress of what fails.
    BOOST_REQUIRE(eventually([&] {
      w.send({"oslo", ts("2001-01-01T08:00"), 1}, partition{0});
      ++sent;
      return status_of(h, "sum", 0).health == task_health::quarantined;
    }));
    BOOST_TEST(
        refused(h.wait_finished(0ms), errc::quarantined, {"sums/sum.g1[0]", "codec is broken"}));
    w.send({"rome", ts("2001-01-01T08:00"), 1}, partition{1});
    BOOST_TEST(eventually([&] { return status_of(h, "sum", 1).progress.snapshots > 0; }));
    must(h.stop());
  }
  host mended{fragile_app(), o};
  must(mended.start());
  BOOST_TEST(eventually([&] {
    const auto all = mended.query_all("sum", 10);
    return all && all->entries.size() == 2 &&
           must(codec<fragile>::decode(all->entries[0].value)).sum == sent;
  }));
}

BOOST_AUTO_TEST_CASE(a_query_whose_codec_throws_is_answered_with_an_error_and_the_task_goes_on) {
  world w{1};
  auto o = w.options();
  o.limits.snapshot_interval = 1h;
  host h{fragile_app(), o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 1000});
  BOOST_REQUIRE(eventually([&] {
    const auto a = must(h.query<fragile>("sum", "oslo"));
    return a.value.has_value();
  }));
  {
    const broken_codec broken;
    BOOST_TEST(refused(h.query<fragile>("sum", "oslo"), errc::user_code,
                       {"sums/sum.g1[0]", "the codec is broken"}));
    BOOST_TEST(refused(h.query_all("sum", 10), errc::user_code, {"the codec is broken"}));
  }
  w.send({"oslo", ts("2001-01-01T08:00"), 1});
  BOOST_TEST(eventually([&] {
    const auto a = must(h.query<fragile>("sum", "oslo"));
    return a.value && a.value->sum == 1001;
  }));
  BOOST_TEST(status_of(h, "sum").failures == 0);
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(a_source_that_throws_is_opened_anew_where_it_had_committed) {
  for (const auto where : {call::make, call::open, call::next, call::progress}) {
    BOOST_TEST_CONTEXT("call " << static_cast<int>(where)) {
      world w{1};
      log_lines log;
      auto o = w.options();
      o.log_to = log.sink();
      std::atomic<int> opened{0};
      std::atomic<int> thrown{0};
      host h{unruly_app([&](call c, std::uint64_t row) {
               if (c == call::make) ++opened;
               // The first fault lets it be opened anew; the second one is in that.
               if (thrown == 0 && row >= 10 && (c == call::next || c == call::progress)) {
                 ++thrown;
                 throw std::runtime_error{"first fault"};
               }
               if (thrown == 1 && opened >= 2 && c == where) {
                 ++thrown;
                 throw std::runtime_error{"second fault"};
               }
             }),
             o};
      must(h.start());
      BOOST_TEST(must(h.wait_finished(10s)));
      BOOST_TEST(thrown == 2);
      BOOST_TEST(log.count("a task failed", "first fault") == 1);
      BOOST_TEST(log.count("a task failed", "second fault") == 1);
      const auto sums = w.read<totals>("sums");
      BOOST_REQUIRE_EQUAL(sums.size(), 20u);
      BOOST_TEST((sums.back() == totals{20, 190}));
      BOOST_TEST(w.dead_letters("sums", "kappa.position").empty());
      must(h.stop());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_source_that_throws_at_the_start_is_refused) {
  for (const auto where : {call::make, call::open}) {
    world w{1};
    host h{unruly_app([where](call c, std::uint64_t) {
             if (c == where) throw std::runtime_error{"no such broker"};
           }),
           w.options()};
    BOOST_TEST(refused(h.start(), errc::user_code, {"sums/ingest.g1[0]", "no such broker"}));
    must(h.stop());
  }
}

BOOST_AUTO_TEST_CASE(lack_of_memory_is_tried_again_and_no_records_fault) {
  world w{1};
  log_lines log;
  auto o = w.options();
  o.log_to = log.sink();
  std::atomic<int> thrown{0};
  host h{unruly_app([&](call c, std::uint64_t row) {
           if (c == call::next && row == 10 && thrown.exchange(1) == 0) throw std::bad_alloc{};
         }),
         o};
  must(h.start());
  BOOST_TEST(must(h.wait_finished(10s)));
  BOOST_TEST(log.count("a task failed", "out of memory") == 1);
  BOOST_TEST(w.read<totals>("sums").size() == 20u);
  BOOST_TEST(w.dead_letters("sums", "kappa.position").empty());
  must(h.stop());
}

// The last net: what no boundary catches ends the actor, and must not do so silently.
BOOST_AUTO_TEST_CASE(an_actor_that_dies_fails_the_host_and_a_stop_tells_so) {
  world w{1};
  auto o = w.options();
  o.on_failure = failure_policy::stop;
  o.log_to = [](log_level, std::string_view what, const std::initializer_list<log_field>&) {
    if (what == "a task failed") throw std::runtime_error{"the log sink is broken"};
  };
  host h{sums_app([](const reading& r) {
           if (r.value == 3) throw std::runtime_error{"three is too much"};
         }),
         o};
  must(h.start());
  w.send({"oslo", ts("2001-01-01T08:00"), 3});
  BOOST_TEST(
      refused(h.wait_finished(10s), errc::user_code, {"sums/sum.g1[0]", "the log sink is broken"}));
  BOOST_TEST(refused(h.stop(), errc::user_code, {"the log sink is broken"}));
}

BOOST_AUTO_TEST_CASE(a_commit_that_throws_fails_the_host) {
  world w{1};
  host h{sums_app(), w.options()};
  must(h.start());  // which commits, too
  w.log->set_commit_fault([](const log_transaction&) -> commit_fault {
    throw std::runtime_error{"the log is broken"};
  });
  w.send({"oslo", ts("2001-01-01T08:00"), 3});
  BOOST_TEST(refused(h.wait_finished(10s), errc::user_code, {"sums", "the log is broken"}));
  BOOST_TEST(refused(h.stop(), errc::user_code, {"the log is broken"}));
  BOOST_TEST(w.read<totals>("sums").empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
