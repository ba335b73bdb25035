// An app that misbehaves on demand, run as a program of its own.
//
//   actors_helper feed LOG N             appends N readings (values 0 … N - 1) to topic "readings"
//   actors_helper [runner options] --misbehave HOW --at VALUE [--windowed | --from-source]
//   actors_helper [runner options] --misbehave HOW --ask CENTS
//
// HOW: none, segv, bus, ill, abort, terminate, fpe, stack, kill, hang, throw. With --from-source
// it is the source that misbehaves, before the row with that value, of ten. At the end it prints
// every output ("sum COUNT SUM"), dead letter ("dead POSITION OPERATOR ERROR") and "done". With
// --ask it then opens an account and deposits so much, at which 13 is where it misbehaves, and
// prints what it was told.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <stdexcept>

#include <fmt/format.h>

#include "aggregate/bank.hpp"
#include "engine/small_types.hpp"
#include "kappa/kappa.hpp"

// A signal is to end the process as it does without a sanitizer.
#if defined(__SANITIZE_ADDRESS__)
#define KAPPA_SANITIZER_OPTIONS __asan_default_options
#elif defined(__SANITIZE_THREAD__)
#define KAPPA_SANITIZER_OPTIONS __tsan_default_options
#endif
#ifdef KAPPA_SANITIZER_OPTIONS
extern "C" const char* KAPPA_SANITIZER_OPTIONS() {
  return "handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:handle_abort=0";
}
#endif

namespace actors_test {
namespace {

using namespace kappa;
using namespace std::chrono_literals;
using engine_test::reading;
using engine_test::totals;

std::string how = "none";
double at = -1;
bool windowed = false;
bool from_source = false;
double cents_to_ask = -1;

void throws() { throw std::runtime_error{"out of a noexcept function"}; }
void must_not_throw() noexcept { throws(); }

int endless(int depth) {
  volatile char room[4096];
  room[depth % 4096] = static_cast<char>(depth);
  return depth < 0 ? 0 : endless(depth + 1) + room[depth % 4096];
}

void misbehave() {
  if (how == "segv") std::raise(SIGSEGV);
  if (how == "bus") std::raise(SIGBUS);
  if (how == "ill") std::raise(SIGILL);
  if (how == "abort") std::abort();
  if (how == "terminate") must_not_throw();
  if (how == "fpe") std::raise(SIGFPE);
  if (how == "stack") std::printf("%d\n", endless(0));
  if (how == "kill") std::raise(SIGKILL);
  if (how == "throw") throw std::runtime_error{"as it was told"};
  if (how == "hang") std::promise<void>{}.get_future().wait();
}

bool chosen(std::int64_t value) { return value == static_cast<std::int64_t>(at); }

reading reading_of(int i) { return {"oslo", *parse_time("2001-01-01") + i * 1h, i}; }

class ten_rows final : public record_source {
 public:
  result<void> open(const std::optional<bytes>& place) override {
    if (place) next_ = std::stoi(*place);
    return {};
  }
  result<std::optional<source_row>> next() override {
    if (at_end()) return std::optional<source_row>{};
    if (chosen(next_)) misbehave();
    row_ = encoded(reading_of(next_++));
    return std::optional{source_row{row_, static_cast<std::uint64_t>(next_)}};
  }
  bool at_end() const override { return next_ == 10; }
  bytes place() const override { return std::to_string(next_); }
  const std::string& name() const override { return name_; }
  source_progress progress() const override { return {}; }

 private:
  int next_ = 0;
  bytes row_;
  std::string name_ = "ten rows";
};

app source_app() {
  app a{"helper"};
  a.source<reading>("ingest", {[] { return std::make_unique<ten_rows>(); },
                               [](bytes_view row) { return codec<reading>::decode(row); }})
      .key_by("place", &reading::place)
      .fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); })
      .to("sums");
  return a;
}

