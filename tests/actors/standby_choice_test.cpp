// Who follows which task: all processes come to the same, by themselves.
#include "actors/standby_choice.hpp"

#include "actors/actors_support.hpp"

namespace actors_test {

BOOST_AUTO_TEST_SUITE(choice_of_standbys)

namespace {

constexpr std::int32_t tasks_of_stage = 60;

std::vector<task_id> all_tasks() {
  std::vector<task_id> all;
  for (std::int32_t p = 0; p < tasks_of_stage; ++p)
    all.push_back({"shop", "sums", generation{1}, partition{p}});
  return all;
}

/// So many processes; task n is with process n modulo their number.
std::vector<app_process> processes(std::size_t n) {
  std::vector<app_process> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back({"id" + std::to_string(i), "", {}});
  for (std::int32_t p = 0; p < tasks_of_stage; ++p)
    all[static_cast<std::size_t>(p) % n].tasks.push_back({"sums", partition{p}});
  return all;
}

std::vector<std::size_t> followers(std::size_t n, std::size_t standbys) {
  std::vector<std::size_t> of_task(tasks_of_stage);
  for (const auto& p : processes(n)) {
    const auto chosen = detail::choose_standbys(all_tasks(), processes(n), p.id, standbys);
    for (std::size_t t = 0; t < chosen.size(); ++t) of_task[t] += chosen[t] ? 1 : 0;
  }
  return of_task;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_task_has_as_many_followers_as_were_asked_for_if_there_are_so_many) {
  for (const std::size_t n : {1U, 2U, 3U, 5U}) {
    for (const std::size_t standbys : {0U, 1U, 2U, 9U}) {
      for (const auto f : followers(n, standbys)) BOOST_TEST(f == std::min(standbys, n - 1));
    }
  }
}

BOOST_AUTO_TEST_CASE(nobody_follows_a_task_of_its_own) {
  for (const auto& p : processes(3)) {
    const auto chosen = detail::choose_standbys(all_tasks(), processes(3), p.id, 9);
    for (const auto& t : p.tasks) BOOST_TEST(!chosen[static_cast<std::size_t>(t.task.value)]);
  }
}

BOOST_AUTO_TEST_CASE(the_others_stay_where_they_are_when_a_process_goes) {
  const auto before = processes(4);
  auto after = before;
  after.pop_back();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto was = detail::choose_standbys(all_tasks(), before, after[i].id, 1);
    const auto is = detail::choose_standbys(all_tasks(), after, after[i].id, 1);
    for (std::size_t t = 0; t < was.size(); ++t) BOOST_TEST((!was[t] || is[t]));
  }
}

BOOST_AUTO_TEST_CASE(the_work_is_spread) {
  for (const auto& p : processes(3)) {
    const auto chosen = detail::choose_standbys(all_tasks(), processes(3), p.id, 1);
    const auto n = std::count(chosen.begin(), chosen.end(), true);
    BOOST_TEST(n > tasks_of_stage / 6);
    BOOST_TEST(n < tasks_of_stage / 2);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace actors_test
