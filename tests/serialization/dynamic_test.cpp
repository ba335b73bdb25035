// The dynamic decoder against the generated code: the same JSON, the same refusals.

#include <string>

#include <boost/test/unit_test.hpp>

#include "everything.capnp.h"
#include "everything.kappa.hpp"
#include "flights.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/serialization/dynamic.hpp"
#include "kappa/serialization/json_codec.hpp"
#include "kappa/stream/window.hpp"
#include "serialization/dynamic_support.hpp"
#include "serialization/everything_pairs.hpp"

namespace {

using kappa::bytes;
using kappa::codec;
using kappa::dynamic_type;
using kappa::encoded;
using kappa::schema_info;
using kappa::test::pairs;

dynamic_type type_of(const schema_info& schema) {
  auto type = dynamic_type::parse(schema);
  BOOST_REQUIRE_MESSAGE(type, kappa::test::why(type));
  return *type;
}
template <class T>
dynamic_type type_of() {
  return type_of(codec<T>::schema());
}
std::string json_of(const dynamic_type& type, const bytes& in) {
  auto text = type.to_json(in);
  BOOST_REQUIRE_MESSAGE(text, kappa::test::why(text));
  return *text;
}

/// Not known to Kappa's own codecs.
struct secret {
  int value = 0;
};

}  // namespace

template <>
struct kappa::codec<secret> {
  static void encode(const secret& v, bytes& out) { out = std::to_string(v.value); }
  static result<secret> decode(bytes_view) { return secret{}; }
  static schema_info schema() { return {"secret", 0, 77, "decimal digits", nullptr}; }
};

BOOST_AUTO_TEST_CASE(dynamic_json_is_the_generated_json_of_every_type) {
  pairs::each([]<class Schema, class T>() {
    const auto type = type_of<T>();
    kappa::test::rng random{11};
    BOOST_TEST(json_of(type, encoded(T{})) == kappa::to_json(T{}));
    for (int i = 0; i < 300; ++i) {
      const auto in = kappa::test::random_bytes(capnp::Schema::from<Schema>(), random);
      const auto value = codec<T>::decode(in);
      BOOST_REQUIRE_MESSAGE(value, kappa::test::why(value));
      BOOST_REQUIRE_EQUAL(json_of(type, in), kappa::to_json(*value));
    }
  });
}

BOOST_AUTO_TEST_CASE(what_the_generated_code_refuses_the_dynamic_decoder_refuses) {
  const auto type = type_of<everything::everything>();
  kappa::test::rng random{12};
  int refused = 0;
  int read = 0;
  const auto compare = [&](const bytes& in) {
    const auto value = codec<everything::everything>::decode(in);
    const auto text = type.to_json(in);
    BOOST_REQUIRE_EQUAL(text.has_value(), value.has_value());
    if (value) {
      BOOST_REQUIRE_EQUAL(*text, kappa::to_json(*value));
      ++read;
    } else {
      BOOST_REQUIRE(text.error().code == kappa::errc::decode);
      BOOST_REQUIRE(!text.error().message.empty());
      ++refused;
    }
  };
  for (int i = 0; i < 200; ++i) {
    auto in = kappa::test::random_bytes(capnp::Schema::from<::Everything>(), random);
    compare(in.substr(0, random() % (in.size() / 8 + 1) * 8));
    for (int n = 0; n < 10; ++n) {
      in[random() % in.size()] ^= static_cast<char>(1U << random() % 8);
      compare(in);
    }
  }
  for (int i = 0; i < 5000; ++i) {
    bytes in(random() % 200 / 8 * 8, '\0');
    for (auto& c : in) c = static_cast<char>(random() % 4 == 0 ? random() : 0);
    compare(in);
  }
  BOOST_TEST(refused > 100);
  BOOST_TEST(read > 100);
}

BOOST_AUTO_TEST_CASE(damaged_descriptions_give_an_error_or_json_and_never_crash) {
  const auto schema = codec<everything::everything>::schema();
  kappa::test::rng random{13};
  const auto in = kappa::test::random_bytes(capnp::Schema::from<::Everything>(), random);
  int parsed = 0;
  for (int i = 0; i < 3000; ++i) {
    auto damaged = schema;
    auto& text = damaged.description;
    for (auto n = random() % 3 + 1; n > 0; --n) {
      const auto at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, random() % 20);
          break;
        case 1:
          text[at] = "0123456789|.#:/ \nStructd"[random() % 24];
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 30));
      }
    }
    const auto type = dynamic_type::parse(damaged);
    if (!type) continue;
    ++parsed;
    const auto read = type->to_json(in);
    BOOST_REQUIRE(read || !read.error().message.empty());
  }
  BOOST_TEST(parsed > 10);
}

