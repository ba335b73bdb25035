// Claims about keyed_table, against a store in memory.

#include <malloc.h>

#include <array>

#include <boost/test/unit_test.hpp>

#include "state/state_support.hpp"
#include "support/sanitizer.hpp"

using namespace kappa;
using namespace kappa::test;

namespace {

using sums_table = keyed_table<sums>;
using text_table = keyed_table<std::string>;

template <class T, class F>
void step(T& t, std::uint64_t epoch, F&& f) {
  t.begin_step(epoch_number{epoch});
  f();
  t.commit_step();
}

void put(text_table& t, std::uint64_t epoch, bytes_view key, bytes_view value) {
  step(t, epoch, [&] { *must(t.edit(key)) = value; });
}

std::optional<bytes> committed(keyed_table_base& t, bytes_view key) {
  return must(t.read(key, read_level::committed));
}
std::optional<bytes> latest(keyed_table_base& t, bytes_view key) {
  return must(t.read(key, read_level::latest));
}

/// Says that `keys` come next, early enough.
void ready(keyed_table_base& t, std::span<const bytes_view> keys) {
  BOOST_TEST(t.expect(keys));
  for (std::size_t i = 0; i < keyed_table_base::expected_ahead; ++i) BOOST_TEST(t.expect({}));
}

using changes = std::map<bytes, std::optional<bytes>>;
/// Has every key, remembers nothing: what is allocated is the table's.
class endless_store final : public state_store {
 public:
  std::optional<bytes> snapshot() const override { return std::nullopt; }
  epoch_number epoch() const override { return {}; }
  result<bool> get(std::size_t, bytes_view, bytes& out) override {
    out.assign(150, 'v');
    return true;
  }
  result<void> scan(std::size_t, bytes_view, bytes_view, const scan_fn&) override { return {}; }
  result<void> scan_all(std::size_t, const scan_fn&) override { return {}; }
  result<void> commit(const state_delta&) override { return {}; }
  result<state_stats> stats() override { return {}; }
  result<bytes> copy_to(const std::filesystem::path&) override { return bytes{}; }
  const state_identity& identity() const override { return identity_; }
  std::string subject(std::size_t, bytes_view key) const override { return bytes{key}; }

 private:
  state_identity identity_;
};

using listing = std::vector<std::pair<bytes, bytes>>;
listing scanned(keyed_table_base& t, read_level level, bytes_view from = {}, bytes_view to = {}) {
  listing out;
  must(t.scan(from, to, level, [&](bytes_view k, bytes_view v) {
    out.emplace_back(k, v);
    return true;
  }));
  return out;
}

/// Cannot always be copied.
struct brittle {
  static inline bool breaks = false;
  std::string text;

  brittle() = default;
  brittle(const brittle& other) { *this = other; }
  brittle(brittle&&) = default;
  brittle& operator=(const brittle& other) {
    if (breaks) throw std::bad_alloc{};
    text = other.text;
    return *this;
  }
  brittle& operator=(brittle&&) = default;
  ~brittle() = default;
};

}  // namespace

template <>
struct kappa::codec<brittle> {
  static void encode(const brittle& v, bytes& out) { out.append(v.text); }
  static result<brittle> decode(bytes_view in) {
    result<brittle> v{tl::in_place};
    v->text = in;
    return v;
  }
  static schema_info schema() { return {"brittle", 0, 1, "brittle", nullptr}; }
};

BOOST_AUTO_TEST_SUITE(keyed_table_claims)

BOOST_AUTO_TEST_CASE(an_absent_key_is_null_and_an_edit_makes_it) {
  map_store store;
  sums_table t{store, 0};
  BOOST_TEST(must(t.find("a")) == nullptr);
  bool made = false;
  step(t, 1, [&] { must(t.edit("a", &made))->count = 7; });
  BOOST_TEST(made);
  step(t, 1, [&] { (void)must(t.edit("a", &made)); });
  BOOST_TEST(!made);
  BOOST_REQUIRE(must(t.find("a")) != nullptr);
  BOOST_TEST(must(t.find("a"))->count == 7);
}

BOOST_AUTO_TEST_CASE(a_failed_step_leaves_no_trace) {
  map_store store;
  text_table t{store, 0};
  put(t, 1, "kept", "old");
  t.durable(epoch_number{1});
  const auto dirty = t.dirty_bytes();
  const auto cached = t.cache_bytes();

  t.begin_step(epoch_number{2});
  *must(t.edit("kept")) = "new";
  *must(t.edit("made")) = "new";
  must(t.erase("kept"));
  *must(t.edit("kept")) += "again";
  must(t.erase("made"));
  t.rollback_step();

  BOOST_TEST(*must(t.find("kept")) == "old");
  BOOST_TEST(must(t.find("made")) == nullptr);
  BOOST_TEST(t.dirty_bytes() == dirty);
  BOOST_TEST(t.cache_bytes() >= cached);  // the absent key may be remembered as absent
  BOOST_TEST((contents(t.freeze()) == changes{{"kept", "old"}}));
}

