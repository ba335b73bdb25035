// Cap'n Proto's readers over records as they lie.

#include <cstdint>

#include <boost/test/unit_test.hpp>

#include "everything.capnp.h"
#include "everything.kappa.hpp"
#include "flights.capnp.h"
#include "flights.kappa.hpp"
#include "kappa/serialization/zero_copy.hpp"
#include "kappa/testing/round_trip.hpp"
#include "serialization/dynamic_support.hpp"

namespace {

using flights_reader = kappa::reader_of<::Flight>;

const flight sample{.scheduled = kappa::timestamp{kappa::milliseconds{5}},
                    .delay = 60,
                    .distance = 700,
                    .origin = "ORD",
                    .destination = "LGA"};

}  // namespace

BOOST_AUTO_TEST_CASE(a_reader_sees_what_the_struct_wrote_without_a_copy) {
  static_assert(kappa::encodable<flights_reader>);
  const auto raw = kappa::encoded(sample);
  const auto f = kappa::codec<flights_reader>::decode(raw);
  BOOST_REQUIRE(f);
  BOOST_TEST((*f)->getDelay() == 60);
  BOOST_TEST((*f)->getOrigin().cStr() == "ORD");
  BOOST_TEST((static_cast<const void*>(f->raw().data()) == raw.data()));  // in place
  BOOST_TEST(kappa::encoded(*f) == raw);
  const auto round = kappa::testing::check_round_trip(*f);
  BOOST_TEST(round.has_value());
  BOOST_TEST(flights_reader::schema_name() == "flights.capnp:Flight");
}

BOOST_AUTO_TEST_CASE(unaligned_bytes_are_copied_to_where_they_can_be_read) {
  const auto raw = kappa::encoded(sample);
  for (std::size_t shift = 1; shift < 8; ++shift) {
    auto shifted = std::string(shift, 'x') + raw;
    const auto f = flights_reader::over(std::string_view{shifted}.substr(shift));
    BOOST_REQUIRE(f);
    shifted.assign(shifted.size(), 'y');  // a copy does not care
    BOOST_TEST((*f)->getDistance() == 700);
    BOOST_TEST((*f)->getDestination().cStr() == "LGA");
  }
}

BOOST_AUTO_TEST_CASE(an_own_copy_outlives_the_record) {
  auto raw = kappa::encoded(sample);
  const auto f = flights_reader::over(raw)->own();
  raw.assign(raw.size(), '\0');
  BOOST_TEST(f->getOrigin().cStr() == "ORD");
}

BOOST_AUTO_TEST_CASE(the_struct_reads_what_a_builder_wrote) {
  const auto f = flights_reader::build([](::Flight::Builder b) {
    b.setScheduled(5);
    b.setDelay(60);
    b.setDistance(700);
    b.setOrigin("ORD");
    b.setDestination("LGA");
  });
  BOOST_TEST(kappa::encoded(f) == kappa::encoded(sample));
  BOOST_TEST(*kappa::codec<flight>::decode(kappa::encoded(f)) == sample);
  // The one thing that canonical form cannot keep within the traversal limit.
  const auto zeros =
      kappa::reader_of<::Everything>::build([](::Everything::Builder b) { b.initPoints(100'000); });
  BOOST_TEST(kappa::codec<everything::everything>::decode(kappa::encoded(zeros))->points.size() ==
             100'000U);
}

BOOST_AUTO_TEST_CASE(random_values_read_in_place_as_they_do_decoded) {
  kappa::test::rng random{5};
  const capnp::StructSchema schema = capnp::Schema::from<::Everything>();
  for (int i = 0; i < 100; ++i) {
    const auto raw = kappa::test::random_bytes(schema, random);
    const auto in_place = kappa::reader_of<::Everything>::over(raw);
    BOOST_REQUIRE(in_place);
    kappa::test::library_message checked{raw};
    BOOST_REQUIRE(kappa::test::same(capnp::toDynamic(**in_place), checked.root(schema)));
  }
}

BOOST_AUTO_TEST_CASE(bad_bytes_are_an_error_and_a_mistyped_field_is_one_too) {
  const auto bad = flights_reader::over("1234567");
  BOOST_REQUIRE(!bad);
  BOOST_TEST(bad.error().text() == kappa::error({kappa::errc::decode, "flights.capnp:Flight",
                                                 "the size is not a multiple of 8"})
                                       .text());
  // Well-formed, but the origin is a list of numbers.
  kappa::bytes raw;
  kappa::byte_writer{raw}
      .put(std::uint64_t{1} << 48)
      .put(std::uint64_t{1} | std::uint64_t{5} << 32 | std::uint64_t{1} << 35)
      .put(std::uint64_t{7});
  const auto f = flights_reader::over(raw);
  BOOST_REQUIRE(f);
  BOOST_TEST(f->read([](::Flight::Reader r) { return r.getDelay(); }).value() == 0);
  const auto origin = f->read([](::Flight::Reader r) { return r.getOrigin().size(); });
  BOOST_REQUIRE(!origin);
  BOOST_TEST((origin.error().code == kappa::errc::decode));
  BOOST_CHECK_THROW((*f)->getOrigin(), std::exception);
}
