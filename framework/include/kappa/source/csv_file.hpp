// The rows of a CSV file, plain or compressed with zstd (told by its first bytes), as a source.
//
// The file: the header line is required and must be the expected columns. Lines end with LF or
// CRLF, the last one may lack it; a byte order mark is skipped. Every line after the header is a
// row, an empty one too, so that nothing is lost without a trace. Rows are given as they stand,
// without the line end; `csv_row` takes them apart. Their numbers count from 1 for the first line
// after the header: row n is line n + 1 in an editor. Of a row over `max_row_bytes` the first
// max_row_bytes + 1 bytes are given: too long for a `csv_row`, which makes it a dead letter.
//
// The file must not change. Its size is fixed at `open`; a file that is written to while it is
// read is refused, and so is, with a place, one that is not the file that the place is of. The
// place keeps the size, hashes of the first and last 64 KiB, and a hash of all rows given so far.
// That last one is checked by reading the rows again, unless the file is a plain one whose
// modification time is the same as before: then the rows are skipped. A copy of the file
// elsewhere, or one with another modification time, is the same file. Not noticed is a change of
// rows not read yet, in the middle of the file, between two runs, that leaves its size as it was:
// no row is lost or doubled by it.
//
// Errors of open: errc::not_found (no such file), errc::bad_config (empty, not a file, other
// columns), errc::incompatible (changed, or the place is of a newer version), errc::corrupt (the
// place, or the compressed data), errc::io. Errors stay: after one, `next` gives it again.
//
// Memory: max_row_bytes + 256 KiB, and zstd's window. Threading: as record_source.
#pragma once

#include <memory>
#include <string>

#include "kappa/source/csv_row.hpp"
#include "kappa/source/record_source.hpp"

namespace kappa {

class csv_file final : public record_source {
 public:
  csv_file(std::string path, csv_format format);
  ~csv_file() override;
  csv_file(const csv_file&) = delete;
  csv_file& operator=(const csv_file&) = delete;

  [[nodiscard]] result<void> open(const std::optional<bytes>& place) override;
  [[nodiscard]] result<std::optional<source_row>> next() override;
  [[nodiscard]] bool at_end() const override;
  [[nodiscard]] bytes place() const override;
  /// The path without its folders.
  [[nodiscard]] const std::string& name() const override;
  /// Bytes as in the file: of a compressed one, compressed bytes.
  [[nodiscard]] source_progress progress() const override;

 private:
  class reader;
  std::unique_ptr<reader> reader_;
};

}  // namespace kappa
