#include "kafka/other_clients_support.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include <boost/test/unit_test.hpp>

#include "kappa_paths.hpp"
#include "support/child_process.hpp"

namespace kappa::test {
namespace {

using kappa::testing::child_process;
using lines = std::vector<std::string>;

const auto clients = std::filesystem::path{test_paths::source_dir} / "tests/kafka/clients";
const auto harness = std::filesystem::path{test_paths::source_dir} / "tests/kafka/harness";

lines run(const lines& command, const lines& input = {}) {
  child_process child{"/usr/bin/env", command};
  for (const auto& line : input) child.say(line);
  child.end_input();
  lines out;
  while (auto line = child.line()) out.push_back(std::move(*line));
  const int code = child.wait();
  BOOST_REQUIRE_MESSAGE(code == 0, command[0] << " … " << command.back() << " ended with " << code);
  return out;
}

lines java(const lines& arguments) {
  lines command{"python3", "-B", harness.string(), "tool", (clients / "Client.java").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

lines split(std::string_view text, char at) {
  lines parts;
  for (;;) {
    const auto end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::int64_t number(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), n);
  BOOST_REQUIRE_MESSAGE(bad == std::errc{} && end == text.data() + text.size(),
                        "no number: " << text);
  return n;
}

std::string to_text(const std::optional<std::string>& content) {
  if (!content) return "-";
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const char c : *content) {
    const auto byte = static_cast<unsigned char>(c);
    hex += digits[byte >> 4U];
    hex += digits[byte & 15U];
  }
  return hex;
}

std::optional<std::string> from_text(std::string_view hex) {
  if (hex == "-") return std::nullopt;
  std::string content;
  for (; hex.size() >= 2; hex.remove_prefix(2)) {
    int byte = 0;
    std::from_chars(hex.data(), hex.data() + 2, byte, 16);
    content += static_cast<char>(byte);
  }
  return content;
}

// Java's and Python's speak alike: see Client.java.
class line_client final : public other_client {
 public:
  line_client(std::string of, lines command)
      : other_client{std::move(of)}, command_{std::move(command)} {}

  std::vector<std::pair<std::int32_t, std::int64_t>> write(
      const std::string& brokers, const std::string& topic, const std::string& compression,
      const std::vector<plain_record>& records) const override {
    lines input;
    for (const auto& r : records) {
      auto line = r.partition ? std::to_string(*r.partition) : "-";
      line += "\t-\t" + std::to_string(r.time_ms);
      line += "\t" + to_text(r.key) + "\t" + to_text(r.value);
      for (const auto& [header, content] : r.headers)
        line += "\t" + header + "=" + to_text(content);
      input.push_back(std::move(line));
    }
    std::vector<std::pair<std::int32_t, std::int64_t>> places;
    for (const auto& line : run(with({"write", brokers, topic, compression}), input)) {
      const auto part = split(line, '\t');
      places.emplace_back(number(part.at(0)), number(part.at(1)));
    }
    return places;
  }

  std::vector<plain_record> read(const std::string& brokers,
                                 const std::string& topic) const override {
    std::vector<plain_record> records;
    for (const auto& line : run(with({"read", brokers, topic}))) {
      const auto part = split(line, '\t');
      plain_record r;
      r.partition = static_cast<std::int32_t>(number(part.at(0)));
      r.offset = number(part.at(1));
      r.time_ms = number(part.at(2));
      r.key = from_text(part.at(3));
      r.value = from_text(part.at(4));
      for (std::size_t i = 5; i < part.size(); ++i) {
        const auto equals = part[i].find('=');
        r.headers.emplace_back(part[i].substr(0, equals), from_text(part[i].substr(equals + 1)));
      }
      records.push_back(std::move(r));
    }
    return records;
  }

 private:
  lines with(const lines& arguments) const {
    auto all = command_;
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  lines command_;
};

class kcat_client final : public other_client {
 public:
  kcat_client() : other_client{"kcat"} {}

  // Headers, and whether nothing means null, are the command's: one for each record.
  std::vector<std::pair<std::int32_t, std::int64_t>> write(
      const std::string& brokers, const std::string& topic, const std::string& compression,
      const std::vector<plain_record>& records) const override {
    for (const auto& r : records) {
      BOOST_REQUIRE_MESSAGE(r.key || r.value, "kcat cannot write this record");
      lines command{"kcat", "-q", "-b", brokers, "-P", "-t", topic, "-z", compression};
      if (r.partition) command.insert(command.end(), {"-p", std::to_string(*r.partition)});
      if (!r.value) command.emplace_back("-Z");
      if (r.key) command.emplace_back("-K\t");
      for (const auto& [header, content] : r.headers)
        command.insert(command.end(), {"-H", content ? header + "=" + *content : header});
      run(command, {(r.key ? *r.key + "\t" : std::string{}) + r.value.value_or("")});
    }
    return {};
  }

  std::vector<plain_record> read(const std::string& brokers,
                                 const std::string& topic) const override {
    const auto out =
        run({"kcat", "-q", "-b", brokers, "-X", "isolation.level=read_committed", "-C", "-t", topic,
             "-o", "beginning", "-e", "-f", "%p\t%o\t%T\t%K\t%S\t%h\n%k%s\n"});
    std::vector<plain_record> records;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto part = split(out[i], '\t');
      plain_record r;
      r.partition = static_cast<std::int32_t>(number(part.at(0)));
      r.offset = number(part.at(1));
      r.time_ms = number(part.at(2));
      const auto key_size = number(part.at(3));
      const auto value_size = number(part.at(4));
      for (const auto& header : part.at(5).empty() ? lines{} : split(part.at(5), ',')) {
        const auto equals = header.find('=');
        auto content = header.substr(equals + 1);
        r.headers.emplace_back(header.substr(0, equals), content == "NULL"
                                                             ? std::nullopt
                                                             : std::optional{std::move(content)});
      }
      const auto size = static_cast<std::size_t>(std::max<std::int64_t>(key_size, 0) +
                                                 std::max<std::int64_t>(value_size, 0));
      std::string content = out.at(++i);
      while (content.size() < size) content += "\n" + out.at(++i);
      BOOST_REQUIRE_EQUAL(content.size(), size);
      if (key_size >= 0) r.key = content.substr(0, static_cast<std::size_t>(key_size));
      if (value_size >= 0) r.value = content.substr(size - static_cast<std::size_t>(value_size));
      records.push_back(std::move(r));
    }
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& a, const auto& b) { return *a.partition < *b.partition; });
    return records;
  }
};

}  // namespace

std::unique_ptr<other_client> make_client(client_kind kind) {
  switch (kind) {
    case client_kind::java:
      return std::make_unique<line_client>("java", java({}));
    case client_kind::python:
      // Debian's, which has the package: another one may come first on the PATH.
      return std::make_unique<line_client>(
          "python", lines{"/usr/bin/python3", "-B", (clients / "client.py").string()});
    case client_kind::kcat:
      break;
  }
  return std::make_unique<kcat_client>();
}

}  // namespace kappa::test
