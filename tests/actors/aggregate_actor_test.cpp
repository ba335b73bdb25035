// Aggregates as actors: what is sent to them, and what is heard.
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <caf/actor_registry.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>

#include "actors/actors_support.hpp"
#include "aggregate/bank_app.hpp"
#include "kappa/caf.hpp"
#include "kappa/keys/memory_key_store.hpp"
#include "keys/people.hpp"

namespace aggregate_actors {

using namespace actors_test;
using bank::account;
using bank::deposit;
using bank::withdraw;

BOOST_AUTO_TEST_SUITE(aggregates_as_actors)

namespace {

struct program_config : caf::actor_system_config {
  program_config() {
    init_caf();
    set("caf.scheduler.max-threads", 2);
    set("caf.scheduler.max-throughput", messages_at_once);
  }
};

// What a request came to.
struct heard {
  std::optional<ask_result> answer;
  caf::error failed;

  [[nodiscard]] const command_receipt& receipt() const {
    if (!answer) throw std::runtime_error{"no answer: " + caf::to_string(failed)};
    if (!*answer) throw std::runtime_error{answer->error().text()};
    return **answer;
  }
  [[nodiscard]] const ask_refusal& refusal() const {
    if (!answer) throw std::runtime_error{"no answer: " + caf::to_string(failed)};
    return answer->error();
  }
};

// A bank that runs in the program's system.
struct running_bank {
  running_bank() { start(); }
  void make() {
    host_options o;
    o.shared_log = log;
    o.state = folder.path() / "state";
    o.partitions = 2;
    o.actors = actors_in(system);
    o.limits.commit_interval = 5ms;
    service.emplace(bank::bank_app(), o);
  }
  void start() {
    make();
    must(service->start());
  }
  template <class Handle, class... Ts>
  heard ask(const Handle& whom, Ts&&... message) {
    heard h;
    caf::scoped_actor self{system, true};
    self->request(whom, 30s, std::forward<Ts>(message)...)
        .receive([&](const ask_result& r) { h.answer = r; },
                 [&](caf::error& e) { h.failed = std::move(e); });
    return h;
  }
  [[nodiscard]] aggregate_actor<account> of(const char* key) const {
    return actor_of<account>(*service, key);
  }

