// What versions of the bank wrote, byte for byte, in corpus/: whatever becomes of the schemas, it
// can be replayed. A file is never written anew; a version that writes new events adds one:
//
//   KAPPA_WRITE_CORPUS=tests/evolution/corpus/bank_3.events test_evolution --run_test=corpus
//
// A line for each event: topic, partition, milliseconds, key, headers and value; the last two in
// hexadecimal.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "kappa/task/commit_lane.hpp"
#include "kappa_paths.hpp"
#include "saga/running_app.hpp"
#include "versions.hpp"

namespace corpus_tests {

namespace {

using namespace kappa;
using namespace evolution_tests;
using kappa::test::must;

std::string hex(bytes_view v) {
  std::string out;
  for (const char c : v) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out.empty() ? "-" : out;
}
bytes from_hex(const std::string& text) {
  bytes out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return out;
}

/// Two accounts; a transfer that is completed, one that fails, one that is given back.
template <class Version>
void happen(saga_tests::running_app& b) {
  b.ask("accounts", "ann", 0, typename Version::open{100});
  b.ask("accounts", "bob", 0, typename Version::open{0});
  b.ask("transfers", "good", 0, bank::start_transfer{"ann", "bob", 60});
  b.quiet();
  b.ask("transfers", "too-much", 0, bank::start_transfer{"bob", "ann", 1000});
  b.quiet();
  b.ask("transfers", "to-nobody", 0, bank::start_transfer{"ann", "nobody", 10});
  b.quiet();
}

std::string written(event_log& log) {
  std::string out;
  for (const std::string topic : {"accounts", "transfers"}) {
    for (std::int32_t p = 0; p < saga_tests::running_app::partitions; ++p) {
      must(for_each_record(
          log, {topic, partition{p}}, offset{0}, [&](const record_view& r) -> result<bool> {
            bytes headers;
            for (const auto& h : r.headers) encode_headers(headers, {&h, 1});
            out += fmt::format("{} {} {} {} {} {}\n", topic, p, r.time.time_since_epoch().count(),
                               *r.key, hex(headers), hex(*r.value));
            return true;
          }));
    }
  }
  return out;
}

template <class Version>
std::string written_by() {
  saga_tests::running_app b{bank_with<typename Version::account>()};
  happen<Version>(b);
  return written(*b.log);
}

std::string path_of(const std::string& name) {
  return std::string{kappa::test_paths::source_dir} + "/tests/evolution/corpus/" + name;
}

std::string file(const std::string& name) {
  const auto path = path_of(name);
  std::ifstream in{path};
  std::stringstream all;
  all << in.rdbuf();
  BOOST_REQUIRE_MESSAGE(in && !all.str().empty(), "cannot read " << path);
  return all.str();
}

template <class Version>
void check_written(const std::string& name) {
  const auto now = written_by<Version>();
  if (std::getenv("KAPPA_WRITE_CORPUS") != nullptr && !std::filesystem::exists(path_of(name)))
    std::ofstream{path_of(name)} << now;
  BOOST_TEST(now == file(name));
}

/// The app over a log that has these events and nothing else.
template <class Version>
void replay(const std::string& corpus) {
  saga_tests::running_app b{bank_with<typename Version::account>()};
  b.crash();
  {
    commit_lane lane{b.log, writer_options{"bank", "corpus"}};
    must(lane.open());
    std::istringstream lines{corpus};
    std::string topic, key, headers, value;
    std::int32_t p = 0;
    std::int64_t time = 0;
    while (lines >> topic >> p >> time >> key >> headers >> value) {
      record_batch batch;
      batch.add(timestamp{milliseconds{time}}, bytes_view{key},
                bytes_view{value == "-" ? bytes{} : from_hex(value)}, from_hex(headers));
      must(lane.append({topic, partition{p}}, std::move(batch)));
    }
  }
  b.start();
  b.quiet();
  using account = typename Version::account;
  BOOST_TEST(b.at<account>("accounts", "ann").state.balance_cents == 40);
  BOOST_TEST(b.at<account>("accounts", "bob").state.balance_cents == 60);
  const auto stage = [&](const char* name) {
    return b.at<bank::transfer>("transfers", name).state.stage;
  };
  BOOST_TEST((stage("good") == bank::stage::completed));
  BOOST_TEST((stage("too-much") == bank::stage::failed));
  BOOST_TEST((stage("to-nobody") == bank::stage::failed));
  // And it goes on from there.
  const auto version = b.at<account>("accounts", "ann").version;
  b.ask("transfers", "next", 0, bank::start_transfer{"ann", "bob", 1});
  b.quiet();
  BOOST_TEST(b.at<account>("accounts", "ann").version == version + 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(corpus)

BOOST_AUTO_TEST_CASE(the_corpus_is_what_the_versions_write) {
  // When the example's bank changes on purpose, its line goes; its file stays.
  check_written<first>("bank_1.events");
  check_written<appended>("bank_1_1.events");
  check_written<second>("bank_2.events");
}

BOOST_AUTO_TEST_CASE(every_version_replays_what_the_versions_before_it_wrote) {
  replay<first>(file("bank_1.events"));
  replay<appended>(file("bank_1.events"));
  replay<second>(file("bank_1.events"));
  replay<first>(file("bank_1_1.events"));  // appended fields only
  replay<appended>(file("bank_1_1.events"));
  replay<second>(file("bank_1_1.events"));
  replay<second>(file("bank_2.events"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corpus_tests
