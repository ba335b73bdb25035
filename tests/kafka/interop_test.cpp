// Records of other clients, and ours as they see them.
#include <map>

#include "kafka/other_clients_support.hpp"
#include "kafka/transactional_producer.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/kappa.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/kafka_log.hpp"
#include "log/log_fixtures.hpp"
#include "support/kafka_broker.hpp"

namespace {

using namespace log_contract;
using kappa::test::client_kind;
using kappa::test::make_client;
using kappa::test::plain_record;
using kappa::testing::the_broker;

constexpr auto all_clients = {client_kind::java, client_kind::python, client_kind::kcat};
constexpr const char* compressions[] = {"none", "gzip", "snappy", "lz4", "zstd"};
const std::string all_bytes = [] {
  std::string s;
  for (int i = 0; i < 256; ++i) s += static_cast<char>(i);
  return s;
}();

struct clients_world {
  clients_world() {
    options.brokers = brokers;
    log = must(open_kafka_log(options));
  }
  std::string topic(const std::string& name, std::int32_t partitions = 1, std::string owner = {}) {
    topic_config c;
    c.name = name;
    c.partitions = partitions;
    c.owner = std::move(owner);
    must(log->create_topic(c));
    return name;
  }
  // What our log reads, in the other clients' words.
  std::vector<plain_record> read(const std::string& name, std::int32_t partitions = 1) {
    std::vector<plain_record> all;
    for (std::int32_t n = 0; n < partitions; ++n) {
      const auto end =
          must(for_each_record(*log, tp(name, n), offset{0}, [&](const record_view& r) {
            plain_record p{n, r.offset.value, r.time.time_since_epoch().count(), {}, {}, {}};
            if (r.key) p.key = std::string{*r.key};
            if (r.value) p.value = std::string{*r.value};
            for (const auto& h : r.headers)
              p.headers.emplace_back(std::string{h.name}, std::string{h.value});
            all.push_back(std::move(p));
            return result<bool>{true};
          }));
      BOOST_TEST(end == must(log->bounds(tp(name, n))).latest);
    }
    return all;
  }

