// Random transfers for a bank that runs in other processes, and an audit of its books at the end.
//
//   ./bank-load --log lmdb:data --transfers 100000
//
// Exit code 0: every transfer has ended and the books are right; 1: they are not, or it could not
// be found out; 2: the command line is wrong.
#include <cstdio>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "audit.hpp"
#include "bank_app.hpp"
#include "kappa/core/parse_number.hpp"
#include "load.hpp"

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct settings {
  std::string log = "lmdb:data";
  bank::load_options load;
  std::size_t orders = 20;
  int patience = 60;
};

constexpr const char* usage =
    "usage: bank-load [--OPTION VALUE …]\n"
    "  --log URL        the bank's log: lmdb:FOLDER or kafka://HOST:PORT   (lmdb:data)\n"
    "  --transfers N    how many                                           (100000)\n"
    "  --accounts N     between so many accounts, at least 2               (1000)\n"
    "  --in-flight N    asked for at a time                                (1024)\n"
    "  --seed N         of the random numbers, and part of the names       (1)\n"
    "  --orders N       orders of the events in which the books are read   (20)\n"
    "  --patience N     seconds without any progress until it gives up     (60)\n";

bool read_option(std::string_view name, std::string_view value, settings& s) {
  if (name == "--log") {
    s.log = value;
    return !value.empty();
  }
  const auto number = [&](auto& to) { return kappa::parse_number(value, to) && to > 0; };
  if (name == "--transfers") return number(s.load.transfers);
  if (name == "--accounts") return number(s.load.accounts) && s.load.accounts > 1;
  if (name == "--in-flight") return number(s.load.in_flight);
  if (name == "--seed") return number(s.load.seed);
  if (name == "--orders") return number(s.orders);
  if (name == "--patience") return number(s.patience);
  return false;
}

int fail(const std::string& why) {
  fmt::print(stderr, "error: {}\n", why);
  return 1;
}

// The bank may be about to start.
kappa::result<std::unique_ptr<kappa::aggregate_client>> open_client(
    const std::shared_ptr<kappa::event_log>& log, int patience) {
  for (const auto until = steady::now() + std::chrono::seconds{patience};;) {
    auto client = kappa::aggregate_client::open(log, bank::bank_app());
    if (client || client.error().code != kappa::errc::not_found || steady::now() > until)
      return client;
    std::this_thread::sleep_for(100ms);
  }
}

// Until no transfer is open, or nothing has come for as long as one is patient.
kappa::result<void> read_to_the_end(bank::audit& audit, kappa::event_log& log, std::size_t before,
                                    const bank::load_result& done, int patience) {
  bool done_all = false;
  auto changed = steady::now();
  for (std::size_t last = 0;;) {
    const auto read = audit.read(log);
    if (!read && !read.error().retriable) return read;
    // Once more: accounts are read before the transfers that have ended meanwhile.
    if (done_all && read) return {};
    done_all = audit.open() == 0 && audit.transfers() >= before + done.started.size();
    if (audit.events() != last) changed = steady::now();
    last = audit.events();
    if (steady::now() - changed > std::chrono::seconds{patience}) {
      return kappa::fail(kappa::errc::timed_out, "the bank",
                         fmt::format("{} of {} transfers are open, and nothing has come for {} s",
                                     audit.open(), audit.transfers(), patience));
    }
    std::this_thread::sleep_for(100ms);
  }
}

int report(const bank::audit& audit, std::size_t before, const bank::load_result& done,
           const settings& s) {
  auto findings = done.findings;
  for (const auto& name : done.started) {
    if (!audit.has(name)) findings.push_back(name + ": it was accepted, and is not in the log");
  }
  if (audit.transfers() - before > done.started.size())
    findings.push_back(fmt::format("{} new transfers in the log, {} accepted",
                                   audit.transfers() - before, done.started.size()));
  for (auto& f : audit.findings(s.orders, s.load.seed)) findings.push_back(std::move(f));
  fmt::print(
      "{} transfers: {} completed, {} failed, {} open; {} events; {} cents in {} accounts, as paid "
      "in\n",
      audit.transfers(), audit.completed(), audit.failed(), audit.open(), audit.events(),
      audit.paid_in_cents(), audit.accounts());
  fmt::print("{} asked again without an answer, {} although answered\n", done.asked_again,
             done.repeated);
  if (findings.empty()) {
    fmt::print("the books are right, in {} orders of their events\n", s.orders);
    return 0;
  }
  for (const auto& f : findings) fmt::print("  {}\n", f);
  return fail(fmt::format("{} findings", findings.size()));
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  for (int i = 1; i < argc; i += 2) {
    if (!read_option(argv[i], i + 1 < argc ? argv[i + 1] : "", s)) {
      fmt::print(stderr, "{}", usage);
      return std::string_view{argv[i]} == "--help" ? 0 : 2;
    }
  }
  auto log = kappa::open_log({.url = s.log});
  if (!log) return fail(log.error().text());
  auto client = open_client(*log, s.patience);
  if (!client) return fail(client.error().text());
  bank::audit audit;
  if (auto read = audit.read(**log); !read) return fail(read.error().text());
  const auto before = audit.transfers();
  const auto began = steady::now();
  auto done = bank::run_load(**client, s.load, [&](std::uint64_t n) {
    if (n % 50'000 == 0) fmt::print(stderr, "{} of {}\n", n, s.load.transfers);
  });
  if (!done) return fail(done.error().text());
  const auto ended = read_to_the_end(audit, **log, before, *done, s.patience);
  const std::chrono::duration<double> took = steady::now() - began;
  fmt::print("{:.0f} transfers/s\n", static_cast<double>(s.load.transfers) / took.count());
  const auto status = report(audit, before, *done, s);
  return ended ? status : fail(ended.error().text());
}
