#include <boost/test/unit_test.hpp>

#include "log/contract.hpp"
#include "log/frame.hpp"

namespace {

using namespace kappa;
using namespace log_contract;
using kappa::detail::frame_header;

bytes frame_of(const record_batch& batch, offset base, const topic_partition& where) {
  bytes out;
  const auto r = detail::split_batch(batch, 1 << 20, [&](const detail::frame_part& part) {
    out.assign(part.frame_bytes(), '\0');
    detail::write_frame(out.data(), part, base, detail::frame_seed(where));
    return result<void>{};
  });
  BOOST_REQUIRE(r);
  return out;
}

BOOST_AUTO_TEST_SUITE(frames)

BOOST_AUTO_TEST_CASE(a_change_of_any_bit_is_noticed) {
  record_batch batch;
  batch.add(at(1), "key", "value", {{"name", "header"}});
  batch.add(at(2), std::nullopt, "second");
  const auto where = tp("orders", 3);
  const auto seed = detail::frame_seed(where);
  auto frame = frame_of(batch, offset{7}, where);
  const auto header = must(detail::check_frame(frame, seed, where, offset{7}));
  BOOST_TEST(header.count == 2U);
  BOOST_TEST(header.last == 8);
  BOOST_TEST(header.max_time_ms == 2);
  for (std::size_t i = 0; i < frame.size() * 8; ++i) {
    frame[i / 8] ^= static_cast<char>(1 << (i % 8));
    must_fail(detail::check_frame(frame, seed, where, offset{7}), errc::corrupt, "orders[3]@7");
    frame[i / 8] ^= static_cast<char>(1 << (i % 8));
  }
  for (std::size_t n = 0; n < frame.size(); ++n) {
    must_fail(detail::check_frame(bytes_view{frame}.substr(0, n), seed, where, offset{7}),
              errc::corrupt);
  }
}

BOOST_AUTO_TEST_CASE(a_frame_of_another_place_does_not_pass) {
  const auto frame = frame_of(*batch_of({"a"}), offset{7}, tp("orders", 3));
  const auto check = [&](const topic_partition& where, offset at) {
    return detail::check_frame(frame, detail::frame_seed(where), where, at);
  };
  BOOST_TEST(check(tp("orders", 3), offset{7}).has_value());
  must_fail(check(tp("orders", 4), offset{7}), errc::corrupt, "orders[4]@7");
  must_fail(check(tp("order", 3), offset{7}), errc::corrupt);
  must_fail(check(tp("orders", 3), offset{6}), errc::corrupt);
}

BOOST_AUTO_TEST_CASE(malformed_records_are_refused_although_their_checksum_is_right) {
  const auto where = tp("orders");
  const auto seed = detail::frame_seed(where);
  record_batch good;
  good.add(at(1), "key", "value", {{"name", "header"}});
  const auto check_with = [&](std::size_t at, std::uint32_t value) {
    bytes body{good.body()};
    std::memcpy(body.data() + at, &value, sizeof value);
    const detail::frame_part part{body, 0, 1, kappa::min_time};
    bytes frame(part.frame_bytes(), '\0');
    detail::write_frame(frame.data(), part, offset{0}, seed);
    return detail::check_frame(frame, seed, where, offset{0});
  };
  using head = detail::wire_record_head;
  BOOST_TEST(check_with(offsetof(head, zero), 0).has_value());
  for (const std::uint32_t wrong : {0U, 8U, 31U, 40U, 1000U, 0xfffffff8U}) {
    must_fail(check_with(offsetof(head, size), wrong), errc::corrupt, "malformed");
  }
  for (const std::uint32_t wrong : {0U, 100U, 0x7fffffffU, 0x80000000U, 0xfffffffeU}) {
    must_fail(check_with(offsetof(head, value_size), wrong), errc::corrupt, "malformed");
    must_fail(check_with(offsetof(head, key_size), wrong), errc::corrupt, "malformed");
    must_fail(check_with(offsetof(head, headers_size), wrong | 64U), errc::corrupt, "malformed");
  }
  // A header's own sizes: after the record's head, the value (8) and the key (3).
  must_fail(check_with(sizeof(head) + 8 + 3, 0xffffU), errc::corrupt, "malformed");
  must_fail(check_with(sizeof(head) + 8 + 3 + 4, 0xffffffffU), errc::corrupt, "malformed");
}

BOOST_AUTO_TEST_CASE(a_batch_is_cut_at_record_borders) {
  record_batch batch;
  for (int i = 0; i < 100; ++i) batch.add(at(1000 - i), "k", std::string(std::size_t(i), 'x'));
  for (const std::size_t limit : {1U, 100U, 500U, 5000U}) {
    std::size_t records = 0;
    bytes together;
    const auto r = detail::split_batch(batch, limit, [&](const detail::frame_part& part) {
      BOOST_TEST(part.first_delta == records);
      BOOST_TEST((part.body.size() <= limit || part.count == 1));
      BOOST_TEST(detail::valid_records(part.body, part.count, part.first_delta));
      BOOST_TEST((part.max_time == at(1000 - static_cast<std::int64_t>(records))));
      records += part.count;
      together += part.body;
      return result<void>{};
    });
    BOOST_TEST(r.has_value());
    BOOST_TEST(records == 100U);
    BOOST_TEST((together == batch.body()));
  }
}

BOOST_AUTO_TEST_CASE(a_batch_takes_back_what_a_failed_step_added) {
  record_batch batch;
  batch.add(at(5), "k", "first");
  const bytes before{batch.body()};
  const auto mark = batch.position();
  batch.add(at(9), "k", std::string(1000, 'x'));
  batch.add(at(1), "k", "third");
  BOOST_TEST(batch.largest_bytes() > 1000U);
  batch.rewind(mark);
  BOOST_TEST(batch.count() == 1U);
  BOOST_TEST((batch.body() == before));
  BOOST_TEST((batch.max_time() == at(5)));
  BOOST_TEST((batch.min_time() == at(5)));
  BOOST_TEST(batch.largest_bytes() < 100U);
  batch.clear();
  BOOST_TEST(batch.empty());
}

BOOST_AUTO_TEST_CASE(a_header_name_that_cannot_be_written_throws_and_changes_nothing) {
  record_batch batch;
  const std::string name(70'000, 'n');
  BOOST_CHECK_THROW(batch.add(at(1), "k", "v", {{name, "x"}}), std::length_error);
  BOOST_TEST(batch.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
