// An audit of the bank, from its events alone: it knows neither the aggregates nor their states,
// and believes nothing but the two topics.
//
// It finds: money that was made or lost, a balance below zero, a transfer with two outcomes or with
// money that moved twice, an effect before its cause, a version that is missing. The topics are put
// in one order at random, again and again, such that every effect comes after its cause; at each
// point of each order the balances and what is held by open transfers must be what was paid in.
//
// Threading: one thread. Memory: about 60 bytes an event.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"

namespace bank {

class audit {
 public:
  /// What has come since the last call. errc::decode: something is no event of the bank.
  [[nodiscard]] kappa::result<void> read(kappa::event_log& log);

  [[nodiscard]] std::size_t accounts() const { return opened_; }
  [[nodiscard]] std::size_t transfers() const { return started_; }
  [[nodiscard]] std::size_t completed() const { return completed_; }
  [[nodiscard]] std::size_t failed() const { return failed_; }
  [[nodiscard]] std::size_t open() const { return started_ - completed_ - failed_; }
  [[nodiscard]] std::int64_t paid_in_cents() const { return paid_in_; }
  [[nodiscard]] std::size_t events() const { return events_; }
  /// Whether one of this name was started.
  [[nodiscard]] bool has(const std::string& transfer) const;

  /// What is wrong, a line each, at most 20; `orders`: so many times the topics are put together.
  [[nodiscard]] std::vector<std::string> findings(std::size_t orders, std::uint64_t seed) const;

 private:
  enum class kind : std::uint8_t {
    opened,
    withdrawn,
    deposited,
    started,
    taken,
    refused,
    completed,
    failed,
    overdue
  };
  using index = std::uint32_t;
  static constexpr index nobody = ~index{0};
  struct fact {
    kind what{};
    index account = nobody;
    index transfer = nobody;
    std::int64_t cents = 0;
  };
  struct transfer_facts {
    index from = nobody;
    index to = nobody;
    std::int64_t cents = 0;
  };
  struct topic_part {
    kappa::topic_partition where;
    kappa::offset next;
    std::vector<fact> facts;
  };
  class one_order;

  kappa::result<void> read(kappa::event_log& log, topic_part& p);
  kappa::result<void> take(const kappa::record_view& r, topic_part& p);
  void check_version(const kappa::record_view& r, const std::string& topic);
  void found(std::string what);
  static index number_of(std::unordered_map<std::string, index>& names, kappa::bytes_view name);

  std::vector<topic_part> parts_;
  std::unordered_map<std::string, index> accounts_;
  std::unordered_map<std::string, index> names_;  // of transfers
  std::vector<transfer_facts> transfers_;
  std::unordered_map<std::string, std::uint64_t> versions_;  // by topic and key
  std::size_t opened_ = 0;
  std::size_t started_ = 0;
  std::size_t completed_ = 0;
  std::size_t failed_ = 0;
  std::size_t events_ = 0;
  std::int64_t paid_in_ = 0;
  std::vector<std::string> findings_;
};

}  // namespace bank