struct account : bank::account {
  using bank::account::decide;
  auto decide(const bank::deposit& c) const -> decision<bank::deposited> {
    if (c.amount_cents == 13) misbehave();
    return bank::account::decide(c);
  }
};

app helper_app() {
  if (from_source) return source_app();
  app a{"helper"};
  if (cents_to_ask >= 0) a.aggregate<account>("accounts");
  auto readings = a.stream<reading>("readings").map("look", [](const reading& r) {
    if (!windowed && chosen(r.value)) misbehave();
    return r;
  });
  auto keyed = readings.already_keyed(&reading::place);
  if (windowed) {
    keyed.window(tumbling{1h})
        .fold<totals>("hourly", [](totals& t, const reading& r) { t.add(r.value); })
        .map("look-at-hour",
             [](const auto& w) {
               if (chosen(w.value.sum)) misbehave();
               return w;
             })
        .to("sums");
  } else {
    keyed.fold<totals>("sum", [](totals& t, const reading& r) { t.add(r.value); }).to("sums");
  }
  return a;
}

int feed(const std::string& where, int n) {
  auto log = open_log({where});
  if (!log) return 9;
  topic_config c;
  c.name = "readings";
  if (!(*log)->create_topic(c)) return 9;
  record_batch batch;
  for (int i = 0; i < n; ++i) {
    const auto r = reading_of(i);
    batch.add(r.at, bytes_view{r.place}, bytes_view{encoded(r)});
  }
  return (*log)->append({"readings", partition{0}}, batch) ? 0 : 9;
}

void print_topic(event_log& log, const std::string& topic,
                 const std::function<void(const record_view&)>& print) {
  const topic_partition where{topic, partition{0}};
  (void)for_each_record(log, where, offset{0}, [&](const record_view& r) -> result<bool> {
    print(r);
    return true;
  });
}

void print_told(const char* what, const ask_result& told) {
  if (told) {
    fmt::print("{}: version {}\n", what, told->version);
  } else {
    const auto* failed = told.error().failed();
    fmt::print("{}: {}{}\n", what,
               failed != nullptr && failed->code == errc::timed_out ? "timed out, " : "",
               told.error().text());
  }
}

void ask(host& h) {
  print_told("opened", h.ask<account>("ada", bank::open{}));
  print_told("deposited",
             h.ask<account>("ada", bank::deposit{static_cast<std::int64_t>(cents_to_ask)}));
}

result<void> print_all(host& h, bool anew) {
  print_topic(h.log(), "sums", [](const record_view& r) {
    const auto t = codec<totals>::decode(*r.value);
    fmt::print("sum {} {}\n", t->count, t->sum);
  });
  print_topic(h.log(), "helper.dead-letters", [](const record_view& r) {
    const auto header = [&](std::string_view name) {
      return std::string{r.headers.find(name).value_or("-")};
    };
    fmt::print("dead {} {} {}\n", header("kappa.position"), header("kappa.operator"),
               header("kappa.error"));
  });
  fmt::print("done {}\n", anew ? "anew" : "before");
  if (cents_to_ask >= 0) ask(h);
  std::fflush(stdout);
  return {};
}

int run(int argc, char** argv) {
  if (argc == 4 && std::string{argv[1]} == "feed") return feed(argv[2], std::atoi(argv[3]));
  runner r{"helper", "Misbehaves"};
  r.option("--misbehave", how, "how");
  r.option("--at", at, "at which value");
  r.option("--ask", cents_to_ask, "to deposit in an account");
  r.flag("--windowed", windowed, "in a timer");
  r.flag("--from-source", from_source, "in a source");
  r.defaults().partitions = 1;
  runner::hooks hooks;
  hooks.finished = print_all;
  return r.run(
      argc, argv, [] { return helper_app(); }, hooks);
}

}  // namespace
}  // namespace actors_test

int main(int argc, char** argv) { return actors_test::run(argc, argv); }
