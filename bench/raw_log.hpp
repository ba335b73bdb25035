// The ceilings' side: hand-written loops over the frames of a log, without the engine.
//
// They work on a copy of the log's file, so on the same frames byte for byte, through the same
// library (LMDB), and do what nobody may leave out: the checksum of each frame that is read and of
// each that is written, positions in the transaction of the outputs, an fsync for each commit, and
// commits as often as the engine's defaults ask for (each 100 ms, or 8 MiB of output). What a loop
// written for one purpose need not do is left out on purpose: records are used in place, in the
// map (the engine copies each frame once, because its readers' views outlive the transaction);
// frames whose checksum is right are trusted (the engine looks at the sizes of each record once
// more); no epochs, no undo of a failed record, no dead letters, no event time, no timers.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>

#include "bench.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/log/record.hpp"
#include "lmdb/lmdb.hpp"
#include "log/frame.hpp"

namespace bench {

using kappa::detail::wire_record_head;

/// A record in its frame.
struct raw_record {
  wire_record_head head;
  const char* value = nullptr;
  std::int64_t offset = 0;
  /// Of the log's events, whose keys are not null and values neither.
  [[nodiscard]] kappa::bytes_view key() const {
    const auto value_bytes = static_cast<std::size_t>(head.value_size);
    return {value + kappa::detail::padded8(value_bytes), static_cast<std::size_t>(head.key_size)};
  }
};

/// Frames of one output, built record by record and appended in a transaction.
class raw_output {
 public:
  raw_output(kappa::lmdb::dbi frames, const kappa::topic_partition& where)
      : frames_{frames}, seed_{kappa::detail::frame_seed(where)} {}
  void begin(kappa::lmdb::write_txn& txn) { txn_ = &txn; }
  void add(std::int64_t time_ms, kappa::bytes_view key, kappa::bytes_view value,
           kappa::bytes_view headers);
  void flush();
  /// Since the last call.
  [[nodiscard]] std::size_t take_bytes() { return std::exchange(bytes_, 0); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t limit = (64 << 10) - sizeof(kappa::detail::frame_header) - 16;
  kappa::lmdb::dbi frames_;
  std::uint64_t seed_;
  kappa::lmdb::write_txn* txn_ = nullptr;
  alignas(8) char body_[limit];
  std::size_t used_ = 0;
  std::uint32_t count_ = 0;
  std::int64_t base_ = 0;
  kappa::timestamp max_time_ = kappa::min_time;
  std::size_t bytes_ = 0;
};

class raw_log {
 public:
  /// `folder` holds a copy of an embedded log's data file. Partition 0 of `topic` is the input.
  raw_log(const std::filesystem::path& folder, const std::string& topic);

  /// Calls f(raw_record) for each record.
  template <class F>
  void scan(F&& f) {
    auto txn = must(env_->begin_read());
    auto c = must(kappa::lmdb::cursor::open(txn, frames_));
    for (bool more = must(c.first()); more; more = must(c.next())) walk(c.value(), f);
  }

  /// Calls f(raw_record, raw_output&) for each record; what it adds goes to database `to`, together
  /// with the position, in transactions.
  template <class F>
  void transform(const std::string& to, F&& f) {
    raw_output out{must(env_->open_dbi(to)), {to, kappa::partition{0}}};
    const auto positions = must(env_->open_dbi("bench.positions"));
    kappa::bytes from;
    for (bool more = true; more;) {
      auto txn = must(env_->begin_write());
      out.begin(txn);
      (void)out.take_bytes();
      const auto until = std::chrono::steady_clock::now() + commit_interval;
      {
        auto c = must(kappa::lmdb::cursor::open(txn, frames_));
        more = must(from.empty() ? c.first() : c.at_or_after(from));
        while (more) {
          walk(c.value(), [&](const raw_record& r) { f(r, out); });
          more = must(c.next());
          if (out.bytes() >= commit_bytes || std::chrono::steady_clock::now() >= until) break;
        }
        if (more) from = c.key();
      }
      out.flush();
      must(txn.put(positions, to, more ? kappa::bytes_view{from} : "end"));
      must(txn.commit());
    }
  }

  /// The first `n` records of what `transform` wrote to `to`: wire form without offsets, headers
  /// included.
  [[nodiscard]] std::string written(const std::string& to, std::size_t n);

 private:
  static constexpr std::chrono::milliseconds commit_interval{100};
  static constexpr std::size_t commit_bytes = 8 << 20;

  template <class F>
  void walk(kappa::bytes_view frame, F&& f) const {
    kappa::detail::frame_header h;
    std::memcpy(&h, frame.data(), sizeof h);
    check(frame, h, seed_);
    const char* p = frame.data() + sizeof h;
    const char* const end = frame.data() + frame.size();
    raw_record r;
    while (p < end) {
      std::memcpy(&r.head, p, sizeof r.head);
      r.value = p + sizeof r.head;
      r.offset = h.base + r.head.offset_delta;
      f(r);
      p += r.head.size;
    }
  }
  static void check(kappa::bytes_view frame, const kappa::detail::frame_header& h,
                    std::uint64_t seed);

  std::shared_ptr<kappa::lmdb::environment> env_;
  kappa::lmdb::dbi frames_;
  std::uint64_t seed_ = 0;
};

}  // namespace bench
