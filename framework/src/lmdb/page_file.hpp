// The pages of an LMDB file (data version 1), read without LMDB.
//
// LMDB keeps no checksums and follows whatever page numbers it finds: a damaged tree crashes or
// hangs the process that walks it, and what lies behind a damaged page is out of its reach. This
// reads the file by its offsets, believes nothing, and never maps it. Read-only; no lock is taken.
//
// Threading: one thread at a time. Only for 64-bit little-endian machines, as the files are.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "kappa/core/bytes.hpp"
#include "kappa/core/error.hpp"

namespace kappa::lmdb {

using page_number = std::uint64_t;
inline constexpr page_number no_page = ~page_number{0};

/// What LMDB keeps of a tree: in the meta pages of the two main ones, in the main one of the
/// others.
struct tree_record {
  std::uint32_t pad = 0;
  std::uint16_t flags = 0;
  std::uint16_t depth = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
  std::uint64_t entries = 0;
  page_number root = no_page;

  static constexpr std::size_t stored_bytes = 48;
  [[nodiscard]] static std::optional<tree_record> read(bytes_view in);
};

/// One of the two first pages: the roots as of a transaction.
struct meta_page {
  std::uint64_t transaction = 0;
  page_number last_page = 0;
  tree_record free;
  tree_record main;
  /// What is wrong with it; empty: nothing.
  std::string fault;
  /// It can be worked with: it says where the file ends. Its roots may still be wrong.
  bool usable = false;
  /// Of the fault: nothing but its roots, which nobody follows while the other page is newer.
  bool only_roots = false;
};

struct page_head {
  static constexpr std::size_t stored_bytes = 16;
  static constexpr std::uint16_t branch = 0x01;
  static constexpr std::uint16_t leaf = 0x02;
  static constexpr std::uint16_t overflow = 0x04;
  static constexpr std::uint16_t meta = 0x08;

  page_number number = 0;
  std::uint16_t flags = 0;
  std::uint16_t lower = 0;
  std::uint16_t upper = 0;
  std::uint32_t overflow_pages = 0;  // shares its place with the two before

  [[nodiscard]] static page_head read(bytes_view page);
};

class page_file {
 public:
  /// errc::not_found, errc::io; errc::corrupt: neither of the first two pages can be used.
  [[nodiscard]] static result<page_file> open(const std::filesystem::path& data_file);
  page_file(page_file&& other) noexcept;
  page_file& operator=(page_file&&) = delete;
  ~page_file();

  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  [[nodiscard]] std::uint64_t file_bytes() const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Reads the two meta pages (anew: another process may have written).
  [[nodiscard]] std::array<meta_page, 2> metas() const;

  /// Replaces `out` by the page; false when the file ends before it or the disk fails.
  [[nodiscard]] bool read_page(page_number page, bytes& out) const;
  [[nodiscard]] bool read(std::uint64_t at, std::size_t size, char* to) const;
  /// Pages that a value of `size` bytes takes when it has pages of its own.
  [[nodiscard]] std::uint64_t overflow_pages(std::uint64_t size) const {
    return (page_head::stored_bytes - 1 + size) / page_bytes_ + 1;
  }

 private:
  page_file(int fd, std::filesystem::path path) : fd_{fd}, path_{std::move(path)} {}
  [[nodiscard]] meta_page read_meta(page_number which) const;
  [[nodiscard]] bool has_magic(std::uint64_t at) const;
  [[nodiscard]] bool find_page_bytes();

  int fd_ = -1;
  std::filesystem::path path_;
  std::size_t page_bytes_ = 0;
};

/// A number out of bytes that may lie on any residue; `in` is long enough.
template <class T>
[[nodiscard]] T load(bytes_view in, std::size_t at) {
  T v;
  std::memcpy(&v, in.data() + at, sizeof v);
  return v;
}

}  // namespace kappa::lmdb
