// What becomes of topics whose settings, names or all are lost.
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "kappa/log/check.hpp"
#include "kappa/log/salvage.hpp"
#include "lmdb/file_snapshot.hpp"
#include "lmdb/lmdb.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_tables.hpp"
#include "log/salvage_support.hpp"

namespace {

using namespace log_contract;

BOOST_AUTO_TEST_SUITE(salvaging_a_log)

bool check_tells_of(const std::filesystem::path& folder, const std::string& subject) {
  log_check_options options;
  options.folder = folder;
  const auto told = must(check_log(options)).damages;
  return std::count_if(told.begin(), told.end(),
                       [&](const damage& d) { return d.subject == subject; }) == 1;
}

detail::stored_topic stored(const std::filesystem::path& folder, const std::string& name) {
  const auto snapshot = must(lmdb::file_snapshot::open({folder, false, false}));
  std::vector<damage> none;
  return detail::read_tables(*snapshot, none).topics.at(name);
}

void erase(const std::filesystem::path& folder, const char* table, const bytes& key) {
  tamper(folder, table, [&](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    BOOST_REQUIRE(must(txn.erase(db, key)));
    return {};
  });
}

/// Bounds and database of a topic with one partition, as if their pages were lost.
void forget_partition(const std::filesystem::path& folder, std::uint32_t number) {
  erase(folder, detail::table::partitions,
        detail::partition_key(detail::make_partition_id(number, partition{0})));
  tamper(folder, detail::frames_name(number, partition{0}),
         [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
           BOOST_REQUIRE(mdb_drop(txn.raw(), db.value, 1) == 0);
           return {};
         });
}

BOOST_FIXTURE_TEST_CASE(settings_and_names_of_topics_are_rebuilt_from_what_is_sound, salvage_case) {
  tamper(from, detail::table::topics, [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    bytes wide{must(txn.get(db, "wide")).value()};
    wide[wide.size() / 2] ^= 0x10;
    if (auto r = txn.put(db, "wide", wide); !r) return r;
    const bytes orders{must(txn.get(db, "orders")).value()};
    must(txn.erase(db, "orders"));
    return txn.put(db, "orderz", orders);
  });
  const auto report = must(salvage());
  BOOST_TEST(report.missing.empty());
  BOOST_TEST(loss_names(report, "wide"));
  BOOST_TEST(loss_names(report, "orders"));
  const auto copy = read_content(to);
  BOOST_TEST((copy.topics == content.topics));
  BOOST_TEST((copy.records == content.records));
}

BOOST_FIXTURE_TEST_CASE(a_topic_of_which_nothing_is_left_is_listed_and_its_number_harms_no_other,
                        salvage_case) {
  const auto number = stored(from, "empty").number;
  erase(from, detail::table::topics, "empty");
  forget_partition(from, number);
  const auto what = fmt::format("(topic number {})", number);
  BOOST_TEST(check_tells_of(from, what));
  const auto report = must(salvage());
  BOOST_TEST(loss_names(report, what));
  content.topics.erase("empty");
  content.records.erase(tp("empty"));
  content.bounds.erase(tp("empty"));
  verify(report, "a lost topic", [](const auto&, std::int64_t) { return false; });
  // A topic that is made in the copy is not laid over another one.
  embedded_log_options options;
  options.folder = to;
  {
    const auto log = must(open_embedded_log(options));
    topic_config c;
    c.name = "new";
    must(log->create_topic(c));
    must(log->append(tp("new"), *batch_of({"one", "two", "three"})));
  }
  auto copy = read_content(to);
  BOOST_TEST(copy.records.at(tp("new")).size() == 3U);
  copy.topics.erase("new");
  BOOST_TEST((copy.records.at(tp("short-lived")) == content.records.at(tp("short-lived"))));
  BOOST_TEST(
      (copy.bounds.at(tp("short-lived")).latest == content.bounds.at(tp("short-lived")).latest));
  BOOST_TEST((copy.topics == content.topics));
  log_check_options how;
  how.folder = to;
  BOOST_TEST(must(check_log(how)).healthy());
}

BOOST_FIXTURE_TEST_CASE(topics_of_which_not_even_the_number_is_left_are_counted, salvage_case) {
  embedded_log_options options;
  options.folder = from;
  topic_config last;
  last.name = "last";
  must(must(open_embedded_log(options))->create_topic(last));
  BOOST_TEST(!check_tells_of(from, detail::table::topics));
  BOOST_TEST(must(salvage()).complete());
  forget_partition(from, stored(from, "last").number);
  tamper(from, detail::table::topics,
         [](lmdb::write_txn& txn, lmdb::dbi db) { return txn.put(db, "last", "no settings"); });
  BOOST_TEST(check_tells_of(from, detail::table::topics));
  const auto report = must(salvage());
  BOOST_TEST(loss_names(report, "1 more topics"));
  verify(report, "the last topic", [](const auto&, std::int64_t) { return false; });
}

BOOST_FIXTURE_TEST_CASE(the_topic_by_which_an_app_is_asked_is_given_to_nobody, salvage_case) {
  topic_config asked;
  asked.name = "shop.admin";
  topic_config own;
  own.name = "shop.late";
  own.owner = "shop";
  {
    const auto log = must(open_embedded_log({.folder = from}));
    for (const auto& config : {asked, own}) must(log->create_topic(config));
    auto record = std::make_shared<record_batch>();
    record->add(timestamp{}, "key", "value");
    must(log->append({asked.name, partition{0}}, *record));
    const auto writer = must(log->open_writer({"shop", "test"}));
    log_transaction tx;
    tx.appends.push_back({{own.name, partition{0}}, record});
    must(writer->commit(tx));
  }
  tamper(from, detail::table::topics, [](lmdb::write_txn& txn, lmdb::dbi db) -> result<void> {
    for (const auto* name : {"shop.admin", "shop.late"}) must(txn.put(db, name, "no settings"));
    return {};
  });
  (void)must(salvage());
  const auto copy = read_content(to);
  BOOST_TEST((copy.topics.at("shop.admin") == asked));
  BOOST_TEST((copy.topics.at("shop.late") == own));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
