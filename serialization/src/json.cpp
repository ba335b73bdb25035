#include "kappa/serialization/json.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include "kappa/core/json_traits.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/serialization/base64.hpp"

namespace kappa {
namespace {

const boost::json::value& as_json(const void* node) {
  return *static_cast<const boost::json::value*>(node);
}

const char* kind_name(const boost::json::value& v) {
  switch (v.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "a boolean";
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      return "a number";
    case boost::json::kind::string:
      return "a text";
    case boost::json::kind::array:
      return "an array";
    case boost::json::kind::object:
      return "an object";
  }
  return "something";
}

/// Builds the tree as boost::json::parser does, except for floats: its own are off by one in the
/// last place now and then (as of 1.81), and a value must survive the way to JSON and back.
struct tree_builder {
  static constexpr std::size_t max_object_size = boost::json::object::max_size();
  static constexpr std::size_t max_array_size = boost::json::array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();
  using text = boost::json::string_view;
  using status = boost::json::error_code;

  boost::json::value_stack stack;
  std::string number;
  // Of the objects that are open, one behind the other; where each begins.
  std::vector<std::string> keys;
  std::vector<std::size_t> begins;
  std::string key;
  std::optional<std::string> twice;

  bool on_document_begin(status&) { return true; }
  bool on_document_end(status&) { return true; }
  bool on_object_begin(status&) { return begins.push_back(keys.size()), true; }
  bool on_object_end(std::size_t n, status& ec) {
    stack.push_object(n);
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begins.back());
    std::sort(first, keys.end());
    if (const auto same = std::adjacent_find(first, keys.end()); same != keys.end()) {
      twice = std::move(*same);
      ec = boost::json::error::syntax;
      return false;
    }
    keys.resize(begins.back());
    begins.pop_back();
    return true;
  }
  bool on_array_begin(status&) { return true; }
  bool on_array_end(std::size_t n, status&) { return stack.push_array(n), true; }
  bool on_key_part(text s, std::size_t, status&) {
    key.append(s.data(), s.size());
    return stack.push_chars(s), true;
  }
  bool on_key(text s, std::size_t, status&) {
    key.append(s.data(), s.size());
    keys.push_back(std::exchange(key, {}));
    return stack.push_key(s), true;
  }
  bool on_string_part(text s, std::size_t, status&) { return stack.push_chars(s), true; }
  bool on_string(text s, std::size_t, status&) { return stack.push_string(s), true; }
  bool on_number_part(text s, status&) { return number.append(s.data(), s.size()), true; }
  bool on_int64(std::int64_t v, text, status&) { return number.clear(), stack.push_int64(v), true; }
  bool on_uint64(std::uint64_t v, text, status&) {
    return number.clear(), stack.push_uint64(v), true;
  }
  bool on_double(double v, text s, status&) {
    number.append(s.data(), s.size());
    double exact = 0;
    // Out of range: what the parser made of it (zero or infinity) stands.
    stack.push_double(parse_number(number, exact) ? exact : v);
    number.clear();
    return true;
  }
  bool on_bool(bool v, status&) { return stack.push_bool(v), true; }
  bool on_null(status&) { return stack.push_null(), true; }
  bool on_comment_part(text, status&) { return true; }
  bool on_comment(text, status&) { return true; }
};

}  // namespace

