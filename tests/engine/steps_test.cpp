// DESIGN §5 "One step is all or nothing": records.
#include <boost/test/unit_test.hpp>

#include "engine/manual_host.hpp"

using namespace kappa;
using namespace engine_test;
using namespace std::chrono_literals;

namespace {

struct fragile {
  std::int64_t sum = 0;
  static inline bool broken = false;
};

struct delicate {
  std::string text;
  static inline std::string throws_at;
};

}  // namespace

template <>
struct kappa::codec<delicate> {
  static void encode(const delicate& v, bytes& out) {
    if (!delicate::throws_at.empty() && v.text == delicate::throws_at)
      throw std::runtime_error{"delicate"};
    out += v.text;
  }
  static result<delicate> decode(bytes_view in) { return delicate{bytes{in}}; }
  static schema_info schema() { return {"delicate", 0, 17, "delicate", nullptr}; }
};

template <>
struct kappa::codec<fragile> {
  static void encode(const fragile& v, bytes& out) { byte_writer{out}.put(v.sum); }
  static result<fragile> decode(bytes_view in) {
    if (fragile::broken) return fail(errc::decode, "fragile", "broken");
    byte_reader r{in};
    fragile v;
    v.sum = r.get<std::int64_t>();
    return v;
  }
  static schema_info schema() { return {"fragile", 0, 14, "fragile", nullptr}; }
};

BOOST_AUTO_TEST_SUITE(steps)

using engine_test::reading;

namespace {

// What the user code does with a record, by its value.
struct behaviour {
  int times_run = 0;
  bool throws_on_13 = true;
  bool throws_on_14 = false;
};

app process_app(std::shared_ptr<behaviour> b) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .process<totals>("sums",
                       [b](totals& t, const reading& r) {
                         ++b->times_run;
                         t.add(r.value);
                         if (r.value == 14 && b->throws_on_14) throw std::runtime_error{"now"};
                         return std::vector<std::int64_t>{t.sum, r.value};
                       })
      .map("careful",
           [b](const std::int64_t& v) {
             if (v == 13 && b->throws_on_13) throw std::runtime_error{"thirteen"};
             if (v == 99) throw 99;
             return v == 50 ? std::string(2 << 20, 'x') : std::to_string(v);
           })
      .to("out");
  return a;
}

app sums_app() {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  return a;
}

void send(manual_host& h, std::initializer_list<int> values) {
  int at = 0;
  for (const int v : values) h.send("in", {"p", minute(at++), v});
}

std::vector<std::string> values(manual_host& h) {
  std::vector<std::string> all;
  for (const auto& r : h.records("out")) all.push_back(r.value);
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_throw_after_state_and_outputs_undoes_both_and_names_the_operator) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1, 13, 2});
  h.settle();
  // The output "14" that the failed record had made before the throw is gone, and its sum too.
  const std::vector<std::string> expected{"1", "1", "3", "2"};
  BOOST_TEST(values(h) == expected, boost::test_tools::per_element());
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  BOOST_TEST(dead[0].headers.at("kappa.stage") == "sums");
  BOOST_TEST(dead[0].headers.at("kappa.operator") == "careful");
  BOOST_TEST(dead[0].headers.at("kappa.position") == "in[0]@1");
  BOOST_TEST(dead[0].headers.at("kappa.error").find("thirteen") != bytes::npos);
  BOOST_TEST(dead[0].value == encoded(reading{"p", minute(1), 13}));
  BOOST_TEST((dead[0].key == bytes{"p"}));
  const auto records = h.epoch_records("sums");
  BOOST_REQUIRE_EQUAL(records.size(), 1u);
  BOOST_REQUIRE_EQUAL(records[0].failed_records.size(), 1u);
  BOOST_TEST((records[0].failed_records[0].offset == offset{1}));
  BOOST_TEST(records[0].failed_records[0].op == "careful");
}

BOOST_AUTO_TEST_CASE(replay_does_not_run_failed_user_code_again) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1, 13, 2});
  h.settle();
  b->throws_on_13 = false;  // it threw only the first time
  b->times_run = 0;
  rebuilds_the_same(h);
  BOOST_TEST(b->times_run == 2);
}

