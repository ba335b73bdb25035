#include "kappa/log/envelope.hpp"

#include <array>
#include <limits>
#include <optional>

#include <boost/test/unit_test.hpp>

namespace {

using kappa::bytes;
using kappa::envelope;
using kappa::record_address;

bytes wire(const envelope& e) {
  bytes out;
  kappa::encode_envelope(out, e);
  return out;
}

std::string problem_of(kappa::bytes_view name, kappa::bytes_view value) {
  bytes raw;
  const std::array<kappa::header_view, 1> list{kappa::header_view{name, value}};
  kappa::encode_headers(raw, list);
  const auto e = kappa::decode_envelope(kappa::headers_view{raw});
  return e ? "read" : e.error().text();
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_envelope_comes_back_as_it_went) {
  const envelope full{.schema = kappa::schema_reference{7, 99, "flights.capnp:Flight"},
                      .cause = record_address{{"orders", kappa::partition{3}}, kappa::offset{812}},
                      .id = bytes("id\0\xff", 4),
                      .correlation = "request-1"};
  for (auto e : {full, envelope{}, envelope{.id = "x"}, envelope{.correlation = "y"}}) {
    const auto raw = wire(e);
    BOOST_TEST(kappa::headers_view::valid(raw));
    const auto back = kappa::decode_envelope(kappa::headers_view{raw});
    BOOST_REQUIRE(back);
    BOOST_TEST((*back == e));
  }
  BOOST_TEST(wire({}).empty());
}

BOOST_AUTO_TEST_CASE(a_cause_is_text_that_a_person_can_read) {
  const record_address a{{"orders", kappa::partition{3}}, kappa::offset{812}};
  BOOST_TEST(a.text() == "orders[3]@812");
  BOOST_TEST((record_address::parse("orders[3]@812") == a));
  BOOST_TEST((record_address::parse("a[b[0]@1").value().where.topic == "a[b"));
  for (const auto* bad :
       {"", "@", "orders", "orders@1", "[3]@1", "orders[]@1", "orders[3]@", "orders[x]@1",
        "orders[3]@1x", "orders[-3]@1", "orders[3]@-1", "orders[3] @1", "orders[99999999999]@1"}) {
    BOOST_TEST(!record_address::parse(bad), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_repeated_envelope_is_encoded_as_a_single_one) {
  const kappa::topic_partition orders{"orders", kappa::partition{3}};
  const kappa::topic_partition other{"a-topic-with-a-longer-name", kappa::partition{12}};
  for (const auto& schema : {std::optional{kappa::schema_reference{7, 99, "flights.capnp:Flight"}},
                             std::optional<kappa::schema_reference>{}}) {
    kappa::repeated_envelope repeated{schema};
    for (const std::int64_t at : {9L, 10L, 812L, 9L, std::numeric_limits<std::int64_t>::max()}) {
      for (const auto& where : {orders, other, other}) {
        const envelope single{.schema = schema, .cause = record_address{where, kappa::offset{at}}};
        BOOST_TEST((repeated.of(where, kappa::offset{at}) == wire(single)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(headers_of_others_are_passed_over_and_malformed_ones_named) {
  BOOST_TEST(problem_of("theirs", "anything") == "read");
  BOOST_TEST(problem_of("kappa.cause", "x").find("'x' is not topic[partition]@offset") !=
             std::string::npos);
  BOOST_TEST(problem_of("kappa.schema", "short").find("kappa.schema") != std::string::npos);
  BOOST_TEST(problem_of("kappa.schema", std::string(16, 'x')).find("malformed") !=
             std::string::npos);
}
