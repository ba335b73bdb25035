// Savepoints: a state that is lost comes from the newest one that the task can go on from, and
// from none that it cannot.
#include <fstream>

#include <boost/test/unit_test.hpp>

#include "engine/story.hpp"
#include "kappa/state/snapshot_record.hpp"
#include "kappa/task/savepoints.hpp"
#include "support/temporary_folder.hpp"

using namespace kappa;
using namespace engine_test;

namespace {

/// A shop whose tasks know a repository.
struct shop_with_savepoints {
  explicit shop_with_savepoints(std::shared_ptr<memory_log> log = memory_log::create())
      : host{shop(), story_partitions, std::move(log)} {
    host.adjust = [this](task_options& o) { o.savepoints = repository; };
    host.open();
  }

  void play_and_take(int from, int to) {
    play(host, from, to, false);
    take();
  }
  void take() {
    host.snapshot_all();
    for (auto& t : host.tasks()) {
      if (t.task->store() != nullptr)
        (void)must(take_savepoint(*t.task->store(), *repository, folder.path() / "work"));
    }
  }
  std::uint64_t replayed_after_loss() {
    host.delete_state();
    host.open();
    std::uint64_t all = 0;
    for (const auto& t : host.tasks()) all += t.task->progress().replay_total;
    return all;
  }
  [[nodiscard]] std::filesystem::path files() const { return folder.path() / "kept"; }
  /// Of the state, the newest first.
  [[nodiscard]] std::vector<savepoint> of(const char* stage, int p) {
    return must(repository->list(fmt::format("shop/{}.g1/{}", stage, p)));
  }

  kappa::test::temporary_folder folder;
  std::shared_ptr<savepoint_repository> repository = must(open_savepoint_folder(files()));
  manual_host host;
};

void damage(const shop_with_savepoints& shop, const savepoint& one) {
  const auto file = shop.files() / one.state / (one.name + ".mdb");
  std::fstream f{file, std::ios::in | std::ios::out | std::ios::binary};
  f.seekp(5000);
  f.put('\x55').put('\x55').put('\x55');
}

}  // namespace

BOOST_AUTO_TEST_SUITE(savepoints)

BOOST_AUTO_TEST_CASE(a_lost_state_comes_from_the_newest_savepoint_and_the_results_are_the_same) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  s.play_and_take(15, 25);
  BOOST_TEST(s.replayed_after_loss() == 0U);
  play(s.host, 25, 30, false);
  const auto some = s.replayed_after_loss();
  BOOST_TEST(some > 0U);
  s.repository.reset();
  BOOST_TEST(s.replayed_after_loss() > some);  // all of it
  s.host.settle();
  play(s.host, 30, story_steps, false);
  end(s.host);
  BOOST_TEST(same(whole_story(), s.host.picture()));
}

BOOST_AUTO_TEST_CASE(a_state_that_is_there_is_not_replaced) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  play(s.host, 15, 20, false);
  s.host.snapshot_all();
  s.host.crash();
  s.host.open();
  for (const auto& t : s.host.tasks()) BOOST_TEST(t.task->progress().replay_total == 0U);
}

BOOST_AUTO_TEST_CASE(two_of_each_state_are_kept_and_nothing_is_copied_twice) {
  shop_with_savepoints s;
  for (int i = 0; i < 5; ++i) {
    s.play_and_take(4 * i, 4 * i + 4);
  }
  const auto all = s.of("sums", 0);
  BOOST_TEST(all.size() == savepoints_kept);
  BOOST_TEST((all[0].epoch > all[1].epoch));
  BOOST_TEST(
      !must(take_savepoint(*s.host.task("sums").store(), *s.repository, s.folder.path() / "work")));
  BOOST_TEST(!std::filesystem::exists(s.folder.path() / "work"));
}

BOOST_AUTO_TEST_CASE(a_damaged_one_is_removed_and_the_one_before_it_used) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  s.play_and_take(15, 25);
  const auto before = s.host.picture();
  const auto all = s.of("sums", 0);
  damage(s, all[0]);
  BOOST_TEST(s.replayed_after_loss() > 0U);
  const auto left = s.of("sums", 0);
  BOOST_REQUIRE(left.size() == 1U);
  BOOST_TEST((left[0].epoch == all[1].epoch));
  s.host.settle();
  BOOST_TEST(same(before, s.host.picture()));
}

