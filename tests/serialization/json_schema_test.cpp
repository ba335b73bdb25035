// JSON Schemas, made from descriptions.

#include <boost/test/unit_test.hpp>

#include "everything.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/serialization/json.hpp"
#include "kappa/serialization/json_schema.hpp"

namespace json_schema_tests {

namespace {

template <class T>
std::string schema_of(const std::string& name) {
  kappa::json_schemas schemas{"#/"};
  (void)schemas.of(kappa::codec<T>::schema());
  const auto found = schemas.named().find(name);
  return found == schemas.named().end() ? "none" : found->second;
}

bool has(const std::string& text, std::string_view part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) BOOST_TEST_MESSAGE(part << " is not in " << text);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(json_schemas)

BOOST_AUTO_TEST_CASE(numbers_have_their_bounds) {
  BOOST_TEST(schema_of<everything::numbers>("everything.capnp.Numbers") ==
             R"({"type":"object","properties":{"flag":{"type":"boolean"},)"
             R"("i8":{"type":"integer","minimum":-128,"maximum":127},)"
             R"("i16":{"type":"integer","minimum":-32768,"maximum":32767},)"
             R"("i32":{"type":"integer","minimum":-2147483648,"maximum":2147483647},)"
             R"("i64":{"type":"integer","format":"int64"},)"
             R"("u8":{"type":"integer","minimum":0,"maximum":255},)"
             R"("u16":{"type":"integer","minimum":0,"maximum":65535},)"
             R"("u32":{"type":"integer","minimum":0,"maximum":4294967295},)"
             R"("u64":{"type":"integer","minimum":0},)"
             R"("f32":{"type":"number","format":"float"},)"
             R"("f64":{"type":"number","format":"double"},"other":{"type":"boolean"}}})");
}

BOOST_AUTO_TEST_CASE(defaults_names_of_enums_and_groups_are_told) {
  const auto text = schema_of<everything::defaults>("everything.capnp.Defaults");
  for (
      const auto* part :
      {R"("flag":{"type":"boolean","default":true})",
       R"("i8":{"type":"integer","minimum":-128,"maximum":127,"default":-8})",
       R"("colour":{"type":"string","enum":["red","green","darkBlue","default"],"default":"darkBlue"})",
       R"("data":{"type":"string","contentEncoding":"base64"})",
       R"("list":{"type":"array","items":{"type":"integer","minimum":-32768,"maximum":32767}})",
       R"("point":{"$ref":"#/common.capnp.Point"})",
       R"("shapes":{"type":"array","items":{"$ref":"#/everything.capnp.Shape"}})",
       R"("opened":{"type":"string","format":"date-time","default":"1970-01-01T00:00:01Z"})",
       R"("options":{"type":"object","properties":{"depth":)"})
    BOOST_TEST(has(text, part));
}

BOOST_AUTO_TEST_CASE(of_a_union_there_is_one) {
  const auto text = schema_of<everything::shape>("everything.capnp.Shape");
  BOOST_TEST(has(text, R"("nothing":{"type":"null"})"));
  BOOST_TEST(has(text, R"("box":{"type":"object","properties":{"width":)"));
  BOOST_TEST(has(text, R"("oneOf":[{"required":["circle"]},{"required":["nothing"]},)"));
}

BOOST_AUTO_TEST_CASE(whatever_is_referred_to_is_there_and_all_is_json) {
  kappa::json_schemas schemas{"#/"};
  BOOST_TEST(schemas.of(kappa::codec<everything::everything>::schema()) ==
             R"({"$ref":"#/everything.capnp.Everything"})");
  std::size_t references = 0;
  for (const auto& [name, text] : schemas.named()) {
    kappa::json_document parsed;
    BOOST_TEST(parsed.parse(text), text);
    constexpr std::string_view mark = R"("$ref":"#/)";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
      const auto begin = at + mark.size();
      BOOST_TEST(schemas.named().contains(text.substr(begin, text.find('"', begin) - begin)));
      ++references;
    }
  }
  BOOST_TEST(references > 10U);
}

BOOST_AUTO_TEST_CASE(keys_and_types_without_a_schema_are_told_where_they_are_used) {
  kappa::json_schemas schemas{"#/"};
  BOOST_TEST(schemas.of(kappa::codec<std::string>::schema()) == R"({"type":"string"})");
  BOOST_TEST(schemas.of(kappa::codec<std::int64_t>::schema()) ==
             R"({"type":"integer","format":"int64"})");
  BOOST_TEST(schemas.of(kappa::codec<kappa::timestamp>::schema()) ==
             R"({"type":"string","format":"date-time"})");
  BOOST_TEST(schemas.of({"mine", 0, 1, "a format of my own"}) == "true");
  BOOST_TEST(schemas.named().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace json_schema_tests
