// CSV files, plain or compressed, read to the end and again from places on the way; and rows.

#include <vector>

#include "fuzz/fuzz.hpp"
#include "fuzz/memory_file.hpp"
#include "kappa/source/csv_file.hpp"

namespace kappa::fuzz {
namespace {

const csv_format format{{"scheduled", "delay", "origin"}, 64};
constexpr bytes_view header = "scheduled,delay,origin\n";
constexpr bytes_view zstd_magic = "\x28\xb5\x2f\xfd";
constexpr std::size_t rows_at_most = 5'000;  // a few bytes of zstd can be very many rows

struct outcome {
  std::vector<bytes> rows;
  bool ended = false;
  bytes place;
};

outcome read_on(const std::string& path, const std::optional<bytes>& place, std::size_t limit) {
  outcome o;
  csv_file file{path, format};
  if (!file.open(place)) return o;
  while (o.rows.size() < limit) {
    const auto row = file.next();
    if (!row) {
      const auto again = file.next();
      expect(!again && again.error().code == row.error().code, "an error stays");
      break;
    }
    if (!*row) {
      expect(file.at_end(), "a file has rows, or an end");
      o.ended = true;
      break;
    }
    o.rows.emplace_back((*row)->value);
  }
  o.place = file.place();
  expect(o.place.size() <= 1024, "a place is small");
  return o;
}

// What the rows of a plain file are, in a few lines.
std::vector<bytes> rows_of(bytes_view text) {
  std::vector<bytes> rows;
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == bytes_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > format.max_row_bytes) line = line.substr(0, format.max_row_bytes + 1);
    rows.emplace_back(line);
  }
  return rows;
}

void file(bytes_view content, std::size_t stop, bool plain) {
  const memory_file f{content};
  const auto all = read_on(f.path(), std::nullopt, rows_at_most);
  if (plain && all.ended) {
    expect(all.rows == rows_of(content.substr(header.size())), "the rows are the lines");
  }
  if (stop >= all.rows.size()) return;
  const auto first = read_on(f.path(), std::nullopt, stop);
  expect(std::equal(first.rows.begin(), first.rows.end(), all.rows.begin()),
         "a file is read the same way twice");
  const auto rest = read_on(f.path(), first.place, rows_at_most - stop);
  expect(first.rows.size() + rest.rows.size() == all.rows.size(), "no row is skipped or repeated");
  expect(std::equal(rest.rows.begin(), rest.rows.end(),
                    all.rows.begin() + static_cast<std::ptrdiff_t>(stop)),
         "reading goes on at the place");
}

void row(bytes_view text) {
  csv_row r{format, text};
  const auto scheduled = r.time("scheduled");
  const auto delay = r.int32("delay");
  const auto origin = r.capitals("origin", 3);
  const auto done = r.done(0);
  if (!done) {
    const auto code = done.error().code;
    expect((code == errc::decode || code == errc::too_large) && !done.error().message.empty(),
           "what is wrong is said");
    expect(r.failure().has_value(), "a row that failed says so");
    return;
  }
  const auto again = format_time(scheduled) + "," + std::to_string(delay) + "," + origin;
  csv_row same{format, again};
  expect(same.time("scheduled") == scheduled && same.int32("delay") == delay &&
             same.capitals("origin", 3) == origin && same.done(0).has_value(),
         "a row is read back as it was");
}

}  // namespace

void csv(bytes_view in) {
  script s{in};
  const auto kind = s.byte();
  switch (kind % 4) {
    case 0:
      return row(s.rest());
    case 1:
      return file(bytes{header} + bytes{s.rest()}, kind / 4, true);
    case 2:
      return file(s.rest(), kind / 4, false);
    default: {
      const auto place = s.text(200);
      const memory_file f{bytes{header} + bytes{s.rest()}};
      (void)read_on(f.path(), bytes{place}, rows_at_most);
      const memory_file compressed{bytes{zstd_magic} + bytes{s.rest()}};
      (void)read_on(compressed.path(), std::nullopt, rows_at_most);
    }
  }
}

}  // namespace kappa::fuzz