  std::string brokers = the_broker().bootstrap();
  kafka_log_options options;
  std::shared_ptr<event_log> log;
};

void check_same(const plain_record& got, const plain_record& wanted) {
  BOOST_TEST((got.key == wanted.key), got.key.value_or("null") << " is not the key");
  BOOST_TEST((got.value == wanted.value), got.value.value_or("null") << " is not the value");
  BOOST_REQUIRE_EQUAL(got.headers.size(), wanted.headers.size());
  for (std::size_t i = 0; i < got.headers.size(); ++i) {
    BOOST_TEST(got.headers[i].first == wanted.headers[i].first);
    BOOST_TEST((got.headers[i].second == wanted.headers[i].second), got.headers[i].first);
  }
}

// Of every shape that a record may have; `text`: of what kcat can write, and read back.
std::vector<plain_record> shapes(bool text) {
  std::vector<plain_record> all{
      {.time_ms = 1, .key = "key", .value = "value"},
      {.time_ms = 1'700'000'000'123, .key = std::nullopt, .value = "no key"},
      {.time_ms = 3, .key = "deleted", .value = std::nullopt},
      {.time_ms = 4, .key = "empty value", .value = ""},
      {.time_ms = 6, .key = "ключ", .value = text ? "значение" : all_bytes},
      {.time_ms = 7, .key = "long", .value = std::string(20'000, 'x')},
      {.time_ms = 8,
       .key = "headers",
       .value = "v",
       .headers = {{"trace", "1"}, {"trace", "again"}, {"empty", ""}, {"nothing", std::nullopt}}},
  };
  if (!text) {
    all.push_back({.time_ms = 9, .key = std::nullopt, .value = std::nullopt});
    all.push_back({.time_ms = 10, .key = "", .value = "empty key"});
    all.push_back({.time_ms = 11, .key = all_bytes, .value = "", .headers = {{"all", all_bytes}}});
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(interop)

BOOST_AUTO_TEST_CASE(records_of_java_python_and_kcat_are_read_as_they_are_in_every_compression) {
  clients_world w;
  for (const auto kind : all_clients) {
    const auto client = make_client(kind);
    for (const auto* compression : compressions) {
      BOOST_TEST_CONTEXT(client->name << ", " << compression) {
        const auto topic = w.topic("from-" + client->name + "-" + compression);
        const auto written = shapes(kind == client_kind::kcat);
        client->write(w.brokers, topic, compression, written);
        const auto read = w.read(topic);
        BOOST_REQUIRE_EQUAL(read.size(), written.size());
        for (std::size_t i = 0; i < read.size(); ++i) {
          BOOST_TEST_CONTEXT("record " << i) {
            auto wanted = written[i];
            for (auto& h : wanted.headers) {
              if (!h.second) h.second = "";  // a header has no null here
            }
            check_same(read[i], wanted);
            BOOST_TEST(read[i].offset == static_cast<std::int64_t>(i));
            if (kind != client_kind::kcat) BOOST_TEST(read[i].time_ms == wanted.time_ms);
            BOOST_TEST(read[i].time_ms > 0);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(our_appends_and_commits_are_read_by_java_python_and_kcat) {
  clients_world w;
  const auto plain = w.topic("ours-plain");
  const auto committed = w.topic("ours-committed", 1, "shop");
  auto wanted = shapes(true);
  for (auto& r : wanted) {
    for (auto& h : r.headers) h.second = h.second.value_or("");
  }
  const auto batch = std::make_shared<record_batch>();
  for (const auto& r : wanted) {
    std::vector<header_view> headers;
    for (const auto& [name, value] : r.headers) headers.push_back({name, *value});
    bytes wire;
    encode_headers(wire, headers);
    batch->add(at(r.time_ms), r.key ? std::optional<bytes_view>{*r.key} : std::nullopt,
               r.value ? std::optional<bytes_view>{*r.value} : std::nullopt, wire);
  }
  must(w.log->append(tp(plain), *batch));
  must(w.log->make_room({"shop", "stage", generation{1}, 1}));
  {
    const auto writer = must(w.log->open_writer({"shop", "a test"}));
    const position_key key{"shop", "stage", generation{1}, partition{0}, "in"};
    log_transaction tx;
    tx.appends = {{tp(committed), batch}};
    tx.moves = {{key, {offset{1}, {}}}};
    must(writer->commit(tx));
  }
  // One that reaches the brokers, and is taken back.
  auto aborted = must(kappa::kafka::transactional_producer::open(w.options, "interop-aborted"));
  must(aborted->try_out({{tp(committed), batch_of({"never"})}}, {}));
  const auto records = static_cast<std::int64_t>(wanted.size());
  BOOST_TEST(must(w.log->settled_end(tp(committed))) == offset{records + 1 + 2});  // two markers;
  for (const auto kind : all_clients) {
    const auto client = make_client(kind);
    for (const auto& topic : {plain, committed}) {
      BOOST_TEST_CONTEXT(client->name << ", " << topic) {
        const auto read = client->read(w.brokers, topic);
        BOOST_REQUIRE_EQUAL(read.size(), wanted.size());
        for (std::size_t i = 0; i < read.size(); ++i) {
          BOOST_TEST_CONTEXT("record " << i) {
            check_same(read[i], wanted[i]);
            BOOST_TEST(read[i].time_ms == wanted[i].time_ms);
          }
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_key_belongs_to_the_partition_that_java_chooses) {
  clients_world w;
  constexpr std::int32_t partitions = 7;
  const auto topic = w.topic("keys-of-java", partitions);
  std::vector<plain_record> written;
  for (std::size_t length = 1; length <= 300; ++length) {
    std::string key;
    for (std::size_t i = 0; i < length; ++i) key += all_bytes[(i * 37 + length * 11) % 256];
    written.push_back({.time_ms = 1, .key = std::move(key), .value = "v"});
  }
  const auto places = make_client(client_kind::java)->write(w.brokers, topic, "none", written);
  BOOST_REQUIRE_EQUAL(places.size(), written.size());
  std::map<std::int32_t, int> used;
  for (std::size_t i = 0; i < places.size(); ++i) {
    BOOST_TEST(partition_of(*written[i].key, partitions).value == places[i].first,
               "a key of " << i + 1 << " bytes");
    ++used[places[i].first];
  }
  BOOST_TEST(used.size() == static_cast<std::size_t>(partitions));
  BOOST_TEST(w.read(topic, partitions).size() == written.size());
}

BOOST_AUTO_TEST_CASE(an_app_takes_what_each_of_them_has_written_and_they_read_what_it_writes) {
  clients_world w;
  const auto lines = w.topic("lines", 2);
  for (const auto kind : all_clients) {
    const auto client = make_client(kind);
    client->write(
        w.brokers, lines, "zstd",
        {{.partition = 0, .time_ms = 1, .key = "k", .value = "a " + client->name},
         {.partition = 1, .time_ms = 2, .key = std::nullopt, .value = "b " + client->name}});
  }
  app letters{"letters"};
  letters.stream<std::string>(lines)
      .key_by("letter", [](const std::string& line) { return line.substr(0, 1); })
      .fold<std::string>("joined",
                         [](std::string& all, const std::string& line) {
                           all += (all.empty() ? "" : ",") + line.substr(2);
                         })
      .to("joined");
  temporary_folder folder;
  host_options options;
  options.log = "kafka://" + w.brokers;
  options.state = folder.path();
  options.partitions = 2;
  options.until_end = true;
  host h{letters, options};
  must(h.start());
  bool finished = false;
  for (int i = 0; i < 120 && !finished; ++i)
    finished = must(h.wait_finished(std::chrono::seconds{1}));
  BOOST_TEST(finished);
  must(h.stop());

  const std::map<std::string, std::vector<std::string>> wanted{
      {"a", {"java", "java,python", "java,python,kcat"}},
      {"b", {"java", "java,python", "java,python,kcat"}}};
  for (const auto kind : all_clients) {
    const auto client = make_client(kind);
    BOOST_TEST_CONTEXT(client->name) {
      std::map<std::string, std::vector<std::string>> read;
      for (const auto& r : client->read(w.brokers, "joined")) {
        read[r.key.value_or("null")].push_back(r.value.value_or("null"));
        BOOST_TEST(partition_of(r.key.value_or(""), 2).value == *r.partition);
      }
      BOOST_TEST((read == wanted));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