  temporary_folder folder;
  std::shared_ptr<memory_log> log = memory_log::create();
  program_config config;
  caf::actor_system system{config};
  std::optional<host> service;
};

// An actor of a program that sends many commands without waiting between them.
caf::behavior eager(caf::event_based_actor* self, const aggregate_actor<account>& whom, int n,
                    const std::shared_ptr<std::promise<std::vector<ask_result>>>& all) {
  auto answers = std::make_shared<std::vector<ask_result>>();
  const auto note = [=](ask_result r) {
    answers->push_back(std::move(r));
    if (answers->size() == static_cast<std::size_t>(n)) {
      all->set_value(std::move(*answers));
      self->quit();
    }
  };
  for (int i = 0; i < n; ++i) {
    self->request(whom, 60s, command{deposit{1}})
        .then([=](const ask_result& r) { note(r); },
              [=](const caf::error& e) {
                note(tl::unexpected{ask_refusal{error{errc::injected, "caf", caf::to_string(e)}}});
              });
  }
  return {[](int) {}};
}

template <class List>
constexpr bool takes = caf::response_type_unbox<aggregate_actor<account>::signatures, List>::valid;

static_assert(takes<caf::detail::type_list<command<withdraw>>>);
static_assert(!takes<caf::detail::type_list<command<bank::opened>>>, "that is an event");
static_assert(!takes<caf::detail::type_list<withdraw>>);
static_assert(caf::type_id_v<command<withdraw>> == caf::type_id_v<command<deposit>>);

}  // namespace

BOOST_AUTO_TEST_CASE(every_outcome_of_a_command_is_a_typed_answer) {
  running_bank b;
  const auto acc = b.of("acc-42");
  BOOST_TEST(b.ask(acc, command{bank::open{}}).receipt().version == 1U);
  BOOST_TEST(b.ask(acc, command{deposit{700}}).receipt().version == 2U);

  const auto rejected = b.ask(acc, command{withdraw{1000}});
  BOOST_REQUIRE(rejected.refusal().rejected());
  BOOST_TEST((must(rejected.refusal().rejected()->as<bank::insufficient_funds>()) ==
              bank::insufficient_funds{300}));

  const auto conflict = b.ask(acc, command{withdraw{1}, {.expected_version = 1}});
  BOOST_REQUIRE(conflict.refusal().conflict());
  BOOST_TEST((*conflict.refusal().conflict() == version_conflict{1, 2}));

  const command again{withdraw{500}, {.id = "w-1", .expected_version = 2}};
  BOOST_TEST(b.ask(acc, again).receipt().version == 3U);
  BOOST_TEST(b.ask(acc, again).receipt().version == 3U);  // it has happened once
  const auto reused = b.ask(acc, command{withdraw{1}, {.id = "w-1"}});
  BOOST_REQUIRE(reused.refusal().failed());
  BOOST_TEST((reused.refusal().failed()->code == errc::id_reused));

  const auto found = must(b.service->query<account>("acc-42"));
  BOOST_TEST(found.value->state.balance_cents == 200);
}

BOOST_AUTO_TEST_CASE(a_handle_per_request_is_as_good_as_one_that_is_kept) {
  running_bank b;
  b.ask(b.of("acc-1"), command{bank::open{}});
  for (std::uint64_t n = 2; n <= 50; ++n)
    BOOST_REQUIRE_EQUAL(b.ask(b.of("acc-1"), command{deposit{1}}).receipt().version, n);
}

BOOST_AUTO_TEST_CASE(commands_of_one_actor_are_decided_in_their_order_and_all_are_answered) {
  running_bank b;
  const auto acc = b.of("acc-1");
  b.ask(acc, command{bank::open{}});
  auto all = std::make_shared<std::promise<std::vector<ask_result>>>();
  b.system.spawn(eager, acc, 500, all);
  std::uint64_t version = 2;
  for (const auto& r : all->get_future().get()) {
    BOOST_REQUIRE(r.has_value());
    BOOST_REQUIRE_EQUAL(r->version, version++);
  }
}

BOOST_AUTO_TEST_CASE(nobody_needs_to_wait_for_an_answer) {
  running_bank b;
  const auto acc = b.of("acc-1");
  b.ask(acc, command{bank::open{}});
  caf::anon_send(acc, command{deposit{5}});
  BOOST_TEST(b.ask(acc, command{deposit{6}}).receipt().version == 3U);
}

BOOST_AUTO_TEST_CASE(who_is_delegated_to_answers_the_one_that_asked) {
  running_bank b;
  b.ask(b.of("acc-1"), command{bank::open{}});
  const auto till = b.system.spawn([&b](caf::event_based_actor* self) -> caf::behavior {
    return {[self, acc = b.of("acc-1")](int cents) {
      return self->delegate(acc, command{deposit{cents}});
    }};
  });
  const auto told = b.system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const ask_result& r) {
      auto marked = r.value();
      marked.version += 1000;
      return ask_result{marked};
    }};
  });
  BOOST_TEST(b.ask(till, 5).receipt().version == 2U);
  BOOST_TEST(b.ask(told * till, 6).receipt().version == 1003U);  // told(till(6))
  caf::anon_send_exit(till, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(told, caf::exit_reason::user_shutdown);
}

BOOST_AUTO_TEST_CASE(a_command_of_another_protocol_is_refused_where_the_compiler_could_not_see_it) {
  running_bank b;
  const auto any = caf::actor_cast<caf::actor>(b.of("acc-1"));
  const auto foreign = b.ask(any, command{people::greet{}});
  BOOST_REQUIRE(foreign.refusal().failed());
  BOOST_TEST((foreign.refusal().failed()->code == errc::invalid_argument));
  const auto text = foreign.refusal().text();
  BOOST_TEST(text.find("bank.capnp:AccountState") != std::string::npos, text);
  BOOST_TEST(text.find("people.capnp:Greet") != std::string::npos, text);

  const auto no_command = b.ask(any, std::string{"withdraw"});
  BOOST_TEST(!no_command.answer.has_value());
  BOOST_TEST((no_command.failed == caf::sec::unexpected_message));
}

