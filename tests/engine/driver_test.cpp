// What the test driver's shadows and checks are there to catch: apps that are wrong on purpose.
#include <boost/test/unit_test.hpp>

#include "engine/small_types.hpp"
#include "kappa/testing/driver.hpp"

using namespace kappa;
using namespace std::chrono_literals;
using kappa::testing::driver;
using kappa::testing::ts;

namespace {

using engine_test::reading;
using engine_test::totals;

// Keeps all but what is not written.
struct forgetful {
  std::int64_t sum = 0;
  std::int64_t not_written = 0;
  friend bool operator==(const forgetful&, const forgetful&) = default;
};

}  // namespace

template <>
struct kappa::codec<forgetful> {
  static void encode(const forgetful& v, bytes& out) { byte_writer{out}.put(v.sum); }
  static result<forgetful> decode(bytes_view in) {
    byte_reader r{in};
    forgetful v;
    v.sum = r.get<std::int64_t>();
    return v;
  }
  static schema_info schema() { return {"forgetful", 0, 15, "forgetful", nullptr}; }
};

// Writes the same value as other bytes each time.
struct restless {
  std::int64_t sum = 0;
};

template <>
struct kappa::codec<restless> {
  static void encode(const restless& v, bytes& out) {
    static std::int64_t salt = 0;
    byte_writer{out}.put(v.sum).put(++salt);
  }
  static result<restless> decode(bytes_view in) {
    byte_reader r{in};
    return restless{r.get<std::int64_t>()};
  }
  static schema_info schema() { return {"restless", 0, 16, "restless", nullptr}; }
};

BOOST_AUTO_TEST_SUITE(the_driver)

using engine_test::reading;

namespace {

template <class S, class F>
app folding(F f) {
  app a{"shop"};
  a.stream<reading>("in")
      .already_keyed(&reading::place)
      .template fold<S>("sums", std::move(f))
      .map("text", [](const auto& s) { return std::to_string(s.value.sum); })
      .to("out");
  return a;
}

std::string differences_of(const app& a) {
  driver d{a, {.steps_per_epoch = 2}};
  for (int i = 0; i < 6; ++i) {
    d.send("in", reading{i % 2 == 0 ? "oslo" : "lima", ts("2001-01-01T08:10") + i * 1min, i});
  }
  return d.verify();
}

bool says(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::all_of(words.begin(), words.end(),
                     [&](std::string_view w) { return text.find(w) != std::string::npos; });
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_app_that_is_right_differs_nowhere) {
  const auto found =
      differences_of(folding<totals>([](totals& t, const reading& r) { t.add(r.value); }));
  BOOST_TEST(found.empty(), found);
}

BOOST_AUTO_TEST_CASE(a_function_that_remembers_beside_the_state_is_found) {
  // Each life of the app, and each replay, counts on where the last one had stopped.
  auto calls = std::make_shared<int>(0);
  const auto found =
      differences_of(folding<totals>([calls](totals& t, const reading&) { t.add(++*calls); }));
  BOOST_TEST(says(found, {"topic out", "state of shop/sums.g1[0]", "with every snapshot",
                          "without snapshots", "first difference at"}),
             found);
}

BOOST_AUTO_TEST_CASE(a_codec_that_loses_something_is_found_with_snapshots) {
  const auto found = differences_of(folding<forgetful>([](forgetful& f, const reading& r) {
    f.not_written += r.value;
    f.sum = f.not_written;
  }));
  BOOST_TEST(says(found, {"topic out", "with every snapshot"}), found);
}

BOOST_AUTO_TEST_CASE(a_codec_that_writes_other_bytes_each_time_is_found) {
  const auto found =
      differences_of(folding<restless>([](restless& s, const reading& r) { s.sum += r.value; }));
  BOOST_TEST(says(found, {"sums", "restless"}), found);
}

BOOST_AUTO_TEST_CASE(the_destructor_reports_what_the_shadows_find) {
  auto calls = std::make_shared<int>(0);
  std::string reported;
  {
    driver d{folding<totals>([calls](totals& t, const reading&) { t.add(++*calls); }),
             {.on_difference = [&](const std::string& text) { reported = text; }}};
    d.send("in", reading{"oslo", ts("2001-01-01T08:10"), 1});
  }
  BOOST_TEST(says(reported, {"topic out"}), reported);
}

BOOST_AUTO_TEST_CASE(a_value_that_does_not_come_back_the_same_is_refused_when_sent) {
  app a{"shop"};
  a.stream<forgetful>("in").to("out");
  driver d{a};
  BOOST_CHECK_THROW(d.send("in", forgetful{1, 2}, ts("2001-01-01T08:10")), std::runtime_error);
  BOOST_CHECK_NO_THROW(d.send("in", forgetful{1, 0}, ts("2001-01-01T08:10")));
}

BOOST_AUTO_TEST_SUITE_END()