BOOST_AUTO_TEST_CASE(user_code_that_throws_only_in_replay_stops_the_task_with_a_clear_error) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1, 14, 2});
  h.settle();
  h.delete_state();
  b->throws_on_14 = true;
  const auto end = h.log_end();
  h.open();
  const auto ran = h.task("sums").run(100);
  BOOST_TEST(
      refused(ran, errc::user_code, {"in[0]@1", "sums", "replay", "not deterministic", "now"}));
  BOOST_TEST(h.log_end() == end);
}

BOOST_AUTO_TEST_CASE(something_thrown_that_is_no_exception_is_a_dead_letter_too) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1, 99, 2});
  h.settle();
  BOOST_TEST(values(h).size() == 4u);
  BOOST_TEST(h.dead_letters().size() == 1u);
  rebuilds_the_same(h);
}

// Muted replay makes no output, so it would not find this one too large: the record is listed.
BOOST_AUTO_TEST_CASE(an_output_over_the_size_limit_is_a_dead_letter_and_replay_agrees) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1, 50, 2});
  h.settle();
  const std::vector<std::string> expected{"1", "1", "3", "2"};
  BOOST_TEST(values(h) == expected, boost::test_tools::per_element());
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  BOOST_TEST(dead[0].headers.at("kappa.code") == std::string{name_of(errc::too_large)});
  BOOST_TEST(dead[0].headers.at("kappa.error").find("limit") != bytes::npos);
  rebuilds_the_same(h);
}

BOOST_AUTO_TEST_CASE(undecodable_and_null_values_are_dead_letters_with_their_bytes) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.open();
  send(h, {1});
  h.send_bytes("in", bytes{"p"}, bytes{"garbage"}, minute(500));
  h.send_bytes("in", bytes{"p"}, std::nullopt, minute(500));
  h.send_bytes("in", std::nullopt, std::nullopt, minute(500));
  h.send_bytes("in", bytes{"p"}, bytes{}, minute(500));
  send(h, {2});
  h.settle();
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 4u);
  BOOST_TEST(dead[0].value == "garbage");
  BOOST_TEST(dead[0].headers.at("kappa.position") == "in[0]@1");
  BOOST_TEST(dead[0].headers.at("kappa.operator") == "in");
  BOOST_TEST(dead[1].headers.at("kappa.error").find("null") != bytes::npos);
  BOOST_TEST((h.task("sums").progress().watermark == minute(0)));  // they do not move event time
  BOOST_TEST(h.epoch_records("sums").empty());                     // replay finds them bad again
  BOOST_TEST(h.task("sums").progress().dead_letters == 4u);
  rebuilds_the_same(h);
}

BOOST_AUTO_TEST_CASE(with_the_policy_stop_the_first_failure_stops_the_task_naming_it) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  h.on_failure = failure_policy::stop;
  h.open();
  send(h, {1, 13, 2});
  BOOST_TEST(refused(h.task("sums").run(100), errc::user_code, {"in[0]@1", "careful", "thirteen"}));
  h.open();
  auto& t = h.at("sums");
  h.run(t, 1);
  h.close(t);
  h.commit(t);
  h.open();
  BOOST_TEST(!h.task("sums").run(100));  // still there
  BOOST_TEST(h.dead_letters().empty());
  BOOST_TEST(values(h).size() == 2u);
  b->throws_on_13 = false;  // mended
  h.open();
  h.settle();
  BOOST_TEST(values(h).size() == 6u);
}

BOOST_AUTO_TEST_CASE(a_record_without_key_for_a_keyed_state_is_a_dead_letter) {
  app a{"shop"};
  a.stream<reading>("in")
      .key_by("hop", &reading::place)
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  manual_host h{a};
  h.open();
  h.send_bytes("in", std::nullopt, encoded(reading{"p", minute(0), 5}), minute(0));
  h.settle();
  BOOST_TEST(h.lines("out").size() == 1u);  // key_by gave it one
  BOOST_TEST(h.dead_letters().empty());
}