BOOST_AUTO_TEST_CASE(a_failed_step_takes_back_only_its_own_changes_of_an_epoch) {
  map_store store;
  text_table t{store, 0};
  put(t, 1, "a", "one");
  t.begin_step(epoch_number{1});
  *must(t.edit("a")) = "two";
  t.rollback_step();
  BOOST_TEST(*must(t.find("a")) == "one");
  BOOST_TEST(!committed(t, "a").has_value());
  t.durable(epoch_number{1});
  BOOST_TEST(*committed(t, "a") == "one");
}

BOOST_AUTO_TEST_CASE(a_query_sees_only_durable_epochs) {
  map_store store;
  text_table t{store, 0};
  put(t, 1, "a", "1");
  put(t, 2, "a", "2");
  put(t, 2, "b", "2");
  put(t, 3, "a", "3");
  step(t, 3, [&] { must(t.erase("b")); });
  BOOST_TEST(!committed(t, "a").has_value());
  BOOST_TEST(*latest(t, "a") == "3");
  t.durable(epoch_number{1});
  BOOST_TEST(*committed(t, "a") == "1");
  BOOST_TEST(!committed(t, "b").has_value());
  t.durable(epoch_number{2});
  BOOST_TEST(*committed(t, "a") == "2");
  BOOST_TEST(*committed(t, "b") == "2");
  BOOST_TEST((scanned(t, read_level::committed) == listing{{"a", "2"}, {"b", "2"}}));
  BOOST_TEST((scanned(t, read_level::latest) == listing{{"a", "3"}}));
  t.durable(epoch_number{3});
  BOOST_TEST(*committed(t, "a") == "3");
  BOOST_TEST(!committed(t, "b").has_value());
}

BOOST_AUTO_TEST_CASE(a_frozen_value_survives_later_changes_and_eviction) {
  map_store store;
  text_table t{store, 0, {.cache_bytes = 1}};
  put(t, 1, "a", "frozen a");
  put(t, 1, "b", "frozen b");
  const auto frozen = t.freeze();
  put(t, 2, "a", "later a");
  t.durable(epoch_number{2});  // evicts what is clean, which b is
  BOOST_TEST((contents(frozen) == changes{{"a", "frozen a"}, {"b", "frozen b"}}));
  BOOST_TEST(*must(t.find("b")) == "frozen b");
  BOOST_TEST(store.gets == 2U);  // when a and b were made
  BOOST_TEST(*must(t.find("a")) == "later a");
  commit(store, 1, {frozen});
  BOOST_TEST(*must(t.find("b")) == "frozen b");
  t.thaw();
  t.durable(epoch_number{2});
  t.durable(epoch_number{2});  // the clock's hand comes round: now b may go
  const auto gets = store.gets;
  BOOST_TEST(*must(t.find("b")) == "frozen b");
  BOOST_TEST(store.gets == gets + 1);
  BOOST_TEST(*must(t.find("a")) == "later a");
  BOOST_TEST(store.gets == gets + 1);
  BOOST_TEST(t.frozen_bytes() == 0U);
  BOOST_TEST((contents(t.freeze()) == changes{{"a", "later a"}}));
}

