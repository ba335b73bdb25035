// Admin by messages: requests in the log, replies from the host, and the state built anew in place.
#include <algorithm>
#include <atomic>

#include "actors/actors_support.hpp"
#include "kappa/actors/admin_client.hpp"
#include "support/forwarding_log.hpp"

using namespace actors_test;

BOOST_AUTO_TEST_SUITE(admin_messages)

namespace {

constexpr auto a_reply = 30s;

void send_some(world& w, int from, int to) {
  for (int i = from; i < to; ++i) {
    w.send({fmt::format("place {}", i % 7), ts("2001-01-01T00:00") + milliseconds{i * 1000}, i});
  }
}

admin::reply next_reply(admin_call& call) {
  auto reply = must(call.next(a_reply));
  if (!reply) BOOST_FAIL("no reply");
  return std::move(*reply);
}

// All replies to a request, up to the last one.
std::vector<admin::reply> all_replies(admin_call& call) {
  std::vector<admin::reply> all;
  do all.push_back(next_reply(call));
  while (!all.back().last);
  return all;
}

template <class What>
What ask(const world& w, const std::string& app, const admin_question& question) {
  auto call = must(admin_client{w.log, app}.send(question));
  auto reply = next_reply(call);
  BOOST_TEST(reply.last);
  BOOST_TEST(reply.id == call.id());
  if (const auto* problem = std::get_if<admin::problem>(&reply.which);
      problem != nullptr && !std::is_same_v<What, admin::problem>) {
    BOOST_FAIL(problem->subject + ": " + problem->message);
  }
  return std::get<What>(reply.which);
}

std::vector<std::pair<bytes, bytes>> state_of(host& h, const std::string& stage) {
  std::vector<std::pair<bytes, bytes>> all;
  for (auto& e : must(h.query_all(stage, SIZE_MAX)).entries)
    all.emplace_back(std::move(e.key), std::move(e.value));
  std::sort(all.begin(), all.end());
  return all;
}

std::int64_t records_in(world& w, const std::string& topic) {
  std::int64_t n = 0;
  w.each(topic, [&](const record_view&) { ++n; });
  return n;
}

bool settled(const host& h, world& w, std::int64_t outputs) {
  return eventually([&] { return records_in(w, "sums") == outputs; }) && eventually([&] {
           const auto p = progress_of(h, "sum");
           return p.snapshots > 0 && p.dirty_bytes == 0;
         });
}

void append_request(world& w, const std::string& app, std::optional<bytes_view> key,
                    bytes_view value) {
  record_batch batch;
  batch.add(ts("2001-01-01T00:00"), key, value);
  must(w.log->append({admin_topic(app), partition{0}}, batch));
}

}  // namespace

