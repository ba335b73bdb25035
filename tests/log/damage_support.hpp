// Logs to be damaged: one with all that an embedded log keeps, its content, and ways to spoil it.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kappa/log/embedded_log.hpp"
#include "lmdb/lmdb.hpp"
#include "lmdb/page_file.hpp"
#include "log/embedded_layout.hpp"
#include "log/log_fixtures.hpp"

namespace log_contract {

/// Of the logs that are spoilt here.
inline constexpr std::uint64_t page_bytes = 4096;

/// All that a log says.
struct log_content {
  std::string id;
  std::map<std::string, topic_config> topics;
  std::map<topic_partition, partition_bounds> bounds;
  /// Of each partition: offset → the whole record, as text.
  std::map<topic_partition, std::map<std::int64_t, std::string>> records;
  std::map<position_key, committed_position> positions;
  std::map<bytes, bytes> producers;  // as stored
  std::map<bytes, bytes> writers;    // as stored
};

/// Reads everything through the log's own interface; an error fails the test.
[[nodiscard]] log_content read_content(const std::filesystem::path& folder);

/// What differs, in words; empty: nothing.
[[nodiscard]] std::string difference(const log_content& a, const log_content& b);

/// Makes a log with many topics, small and large frames, trees of several levels, positions,
/// producers, writers, a partition that retention has shortened, and an empty one.
void make_rich_log(const std::filesystem::path& folder);
/// The folder of one that is made once for all tests; to be copied.
[[nodiscard]] const std::filesystem::path& rich_log();
/// Apps that it has positions of.
inline const std::vector<std::string> rich_apps{"shop", "depot"};

/// Changes bits of one byte of a file, in place.
void flip(const std::filesystem::path& file, std::uint64_t at, unsigned char bits);
void overwrite(const std::filesystem::path& file, std::uint64_t at, const std::string& with);
[[nodiscard]] std::string file_content(const std::filesystem::path& path);
/// Changes what is stored, as a bug or a stray write would, and keeps LMDB's pages sound.
template <class F>
void tamper(const std::filesystem::path& folder, const std::string& table, F&& f) {
  lmdb::environment_options options;
  options.folder = folder;
  options.max_dbs = kappa::detail::embedded_max_dbs;
  const auto env = must(lmdb::environment::open(options));
  const auto db = must(env->find_dbi(table));
  BOOST_REQUIRE(db.has_value());
  must(env->write([&](lmdb::write_txn& txn) { return f(txn, *db); }));
}

/// Copies a log: its data file, nothing else.
void copy_log(const std::filesystem::path& from, const std::filesystem::path& to);

/// The pages of a log's file that are in use, by what they are: "meta", "branch", "leaf", "value",
/// "free list"; "free" for the others.
[[nodiscard]] std::map<std::string, std::vector<lmdb::page_number>> pages_by_kind(
    const std::filesystem::path& folder);

/// A place in a page of that kind which means something: not in the room between entries.
[[nodiscard]] std::uint64_t used_place(const std::string& file, const std::string& kind,
                                       lmdb::page_number page, std::mt19937_64& random);

}  // namespace log_contract
