// A bank that is served over HTTP, and what tests want to know of an answer.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <httplib.h>

#include <boost/test/unit_test.hpp>

#include "aggregate/bank.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/actors/http_server.hpp"
#include "kappa/log/memory_log.hpp"
#include "notes.kappa.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace served_banks {

using namespace bank;
using namespace kappa;
using namespace std::chrono_literals;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;

/// Says what its rejections and replies are, and throws where one is told to.
struct shown_account : account {
  using rejections = type_list<insufficient_funds>;
  using replies = type_list<reply_to<withdraw, withdrawal_receipt>>;

  using account::decide;
  auto decide(const deposit& c) const -> decision<deposited> {
    if (c.amount_cents == 13) throw std::runtime_error{"thirteen"};
    return account::decide(c);
  }
};
struct numbered_account : account {};

struct page : notes::page_state {
  using protocol = notes::page_protocol;
  auto decide(const notes::note& c) const -> decision<notes::noted> { return notes::noted{c.text}; }
  void apply(const notes::noted& e) { bytes += e.text.size(); }
};

inline app bank_of_http() {
  app a{"bank"};
  a.aggregate<shown_account>("accounts");
  a.aggregate<account>("plain-accounts");
  a.aggregate<numbered_account, std::int64_t>("numbered");
  a.aggregate<page>("pages", {.command_window = {.max_bytes = 1 << 20}});
  return a;
}

struct answer_of {
  int status = 0;
  std::string body;
  std::string etag;
  httplib::Headers headers;
};

struct served_bank {
  explicit served_bank(http_options o = {}) {
    start([](host_options&) {});
    serve(std::move(o));
  }
  void start(const std::function<void(host_options&)>& change) {
    host_options h;
    h.shared_log = log;
    h.state = folder.path() / "state";
    h.partitions = 2;
    change(h);
    service.emplace(bank_of_http(), h);
    must(service->start());
  }
  void serve(http_options o) {
    client.reset();  // a server waits for its connections
    server.reset();
    o.address = "127.0.0.1:0";
    server = must(http_server::start(*service, o));
    client = std::make_unique<httplib::Client>("127.0.0.1", server->port());
    client->set_keep_alive(true);
    client->set_tcp_nodelay(true);
    client->set_read_timeout(30s);
  }

  static answer_of told(const httplib::Result& r) {
    if (!r) throw std::runtime_error{"no answer: " + httplib::to_string(r.error())};
    return {r->status, r->body, r->get_header_value("ETag"), r->headers};
  }
  answer_of post(const std::string& path, const std::string& body, httplib::Headers headers = {}) {
    return told(client->Post(path, headers, body, "application/json"));
  }
  answer_of get(const std::string& path, httplib::Headers headers = {}) {
    return told(client->Get(path, headers));
  }
  /// Open, with this much in it: version 2.
  void open(const std::string& key, int cents, const std::string& type = "accounts") {
    const auto path = "/aggregates/" + type + "/" + key;
    BOOST_REQUIRE_EQUAL(post(path + "/open", "{}").status, 200);
    BOOST_REQUIRE_EQUAL(
        post(path + "/deposit", fmt::format(R"({{"amountCents":{}}})", cents)).status, 200);
  }

  temporary_folder folder;
  std::shared_ptr<memory_log> log = memory_log::create();
  std::optional<host> service;
  std::unique_ptr<http_server> server;
  std::unique_ptr<httplib::Client> client;
};

/// A problem of this status, type and words.
inline boost::test_tools::predicate_result is_problem(
    const answer_of& a, int status, std::string_view type,
    std::initializer_list<std::string_view> words) {
  boost::test_tools::predicate_result no{false};
  no.message() << a.status << " " << a.body;
  const auto media = a.headers.find("Content-Type");
  if (a.status != status || media == a.headers.end() || media->second != "application/problem+json")
    return no;
  const auto has = [&](const std::string& text) { return a.body.find(text) != std::string::npos; };
  if (!has(fmt::format(R"("type":"urn:kappa:problem:{}")", type))) return no;
  if (!has(fmt::format(R"("status":{},)", status))) return no;
  for (const auto w : words) {
    if (!has(std::string{w})) return no;
  }
  if ((status == 503) != (a.headers.count("Retry-After") == 1)) return no;
  return true;
}

/// Holds commits back until it goes.
struct held_commits {
  explicit held_commits(memory_log& log) {
    log.set_commit_fault(
        [caught = caught_, open = open_.get_future().share()](const log_transaction&) {
          *caught = true;
          caught->notify_all();
          open.wait();
          return commit_fault::none;
        });
  }
  ~held_commits() { open_.set_value(); }
  held_commits(const held_commits&) = delete;
  held_commits& operator=(const held_commits&) = delete;

  /// Waits for it.
  [[nodiscard]] bool has_caught_one() const {
    caught_->wait(false);
    return *caught_;
  }

 private:
  std::shared_ptr<std::atomic<bool>> caught_ = std::make_shared<std::atomic<bool>>(false);
  std::promise<void> open_;
};

}  // namespace served_banks