BOOST_AUTO_TEST_CASE(a_description_that_holds_itself_without_end_is_refused) {
  schema_info schema;
  schema.name = "endless";
  schema.description = "capnp 2\nstruct 0 endless\n@0 Struct#0 p0 - - a\n@1 Struct#0 p1 - - b\n";
  const auto text = type_of(schema).to_json(bytes(8, '\0').replace(4, 1, 1, '\1'));
  BOOST_REQUIRE(!text);
  BOOST_TEST((text.error().code == kappa::errc::decode));
}

BOOST_AUTO_TEST_CASE(kappas_own_encodings_are_read) {
  using namespace std::chrono_literals;
  const auto hour = kappa::parse_time("2001-01-01T08:00:00Z").value();
  BOOST_TEST(json_of(type_of<std::int64_t>(), encoded(std::int64_t{-5})) == "-5");
  BOOST_TEST(json_of(type_of<std::string>(), "a \"text\"") == "\"a \\\"text\\\"\"");
  BOOST_TEST(json_of(type_of<std::string>(), bytes("\x00\xff", 2)) == R"({"base64":"AP8="})");
  BOOST_TEST(json_of(type_of<std::string>(), "\xff\xfe") == R"({"base64":"//4="})");
  BOOST_TEST(json_of(type_of<std::string>(), "\xef\xbf\xbd") == "\"\xef\xbf\xbd\"");
  BOOST_TEST(json_of(type_of<kappa::timestamp>(), encoded(hour)) == "\"2001-01-01T08:00:00Z\"");
  using pair = kappa::keyed<std::string, flight>;
  const flight f{.scheduled = hour, .delay = 5};
  BOOST_TEST(json_of(type_of<pair>(), encoded(pair{"ORD", f})) ==
             R"({"key":"ORD","value":)" + kappa::to_json(f) + "}");
  using hourly = kappa::windowed<std::int64_t, flight>;
  const hourly w{7, {hour, hour + 1h}, f};
  BOOST_TEST(json_of(type_of<hourly>(), encoded(w)) ==
             R"({"key":7,"window":{"start":"2001-01-01T08:00:00Z","end":"2001-01-01T09:00:00Z"},)"
             R"("value":)" +
                 kappa::to_json(f) + "}");
  bytes record_key;
  kappa::record_traits<hourly>::key(w, record_key);
  BOOST_TEST(json_of(type_of(kappa::record_traits<hourly>::key_schema()), record_key) ==
             R"({"key":7,"window":"2001-01-01T08:00:00Z"})");
  BOOST_TEST(json_of(type_of(schema_info{"json", 0, 4, "json", nullptr}), "{\n\"a\": 1}") ==
             "{ \"a\": 1}");
}

BOOST_AUTO_TEST_CASE(malformed_bytes_of_kappas_own_encodings_are_refused) {
  using pair = kappa::keyed<std::string, flight>;
  for (const auto& [type, in] : {std::pair{type_of<std::int64_t>(), bytes{"short"}},
                                 {type_of<pair>(), bytes{"\x09\0\0\0x", 5}},
                                 {type_of<pair>(), encoded(pair{}) + "x"},
                                 {type_of(schema_info{"json", 0, 4, "json", nullptr}), "{"}}) {
    const auto text = type.to_json(in);
    BOOST_REQUIRE(!text);
    BOOST_TEST((text.error().code == kappa::errc::decode));
  }
}

BOOST_AUTO_TEST_CASE(keys_are_made_of_what_a_person_types) {
  BOOST_TEST(*type_of<std::string>().from_text("ORD") == "ORD");
  BOOST_TEST(*type_of<std::int64_t>().from_text("-7") == encoded(std::int64_t{-7}));
  BOOST_TEST(*type_of<kappa::timestamp>().from_text("2001-01-01") ==
             encoded(kappa::parse_time("2001-01-01").value()));
  BOOST_TEST(
      (type_of<std::int64_t>().from_text("seven").error().code == kappa::errc::invalid_argument));
  BOOST_TEST((type_of<flight>().from_text("{}").error().code == kappa::errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_codec_of_the_users_own_is_not_guessed_at) {
  const auto type = dynamic_type::parse(codec<secret>::schema());
  BOOST_REQUIRE(!type);
  BOOST_TEST(type.error().text().find("codec of its own") != std::string::npos);
}