BOOST_AUTO_TEST_CASE(a_deadly_record_goes_alone_after_one_death_and_to_dead_letters_at_the_third) {
  auto b = std::make_shared<behaviour>();
  manual_host h{process_app(b)};
  send(h, {1, 2, 3, 4, 5});
  int deaths = 1;
  h.adjust = [&](task_options& o) { o.suspects = {{"in", offset{2}, deaths}}; };
  for (; deaths <= 2; ++deaths) {
    h.open();
    auto& t = h.at("sums");
    // Each record up to the suspect is an epoch of its own; it dies at the third, every time.
    for (int i = 0; i < 3; ++i) {
      BOOST_TEST(h.run(t, 100).steps == 1u);
      BOOST_TEST(t.task->should_close(h.now));
      h.close(t);
    }
    h.crash();
  }
  BOOST_TEST(deaths == 3);
  h.open();
  b->times_run = 0;
  h.settle();
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  BOOST_TEST(dead[0].headers.at("kappa.position") == "in[0]@2");
  BOOST_TEST(dead[0].headers.at("kappa.error").find("died") != bytes::npos);
  BOOST_TEST(b->times_run == 4);
  h.adjust = [](task_options&) {};  // the ledger is cleared; replay must not run it either
  b->times_run = 0;
  rebuilds_the_same(h);
  BOOST_TEST(b->times_run == 4);
}

BOOST_AUTO_TEST_CASE(state_that_cannot_be_read_stops_the_task_and_no_record_is_blamed) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<fragile>("sums", [](fragile& f, const reading& r) { f.sum += r.value; })
      .to("out");
  manual_host h{a};
  h.open();
  send(h, {1, 2});
  h.settle();
  h.snapshot_all();
  h.open();
  send(h, {3});
  fragile::broken = true;
  BOOST_TEST(refused(h.task("sums").run(10), errc::corrupt, {"shop/sums.g1[0]", "broken"}));
  fragile::broken = false;
  h.open();
  h.settle();
  BOOST_TEST(h.dead_letters().empty());
  BOOST_TEST(h.lines("out").size() == 3u);
}