BOOST_AUTO_TEST_CASE(a_key_of_another_type_and_an_aggregate_that_the_app_has_not_are_refused) {
  running_bank b;
  const auto by_number = b.ask(actor_of<account>(*b.service, 42), command{bank::open{}});
  BOOST_REQUIRE(by_number.refusal().failed());
  BOOST_TEST(!by_number.refusal().may_be_asked_again());
  const auto other = b.ask(actor_of<people::person>(*b.service, "ada"), command{people::greet{}});
  BOOST_REQUIRE(other.refusal().failed());
  BOOST_TEST(!other.refusal().may_be_asked_again());
}

BOOST_AUTO_TEST_CASE(a_stop_answers_all_that_is_sent_before_and_after_it) {
  running_bank b;
  const auto acc = b.of("acc-1");
  b.ask(acc, command{bank::open{}});
  commit_gate gate{*b.log};
  gate.hold();
  auto all = std::make_shared<std::promise<std::vector<ask_result>>>();
  auto answers = all->get_future();
  b.system.spawn(eager, acc, 300, all);
  BOOST_REQUIRE(gate.has_caught_one());
  auto stopped = std::async(std::launch::async, [&] { return b.service->stop(); });
  gate.open();
  must(stopped.get());
  const auto given = answers.get();
  std::uint64_t accepted = 0;
  for (const auto& r : given) {
    if (r) {
      ++accepted;
    } else {
      BOOST_REQUIRE_MESSAGE(r.error().may_be_asked_again(), r.error().text());
    }
  }
  BOOST_TEST(accepted > 0U);

  const auto late = b.ask(acc, command{deposit{1}});
  BOOST_REQUIRE(late.refusal().failed());
  BOOST_TEST((late.refusal().failed()->code == errc::stopped));
  BOOST_TEST(late.refusal().may_be_asked_again());

  // The next host knows what was accepted, and no more. A handle is of the host that it was made
  // with.
  b.service.reset();
  BOOST_TEST((b.ask(acc, command{deposit{1}}).refusal().failed()->code == errc::stopped));
  b.start();
  BOOST_TEST((b.ask(acc, command{deposit{1}}).refusal().failed()->code == errc::stopped));
  BOOST_TEST(b.ask(b.of("acc-1"), command{deposit{1}}).receipt().version == accepted + 2);
}

BOOST_AUTO_TEST_CASE(before_its_start_a_host_answers_that_it_does_not_run) {
  running_bank b;
  must(b.service->stop());
  b.make();
  const auto acc = b.of("acc-1");
  BOOST_TEST((b.ask(acc, command{bank::open{}}).refusal().failed()->code == errc::stopped));
  must(b.service->start());
  BOOST_TEST(b.ask(acc, command{bank::open{}}).receipt().version == 1U);
}

BOOST_AUTO_TEST_CASE(a_handle_keeps_neither_the_host_nor_the_system) {
  aggregate_actor<account> kept;
  {
    running_bank b;
    kept = b.of("acc-1");
    const auto running = b.system.registry().running();
    const auto another = b.of("acc-2");
    BOOST_TEST(b.system.registry().running() == running);
    b.service.reset();
    BOOST_TEST(b.log.use_count() == 1);
    BOOST_TEST(b.system.registry().running() == 0U);
  }  // the system's end waits for what runs in it
  kept = nullptr;
}

BOOST_AUTO_TEST_CASE(an_exit_message_ends_a_handle_and_those_that_watch_it_are_told) {
  running_bank b;
  const auto acc = b.of("acc-1");
  caf::scoped_actor self{b.system, true};
  self->monitor(acc);
  self->send_exit(acc, caf::exit_reason::kill);
  bool down = false;
  self->receive([&](const caf::down_msg& d) { down = d.source == acc.address(); });
  BOOST_TEST(down);
  const auto after = b.ask(acc, command{bank::open{}});
  BOOST_TEST((after.failed == caf::sec::request_receiver_down));
  BOOST_TEST(b.ask(b.of("acc-1"), command{bank::open{}}).receipt().version == 1U);
}

BOOST_AUTO_TEST_CASE(a_host_in_a_system_of_its_own_has_no_aggregates_as_actors) {
  init_caf();
  const host alone{bank::bank_app(), {.log = "memory:"}};
  BOOST_CHECK_EXCEPTION(
      (void)actor_of<account>(alone, "acc-1"), std::logic_error, [](const std::logic_error& e) {
        return std::string{e.what()}.find("host_options::actors") != std::string::npos;
      });
}

