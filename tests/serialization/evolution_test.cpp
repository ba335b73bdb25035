// Schemas change, stored bytes do not. old/ keeps what earlier versions wrote.

#include <fstream>
#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

#include "everything.kappa.hpp"
#include "flights.kappa.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa_paths.hpp"
#include "order.kappa.hpp"
#include "order_v1.kappa.hpp"
#include "serialization/dynamic_support.hpp"

namespace {

using kappa::bytes;
using kappa::check_readable;
using kappa::codec;
using kappa::read_as;
using kappa::schema_info;

std::string to_hex(const bytes& v) {
  std::string out;
  for (std::size_t i = 0; i < v.size(); ++i) {
    out += fmt::format("{:02x}", static_cast<unsigned char>(v[i]));
    if (i % 32 == 31 || i + 1 == v.size()) out += '\n';
  }
  return out;
}

bytes from_hex(const std::string& text) {
  bytes out;
  std::string digits;
  for (const char c : text) {
    if (c != '\n') digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

std::string file(const std::string& name) {
  std::ifstream in{std::string{kappa::test_paths::source_dir} + "/tests/serialization/old/" + name};
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

const v1::order old_order{.placed = kappa::timestamp{kappa::milliseconds{978336600000}},
                          .customer = "ada",
                          .quantity = 3,
                          .tags = {"red", "", "large"},
                          .lines = {{.item = "pen", .cents = 250}, {.item = "ink", .cents = -1}},
                          .comment = "soon",
                          .paid = true,
                          .colour = v1::order::colour_type::white};

const v2::purchase new_order{
    .placed = kappa::timestamp{kappa::milliseconds{978336600000}},
    .buyer = "ada",
    .quantity = 3,
    .tags = {{.name = "red", .weight = 7}, {}, {.name = "large"}},
    .lines = {{.item = "pen", .cents = 250, .gift = true, .options = {"x"}},
              {.item = "ink", .cents = -1}},
    .remark = {.which = v2::purchase::remark_type::comment{"soon"}},
    .state = {.paid = true, .sent = true},
    .colour = v2::purchase::colour_type::green,
    .country = "FR",
    .discount = 0.5};

const schema_info was = codec<v1::order>::schema();
const schema_info is = codec<v2::purchase>::schema();

/// `from` replaced in a description: a schema that somebody edited.
schema_info edited(schema_info s, const std::string& from, const std::string& to) {
  const auto at = s.description.find(from);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, "not in the description: " << from);
  s.description.replace(at, from.size(), to);
  return s;
}

std::string refusal(const schema_info& present, const schema_info& stored,
                    read_as as = read_as::state) {
  const auto r = check_readable(present, stored, as);
  if (r) return "readable";
  BOOST_TEST((r.error().code == kappa::errc::incompatible));
  return r.error().message;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_kept_bytes_are_what_their_schemas_write) {
  // When the new schema changes on purpose, write order_v2.hex anew; order_v1.hex never.
  BOOST_TEST(to_hex(kappa::encoded(old_order)) == file("order_v1.hex"));
  BOOST_TEST(to_hex(kappa::encoded(new_order)) == file("order_v2.hex"));
}

BOOST_AUTO_TEST_CASE(the_present_schema_reads_bytes_of_the_old_one) {
  BOOST_TEST(check_readable(is, was).has_value());
  const auto v = codec<v2::purchase>::decode(from_hex(file("order_v1.hex")));
  BOOST_REQUIRE_MESSAGE(v, kappa::test::why(v));
  BOOST_TEST(*v ==
             (v2::purchase{.placed = old_order.placed,
                           .buyer = "ada",
                           .quantity = 3,
                           .tags = {{.name = "red"}, {}, {.name = "large"}},
                           .lines = {{.item = "pen", .cents = 250}, {.item = "ink", .cents = -1}},
                           .remark = {.which = v2::purchase::remark_type::comment{"soon"}},
                           .state = {.paid = true},
                           .colour = v2::purchase::colour_type::white}));
}

BOOST_AUTO_TEST_CASE(the_old_schema_reads_events_of_the_present_one) {
  const auto v = codec<v1::order>::decode(from_hex(file("order_v2.hex")));
  BOOST_REQUIRE_MESSAGE(v, kappa::test::why(v));
  auto expected = old_order;
  expected.colour = v1::order::colour_type{2};  // a number that it has no name for yet
  BOOST_TEST(*v == expected);
  BOOST_TEST(fmt::format("{}", *v).find("colour=2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(state_of_a_newer_version_is_refused_for_what_would_be_lost) {
  const auto newer =
      edited(was, "@7 Enum#0 d7 - - colour\n", "@7 Enum#0 d7 - - colour\n@8 Text p4 - - notes\n");
  BOOST_TEST(
      refusal(was, newer) ==
      "field 'notes' (@8) of order_v1.capnp:Order is gone: it was removed, or the data is of a "
      "newer version. "
      "A field that is not used any more stays in the schema (rename it, say to notesObsolete)");
  BOOST_TEST(refusal(was, newer, read_as::events) == "readable");
}

BOOST_AUTO_TEST_CASE(a_field_that_is_appended_leaves_the_bytes_of_old_values_alone) {
  // So a key that grows a field still finds its old entries.
  const v1::order o{
      .placed = kappa::timestamp{kappa::milliseconds{1}}, .customer = "x", .paid = true};
  const v2::purchase p{.placed = o.placed, .buyer = "x", .state = {.paid = true}};
  BOOST_TEST(kappa::encoded(o) == kappa::encoded(p));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_refused_by_the_fields_name) {
  BOOST_TEST(refusal(is, is) == "readable");
  BOOST_TEST(refusal(edited(was, "@2 Int32 ", "@2 Int64 "), was) ==
             "field 'quantity' (@2) of order_v1.capnp:Order was Int32 and is Int64: a field's type "
             "may not change");
  BOOST_TEST(refusal(edited(was, "@2 Int32 d2 1 - quantity", "@2 Int32 d3 1 - amount"), was) ==
             "field 'amount' (@2) of order_v1.capnp:Order (stored as 'quantity') has moved from d2 "
             "to d3: fields may "
             "not be renumbered");
  BOOST_TEST(refusal(edited(was, "d2 1 - quantity", "d2 2 - quantity"), was) ==
             "field 'quantity' (@2) of order_v1.capnp:Order has another default (2 was 1): stored "
             "values would change");
  BOOST_TEST(refusal(edited(was, "@1 Text p0 - - customer\n", ""), was)
                 .starts_with("field 'customer' (@1) of order_v1.capnp:Order is gone"));
  BOOST_TEST(
      refusal(edited(was, "@1 Text p0 - - customer", "@1 Data p0 - - customer"), was)
          .starts_with("field 'customer' (@1) of order_v1.capnp:Order was Text and is Data"));
  BOOST_TEST(
      refusal(edited(was, "@4 List(Struct#1) p2", "@4 Struct#1 p2"), was) ==
      "field 'lines' (@4) of order_v1.capnp:Order was List(order_v1.capnp:Order.Line) and is "
      "order_v1.capnp:Order.Line: a field's type may not change");
  // In a struct further down.
  BOOST_TEST(refusal(edited(was, "@1 Int64 d0 - - cents", "@1 Float64 d0 - - cents"), was) ==
             "field 'cents' (@1) of order_v1.capnp:Order.Line was Int64 and is Float64: a field's "
             "type may not change");
  // A new union may take a field in as its first alternative only.
  BOOST_TEST(refusal(edited(is, "8:0 remark.|comment", "8:1 remark.|comment"), was)
                 .ends_with("has moved into, out of or within a union"));
  BOOST_TEST(refusal(was, is, read_as::events) != "readable");  // the union's field has left it
  // The new list of structs is not the old list of texts.
  BOOST_TEST(
      refusal(edited(is, "@0 Text p0 - - name", "@0 Data p0 - - name"), was).find("'tags'") !=
      std::string::npos);
}

BOOST_AUTO_TEST_CASE(another_type_is_refused_even_when_its_shape_would_do) {
  auto other = was;
  other.id = 5;
  other.name = "shop.capnp:Basket";
  BOOST_TEST(refusal(was, other)
                 .starts_with("the stored data is of shop.capnp:Basket (@0x5), another type than "
                              "order_v1.capnp:Order (@0xe1d2c3b4a5960701)"));
  BOOST_TEST(refusal(codec<flight>::schema(), codec<std::string>::schema()) ==
             "the stored schema is not one that this version of Kappa knows");
  BOOST_TEST(
      refusal(codec<std::string>::schema(), was).starts_with("only an equal schema can be read"));
}

BOOST_AUTO_TEST_CASE(names_of_enums_and_what_is_a_time_may_change) {
  const auto fewer = edited(was, "Order.Colour black white\n", "Order.Colour black\n");
  BOOST_TEST(refusal(was, fewer) == "readable");
  BOOST_TEST(refusal(fewer, was) == "readable");
  const auto number = edited(was, "@0 Time d0", "@0 Int64 d0");
  BOOST_TEST(refusal(was, number) == "readable");
  BOOST_TEST(refusal(number, was) == "readable");
  BOOST_TEST(refusal(edited(was, "@0 Time d0", "@0 UInt64 d0"), was)
                 .ends_with("was Int64 and is UInt64: a field's type may not change"));
}

BOOST_AUTO_TEST_CASE(a_tombstone_stays_one) {
  const auto head = was.description.substr(0, was.description.find('\n', 8) + 1);
  const auto marked = edited(was, head, head + "tombstone\n");
  BOOST_TEST(refusal(marked, marked) == "readable");
  BOOST_TEST(
      refusal(marked, was) ==
      "order_v1.capnp:Order was no $Kappa.tombstone and is one: a replay would delete what has "
      "had it");
  BOOST_TEST(
      refusal(was, marked) ==
      "order_v1.capnp:Order was a $Kappa.tombstone and is none: a replay would keep what it has "
      "deleted (a former event keeps the mark)");
}

BOOST_AUTO_TEST_CASE(a_damaged_description_is_refused_not_trusted) {
  for (const auto* bad :
       {"", "capnp 2\n", "capnp 3\n", "capnp 2\n@0 Int64 d0 - - x\n", "capnp 2\nstruct 1 x\n",
        "capnp 2\nstruct 0 x\n@x Int64 d0 - - x\n", "capnp 2\nstruct 0 x\n@0 Int64\n",
        "capnp 2\nstruct 0 x\n@0 Struct#9 p0 - - x\n@0 Text p0 - - x\n", "capnp 2\nstruct 0 x",
        "capnp 2\ntombstone\nstruct 0 x\n", "capnp 2\nstruct 0 x\ntombstone\ntombstone\n",
        "capnp 2\nstruct 0 x\n@0 Int64 d0 - - x\ntombstone\n",
        "capnp 2\nstruct 0 x\nstruct 1 y\ntombstone\n"}) {
    auto stored = was;
    stored.description = bad;
    BOOST_TEST(refusal(was, stored) ==
               "the stored schema is not one that this version of Kappa knows");
  }
  const auto points_nowhere = edited(was, "Struct#1", "Struct#7");
  BOOST_TEST(refusal(was, points_nowhere) == "a schema refers to a struct that it does not hold");
}

BOOST_AUTO_TEST_CASE(a_description_changes_only_with_the_schema) {
  BOOST_TEST(codec<flight>::schema().description ==
             "capnp 2\n"
             "struct 0 flights.capnp:Flight\n"
             "@0 Time d0 - - scheduled\n"
             "@1 Int32 d2 - - delay\n"
             "@2 Int32 d3 - - distance\n"
             "@3 Text p0 - - origin\n"
             "@4 Text p1 - - destination\n");
  BOOST_TEST(codec<flight>::schema().fingerprint ==
             kappa::checksum(codec<flight>::schema().description));
  BOOST_TEST(codec<flight>::schema().fingerprint !=
             codec<everything::everything>::schema().fingerprint);
  // Recursive types have a finite one.
  BOOST_TEST(check_readable(codec<everything::tree>::schema(), codec<everything::tree>::schema())
                 .has_value());
}