BOOST_AUTO_TEST_CASE(frozen_values_win_over_the_store_in_reads_and_scans) {
  map_store store;
  commit(store, 1, {delta_of({{"a", "stored"}, {"b", "stored"}, {"c", "stored"}})});
  text_table t{store, 0, {.cache_bytes = 1}};
  put(t, 2, "a", "frozen");
  step(t, 2, [&] { must(t.erase("b")); });
  t.durable(epoch_number{2});
  (void)t.freeze();
  t.durable(epoch_number{2});  // evicts
  t.durable(epoch_number{2});
  for (const auto level : {read_level::committed, read_level::latest}) {
    BOOST_TEST((scanned(t, level) == listing{{"a", "frozen"}, {"c", "stored"}}));
    BOOST_TEST(*must(t.read("a", level)) == "frozen");
    BOOST_TEST(!must(t.read("b", level)).has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_erased_key_stays_erased_through_freeze_and_thaw) {
  map_store store;
  commit(store, 1, {delta_of({{"a", "stored"}})});
  text_table t{store, 0};
  step(t, 2, [&] { must(t.erase("a")); });
  t.durable(epoch_number{2});
  const auto frozen = t.freeze();
  BOOST_TEST((contents(frozen) == changes{{"a", std::nullopt}}));
  BOOST_TEST(must(t.find("a")) == nullptr);
  commit(store, 2, {frozen});
  t.thaw();
  BOOST_TEST(must(t.find("a")) == nullptr);
  BOOST_TEST(must(store.stats()).entries == 0U);
}

BOOST_AUTO_TEST_CASE(state_larger_than_the_cache_works_within_its_budget) {
  map_store store;
  constexpr std::size_t budget = std::size_t{64} << 10;
  text_table t{store, 0, {.cache_bytes = budget}};
  const auto key = [](int i) { return "key-" + std::to_string(i * 7919 % 10007); };
  std::uint64_t epoch = 0;
  std::size_t most = 0;
  for (int i = 0; i < 10000; ++i) {
    if (i % 100 == 0) ++epoch;
    put(t, epoch, key(i), std::string(100, static_cast<char>('a' + i % 26)));
    if (i % 100 == 99) {
      const auto frozen = t.freeze();
      t.durable(epoch_number{epoch});
      commit(store, epoch, {frozen});
      t.thaw();
      most = std::max(most, t.cache_bytes());
    }
  }
  BOOST_TEST(most <= budget + budget / 4);
  for (int i = 0; i < 10000; ++i) {
    const auto* v = must(t.find(key(i)));
    BOOST_REQUIRE(v != nullptr);
    BOOST_REQUIRE(*v == std::string(100, static_cast<char>('a' + i % 26)));
  }
  BOOST_TEST(t.cache_bytes() <= budget + budget / 4);
}

BOOST_AUTO_TEST_CASE(the_estimate_of_memory_is_honest, *boost::unit_test::label("memory")) {
  // Of the values, keys and the rest; entries lie in mappings of their own, whose size is known.
  const auto allocated = [] {
    const auto m = ::mallinfo2();
    return m.uordblks + m.hblkhd;
  };
  endless_store store;
  constexpr std::size_t budget = std::size_t{8} << 20;
  constexpr int keys = kappa::test::repetitions(300'000);  // about ten budgets, or two
  const auto before = allocated();
  text_table t{store, 0, {.cache_bytes = budget}};
  std::size_t most = 0;
  std::size_t most_estimated = 0;
  std::uint64_t epoch = 1;
  const auto snapshot = [&] {
    commit(store, epoch, {t.freeze()});
    most = std::max(most, allocated() - before);
    most_estimated = std::max(most_estimated, t.cache_bytes());
    t.thaw();
    ++epoch;
  };
  for (int i = 0; i < keys; ++i) {
    step(t, epoch, [&] {
      must(t.edit("a key of some length " + std::to_string(i * 7919LL % keys)))->append("!");
    });
    if (t.dirty_bytes() > budget / 4) snapshot();
  }
  snapshot();
  std::mt19937 random{1};
  for (int i = 0; i < 50'000; ++i) {
    const auto key = "a key of some length " + std::to_string(random() % keys);
    if (must(t.find(key)) == nullptr) BOOST_FAIL("lost");
  }
  BOOST_TEST(t.cache_bytes() <= budget + budget / 4);
  BOOST_TEST(most_estimated <= 2 * budget);
  if (most == 0) return;  // a sanitizer's allocator does not tell
  BOOST_TEST_MESSAGE("allocated " << most << ", estimated " << most_estimated);
  BOOST_TEST(most <= most_estimated);
  BOOST_TEST(most >= most_estimated / 4);
}

BOOST_AUTO_TEST_CASE(a_value_that_grows_by_edits_is_counted) {
  map_store store;
  text_table t{store, 0};
  for (int i = 0; i < 1000; ++i) step(t, 1, [&] { must(t.edit("a"))->append(1000, 'x'); });
  BOOST_TEST(t.dirty_bytes() >= 500'000U);
}

BOOST_AUTO_TEST_CASE(a_cached_key_is_not_read_again) {
  map_store store;
  commit(store, 1, {delta_of({{"a", "stored"}})});
  text_table t{store, 0};
  for (int i = 0; i < 3; ++i) BOOST_TEST(*must(t.find("a")) == "stored");
  BOOST_TEST(store.gets == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_expected_and_what_comes_may_differ) {
  map_store store;
  text_table t{store, 0};
  for (const auto* key : {"a", "b", "c", "d"}) put(t, 1, key, key);
  const std::array<bytes_view, 5> keys{"a", "b", "absent", "c", "d"};
  for (const auto& asked : std::vector<std::vector<std::string>>{
           {"a", "b", "absent", "c", "d"}, {"b", "d"}, {"d", "a"}, {"a", "a"}, {"z"}, {}}) {
    ready(t, keys);
    for (const auto& key : asked) {
      const auto* const v = must(t.find(key));
      BOOST_TEST((v != nullptr) == (key != "absent" && key != "z"));
      if (v != nullptr) BOOST_TEST(*v == key);
    }
  }
}

BOOST_AUTO_TEST_CASE(expected_keys_may_be_evicted_before_they_are_asked_for) {
  map_store store;
  text_table t{store, 0, {.cache_bytes = 64 << 10}};
  put(t, 1, "x", "kept");
  const auto frozen = t.freeze();
  t.durable(epoch_number{1});
  commit(store, 1, {frozen});
  t.thaw();
  const std::array<bytes_view, 1> keys{"x"};
  ready(t, keys);
  for (int i = 0; i < 4000; ++i) BOOST_REQUIRE(must(t.find(std::to_string(i))) == nullptr);
  // Its slot is free, or another's, by now: neither is mistaken for it, nor for the empty key.
  put(t, 2, "", "empty");
  BOOST_TEST(*must(t.find("x")) == "kept");
  BOOST_TEST(*must(t.find("")) == "empty");
}

// The copy that is kept of an old value may fail anywhere in a step: memory, or the user's type.
BOOST_AUTO_TEST_CASE(a_step_whose_copy_of_an_old_value_fails_leaves_all_as_it_was) {
  for (const bool dirty : {false, true}) {
    for (const bool in_order : {false, true}) {
      map_store store;
      commit(store, 1, {delta_of({{"a", "stored"}, {"b", "stored"}})});
      keyed_table<brittle> t{store, 0};
      if (dirty) step(t, 2, [&] { must(t.edit("a"))->text = "changed"; });
      const auto before = dirty ? "changed" : "stored";
      if (in_order) {  // changed keys are kept in order while many are scanned again and again
        for (int i = 0; i < 300; ++i)
          step(t, 2, [&] { must(t.edit("c" + std::to_string(i)))->text = "there"; });
        for (int i = 0; i < 3; ++i) (void)scanned(t, read_level::latest);
      }
      // The first edit of an epoch keeps the value for queries, later ones for undo alone.
      for (const std::uint64_t epoch : {2, 3, 3}) {
        const auto dirty_bytes = t.dirty_bytes();
        t.begin_step(epoch_number{epoch});
        must(t.edit("b"))->text = "undone";
        brittle::breaks = true;
        BOOST_CHECK_THROW((void)t.edit("a"), std::bad_alloc);
        brittle::breaks = false;
        t.rollback_step();
        BOOST_TEST(latest(t, "a").value() == before);
        BOOST_TEST(latest(t, "b").value() == "stored");
        BOOST_TEST(t.dirty_bytes() == dirty_bytes);
        step(t, epoch, [&] { BOOST_TEST(must(t.edit("a"))->text == before); });
      }
      t.durable(epoch_number{3});
      BOOST_TEST(committed(t, "a").value() == before);
      step(t, 4, [&] { must(t.edit("a"))->text = "later"; });
      BOOST_TEST(committed(t, "a").value() == before);
      BOOST_TEST(latest(t, "a").value() == "later");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_scan_stops_when_told_and_keeps_to_its_bounds) {
  map_store store;
  commit(store, 1, {delta_of({{"a", "1"}, {"c", "1"}, {"e", "1"}})});
  text_table t{store, 0};
  put(t, 2, "b", "2");
  put(t, 2, "d", "2");
  put(t, 2, "f", "2");
  BOOST_TEST(
      (scanned(t, read_level::latest, "b", "e") == listing{{"b", "2"}, {"c", "1"}, {"d", "2"}}));
  listing first;
  must(t.scan({}, {}, read_level::latest, [&](bytes_view k, bytes_view v) {
    first.emplace_back(k, v);
    return first.size() < 2;
  }));
  BOOST_TEST((first == listing{{"a", "1"}, {"b", "2"}}));
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_decoded_names_itself) {
  map_store store;
  commit(store, 1, {delta_of({{"a", "short"}})});
  sums_table t{store, 0};
  BOOST_TEST(refused(t.find("a"), errc::decode, {"map 0 a", "16 bytes"}));
  BOOST_TEST(refused(t.find("a"), errc::decode, {"map 0 a"}));  // and it was not cached
}

BOOST_AUTO_TEST_CASE(a_table_with_long_keys_in_memory_refuses_range_scans) {
  map_store store;
  text_table t{store, 0};
  put(t, 1, std::string(511, 'k'), "v");
  const auto none = [](bytes_view, bytes_view) { return true; };
  BOOST_TEST(refused(t.scan({}, {}, read_level::latest, none), errc::invalid_argument,
                     {"map 0", "too long"}));
  std::size_t seen = 0;
  must(t.scan_all(read_level::latest, [&](bytes_view, bytes_view) { return ++seen > 0; }));
  BOOST_TEST(seen == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