namespace {

// A key store that answers when it may.
class slow_keys final : public key_store {
 public:
  std::string name() const override { return real_.name(); }
  std::optional<std::string> local_file() const override { return real_.local_file(); }
  result<void> check_reachable() override { return real_.check_reachable(); }
  result<key_answer> find(bytes_view subject) override { return real_.find(subject); }
  result<key_answer> find_or_create(bytes_view subject) override {
    {
      std::unique_lock lock{mutex_};
      ++asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return open_; });
    }
    return real_.find_or_create(subject);
  }
  result<erasure> erase(bytes_view subject) override { return real_.erase(subject); }

  void wait_for_a_question() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return asked_ > 0; });
  }
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }

 private:
  memory_key_store real_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int asked_ = 0;
  bool open_ = false;
};

struct running_people {
  running_people() {
    host_options o;
    o.shared_log = log;
    o.state = folder.path() / "state";
    o.shared_keys = keys;
    o.actors = actors_in(system);
    o.limits.commit_interval = 5ms;
    service.emplace(people::people_app(), o);
    must(service->start());
  }
  ~running_people() { keys->open(); }

  temporary_folder folder;
  std::shared_ptr<memory_log> log = memory_log::create();
  std::shared_ptr<slow_keys> keys = std::make_shared<slow_keys>();
  program_config config;
  caf::actor_system system{config};
  std::optional<host> service;
};

// Sends two commands to ada, and notes what they came to.
struct two_commands {
  struct noted {
    std::promise<void> sent;
    std::promise<ask_result> first;
    std::promise<ask_result> second;
  };
  explicit two_commands(running_people& p) {
    const auto ada = actor_of<people::person>(*p.service, "ada");
    p.system.spawn([ada, n = note](caf::event_based_actor* self) -> caf::behavior {
      self->request(ada, 60s, command{people::register_{"Ada"}})
          .then([n](const ask_result& r) { n->first.set_value(r); }, [](const caf::error&) {});
      self->request(ada, 60s, command{people::greet{}})
          .then(
              [n, self](const ask_result& r) {
                n->second.set_value(r);
                self->quit();
              },
              [self](const caf::error&) { self->quit(); });
      n->sent.set_value();
      return {[](int) {}};
    });
  }
  /// Of a promise that is kept sooner or later.
  template <class T>
  static T in_time(std::future<T> f) {
    if (f.wait_for(30s) != std::future_status::ready) throw std::runtime_error{"it does not come"};
    return f.get();
  }

  std::shared_ptr<noted> note = std::make_shared<noted>();
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_sender_does_not_wait_for_the_key_store_and_the_order_is_kept) {
  running_people p;
  two_commands commands{p};
  p.keys->wait_for_a_question();
  two_commands::in_time(commands.note->sent.get_future());
  auto second = commands.note->second.get_future();
  BOOST_TEST((second.wait_for(50ms) == std::future_status::timeout));  // no personal field in it
  p.keys->open();
  BOOST_TEST(two_commands::in_time(commands.note->first.get_future()).value().version == 1U);
  const auto greeted = two_commands::in_time(std::move(second)).value();
  auto greeting = must(codec<people::greeting>::decode(greeted.reply.value()));
  must(p.service->open(greeting));
  BOOST_TEST(greeting.name.text_or("") == "Ada");
}

BOOST_AUTO_TEST_CASE(what_waits_for_the_key_store_at_a_stop_is_answered) {
  running_people p;
  two_commands commands{p};
  p.keys->wait_for_a_question();
  two_commands::in_time(commands.note->sent.get_future());
  auto stopped = std::async(std::launch::async, [&] { return p.service->stop(); });
  const auto nobody = actor_of<people::person>(*p.service, "nobody");
  caf::scoped_actor self{p.system, true};
  BOOST_REQUIRE(eventually([&] {  // the host takes no more
    bool refused = false;
    self->request(nobody, 1ms, command{people::greet{}})
        .receive([&](const ask_result& r) { refused = !r; }, [](const caf::error&) {});
    return refused;
  }));
  p.keys->open();
  must(stopped.get());
  const auto first = two_commands::in_time(commands.note->first.get_future());
  BOOST_REQUIRE(!first);
  BOOST_TEST((first.error().failed()->code == errc::stopped));
  const auto second = two_commands::in_time(commands.note->second.get_future());
  BOOST_REQUIRE(!second);
  BOOST_TEST((second.error().failed()->code == errc::stopped));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace aggregate_actors
