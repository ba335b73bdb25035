// Far more keys than memory may hold: those that rest are dropped from it and come back from the
// state, and nobody sees a difference.
#include <algorithm>
#include <deque>
#include <numeric>
#include <random>

#include "aggregate/one_partition.hpp"
#include "notes.kappa.hpp"
#include "saga/running_app.hpp"

namespace passivation_tests {

namespace {

using namespace saga_tests;

struct sheet : notes::sheet_state {
  using protocol = notes::sheet_protocol;
  auto decide(const notes::rewrite& c) const -> decision<notes::rewritten> {
    if (c.was != text) return reject("something else is written there");
    return notes::rewritten{c.text};
  }
  void apply(const notes::rewritten& e) { text = e.text; }
};

constexpr std::size_t memory_bytes = 64 << 10;
constexpr std::size_t keys = 4000;
constexpr std::size_t text_bytes = 500;

app sheets_app() {
  app a{"desk"};
  a.aggregate<sheet>("sheets");
  return a;
}

struct desk : running_app {
  explicit desk(std::size_t cache_bytes = memory_bytes) : running_app{sheets_app()} {
    options.limits.cache_bytes = cache_bytes;
    options.limits.max_dirty_bytes = memory_bytes;
    restart();
    order.resize(keys);
    std::iota(order.begin(), order.end(), std::size_t{0});
  }
  static std::string key(std::size_t i) { return "sheet-" + std::to_string(i); }
  std::string text(std::size_t i, std::uint64_t version) const {
    if (version == 0) return "";
    auto t = std::to_string(i) + "@" + std::to_string(version) + " ";
    t.resize(text_bytes, '.');
    return t;
  }
  /// Each key is written once, in any order, and each answer is as it must be.
  void rewrite_all(bool snapshots) {
    std::shuffle(order.begin(), order.end(), dice);
    std::vector<pending_outcome> written;
    std::vector<pending_outcome> refused;
    for (const auto i : order) {
      const notes::rewrite next{text(i, versions), text(i, versions + 1)};
      written.push_back(ask("sheets", key(i), 0, next));
      if (i % 8 == 0) refused.push_back(ask("sheets", key(i), 0, next));  // once more
    }
    ++versions;
    must(runner->run_until_quiet({.budget = 64, .snapshots = snapshots, .after_commit = [&] {
                                    note_memory();
                                    return true;
                                  }}));
    const auto right = std::count_if(written.begin(), written.end(), [&](const auto& a) {
      const auto* receipt = *a ? std::get_if<command_receipt>(&**a) : nullptr;
      return receipt != nullptr && receipt->version == versions;
    });
    BOOST_TEST(right == keys);
    BOOST_TEST(std::all_of(refused.begin(), refused.end(), [](const auto& a) {
      return *a && std::holds_alternative<rejection>(**a);
    }));
  }
  void note_memory() {
    for (auto* t : runner->tasks()) {
      most_bytes = std::max(most_bytes, t->table()->cache_bytes());
    }
  }
  std::size_t with_the_right_state() {
    std::size_t right = 0;
    for (std::size_t i = 0; i < keys; ++i) {
      const auto found = at<sheet>("sheets", key(i));
      right += found.version == versions && found.state.text == text(i, versions);
    }
    note_memory();
    return right;
  }

  std::mt19937_64 dice{7};
  std::vector<std::size_t> order;
  std::uint64_t versions = 0;  // of each key
  std::size_t most_bytes = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(passivation)

// So much the states are that the limit must keep out.
BOOST_AUTO_TEST_CASE(where_memory_has_room_all_keys_stay_in_it) {
  desk d{64 << 20};
  d.rewrite_all(true);
  BOOST_TEST(d.most_bytes > 20 * memory_bytes);
}

BOOST_AUTO_TEST_CASE(more_keys_than_memory_holds_are_all_answered_right_and_memory_stays_flat) {
  for (const bool snapshots : {true, false}) {
    for (const bool lose : {true, false}) {
      BOOST_TEST_CONTEXT("snapshots " << snapshots << ", states lost " << lose) {
        desk d;
        for (int life = 0; life < 3; ++life) {
          d.rewrite_all(snapshots);
          BOOST_TEST(d.with_the_right_state() == keys);
          d.crash();
          if (lose) d.lose_states();
          d.start();
          d.quiet(snapshots);
          BOOST_TEST(d.with_the_right_state() == keys);
        }
        BOOST_TEST(d.most_bytes < 2 * memory_bytes);
      }
    }
  }
}

// What is not durable, and what a snapshot on its way has taken, is not in the state yet: it stays.
BOOST_AUTO_TEST_CASE(what_is_not_in_the_state_yet_stays_in_memory_however_many_come_after_it) {
  aggregate_tests::one_partition p;
  p.limits.cache_bytes = memory_bytes;
  must(p.open());
  constexpr std::size_t accounts = 2000;
  const auto key = [](std::size_t i) { return "account-" + std::to_string(i); };
  std::mt19937_64 dice{11};
  std::vector<std::uint64_t> deposits(accounts);
  std::deque<epoch_ptr> under_way;
  std::optional<state_delta> taken;
  int snapshots = 0;
  std::vector<std::pair<pending_outcome, std::uint64_t>> answers;
  for (std::size_t i = 0; i < accounts; ++i) {
    (void)p.ask(key(i), bank::do_open, bank::open{});
    if (i % 500 == 0) p.turn();
  }
  p.snapshot();
  for (int round = 0; round < 200; ++round) {
    for (int n = 0; n < 100; ++n) {
      const auto i = dice() % accounts;
      ++deposits[i];
      answers.emplace_back(p.ask(key(i), bank::do_deposit, bank::deposit{1}), deposits[i] + 1);
    }
    p.now += std::chrono::seconds{2};
    p.run();
    if (auto e = p.close()) under_way.push_back(std::move(e));
    if (under_way.size() > dice() % 3) {
      must(p.commit(under_way.front()));
      under_way.pop_front();
    }
    if (!taken) {
      taken = p.task->snapshot_ready();
    } else if (dice() % 3 == 0) {
      must(p.task->store()->commit(*taken));
      p.task->snapshot_done();
      taken.reset();
      ++snapshots;
    }
  }
  BOOST_TEST(snapshots > 20);
  for (; !under_way.empty(); under_way.pop_front()) must(p.commit(under_way.front()));
  p.turn();
  BOOST_TEST(std::all_of(answers.begin(), answers.end(), [](const auto& a) {
    const auto* receipt = *a.first ? std::get_if<command_receipt>(&**a.first) : nullptr;
    return receipt != nullptr && receipt->version == a.second;
  }));
  for (int life = 0; life < 2; ++life) {
    std::size_t right = 0;
    for (std::size_t i = 0; i < accounts; ++i)
      right += p.balance(key(i)) == static_cast<std::int64_t>(deposits[i]);
    BOOST_TEST(right == accounts);
    p.restart();
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace passivation_tests