BOOST_AUTO_TEST_CASE(
    a_state_codec_that_throws_is_the_records_fault_in_a_step_and_the_tasks_in_a_freeze) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<delicate>("sums",
                      [](delicate& d, const reading& r) { d.text += std::to_string(r.value); })
      .to("out");
  manual_host h{a};
  h.open();
  delicate::throws_at = "12";  // the second edit, whose size is measured
  send(h, {1, 2, 3});
  h.settle();
  BOOST_REQUIRE_EQUAL(h.dead_letters().size(), 1u);
  BOOST_TEST(h.dead_letters()[0].headers.at("kappa.error").find("delicate") != bytes::npos);
  BOOST_TEST(h.lines("out").size() == 2u);
  delicate::throws_at = "13";
  auto& t = h.at("sums");
  send(h, {});
  h.now += 1h;
  BOOST_TEST(refused(t.task->close(h.now, true), errc::user_code, {"shop/sums.g1[0]", "delicate"}));
  delicate::throws_at = "";
  h.open();
  h.settle();
  h.snapshot_all();
  BOOST_TEST(h.lines("out").size() == 2u);
  BOOST_TEST(h.dead_letters().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_dead_letter_too_large_for_its_topic_is_cut_and_says_so) {
  auto log = memory_log::create();
  topic_config c;
  c.name = "in";
  c.max_record_bytes = log_limits::max_max_record_bytes;
  must(log->create_topic(c));
  manual_host h{sums_app(), 1, log};
  h.open();
  const auto size = log_limits::max_max_record_bytes - 2000;
  record_batch batch;
  batch.add(minute(0), bytes_view{"p"}, bytes(size, 'x'), {{"colour", bytes(1000, 'b')}});
  must(h.log().append({"in", partition{0}}, batch));
  send(h, {1});
  h.settle();
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 1u);
  BOOST_TEST(dead[0].headers.at("kappa.cut").find(std::to_string(size)) != bytes::npos);
  BOOST_TEST(dead[0].headers.at("colour").size() == 1000u);
  BOOST_TEST(dead[0].value.size() > size - (100 << 10));
  BOOST_TEST(dead[0].value.size() < size);
  BOOST_TEST(h.lines("out").size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_record_of_another_type_is_a_dead_letter_that_names_both) {
  manual_host h{sums_app()};
  h.open();
  const auto append = [&](const schema_info& schema, int value) {
    envelope e;
    e.schema = reference_to(schema);
    bytes headers;
    encode_envelope(headers, e);
    record_batch batch;
    batch.add(minute(value), bytes_view{"p"}, encoded(reading{"p", minute(value), value}), headers);
    must(h.log().append({"in", partition{0}}, batch));
  };
  const auto own = codec<reading>::schema();
  auto other_version = own;
  other_version.fingerprint ^= 1;
  auto other_id = own;
  other_id.id = 0xabcd;
  append(own, 1);
  append(codec<totals>::schema(), 2);  // would decode, as the bytes are a reading's
  append(other_version, 4);
  append(codec<bytes>::schema(), 8);  // says nothing of a type
  append(other_id, 16);
  record_batch malformed;
  malformed.add(minute(1), bytes_view{"p"}, encoded(reading{"p", minute(1), 32}),
                {{envelope_header::schema, "short"}});
  must(h.log().append({"in", partition{0}}, malformed));
  h.settle();
  BOOST_TEST(h.lines("out").size() == 3u);
  const auto dead = h.dead_letters();
  BOOST_REQUIRE_EQUAL(dead.size(), 3u);
  const auto says = [&](std::size_t i, std::initializer_list<std::string_view> words) {
    const auto& text = dead[i].headers.at("kappa.error");
    for (const auto word : words) BOOST_TEST(text.find(word) != bytes::npos, text);
  };
  BOOST_TEST(dead[0].headers.at("kappa.code") == "incompatible");
  says(0, {"totals", "reading"});
  says(1, {"@0x000000000000abcd", "reading"});
  says(2, {"kappa.schema", "malformed"});
  rebuilds_the_same(h);
}

BOOST_AUTO_TEST_CASE(lack_of_memory_stops_the_task_and_no_record_is_blamed) {
  auto lacks = std::make_shared<bool>(true);
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .fold<totals>("sums",
                    [lacks](totals& t, const reading& r) {
                      t.add(r.value);
                      if (r.value == 2 && *lacks) throw std::bad_alloc{};
                    })
      .to("out");
  manual_host h{a};
  h.open();
  send(h, {1, 2, 3});
  const auto failed = h.task("sums").run(10);
  BOOST_REQUIRE(refused(failed, errc::unavailable, {"out of memory"}));
  BOOST_TEST(failed.error().retriable);
  *lacks = false;
  h.open();
  h.settle();
  BOOST_TEST(h.dead_letters().empty());
  BOOST_TEST(h.lines("out").size() == 3u);
}

BOOST_AUTO_TEST_CASE(times_at_the_ends_of_what_can_be_told_do_no_harm) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .window(tumbling{1h}, {.lateness = 10min})
      .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); })
      .to("out");
  manual_host h{a};
  h.open();
  h.send("in", {"p", min_time, 1});
  h.send("in", {"p", timestamp{milliseconds{INT64_MIN + 1}}, 2});
  h.send("in", {"p", minute(0), 3});
  h.send("in", {"p", timestamp{milliseconds{INT64_MAX - 1}}, 4});
  h.send("in", {"p", max_time, 5});
  h.settle();
  std::int64_t sum = 0;
  for (const auto& r : h.records("out")) sum += must(codec<totals>::decode(r.value)).sum;
  for (const auto& r : h.records("shop.sums.late"))
    sum += must(codec<reading>::decode(r.value)).value;
  for (const auto& r : h.dead_letters()) sum += must(codec<reading>::decode(r.value)).value;
  BOOST_TEST(sum == 15);
  rebuilds_the_same(h);
}

BOOST_AUTO_TEST_SUITE_END()
