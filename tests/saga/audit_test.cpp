// The audit of the bank finds what it is there for.
#include <map>

#include "audit.hpp"
#include "bank.kappa.hpp"
#include "kappa/aggregate/event_header.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/memory_log.hpp"
#include "support/must.hpp"

namespace audit_tests {

namespace {

using namespace kappa;
using kappa::test::must;

/// Events that nobody has decided.
struct books {
  books() {
    for (const auto* name : {"accounts", "transfers"}) {
      topic_config c;
      c.name = name;
      must(log->create_topic(c));
    }
    add("accounts", "ann", bank::account_opened{100});
    add("accounts", "bob", bank::account_opened{50});
    add("transfers", "t", bank::transfer_started{"ann", "bob", 30, {}});
  }
  template <class E>
  books& add(const std::string& topic, const std::string& key, const E& event) {
    bytes headers;
    envelope e;
    e.schema = reference_to(codec<E>::schema());
    encode_envelope(headers, e);
    const auto mine = encode_event_header({++versions[topic + key], 0, 1});
    const header_view one{event_header_name, mine};
    encode_headers(headers, {&one, 1});
    record_batch batch;
    batch.add({}, key, encoded(event), headers);
    must(log->append({topic, partition{0}}, batch));
    return *this;
  }
  books& taken(std::int64_t cents) {
    add("accounts", "ann", bank::withdrawn{cents, "t"});
    return add("transfers", "t", bank::money_taken{});
  }
  books& given(const std::string& to, std::int64_t cents) {
    return add("accounts", to, bank::deposited{cents, "t"});
  }
  books& done() { return add("transfers", "t", bank::transfer_completed{}); }
  std::string finding() {
    bank::audit a;
    must(a.read(*log));
    const auto all = a.findings(5, 1);
    return all.empty() ? "none" : all.front();
  }

  std::shared_ptr<memory_log> log = memory_log::create();
  std::map<std::string, std::uint64_t> versions;
};

bool says(const std::string& finding, const std::string& what) {
  return finding.find(what) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(audits)

BOOST_AUTO_TEST_CASE(good_books_are_found_good_and_bad_ones_bad) {
  BOOST_TEST(books{}.taken(30).given("bob", 30).done().finding() == "none");
  BOOST_TEST(says(books{}.taken(29).finding(), "are not the 150"));
  BOOST_TEST(says(books{}.taken(30).given("bob", 31).finding(), "are not the 150"));
  BOOST_TEST(says(books{}.taken(30).given("bob", 30).given("bob", 30).finding(), "given twice"));
  BOOST_TEST(says(books{}.taken(30).done().finding(), "an effect without its cause"));
  BOOST_TEST(says(books{}.taken(30).given("eve", 30).finding(), "another account"));
  BOOST_TEST(says(books{}.taken(30).given("bob", 30).done().done().finding(), "ended twice"));
  books twice;
  twice.add("accounts", "ann", bank::account_opened{100});
  BOOST_TEST(says(twice.finding(), "opened twice"));
  books gap;
  ++gap.versions["accountsann"];
  BOOST_TEST(says(gap.taken(30).finding(), "version 2 is missing"));
  books gone;
  gone.taken(30).add("transfers", "t", bank::transfer_failed{""});
  BOOST_TEST(says(gone.finding(), "its money is gone"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace audit_tests
