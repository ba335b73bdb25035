#include "kappa/serialization/dynamic.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "description.hpp"
#include "dynamic_struct.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/parse_number.hpp"
#include "kappa/stream/window.hpp"

namespace kappa {

struct dynamic_type::reader {
  std::string name;

  virtual ~reader() = default;
  [[nodiscard]] virtual result<std::string> to_json(bytes_view value) const = 0;
  [[nodiscard]] virtual result<bytes> from_text(std::string_view /*text*/) const {
    return fail(errc::invalid_argument, name,
                "a key of this type can be typed only while its app runs");
  }
};

namespace {

using reader_ptr = std::shared_ptr<const dynamic_type::reader>;

bool is_text(bytes_view v) {
  std::string as_json;
  append_json_text(as_json, v);
  if (from_json<std::string>(as_json) != v) return false;  // not UTF-8: something was replaced
  return std::none_of(v.begin(), v.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 && u != '\t' && u != '\n' && u != '\r';
  });
}

struct bytes_reader final : dynamic_type::reader {
  [[nodiscard]] result<std::string> to_json(bytes_view v) const override {
    return json_of_unknown(v);
  }
  [[nodiscard]] result<bytes> from_text(std::string_view text) const override {
    return bytes{text};
  }
};

template <class T>
struct codec_reader final : dynamic_type::reader {
  [[nodiscard]] result<std::string> to_json(bytes_view v) const override {
    auto value = codec<T>::decode(v);
    if (!value) return fail(value.error());
    return kappa::to_json(*value);
  }
  [[nodiscard]] result<bytes> from_text(std::string_view text) const override {
    if constexpr (std::is_same_v<T, timestamp>) {
      const auto t = parse_time(text);
      if (t) return encoded(*t);
      return fail(errc::invalid_argument, std::string{text},
                  "the key must be a time like 2001-01-01T08:00:00Z");
    } else {
      T number{};
      if (parse_number(text, number)) return encoded(number);
      return fail(errc::invalid_argument, std::string{text}, "the key must be an integer");
    }
  }
};

struct json_reader final : dynamic_type::reader {
  [[nodiscard]] result<std::string> to_json(bytes_view v) const override {
    json_document document;
    if (!document.parse(v)) return fail(errc::decode, name, document.problem());
    std::string line{v};  // a line end stands between tokens only, so a space does as well
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return line;
  }
};

struct struct_reader final : dynamic_type::reader {
  std::shared_ptr<const detail::dynamic_struct> shape;

  [[nodiscard]] result<std::string> to_json(bytes_view v) const override {
    std::string out;
    std::string problem;
    if (!shape->to_json(v, out, problem)) return fail(errc::decode, name, problem);
    return out;
  }
};

struct keyed_reader final : dynamic_type::reader {
  reader_ptr key;
  reader_ptr value;
  bool windowed = false;

  [[nodiscard]] result<std::string> to_json(bytes_view in) const override {
    byte_reader r{in};
    const auto key_bytes = r.get_bytes();
    timestamp start{};
    timestamp end{};
    if (windowed) {
      start = timestamp{milliseconds{r.get<std::int64_t>()}};
      end = timestamp{milliseconds{r.get<std::int64_t>()}};
    }
    const auto value_bytes = r.get_bytes();
    if (!r.done()) return fail(errc::decode, name, "malformed");
    auto k = key->to_json(key_bytes);
    if (!k) return k;
    auto v = value->to_json(value_bytes);
    if (!v) return v;
    const auto span = windowed ? fmt::format(R"("window":{{"start":{},"end":{}}},)",
                                             kappa::to_json(start), kappa::to_json(end))
                               : std::string{};
    return fmt::format(R"({{"key":{},{}"value":{}}})", *k, span, *v);
  }
};

/// The record key of a windowed result, and the state key of a window.
struct window_key_reader final : dynamic_type::reader {
  reader_ptr key;

  [[nodiscard]] result<std::string> to_json(bytes_view in) const override {
    const auto parts = split_windowed_key(in);
    if (!parts) return fail(errc::decode, name, "malformed");
    auto k = key->to_json(parts->key);
    if (!k) return k;
    return fmt::format(R"({{"key":{},"window":{}}})", *k, kappa::to_json(parts->start));
  }
  [[nodiscard]] result<bytes> from_text(std::string_view text) const override {
    return key->from_text(text);
  }
};

reader_ptr make(const std::string& name, std::string_view description, int levels);

template <class T>
reader_ptr made(T&& r, const std::string& name) {
  auto out = std::make_shared<std::remove_cvref_t<T>>(std::forward<T>(r));
  out->name = name;
  return out;
}

// "keyed 12\n", the key's description of 12 bytes, the value's.
reader_ptr make_wrapped(const std::string& name, std::string_view text, int levels) {
  const auto line_end = text.find('\n');
  if (line_end == std::string_view::npos) return nullptr;
  const auto head = text.substr(0, line_end);
  const auto space = head.find(' ');
  std::size_t key_bytes = 0;
  if (space == std::string_view::npos || !parse_number(head.substr(space + 1), key_bytes)) {
    return nullptr;
  }
  const auto wrapper = head.substr(0, space);
  text.remove_prefix(line_end + 1);
  if (key_bytes > text.size()) return nullptr;
  auto key = make(name, text.substr(0, key_bytes), levels + 1);
  if (!key) return nullptr;
  text.remove_prefix(key_bytes);
  if (wrapper == "window-key") {
    window_key_reader r;
    r.key = std::move(key);
    return text.empty() ? made(std::move(r), name) : nullptr;
  }
  keyed_reader r;
  r.key = std::move(key);
  r.value = make(name, text, levels + 1);
  r.windowed = wrapper == "windowed";
  if (!r.value || (wrapper != "keyed" && wrapper != "windowed")) return nullptr;
  return made(std::move(r), name);
}

reader_ptr make(const std::string& name, std::string_view description, int levels) {
  constexpr int most_levels = 16;
  if (levels > most_levels) return nullptr;
  if (description == codec<std::string>::schema().description) return made(bytes_reader{}, name);
  if (description == codec<std::int64_t>::schema().description) {
    return made(codec_reader<std::int64_t>{}, name);
  }
  if (description == codec<timestamp>::schema().description) {
    return made(codec_reader<timestamp>{}, name);
  }
  if (description == "json") return made(json_reader{}, name);
  if (auto shape = detail::dynamic_struct::make(std::string{description})) {
    struct_reader r;
    r.shape = std::move(shape);
    return made(std::move(r), name);
  }
  return make_wrapped(name, description, levels);
}

}  // namespace

result<dynamic_type> dynamic_type::parse(const schema_info& schema) {
  auto made = make(schema.name, schema.description, 0);
  if (made) return dynamic_type{std::move(made)};
  return fail(errc::incompatible, schema.name,
              "not a type that can be read without its program: it has a codec of its own, or "
              "another version of Kappa described it");
}

result<std::string> dynamic_type::to_json(bytes_view value) const { return in_->to_json(value); }
result<bytes> dynamic_type::from_text(std::string_view text) const { return in_->from_text(text); }
const std::string& dynamic_type::name() const { return in_->name; }

std::string json_of_unknown(bytes_view value) {
  std::string out;
  json_writer w{out};
  if (is_text(value)) {
    w.text(value);
  } else {
    w.begin_object();
    w.member("base64");
    w.base64(value);
    w.end_object();
  }
  return out;
}

}  // namespace kappa
