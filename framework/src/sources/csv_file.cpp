#include "kappa/source/csv_file.hpp"

#include <zstd.h>

#include <cstring>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "sources/csv_header.hpp"
#include "sources/raw_file.hpp"

namespace kappa {
namespace {

using detail::file_identity;
using detail::raw_file;

constexpr std::size_t read_chunk_bytes = 256 * 1024;
constexpr std::uint8_t place_version = 1;

/// What `csv_file::place` gives.
struct file_place {
  file_identity file;
  std::uint64_t offset = 0;  // of the next row, in the uncompressed content
  std::uint64_t rows = 0;    // given
  std::uint64_t chain = 0;   // hash of all of them
  bool at_end = false;
};

bytes encode(const file_place& p) {
  bytes out;
  byte_writer w{out};
  w.put(place_version).put(p.file.size).put(p.file.first).put(p.file.last).put(p.file.modified_ns);
  w.put(p.offset).put(p.rows).put(p.chain).put(static_cast<std::uint8_t>(p.at_end));
  w.put(checksum(out));
  return out;
}

result<file_place> decode_place(const std::string& path, bytes_view in) {
  if (!in.empty() && static_cast<std::uint8_t>(in.front()) > place_version) {
    return fail(errc::incompatible, path,
                "its place was written by a newer version of Kappa: use that version, or start "
                "over with --fresh");
  }
  file_place p;
  byte_reader r{in};
  const auto version = r.get<std::uint8_t>();
  p.file.size = r.get<std::uint64_t>();
  p.file.first = r.get<std::uint64_t>();
  p.file.last = r.get<std::uint64_t>();
  p.file.modified_ns = r.get<std::int64_t>();
  p.offset = r.get<std::uint64_t>();
  p.rows = r.get<std::uint64_t>();
  p.chain = r.get<std::uint64_t>();
  const auto at_end = r.get<std::uint8_t>();
  const auto sum = r.get<std::uint64_t>();
  if (!r.done() || version != place_version || at_end > 1 ||
      sum != checksum(in.substr(0, in.size() - sizeof sum))) {
    return fail(errc::corrupt, path,
                fmt::format("its place is damaged ({} bytes): start over with --fresh", in.size()));
  }
  p.at_end = at_end == 1;
  return p;
}

struct free_context {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

bool is_zstd(bytes_view head) {
  if (head.size() < 4) return false;
  std::uint32_t magic = 0;
  std::memcpy(&magic, head.data(), 4);
  return magic == ZSTD_MAGICNUMBER ||
         (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/// The content of a file: decompressed where it is compressed.
class csv_content {
 public:
  explicit csv_content(std::string path) : path_{path}, raw_{std::move(path)} {}

  result<void> open();
  [[nodiscard]] bool compressed() const { return context_ != nullptr; }
  [[nodiscard]] raw_file& raw() { return raw_; }
  [[nodiscard]] const raw_file& raw() const { return raw_; }
  /// At least one byte; 0 at the end.
  result<std::size_t> read(char* to, std::size_t room);
  /// Bytes of the file that are behind what `read` gave.
  [[nodiscard]] std::uint64_t raw_done() const { return raw_.at() - (in_.size - in_.pos); }

 private:
  std::string path_;
  raw_file raw_;
  std::unique_ptr<ZSTD_DCtx, free_context> context_;
  std::vector<char> in_bytes_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool in_frame_ = false;
};

result<void> csv_content::open() {
  if (auto opened = raw_.open(); !opened) return opened;
  const auto& head = raw_.head();
  if (head.starts_with("\x1f\x8b")) {
    return fail(errc::bad_config, path_,
                "is compressed with gzip: unpack it, or compress it with zstd");
  }
  if (!is_zstd(head)) return {};
  context_.reset(ZSTD_createDCtx());
  if (!context_) return fail(errc::io, path_, "zstd: out of memory");
  in_bytes_.resize(ZSTD_DStreamInSize());
  in_ = {in_bytes_.data(), 0, 0};
  return {};
}

result<std::size_t> csv_content::read(char* to, std::size_t room) {
  if (!compressed()) return raw_.read(to, room);
  ZSTD_outBuffer out{to, room, 0};
  while (out.pos == 0) {
    if (in_.pos == in_.size) {
      auto got = raw_.read(in_bytes_.data(), in_bytes_.size());
      if (!got) return fail(got.error());
      in_.size = *got;
      in_.pos = 0;
    }
    const bool last = in_.size == 0;
    if (last && !in_frame_) return 0;
    const auto left = ZSTD_decompressStream(context_.get(), &out, &in_);
    if (ZSTD_isError(left) != 0) {
      return fail(errc::corrupt, path_,
                  fmt::format("zstd, near byte {}: {}", raw_done(), ZSTD_getErrorName(left)));
    }
    in_frame_ = left != 0;
    if (last && in_frame_ && out.pos == 0) {
      return fail(errc::corrupt, path_,
                  fmt::format("zstd: the compressed data stops in the middle, after {} bytes; "
                              "copy the file again",
                              raw_.identity().size));
    }
  }
  return out.pos;
}

}  // namespace

// ------------------------------------------------------------------------------------------ lines

class csv_file::reader {
 public:
  reader(std::string path, csv_format format)
      : path_{std::move(path)},
        name_{path_.substr(path_.rfind('/') + 1)},
        format_{std::move(format)} {}

  result<void> open(const std::optional<bytes>& place);
  result<std::optional<source_row>> next();

  [[nodiscard]] bool at_end() const { return ready_ && !error_ && eof_ && begin_ == end_; }
  [[nodiscard]] bytes place() const {
    return encode({content_ ? content_->raw().identity() : file_identity{}, offset_, rows_, chain_,
                   at_end()});
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] source_progress progress() const {
    if (!content_) return {};
    const auto done = content_->compressed() ? content_->raw_done() : offset_;
    return {rows_, done, content_->raw().identity().size};
  }

 private:
  result<void> check_format() const;
  result<void> start(const std::optional<bytes>& place);
  result<void> check_same_file(const file_place& was) const;
  result<void> read_header();
  result<void> go_to(const file_place& was);
  /// Takes the next line, without its end, and makes sure that at_end() is right after it; false
  /// at the end. Of a long line `line` is the first max_row_bytes + 1 bytes.
  result<bool> take_line(bytes_view& line);
  result<std::optional<source_row>> take_row();
  result<void> fill();

  std::string path_;
  std::string name_;
  csv_format format_;
  std::optional<csv_content> content_;
  bool ready_ = false;
  std::optional<error> error_;

  // [begin_, end_) of the buffer was read and not yet given.
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool eof_ = false;
  bytes long_line_;

  std::uint64_t offset_ = 0;  // of begin_ in the content
  std::uint64_t rows_ = 0;
  std::uint64_t chain_ = 0;
};

result<void> csv_file::reader::open(const std::optional<bytes>& place) {
  ready_ = false;
  error_.reset();
  auto started = start(place);
  if (!started) {
    error_ = started.error();
    return started;
  }
  ready_ = true;
  return {};
}

result<void> csv_file::reader::start(const std::optional<bytes>& place) {
  begin_ = end_ = 0;
  eof_ = false;
  offset_ = rows_ = chain_ = 0;
  content_.emplace(path_);
  if (auto good = check_format(); !good) return good;
  buffer_.resize(format_.max_row_bytes + read_chunk_bytes);
  std::optional<file_place> was;
  if (place) {
    auto decoded = decode_place(path_, *place);
    if (!decoded) return fail(decoded.error());
    was = *decoded;
  }
  if (auto opened = content_->open(); !opened) return opened;
  if (was) {
    if (auto same = check_same_file(*was); !same) return same;
  }
  if (auto header = read_header(); !header) return header;
  if (was) return go_to(*was);
  return {};
}

result<void> csv_file::reader::check_format() const {
  const auto& columns = format_.columns;
  if (columns.empty() || columns.size() > max_csv_columns) {
    return fail(errc::bad_config, path_,
                fmt::format("csv_format.columns: {} names, must be 1 to {}", columns.size(),
                            max_csv_columns));
  }
  std::set<std::string_view> seen;
  for (const auto& name : columns) {
    if (name.empty() || name.find_first_of(",\"\r\n") != std::string::npos ||
        !seen.insert(name).second) {
      return fail(errc::bad_config, path_,
                  fmt::format("csv_format.columns: \"{}\" is empty, there twice, or holds a comma, "
                              "quote or line break",
                              printable(name)));
    }
  }
  if (format_.max_row_bytes < 64 || format_.max_row_bytes > 16 * 1024 * 1024) {
    return fail(errc::bad_config, path_,
                fmt::format("csv_format.max_row_bytes: {}, must be 64 to {}", format_.max_row_bytes,
                            16 * 1024 * 1024));
  }
  return {};
}

result<void> csv_file::reader::check_same_file(const file_place& was) const {
  const auto& is = content_->raw().identity();
  std::string difference;
  if (is.size != was.file.size) {
    difference = fmt::format("it was {} bytes long and is {}", was.file.size, is.size);
  } else if (is.first != was.file.first) {
    difference = "its first 64 KiB are not what they were";
  } else if (is.last != was.file.last) {
    difference = "its last 64 KiB are not what they were";
  } else {
    return {};
  }
  return fail(
      errc::incompatible, path_,
      fmt::format("changed since {} {} read: {}; put the old file back, or start over with "
                  "--fresh",
                  was.rows, was.at_end ? "rows, all of it, were" : "rows were", difference));
}

result<void> csv_file::reader::read_header() {
  bytes_view line;
  auto taken = take_line(line);
  if (!taken) return fail(taken.error());
  if (!*taken) return fail(errc::bad_config, path_, "is empty: it needs a header line");
  if (line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  return detail::check_csv_header(path_, format_, line);
}

result<void> csv_file::reader::go_to(const file_place& was) {
  const auto& is = content_->raw().identity();
  const bool skip = !content_->compressed() && is.modified_ns == was.file.modified_ns &&
                    was.offset >= offset_ && was.offset <= is.size;
  if (skip) {
    content_->raw().seek(was.offset);
    begin_ = end_ = 0;
    eof_ = false;
    offset_ = was.offset;
    rows_ = was.rows;
    chain_ = was.chain;
    while (begin_ == end_ && !eof_) {
      if (auto filled = fill(); !filled) return filled;
    }
  } else {
    while (offset_ < was.offset) {
      auto row = take_row();
      if (!row) return fail(row.error());
      if (!*row) break;
    }
  }
  const bool end = eof_ && begin_ == end_;
  if (offset_ == was.offset && rows_ == was.rows && chain_ == was.chain && end == was.at_end) {
    return {};
  }
  return fail(errc::incompatible, path_,
              fmt::format("changed: the {} rows that were read are not those that it begins with "
                          "now; put the old file back, or start over with --fresh",
                          was.rows));
}

result<std::optional<source_row>> csv_file::reader::next() {
  if (error_) return fail(*error_);
  if (!ready_) return fail(errc::invalid_argument, path_, "next() before open()");
  auto row = take_row();
  if (!row) error_ = row.error();
  return row;
}

result<std::optional<source_row>> csv_file::reader::take_row() {
  bytes_view line;
  const auto before = offset_;
  auto taken = take_line(line);
  if (!taken) return fail(taken.error());
  if (!*taken) return std::optional<source_row>{};
  ++rows_;
  // The length stands for the part of a long row that is not kept, and for the line's end.
  chain_ = checksum(line, chain_ + (offset_ - before));
  return source_row{line, rows_};
}

result<bool> csv_file::reader::take_line(bytes_view& line) {
  const auto limit = format_.max_row_bytes;
  std::size_t looked = 0;     // from begin_: no line end up to there
  std::uint64_t dropped = 0;  // of a long line
  std::size_t length = 0;     // of the (rest of the) line in the buffer, without LF
  bool line_end = false;
  while (true) {
    const auto* from = buffer_.data() + begin_ + looked;
    const auto* hit = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_ - looked));
    if (hit != nullptr) {
      length = static_cast<std::size_t>(hit - (buffer_.data() + begin_));
      line_end = true;
      break;
    }
    looked = end_ - begin_;
    if (eof_) {
      length = looked;
      break;
    }
    if (looked > limit + 1) {  // even if the last byte is a CR
      if (dropped == 0) long_line_.assign(buffer_.data() + begin_, limit + 1);
      dropped += looked;
      begin_ = end_;
      looked = 0;
    }
    if (auto filled = fill(); !filled) return fail(filled.error());
  }
  if (dropped + length == 0 && !line_end) return false;
  if (dropped + length > limit + 1) {  // it may fill the buffer: make room to look ahead
    if (dropped == 0) long_line_.assign(buffer_.data() + begin_, limit + 1);
    dropped += length;
    begin_ += length;
    length = 0;
  }
  auto used = length + (line_end ? 1 : 0);
  // Look ahead, so that the last row says that it is the last.
  while (begin_ + used == end_ && !eof_) {
    if (auto filled = fill(); !filled) return fail(filled.error());
  }
  if (dropped > 0) {
    line = long_line_;
  } else {
    line = {buffer_.data() + begin_, length};
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = line.substr(0, limit + 1);
  }
  begin_ += used;
  offset_ += dropped + used;
  return true;
}

result<void> csv_file::reader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  auto got = content_->read(buffer_.data() + end_, buffer_.size() - end_);
  if (!got) return fail(got.error());
  // After the read: what was changed before it shows.
  if (auto same = content_->raw().check_unchanged(); !same) return same;
  end_ += *got;
  eof_ = *got == 0;
  return {};
}

csv_file::csv_file(std::string path, csv_format format)
    : reader_{std::make_unique<reader>(std::move(path), std::move(format))} {}
csv_file::~csv_file() = default;

result<void> csv_file::open(const std::optional<bytes>& place) { return reader_->open(place); }
result<std::optional<source_row>> csv_file::next() { return reader_->next(); }
bool csv_file::at_end() const { return reader_->at_end(); }
bytes csv_file::place() const { return reader_->place(); }
const std::string& csv_file::name() const { return reader_->name(); }
source_progress csv_file::progress() const { return reader_->progress(); }

}  // namespace kappa