void json_writer::separate() {
  if (!first_) out_.push_back(',');
  first_ = false;
}
void json_writer::raw(std::string_view v) {
  separate();
  out_.append(v);
}
void json_writer::open(char c) {
  separate();
  out_.push_back(c);
  first_ = true;
}
void json_writer::close(char c) {
  out_.push_back(c);
  first_ = false;
}
void json_writer::member(std::string_view name) {
  separate();
  out_.push_back('"');
  out_.append(name);
  out_.append("\":");
  first_ = true;
}
void json_writer::integer(std::int64_t v) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", v);
}
void json_writer::integer(std::uint64_t v) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", v);
}
void json_writer::number(double v) {
  if (std::isnan(v)) return raw("\"NaN\"");
  if (std::isinf(v)) return raw(v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", v + 0);  // -0 is 0, as when it is encoded
}
void json_writer::number(float v) {
  if (std::isnan(v) || std::isinf(v)) return number(static_cast<double>(v));
  separate();
  fmt::format_to(std::back_inserter(out_), "{}", v + 0);
}
void json_writer::text(std::string_view v) {
  separate();
  append_json_text(out_, v);
}
void json_writer::base64(bytes_view v) {
  separate();
  out_.push_back('"');
  append_base64(out_, v);
  out_.push_back('"');
}
void json_writer::time(timestamp v) { raw(kappa::to_json(v)); }

namespace detail {
struct json_tree {
  boost::json::value value;
  std::string problem;
};
}  // namespace detail

json_document::json_document() : tree_{std::make_unique<detail::json_tree>()} {}
json_document::~json_document() = default;
json_document::json_document(json_document&&) noexcept = default;
json_document& json_document::operator=(json_document&&) noexcept = default;

bool json_document::parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 192;  // 64 levels of structs, each with its list, and some to spare
  boost::json::error_code ec;
  boost::json::basic_parser<tree_builder> parser{options};
  parser.handler().stack.reset();
  const auto used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
    ec = boost::json::error::extra_data;
  }
  if (const auto& twice = parser.handler().twice) {
    tree_->problem = fmt::format("not understood at byte {}: \"{}\" is there twice", used, *twice);
    return false;
  }
  if (ec) {
    tree_->problem = fmt::format("not JSON at byte {}: {}", used, ec.message());
    return false;
  }
  tree_->value = parser.handler().stack.release();
  return true;
}
json_view json_document::root() const { return {*tree_, &tree_->value, nullptr, nullptr, 0}; }
const std::string& json_document::problem() const { return tree_->problem; }

void json_view::append_path(std::string& out) const {
  if (parent_) parent_->append_path(out);
  if (name_) {
    if (!out.empty()) out.push_back('.');
    out.append(name_);
  } else if (parent_) {
    fmt::format_to(std::back_inserter(out), "[{}]", index_);
  }
}
bool json_view::fail(std::string_view problem) const {
  if (!tree_->problem.empty()) return false;
  append_path(tree_->problem);
  if (!tree_->problem.empty()) tree_->problem.append(": ");
  tree_->problem.append(problem);
  return false;
}
bool json_view::ok() const { return tree_->problem.empty(); }

bool json_view::is_null() const { return as_json(node_).is_null(); }
bool json_view::is_object() const {
  return as_json(node_).is_object() ||
         fail(fmt::format("expected an object, found {}", kind_name(as_json(node_))));
}
const void* json_view::find(const char* name) const {
  const auto* object = as_json(node_).if_object();
  if (!object) return nullptr;
  const auto* v = object->if_contains(name);
  return v && !v->is_null() ? v : nullptr;
}
bool json_view::has(const char* name) const {
  const auto* object = as_json(node_).if_object();
  return object && object->contains(name);
}
bool json_view::array(std::size_t& size) const {
  const auto* array = as_json(node_).if_array();
  if (!array) return fail(fmt::format("expected an array, found {}", kind_name(as_json(node_))));
  size = array->size();
  return true;
}
json_view json_view::element(std::size_t i) const {
  return {*tree_, &as_json(node_).get_array()[i], this, nullptr, i};
}

