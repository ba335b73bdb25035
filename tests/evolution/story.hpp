// What happens to the bank under one version after the other, and what must be true of it then.
#pragma once

#include <algorithm>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "audit.hpp"
#include "evolution/bank_place.hpp"
#include "evolution/books.hpp"
#include "kappa/aggregate/command_id.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/for_each_record.hpp"

namespace evolution_tests {

/// What was asked, by which id, and what it came to.
struct memory {
  std::map<std::string, std::string> opened;     // by account; the id is the account's
  std::map<std::string, std::string> transfers;  // by transfer
};

inline const std::vector<std::string> accounts{"ann", "bob", "cid", "dee", "eve"};

inline bank::start_transfer order_of(int n) {
  const auto name = [](int i) { return accounts[static_cast<std::size_t>(i) % accounts.size()]; };
  if (n % 7 == 3) return {name(n), name(n), 5};           // rejected
  if (n % 5 == 2) return {name(n), "nobody", 10};         // given back
  return {name(n), name(n * 3 + 1), 20 + (n * 37) % 90};  // some are more than there is
}

inline std::string id_of(const std::string& what) {
  // As new_command_id, of a time that does not pass the window while the test runs.
  static const auto start = new_command_id();
  return start.substr(0, start.size() - 8) +
         fmt::format("{:08x}", static_cast<std::uint32_t>(checksum(what)));
}

template <class Version>
void open_accounts(bank_place& b, memory& m) {
  for (const auto& name : accounts) {
    m.opened[name] =
        b.answer<typename Version::account>(name, typename Version::open{100}, id_of(name));
  }
}

inline void wait_for(bank_place& b, const std::string& transfer) {
  while (!b.at<bank::transfer>(transfer).state.is_over()) std::this_thread::yield();
}

inline void transfers(bank_place& b, memory& m, int from, int to) {
  for (int n = from; n < to; ++n) {
    const auto name = fmt::format("t{}", n);
    m.transfers[name] = b.answer<bank::transfer>(name, order_of(n), id_of(name));
    if (!m.transfers[name].starts_with("rejected")) wait_for(b, name);
  }
}

/// Whatever version runs, whoever asks again is told the same.
template <class Version>
void check_answers(bank_place& b, const memory& m) {
  for (const auto& [name, came_to] : m.opened) {
    BOOST_TEST(b.answer<typename Version::account>(name, typename Version::open{100},
                                                   id_of(name)) == came_to);
  }
  for (const auto& [name, came_to] : m.transfers) {
    const auto n = std::stoi(name.substr(1));
    BOOST_TEST(b.answer<bank::transfer>(name, order_of(n), id_of(name)) == came_to);
  }
}

struct in_account {
  std::int64_t cents = 0;
  std::uint64_t version = 0;
  friend bool operator==(const in_account&, const in_account&) = default;
  friend std::ostream& operator<<(std::ostream& out, const in_account& a) {
    return out << a.cents << " cents at " << a.version;
  }
};

template <class Version>
std::vector<in_account> books_of(bank_place& b) {
  std::vector<in_account> all;
  for (const auto& name : accounts) {
    const auto found = b.at<typename Version::account>(name);
    all.push_back({found.state.balance_cents, found.version});
  }
  return all;
}

inline void check_audit(bank_place& b, std::size_t transfers) {
  const first_books books{*b.log()};
  bank::audit audit;
  must(audit.read(*books.log));
  BOOST_TEST(audit.accounts() == accounts.size());
  BOOST_TEST(audit.transfers() == transfers);
  BOOST_TEST(audit.open() == 0U);
  for (const auto& f : audit.findings(50, 1)) BOOST_ERROR(f);
}

inline std::size_t accepted(const memory& m) {
  return static_cast<std::size_t>(
      std::count_if(m.transfers.begin(), m.transfers.end(),
                    [](const auto& t) { return !t.second.starts_with("rejected"); }));
}

struct place_of_record {
  topic_partition where;
  offset at;
  timestamp time;
};
/// Of the types in the topic: the first by time, as a refusal names it.
inline std::string first_of(event_log& log, const std::string& topic,
                            const std::set<std::string>& types) {
  std::optional<place_of_record> first;
  for (std::int32_t p = 0; p < must(log.find_topic(topic))->partitions; ++p) {
    const topic_partition where{topic, partition{p}};
    must(for_each_record(log, where, offset{0}, [&](const record_view& r) -> result<bool> {
      const auto type = must(decode_schema_reference(*r.headers.find("kappa.schema"))).name;
      if (!types.contains(type)) return true;
      if (!first || r.time < first->time) first = place_of_record{where, r.offset, r.time};
      return false;
    }));
  }
  return first ? record_address{first->where, first->at}.text() : "none";
}

/// Where every partition of the log ends.
inline std::map<std::string, offset> ends_of(event_log& log) {
  std::map<std::string, offset> all;
  for (const auto& t : must(log.topics())) {
    for (std::int32_t p = 0; p < t.partitions; ++p) {
      const topic_partition where{t.name, partition{p}};
      all[where.text()] = must(log.settled_end(where));
    }
  }
  return all;
}

}  // namespace evolution_tests