BOOST_AUTO_TEST_CASE(status_tells_stages_tasks_inputs_state_and_who_answers) {
  world w{2};
  host h{sums_app(), w.options()};
  must(h.start());
  send_some(w, 0, 100);
  BOOST_REQUIRE(settled(h, w, 100));
  admin::status s;
  BOOST_REQUIRE(eventually([&] {
    s = ask<admin::status>(w, "sums", admin::status_request{});
    return !s.stages.empty() && s.stages.at(0).tasks.at(0).lag == 0 &&
           s.stages.at(0).tasks.at(0).state_entries > 0 &&
           s.stages.at(0).tasks.at(0).records_in + s.stages.at(0).tasks.at(1).records_in == 100;
  }));
  BOOST_TEST(s.app == "sums");
  BOOST_TEST(s.instance == h.instance());
  BOOST_TEST(s.log_id == w.log->id());
  BOOST_TEST(!s.failed);
  BOOST_REQUIRE(s.stages.size() == 1u);
  const auto& stage = s.stages[0];
  BOOST_TEST(stage.name == "sum");
  BOOST_TEST(stage.keyed);
  BOOST_TEST(!stage.source);
  BOOST_REQUIRE(stage.tasks.size() == 2u);
  for (const auto& t : stage.tasks) {
    BOOST_TEST((t.health == admin::health::running));
    BOOST_TEST((t.phase == admin::phase::live));
    BOOST_REQUIRE(t.inputs.size() == 1u);
    BOOST_TEST(t.inputs[0].topic == "readings");
    BOOST_TEST(t.inputs[0].next == static_cast<std::int64_t>(t.records_in));
    BOOST_TEST(t.epoch > 0u);
    BOOST_TEST((t.last_snapshot > timestamp{}));
    BOOST_TEST(t.state_file_bytes > 0u);
    BOOST_TEST((t.watermark > timestamp{}));
  }
  const auto problem = ask<admin::problem>(w, "sums", admin::status_request{.stage = "nothing"});
  BOOST_TEST(problem.message.find("sum") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(status_and_state_are_asked_for_by_one_call) {
  world w;
  const admin_client client{w.log, "sums"};
  {
    host h{sums_app(), w.options()};
    must(h.start());
    w.send({"here", ts("2001-01-01T00:00"), 5});
    BOOST_REQUIRE(settled(h, w, 1));
    const auto s = must(client.status("", a_reply));
    BOOST_REQUIRE(s.has_value());
    BOOST_TEST(s->instance == h.instance());
    BOOST_TEST(s->processes.empty());
    BOOST_TEST(refused(client.status("sun", a_reply), errc::not_found, {"sum"}));
    const auto found = must(client.get({.stage = "sum", .key = "here"}, a_reply));
    BOOST_REQUIRE(found.has_value());
    BOOST_REQUIRE(found->entries.size() == 1u);
    BOOST_TEST(found->entries[0].value == R"({"count":1,"sum":5})");
    BOOST_TEST(refused(client.get({.stage = "sun", .key = "here"}, a_reply), errc::not_found, {}));
    must(h.stop());
  }
  BOOST_TEST(!must(client.status("", a_reply)));
  BOOST_TEST(!must(client.get({.stage = "sum", .key = "here"}, a_reply)));
}

BOOST_AUTO_TEST_CASE(get_answers_as_http_does) {
  world w;
  host h{sums_app(), w.options()};
  must(h.start());
  w.send({"here", ts("2001-01-01T00:00"), 5});
  w.send({"here", ts("2001-01-01T00:00"), 6});
  BOOST_REQUIRE(settled(h, w, 2));
  const auto found =
      ask<admin::found>(w, "sums", admin::get_request{.stage = "sum", .key = "here"});
  BOOST_REQUIRE(found.entries.size() == 1u);
  BOOST_TEST(found.entries[0].value == R"({"count":2,"sum":11})");
  BOOST_TEST(!found.stale);
  BOOST_REQUIRE(found.as_of.size() == 1u);
  BOOST_TEST(found.as_of[0].next == 2);
  BOOST_TEST(found.as_of[0].topic == "readings");
  BOOST_TEST(ask<admin::found>(w, "sums", admin::get_request{.stage = "sum", .key = "there"})
                 .entries.empty());
  const auto wrong = ask<admin::problem>(w, "sums", admin::get_request{.stage = "none", .key = ""});
  BOOST_TEST(wrong.code == static_cast<int>(errc::not_found));
  const auto windowless = ask<admin::problem>(
      w, "sums",
      admin::get_request{.stage = "sum", .key = "here", .window = "2001-01-01T00:00:00Z"});
  BOOST_TEST(windowless.subject == "window");
}

BOOST_AUTO_TEST_CASE(windows_are_found_by_key_and_by_start) {
  world w;
  host h{hourly_app(), w.options()};
  must(h.start());
  w.send({"here", ts("2001-01-01T08:10"), 1});
  w.send({"here", ts("2001-01-01T09:10"), 2});
  BOOST_REQUIRE(processed(h, "hourly", 2));
  admin::found all;
  BOOST_REQUIRE(eventually([&] {
    all = ask<admin::found>(w, "weather", admin::get_request{.stage = "hourly", .key = "here"});
    return all.entries.size() == 2;
  }));
  BOOST_TEST(all.windowed);
  BOOST_TEST((all.entries[1].window == ts("2001-01-01T09:00")));
  const auto one = ask<admin::found>(
      w, "weather",
      admin::get_request{.stage = "hourly", .key = "here", .window = "2001-01-01T08:00:00Z"});
  BOOST_REQUIRE(one.entries.size() == 1u);
  BOOST_TEST(one.entries[0].value == R"({"count":1,"sum":1})");
}

BOOST_AUTO_TEST_CASE(a_replay_builds_the_same_state_and_emits_nothing) {
  world w{3};
  host h{sums_app(), w.options()};
  must(h.start());
  send_some(w, 0, 2000);
  BOOST_REQUIRE(settled(h, w, 2000));
  const auto before = state_of(h, "sum");
  auto call = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
  const auto replies = all_replies(call);
  const auto& first = std::get<admin::replay_progress>(replies.front().which);
  BOOST_TEST((first.state == admin::replay_state::accepted));
  BOOST_REQUIRE(first.tasks.size() == 3u);
  const auto& done = std::get<admin::replay_progress>(replies.back().which);
  BOOST_TEST((done.state == admin::replay_state::done));
  BOOST_TEST(done.done == 2000u);
  BOOST_TEST(done.total == 2000u);
  for (const auto& t : done.tasks) BOOST_TEST((t.state == admin::task_replay_state::done));
  BOOST_TEST((state_of(h, "sum") == before));
  BOOST_TEST(records_in(w, "sums") == 2000);
  // And it is live again.
  send_some(w, 2000, 2100);
  BOOST_TEST(eventually([&] { return records_in(w, "sums") == 2100; }));
  must(h.stop());
  BOOST_TEST(records_in(w, "sums") == 2100);
}

BOOST_AUTO_TEST_CASE(one_partition_can_be_replayed_alone) {
  world w{3};
  host h{sums_app(), w.options()};
  must(h.start());
  send_some(w, 0, 500);
  BOOST_REQUIRE(settled(h, w, 500));
  const auto before = state_of(h, "sum");
  auto call =
      must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum", .partition = 1}));
  const auto last = std::get<admin::replay_progress>(all_replies(call).back().which);
  BOOST_REQUIRE(last.tasks.size() == 1u);
  BOOST_TEST(last.tasks[0].partition == 1);
  BOOST_TEST(progress_of(h, "sum").replayed == last.done);
  BOOST_TEST(last.done < 500u);
  BOOST_TEST((state_of(h, "sum") == before));
  const auto none =
      ask<admin::problem>(w, "sums", admin::replay_request{.stage = "sum", .partition = 3});
  BOOST_TEST(none.message.find("partitions 0 … 2") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(windows_and_timers_are_replayed_too) {
  world w{2};
  host h{hourly_app(), w.options()};
  must(h.start());
  for (int i = 0; i < 600; ++i) {
    w.send({fmt::format("place {}", i % 5), ts("2001-01-01T00:00") + milliseconds{i * 60'000}, i});
  }
  BOOST_REQUIRE(processed(h, "hourly", 600));
  BOOST_REQUIRE(eventually([&] { return progress_of(h, "hourly").dirty_bytes == 0; }));
  const auto before = state_of(h, "hourly");
  const auto outputs = records_in(w, "hourly-totals");
  BOOST_TEST(outputs > 0);
  auto call = must(admin_client{w.log, "weather"}.send(admin::replay_request{.stage = "hourly"}));
  BOOST_TEST(all_replies(call).back().last);
  BOOST_TEST((state_of(h, "hourly") == before));
  must(h.stop());
  BOOST_TEST(records_in(w, "hourly-totals") == outputs);
}

BOOST_AUTO_TEST_CASE(a_replay_that_the_log_cannot_feed_is_refused_and_nothing_is_deleted) {
  world w;
  host h{sums_app(), w.options()};
  must(h.start());
  send_some(w, 0, 100);
  BOOST_REQUIRE(settled(h, w, 100));
  const auto before = state_of(h, "sum");
  w.log->truncate_before({"readings", partition{0}}, offset{40});
  const auto problem = ask<admin::problem>(w, "sums", admin::replay_request{.stage = "sum"});
  BOOST_TEST(problem.code == static_cast<int>(errc::refused_start));
  BOOST_TEST(problem.message.find("the log begins at 40") != std::string::npos);
  BOOST_TEST((state_of(h, "sum") == before));
  BOOST_TEST(progress_of(h, "sum").replayed == 0u);
  BOOST_TEST((status_of(h, "sum").health == task_health::running));
}

BOOST_AUTO_TEST_CASE(what_keeps_no_state_has_nothing_to_replay) {
  world w;
  host h{hourly_app(), w.options()};
  must(h.start());
  const auto unknown = ask<admin::problem>(w, "weather", admin::replay_request{.stage = "none"});
  BOOST_TEST(unknown.message.find("hourly") != std::string::npos);
  const auto early = ask<admin::problem>(w, "weather", admin::replay_request{.stage = "hourly"});
  BOOST_TEST(early.message.find("nothing to rebuild") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_malformed_request_is_refused_by_its_key_or_passed_over) {
  world w;
  host h{sums_app(), w.options()};
  must(h.start());
  append_request(w, "sums", std::nullopt, "no key, no sense");
  append_request(w, "sums", bytes_view{"mine"}, "no sense");
  // Requests are taken in order: when this one is answered, the others have been.
  (void)ask<admin::status>(w, "sums", admin::status_request{});
  std::vector<admin::reply> replies;
  w.each(admin_replies_topic("sums"), [&](const record_view& r) {
    replies.push_back(must(codec<admin::reply>::decode(*r.value)));
  });
  BOOST_REQUIRE(replies.size() == 2u);
  BOOST_TEST(replies[0].id == "mine");
  BOOST_TEST(replies[0].last);
  BOOST_TEST(std::get<admin::problem>(replies[0].which).subject == "sums.admin[0]@1");
  BOOST_TEST(!h.failure().has_value());
}

BOOST_AUTO_TEST_CASE(requests_are_answered_again_when_the_log_could_not_be_read_for_a_while) {
  class away_for_a_while final : public kappa::test::forwarding_log {
   public:
    using forwarding_log::forwarding_log;
    result<partition_bounds> bounds(const topic_partition& tp) override {
      if (tp.topic == admin_topic("sums") && failures > 0 && failures-- > 0)
        return fail(errc::unavailable, "log", "not now", true);
      return forwarding_log::bounds(tp);
    }
    std::atomic<int> failures = 0;
  };
  world w;
  auto options = w.options();
  const auto log = std::make_shared<away_for_a_while>(w.log);
  options.shared_log = log;
  host h{sums_app(), options};
  must(h.start());
  log->failures = 2;  // of what the host itself asks
  const admin_client client{w.log, "sums"};
  BOOST_TEST(eventually(
      [&] { return must(client.status("", a_reply)).has_value() && log->failures <= 0; }));
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(what_was_asked_while_no_host_ran_is_done_unless_it_has_expired) {
  world w;
  std::vector<std::pair<bytes, bytes>> before;
  {
    host h{sums_app(), w.options()};
    must(h.start());
    send_some(w, 0, 300);
    BOOST_REQUIRE(settled(h, w, 300));
    before = state_of(h, "sum");
    must(h.stop());
  }
  const admin_client client{w.log, "sums"};
  BOOST_TEST(!must(client.holder()));
  const auto past = [] { return steady_now() - std::chrono::hours{1}; };
  const admin_client late{w.log, "sums", past};
  auto expired_status = must(late.send(admin::status_request{}, 1s));
  auto expired_replay = must(late.send(admin::replay_request{.stage = "sum"}, 1s));
  auto replay = must(client.send(admin::replay_request{.stage = "sum"}));
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_TEST(must(client.holder()).value_or("nobody") == h.instance());
  BOOST_TEST(all_replies(replay).size() >= 2u);
  BOOST_TEST((state_of(h, "sum") == before));
  BOOST_TEST(progress_of(h, "sum").replayed == 300u);
  const auto refused = std::get<admin::problem>(next_reply(expired_replay).which);
  BOOST_TEST(refused.code == static_cast<int>(errc::timed_out));
  BOOST_TEST(!must(expired_status.next(0ms)));
  must(h.stop());
  // Done once: the next host has nothing to do.
  host again{sums_app(), w.options()};
  must(again.start());
  (void)ask<admin::status>(w, "sums", admin::status_request{});
  BOOST_TEST(progress_of(again, "sum").replayed == 0u);
  BOOST_TEST(!must(replay.next(0ms)));
}

BOOST_AUTO_TEST_CASE(an_app_that_is_done_does_first_what_was_asked_while_no_host_ran) {
  world w;
  auto options = w.options();
  options.until_end = true;
  std::vector<std::pair<bytes, bytes>> before;
  {
    host h{sums_app(), options};
    send_some(w, 0, 3000);
    must(h.start());
    BOOST_REQUIRE(must(h.wait_finished(30s)));
    before = state_of(h, "sum");
    must(h.stop());
  }
  for (int i = 0; i < 5; ++i) {  // it was a race
    auto replay = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
    host h{sums_app(), options};
    must(h.start());
    BOOST_REQUIRE(must(h.wait_finished(30s)));
    must(h.stop());
    bool done = false;
    while (const auto reply = must(replay.next(0ms))) done = reply->last;
    BOOST_TEST(done);
  }
  host h{sums_app(), options};
  must(h.start());
  BOOST_REQUIRE(must(h.wait_finished(30s)));
  BOOST_TEST((state_of(h, "sum") == before));
  BOOST_TEST(progress_of(h, "sum").replayed == 0u);
  must(h.stop());
}

BOOST_AUTO_TEST_CASE(a_client_of_an_app_that_never_ran_is_told_so) {
  world w;
  const auto sent = admin_client{w.log, "sumz"}.send(admin::status_request{});
  BOOST_TEST(refused(sent, errc::not_found, {"no host of app \"sumz\" has run"}));
}

BOOST_AUTO_TEST_CASE(a_second_replay_of_a_stage_waits_for_the_first_to_be_over) {
  world w;
  commit_gate gate{*w.log};
  host h{sums_app(), w.options()};
  must(h.start());
  send_some(w, 0, 100);
  BOOST_REQUIRE(settled(h, w, 100));
  const admin_client client{w.log, "sums"};
  // Both are read before the first one's T1: it is under way as soon as it is accepted.
  gate.hold();
  auto status = must(client.send(admin::status_request{}));
  BOOST_REQUIRE(gate.has_caught_one());
  auto first = must(client.send(admin::replay_request{.stage = "sum"}));
  auto second = must(client.send(admin::replay_request{.stage = "sum"}));
  gate.open();
  BOOST_TEST(all_replies(status).size() == 1u);
  const auto refusal = std::get<admin::problem>(next_reply(second).which);
  BOOST_TEST(refusal.code == static_cast<int>(errc::unavailable));
  BOOST_TEST(refusal.message.find(first.id()) != std::string::npos);
  BOOST_TEST(all_replies(first).size() >= 2u);
}

BOOST_AUTO_TEST_CASE(a_task_in_quarantine_can_be_brought_back_by_a_replay) {
  world w{2};
  std::atomic<bool> broken{false};
  auto o = w.options();
  o.failures_until_quarantine = 1;
  host h{sums_app([&](const reading&) {
           if (broken) throw std::bad_alloc{};  // the task's own failure, not the record's
         }),
         o};
  must(h.start());
  send_some(w, 0, 100);
  BOOST_REQUIRE(settled(h, w, 100));
  const auto before = state_of(h, "sum");
  broken = true;
  w.send({"place 0", ts("2001-01-02T00:00"), 0});
  BOOST_REQUIRE(eventually([&] {
    const auto all = h.status();
    return std::any_of(all.begin(), all.end(),
                       [](const task_status& t) { return t.health == task_health::quarantined; });
  }));
  broken = false;
  auto call = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
  const auto last = all_replies(call).back();
  BOOST_TEST((std::get<admin::replay_progress>(last.which).state == admin::replay_state::done));
  BOOST_TEST(eventually([&] { return records_in(w, "sums") == 101; }));
}

BOOST_AUTO_TEST_CASE(a_replay_that_keeps_failing_is_answered_with_the_reason) {
  world w;
  std::atomic<bool> broken{false};
  auto o = w.options();
  o.failures_until_quarantine = 2;
  host h{sums_app([&](const reading&) {
           if (broken) throw std::runtime_error{"not as at first"};
         }),
         o};
  must(h.start());
  send_some(w, 0, 100);
  BOOST_REQUIRE(settled(h, w, 100));
  broken = true;
  auto call = must(admin_client{w.log, "sums"}.send(admin::replay_request{.stage = "sum"}));
  const auto last = all_replies(call).back();
  const auto problem = std::get<admin::problem>(last.which);
  BOOST_TEST(problem.message.find("not as at first") != std::string::npos);
  BOOST_TEST(records_in(w, "sums") == 100);
}

BOOST_AUTO_TEST_CASE(stages_named_at_the_start_are_built_anew_before_they_go_live) {
  world w{2};
  std::vector<std::pair<bytes, bytes>> before;
  {
    host h{sums_app(), w.options()};
    must(h.start());
    send_some(w, 0, 300);
    BOOST_REQUIRE(settled(h, w, 300));
    before = state_of(h, "sum");
  }
  send_some(w, 300, 310);
  auto o = w.options();
  o.replay = {"sum"};
  o.replay_only = true;
  {
    host h{sums_app(), o};
    must(h.start());
    BOOST_REQUIRE(eventually([&] { return must(h.wait_finished(0ms)); }));
    BOOST_TEST(progress_of(h, "sum").replayed == 300u);
    must(h.stop());
  }
  BOOST_TEST(records_in(w, "sums") == 300);  // nothing new was processed
  host h{sums_app(), w.options()};
  must(h.start());
  BOOST_TEST(progress_of(h, "sum").replayed == 0u);  // it was saved
  BOOST_TEST(eventually([&] { return records_in(w, "sums") == 310; }));
  must(h.stop());

  w.log->truncate_before({"readings", partition{0}}, offset{1});
  o.replay_only = false;
  host refused_one{sums_app(), o};
  BOOST_TEST(refused(refused_one.start(), errc::refused_start, {"the log begins at 1"}));
  o.replay = {"summ"};
  host unknown{sums_app(), o};
  BOOST_TEST(refused(unknown.start(), errc::bad_config, {"stages with state: sum"}));
  host good{sums_app(), w.options()};
  must(good.start());
  BOOST_TEST(progress_of(good, "sum").replayed == 0u);  // the state was left alone
}

BOOST_AUTO_TEST_SUITE_END()