bool json_view::get(bool& v) const {
  const auto* b = as_json(node_).if_bool();
  if (!b) return fail(fmt::format("expected a boolean, found {}", kind_name(as_json(node_))));
  v = *b;
  return true;
}
bool json_view::get_signed(std::int64_t& v, std::int64_t least, std::int64_t most) const {
  const auto& node = as_json(node_);
  if (const auto* i = node.if_int64()) {
    v = *i;
  } else if (node.if_uint64()) {
    return fail("the integer is out of the field's range");
  } else if (const auto* d = node.if_double()) {
    if (*d != std::floor(*d)) return fail("expected an integer, found a fraction");
    if (!(*d >= -0x1p63 && *d < 0x1p63)) return fail("the integer is out of the field's range");
    v = static_cast<std::int64_t>(*d);
  } else if (const auto* s = node.if_string(); s && parse_number({s->data(), s->size()}, v)) {
  } else {
    return fail(fmt::format("expected an integer, found {}", kind_name(node)));
  }
  return (v >= least && v <= most) || fail("the integer is out of the field's range");
}
bool json_view::get_unsigned(std::uint64_t& v, std::uint64_t most) const {
  const auto& node = as_json(node_);
  if (const auto* u = node.if_uint64()) {
    v = *u;
  } else if (const auto* i = node.if_int64()) {
    if (*i < 0) return fail("the integer is out of the field's range");
    v = static_cast<std::uint64_t>(*i);
  } else if (const auto* d = node.if_double()) {
    if (*d != std::floor(*d)) return fail("expected an integer, found a fraction");
    if (!(*d >= 0 && *d < 0x1p64)) return fail("the integer is out of the field's range");
    v = static_cast<std::uint64_t>(*d);
  } else if (const auto* s = node.if_string(); s && parse_number({s->data(), s->size()}, v)) {
  } else {
    return fail(fmt::format("expected an integer, found {}", kind_name(node)));
  }
  return v <= most || fail("the integer is out of the field's range");
}
bool json_view::get(double& v) const {
  const auto& node = as_json(node_);
  if (const auto* s = node.if_string()) {
    const std::string_view text{s->data(), s->size()};
    if (text == "NaN") return v = std::numeric_limits<double>::quiet_NaN(), true;
    if (text == "Infinity") return v = std::numeric_limits<double>::infinity(), true;
    if (text == "-Infinity") return v = -std::numeric_limits<double>::infinity(), true;
  }
  if (!node.is_number()) return fail(fmt::format("expected a number, found {}", kind_name(node)));
  v = node.to_number<double>();
  return true;
}
bool json_view::get(float& v) const {
  double wide = 0;
  if (!get(wide)) return false;
  if (std::isfinite(wide) && std::abs(wide) > double{std::numeric_limits<float>::max()}) {
    return fail("the number is out of the field's range");
  }
  v = static_cast<float>(wide);
  return true;
}
bool json_view::get(std::string& v) const {
  const auto* s = as_json(node_).if_string();
  if (!s) return fail(fmt::format("expected a text, found {}", kind_name(as_json(node_))));
  v.assign(s->data(), s->size());
  return true;
}
bool json_view::peek_text(std::string_view& v) const {
  const auto* s = as_json(node_).if_string();
  if (s) v = {s->data(), s->size()};
  return s != nullptr;
}
bool json_view::get(timestamp& v) const {
  std::string_view text;
  if (peek_text(text)) {
    if (const auto t = parse_time(text)) {
      v = *t;
      return true;
    }
    std::int64_t ms = 0;
    if (!parse_number(text, ms))
      return fail("expected a time like 2001-01-01T08:00:00Z or milliseconds");
    v = timestamp{milliseconds{ms}};
    return true;
  }
  std::int64_t ms = 0;
  if (!get(ms)) return false;
  v = timestamp{milliseconds{ms}};
  return true;
}
bool json_view::get_base64(bytes& v) const {
  std::string_view text;
  if (!peek_text(text))
    return fail(fmt::format("expected base64, found {}", kind_name(as_json(node_))));
  auto decoded = from_base64(text);
  if (!decoded) return fail("the text is not base64");
  v = std::move(*decoded);
  return true;
}

json_problem split_json_problem(std::string_view problem) {
  constexpr std::string_view between = ": ";
  const auto end = problem.find(between);
  if (end == std::string_view::npos) return {{}, problem};
  const auto path = problem.substr(0, end);
  if (path.find(' ') != std::string_view::npos) return {{}, problem};  // words: it is no JSON
  return {path, problem.substr(end + between.size())};
}

namespace {

std::optional<std::string> passed_over(const boost::json::value& in, const boost::json::value& read,
                                       const std::string& path) {
  if (const auto* members = in.if_object()) {
    const auto* known = read.if_object();
    if (known == nullptr) return std::nullopt;
    for (const auto& m : *members) {
      auto name = path.empty() ? std::string{} : path + ".";
      name.append(m.key().data(), m.key().size());
      const auto* same = known->if_contains(m.key());
      if (same == nullptr) return name;
      if (auto deeper = passed_over(m.value(), *same, name)) return deeper;
    }
  } else if (const auto* elements = in.if_array()) {
    const auto* known = read.if_array();
    for (std::size_t i = 0; known != nullptr && i < std::min(elements->size(), known->size());
         ++i) {
      if (auto deeper = passed_over((*elements)[i], (*known)[i], fmt::format("{}[{}]", path, i)))
        return deeper;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> member_passed_over(std::string_view text, std::string_view as_read) {
  json_document given;
  json_document read;
  if (!given.parse(text) || !read.parse(as_read)) return std::nullopt;
  return passed_over(as_json(given.root().node_), as_json(read.root().node_), {});
}

}  // namespace kappa
