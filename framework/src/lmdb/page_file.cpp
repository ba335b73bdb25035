#include "lmdb/page_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace kappa::lmdb {

namespace {

// Where things are in a meta page, behind the page's head.
constexpr std::size_t magic_at = 16;
constexpr std::size_t version_at = 20;
constexpr std::size_t free_at = 40;
constexpr std::size_t main_at = free_at + tree_record::stored_bytes;
constexpr std::size_t last_page_at = main_at + tree_record::stored_bytes;
constexpr std::size_t transaction_at = last_page_at + 8;
constexpr std::size_t meta_bytes = transaction_at + 8;

constexpr std::uint32_t right_magic = 0xBEEFC0DE;
constexpr std::uint32_t right_version = 1;
constexpr std::uint16_t integer_key = 0x08;  // the order of the tree of free pages
// Kept there too, without meaning: how the environment was opened when the file was made.
constexpr std::uint16_t made_as_file = 0x4000;
constexpr std::size_t least_page_bytes = 256;
constexpr std::size_t most_page_bytes = 32768;

bool possible_page_bytes(std::size_t n) {
  return n >= least_page_bytes && n <= most_page_bytes && (n & (n - 1)) == 0;
}

bool points_into(const tree_record& tree, page_number last) {
  return tree.root == no_page || (tree.root >= 2 && tree.root <= last);
}

}  // namespace

std::optional<tree_record> tree_record::read(bytes_view in) {
  if (in.size() != stored_bytes) return std::nullopt;
  tree_record t;
  t.pad = load<std::uint32_t>(in, 0);
  t.flags = load<std::uint16_t>(in, 4);
  t.depth = load<std::uint16_t>(in, 6);
  t.branch_pages = load<std::uint64_t>(in, 8);
  t.leaf_pages = load<std::uint64_t>(in, 16);
  t.overflow_pages = load<std::uint64_t>(in, 24);
  t.entries = load<std::uint64_t>(in, 32);
  t.root = load<std::uint64_t>(in, 40);
  return t;
}

page_head page_head::read(bytes_view page) {
  page_head h;
  h.number = load<std::uint64_t>(page, 0);
  h.flags = load<std::uint16_t>(page, 10);
  h.lower = load<std::uint16_t>(page, 12);
  h.upper = load<std::uint16_t>(page, 14);
  h.overflow_pages = load<std::uint32_t>(page, 12);
  return h;
}

result<page_file> page_file::open(const std::filesystem::path& data_file) {
  const int fd = ::open(data_file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail(errno == ENOENT ? errc::not_found : errc::io, data_file.string(),
                errno == ENOENT ? "there is none" : std::strerror(errno));
  }
  page_file file{fd, data_file};
  if (!file.find_page_bytes()) {
    return fail(errc::corrupt, data_file.string(),
                "no LMDB file, or one whose first two pages are both damaged");
  }
  return file;
}

page_file::page_file(page_file&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)},
      path_{std::move(other.path_)},
      page_bytes_{other.page_bytes_} {}

page_file::~page_file() {
  if (fd_ >= 0) ::close(fd_);
}

std::uint64_t page_file::file_bytes() const {
  struct ::stat st {};
  return ::fstat(fd_, &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

bool page_file::read(std::uint64_t at, std::size_t size, char* to) const {
  while (size != 0) {
    const auto n = ::pread(fd_, to, size, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<std::uint64_t>(n);
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool page_file::read_page(page_number page, bytes& out) const {
  out.resize(page_bytes_);
  // An absurd number must not overflow.
  return page <= file_bytes() / page_bytes_ && read(page * page_bytes_, page_bytes_, out.data());
}

bool page_file::has_magic(std::uint64_t at) const {
  char raw[magic_at + 4];
  return read(at, sizeof raw, raw) &&
         load<std::uint32_t>({raw, sizeof raw}, magic_at) == right_magic;
}

// The size is in the first page; where that cannot be believed, the second page tells by its place.
bool page_file::find_page_bytes() {
  char raw[meta_bytes];
  if (!read(0, sizeof raw, raw)) return false;
  const std::size_t stated = load<std::uint32_t>({raw, sizeof raw}, free_at);
  const bool first = has_magic(0);
  if (first && possible_page_bytes(stated) && has_magic(stated)) {
    page_bytes_ = stated;
    return true;
  }
  for (std::size_t n = least_page_bytes; n <= most_page_bytes; n *= 2) {
    char second[meta_bytes];
    if (!has_magic(n) || !read(n, sizeof second, second)) continue;
    if (load<std::uint64_t>({second, sizeof second}, 0) != 1) continue;
    page_bytes_ = n;
    return true;
  }
  if (!first || !possible_page_bytes(stated)) return false;
  page_bytes_ = stated;
  return true;
}

std::array<meta_page, 2> page_file::metas() const { return {read_meta(0), read_meta(1)}; }

meta_page page_file::read_meta(page_number which) const {
  meta_page m;
  bytes page;
  if (!read_page(which, page) || page.size() < meta_bytes) {
    m.fault = "it cannot be read";
    return m;
  }
  const bytes_view in{page};
  const auto head = page_head::read(in);
  m.free = *tree_record::read(in.substr(free_at, tree_record::stored_bytes));
  m.main = *tree_record::read(in.substr(main_at, tree_record::stored_bytes));
  m.last_page = load<std::uint64_t>(in, last_page_at);
  m.transaction = load<std::uint64_t>(in, transaction_at);
  m.usable = m.last_page >= 1 && m.last_page < (std::uint64_t{1} << 48);
  if (head.number != which) {
    m.fault = fmt::format("it says that it is page {}", head.number);
  } else if (head.flags != page_head::meta) {
    m.fault = fmt::format("its kind is {:#x}", head.flags);
  } else if (load<std::uint32_t>(in, magic_at) != right_magic) {
    m.fault = "its magic number is wrong";
  } else if (load<std::uint32_t>(in, version_at) != right_version) {
    m.fault = fmt::format("its version is {}", load<std::uint32_t>(in, version_at));
  } else if (m.free.pad != page_bytes_) {
    m.fault = fmt::format("it says that pages have {} bytes", m.free.pad);
  } else if ((m.free.flags & ~made_as_file) != integer_key || m.main.flags != 0) {
    m.fault = "the flags of its trees are wrong";
  } else if (!m.usable || !points_into(m.free, m.last_page) || !points_into(m.main, m.last_page)) {
    m.fault = "its roots point nowhere";
    m.only_roots = m.usable;
  } else if (m.transaction != 0 && (m.transaction & 1) != which) {
    m.fault = fmt::format("transaction {} is not written there", m.transaction);
  }
  return m;
}

}  // namespace kappa::lmdb