BOOST_AUTO_TEST_CASE(with_all_of_them_damaged_the_state_is_built_from_the_log) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  const auto before = s.host.picture();
  for (const auto& one : s.of("sums", 0)) damage(s, one);
  BOOST_TEST(s.replayed_after_loss() > 0U);
  BOOST_TEST(s.of("sums", 0).empty());
  s.host.settle();
  BOOST_TEST(same(before, s.host.picture()));
}

BOOST_AUTO_TEST_CASE(one_without_its_note_is_not_there) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  const auto all = s.of("sums", 0);
  BOOST_REQUIRE(all.size() == 1U);
  std::filesystem::remove(s.files() / all[0].state / (all[0].name + ".savepoint"));
  BOOST_TEST(s.of("sums", 0).empty());
}

BOOST_AUTO_TEST_CASE(one_that_is_ahead_of_the_log_or_of_another_log_is_not_used) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  const auto one = s.of("sums", 0).front();
  recovery_facts f;
  f.task = s.host.task("sums").id();
  f.log_id = one.log_id;
  const auto snapshot = decode_snapshot(one.snapshot).value();
  f.committed_epoch = one.epoch;
  f.birth = birth_record{0, one.log_id, {offset{0}}, {snapshot.inputs[0]}};
  f.inputs.push_back({snapshot.inputs[0], {}, snapshot.positions[0], offset{0}, offset{1000}, {}});
  BOOST_TEST(must(newest_usable(*s.repository, f)).has_value());
  auto other = f;
  other.log_id = "another";
  BOOST_TEST(!must(newest_usable(*s.repository, other)).has_value());
  auto behind = f;
  behind.inputs[0].committed = snapshot.positions[0] - 1;
  BOOST_TEST(!must(newest_usable(*s.repository, behind)).has_value());
  auto earlier = f;
  earlier.committed_epoch = epoch_number{one.epoch.value - 1};
  BOOST_TEST(!must(newest_usable(*s.repository, earlier)).has_value());
  auto gone = f;
  gone.inputs[0].first = snapshot.positions[0] + 1;  // retention has passed it
  BOOST_TEST(!must(newest_usable(*s.repository, gone)).has_value());
}

BOOST_AUTO_TEST_CASE(where_retention_has_passed_the_start_only_a_savepoint_helps) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  const auto before = s.host.picture();
  for (std::int32_t p = 0; p < story_partitions; ++p) {
    const topic_partition in{"left", partition{p}};
    s.host.log().truncate_before(in, must(s.host.log().bounds(in)).latest);
  }
  BOOST_TEST(s.replayed_after_loss() == 0U);
  BOOST_TEST(same(before, s.host.picture()));
  s.host.delete_state();
  s.repository.reset();
  BOOST_TEST(refused(s.host.try_open(), errc::refused_start, {"order.g1", "rebuilt"}));
}

BOOST_AUTO_TEST_CASE(a_start_that_is_refused_for_another_reason_stays_refused_and_the_state_stays) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  play(s.host, 15, 20, false);
  s.host.snapshot_all();
  s.host.crash();
  // The log has lost a position that the state is ahead of now.
  const auto key = s.host.position_of("sums");
  auto earlier = must(s.host.log().position(key)).value();
  earlier.next = offset{earlier.next.value - 1};
  {
    const auto writer = must(s.host.log().open_writer({"shop", "a test"}));
    must(writer->commit({{}, {{key, earlier}}}));
  }
  BOOST_TEST(refused(s.host.try_open(), errc::refused_start, {"sums", "ahead of the log"}));
  BOOST_TEST(std::filesystem::exists(state_file(s.host.folder_of("sums"))));
}

BOOST_AUTO_TEST_CASE(those_of_a_log_that_was_there_before_do_not_stand_in_the_way) {
  shop_with_savepoints old;
  old.play_and_take(0, 15);
  shop_with_savepoints anew{memory_log::create("another")};
  anew.repository = old.repository;
  play(anew.host, 0, 5, false);
  anew.host.snapshot_all();
  const auto taken = must(take_savepoint(*anew.host.task("sums").store(), *anew.repository,
                                         anew.folder.path() / "work"));
  BOOST_TEST(taken);
  const auto all = old.of("sums", 0);
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0].log_id.find("another") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_builds_a_state_anew_on_purpose_forgets_its_savepoints) {
  shop_with_savepoints s;
  s.play_and_take(0, 15);
  must(forget_savepoints(*s.repository, s.host.task("sums").id()));
  BOOST_TEST(s.of("sums", 0).empty());
  BOOST_TEST(!s.of("sums", 1).empty());
}

BOOST_AUTO_TEST_SUITE_END()
