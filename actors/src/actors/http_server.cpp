#include "kappa/actors/http_server.hpp"

#include <arpa/inet.h>

#include <atomic>
#include <chrono>
#include <thread>

#include <httplib.h>

#include <fmt/format.h>

#include "actors/admin_status.hpp"
#include "actors/http_aggregates.hpp"
#include "actors/http_connections.hpp"
#include "actors/http_problem.hpp"
#include "actors/http_request.hpp"
#include "actors/http_threads.hpp"
#include "actors/openapi.hpp"
#include "actors/state_answer.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/parse_number.hpp"

namespace kappa {
namespace {

using namespace detail;

std::string as_of_json(const admin::found& found) {
  std::string out = "{";
  for (const auto& p : found.as_of) {
    const topic_partition where{p.topic, partition{p.partition}};
    out += fmt::format("{}{}:{}", out.size() == 1 ? "" : ",", json_string(where.text()), p.next);
  }
  return out + "}";
}

// A name could lead anywhere, whatever it begins with.
bool is_loopback(const std::string& name) {
  in_addr four{};
  if (::inet_pton(AF_INET, name.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return name == "localhost" || name == "::1";
}

// An idle connection has a thread.
constexpr std::chrono::seconds idle_time{2};
constexpr std::size_t requests_a_connection = 1000;

constexpr std::string_view paths =
    "/aggregates/{type}/{key}, /aggregates/{type}/{key}/history, "
    "/aggregates/{type}/{key}/{command}, "
    "/openapi.json, /state/{stage}/{key}, /status, /metrics, /health, /ready";
constexpr std::string_view under_aggregates = "/aggregates/";
// As a pattern: of all paths.
constexpr const char* anything = R"([\s\S]*)";

// Of others the library leaves it where the next request should be.
bool may_have_body(const std::string& method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

bool is_only_read(const std::string& path) {
  return path.starts_with("/state/") || path == "/status" || path == "/metrics" ||
         path == "/health" || path == "/ready" || path == "/openapi.json";
}

class server final : public http_server {
 public:
  server(host& h, http_options options)
      : host_{h},
        options_{std::move(options)},
        aggregates_{h, options_},
        http_{{options_.io_time, options_.io_time + options_.body_time, idle_time,
               requests_a_connection}} {
    limit();
    authorize();
    http_.Get("/health", [this](const httplib::Request&, httplib::Response& rs) { health(rs); });
    http_.Get("/ready", [this](const httplib::Request&, httplib::Response& rs) { ready(rs); });
    http_.Get("/openapi.json", [this](const httplib::Request&, httplib::Response& rs) {
      json(rs, openapi_of(host_.topology(), !options_.token.empty()));
    });
    http_.Get("/status",
              [this](const httplib::Request& rq, httplib::Response& rs) { status(rq, rs); });
    http_.Get("/metrics", [this](const httplib::Request&, httplib::Response& rs) {
      rs.set_content(host_.metrics(), "text/plain; version=0.0.4");
    });
    http_.Get(R"(/state/([^/]+)/([\s\S]+))",
              [this](const httplib::Request& rq, httplib::Response& rs) { state(rq, rs); });
    aggregates_.add_to(http_);
    refuse_the_rest();
  }
  ~server() override {
    http_.stop();
    if (thread_.joinable()) thread_.join();
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  result<void> listen(const std::string& address, const std::string& name, int port) {
    const bool bound = port == 0 ? (port_ = http_.bind_to_any_port(name.c_str())) > 0
                                 : http_.bind_to_port(name.c_str(), port_ = port);
    if (!bound)
      return fail(errc::io, "--http " + address, "cannot listen there; is the port taken?");
    thread_ = std::thread{[this] {
      http_.listen_after_bind();
      ended_ = true;
    }};
    // One that does not run yet cannot be stopped: its thread would go on for ever.
    while (!http_.is_running() && !ended_) std::this_thread::yield();
    return {};
  }
  int port() const override { return port_; }

 private:
  void limit() {
    // Without SO_REUSEPORT, the library's default: a port that another program has is refused, not
    // shared with it.
    http_.set_socket_options([](socket_t s) {
      const int on = 1;
      ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    http_.set_tcp_nodelay(true);
    // What answers say; the connections keep to their own.
    http_.set_keep_alive_timeout(idle_time.count());
    http_.set_keep_alive_max_count(requests_a_connection);
    http_.new_task_queue = [n = options_.connections] { return new http_threads{n}; };
  }

  void authorize() {
    http_.set_pre_routing_handler([this](const httplib::Request& rq, httplib::Response& rs) {
      if (options_.token.empty() ||
          rq.get_header_value("Authorization") == "Bearer " + options_.token) {
        if (!has_body(rq) || may_have_body(rq.method))
          return httplib::Server::HandlerResponse::Unhandled;
        refuse(rq, rs, {problem_kind::invalid_request, rq.method + " takes no body"});
        return httplib::Server::HandlerResponse::Handled;
      }
      rs.set_header("WWW-Authenticate", "Bearer");
      refuse(rq, rs, {problem_kind::unauthorized, "a token is needed: Authorization: Bearer …"});
      return httplib::Server::HandlerResponse::Handled;
    });
  }

  void refuse_the_rest() {
    const auto refuse_method = [this](const httplib::Request& rq, httplib::Response& rs) {
      refuse(rq, rs, wrong_method(rq));
    };
    const auto with_body = [refuse_method](const httplib::Request& rq, httplib::Response& rs,
                                           const httplib::ContentReader&) {
      refuse_method(rq, rs);
    };
    http_.Post(anything, with_body);
    http_.Put(anything, with_body);
    http_.Patch(anything, with_body);
    http_.Delete(anything, with_body);
    http_.Delete(anything, refuse_method);
    http_.Options(anything, refuse_method);
    // What the library refuses itself, and what nothing takes.
    http_.set_error_handler([](const httplib::Request& rq, httplib::Response& rs) {
      if (rs.has_header("Content-Type")) return;
      if (rs.status == 414) {
        answer_problem(rs, {problem_kind::uri_too_long, "the path is longer than 8192 bytes"});
      } else if (rs.status == 404) {
        answer_problem(rs, no_such_path(rq));
      } else if (rs.status < 500) {
        answer_problem(rs, {problem_kind::invalid_request, "it is no HTTP request of this server"});
      } else {
        answer_problem(rs, {problem_kind::failed, "the request could not be answered"});
      }
    });
    http_.set_exception_handler(
        [](const httplib::Request&, httplib::Response& rs, const std::exception_ptr& thrown) {
          try {
            std::rethrow_exception(thrown);
          } catch (...) {
            answer_problem(rs, {problem_kind::failed, error_caught("http").text()});
          }
        });
  }

  static http_problem no_such_path(const httplib::Request& rq) {
    return {problem_kind::not_found, fmt::format("no such path: {}; there are {}", rq.path, paths)};
  }

  http_problem wrong_method(const httplib::Request& rq) const {
    if (rq.path.starts_with(under_aggregates)) return aggregates_.wrong_method(rq);
    if (!is_only_read(rq.path)) return no_such_path(rq);
    return {problem_kind::method_not_allowed, "it is only read", {}, "GET"};
  }

  static void json(httplib::Response& rs, std::string text) {
    rs.set_content(std::move(text) + "\n", "application/json");
  }
  static void refuse(httplib::Response& rs, const error& e) {
    answer_problem(rs, problem_of_query(e));
  }
  /// Of a request whose body, if any, was not read.
  static void refuse(const httplib::Request& rq, httplib::Response& rs, const http_problem& p) {
    answer_problem(rs, p);
    if (has_body(rq)) close_connection(rs);
  }

  void health(httplib::Response& rs) {
    std::string tasks;
    bool good = !host_.failure();
    for (const auto& t : host_.status()) {
      if (t.health == task_health::quarantined || t.health == task_health::backing_off)
        good = false;
      tasks += fmt::format(
          R"({}{{"task":{},"health":"{}"{}}})", tasks.empty() ? "" : ",", json_string(t.id.text()),
          name_of(t.health),
          t.last_error ? ",\"last_error\":" + json_string(t.last_error->text()) : std::string{});
    }
    rs.status = good ? 200 : 503;
    json(rs, fmt::format(R"({{"status":"{}","tasks":[{}]}})", good ? "up" : "failing", tasks));
  }

  // That it lives is /health's; this one says whether it would answer.
  void ready(httplib::Response& rs) {
    std::string not_yet;
    for (const auto& t : host_.status()) {
      const bool answers =
          t.health == task_health::elsewhere || t.health == task_health::finished ||
          (t.health == task_health::running && t.progress.phase != task_phase::replaying);
      if (!answers) not_yet += (not_yet.empty() ? "" : ",") + json_string(t.id.text());
    }
    const bool good = !host_.failure() && not_yet.empty();
    rs.status = good ? 200 : 503;
    if (!good) rs.set_header("Retry-After", retry_after_seconds());
    json(rs, fmt::format(R"({{"ready":{},"not_ready":[{}]}})", good, not_yet));
  }

  void status(const httplib::Request& rq, httplib::Response& rs) {
    auto all = describe(host_, rq.get_param_value("stage"));
    if (!all) return refuse(rs, all.error());
    json(rs, json_traits<admin::status>::to_json(*all));
  }

  void state(const httplib::Request& rq, httplib::Response& rs) {
    state_question q;
    q.stage = rq.matches[1].str();
    q.key = rq.matches[2].str();
    for (const auto& [name, value] : rq.params) {
      if (name == "level" && (value == "committed" || value == "latest")) continue;
      if (name == "window" || name == "after") {
        (name == "window" ? q.window : q.after) = value;
        continue;
      }
      const auto* const what = name == "level"
                                   ? "expected committed or latest"
                                   : "no such parameter; there are after, level, window";
      return refuse(rs, error{errc::invalid_argument, name, what});
    }
    if (rq.get_param_value("level") == "latest") q.options.level = read_level::latest;
    const auto found = answer_state(host_, q);
    if (!found) return refuse(rs, found.error());
    const auto head =
        fmt::format(R"({{"stage":{},"key":{},)", json_string(q.stage), json_string(q.key));
    const auto tail = fmt::format(R"("stale":{},"as_of":{}}})", found->stale, as_of_json(*found));
    if (found->windowed && !q.window) {
      std::string windows;
      for (const auto& e : found->entries) {
        windows += fmt::format(R"({}{{"window":"{}","value":{}}})", windows.empty() ? "" : ",",
                               format_time(e.window), e.value);
      }
      return json(rs, fmt::format(R"({}"windows":[{}],{})", head, windows, tail));
    }
    if (found->entries.empty()) {
      return refuse(rs, error{errc::not_found, q.stage + "/" + q.key, "no state under this key"});
    }
    const auto& e = found->entries.front();
    json(rs, fmt::format(
                 R"({}{}"value":{},{})", head,
                 found->windowed ? "\"window\":" + json_string(format_time(e.window)) + "," : "",
                 e.value, tail));
  }

  host& host_;
  const http_options options_;
  http_aggregates aggregates_;
  bounded_server http_;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
  int port_ = 0;
};

result<void> check(const http_options& o) {
  const auto wrong = [](const char* what, const char* bounds) {
    return fail(errc::bad_config, what, fmt::format("expected {}", bounds));
  };
  using namespace std::chrono_literals;
  if (o.max_body_bytes < 1 || o.max_body_bytes > log_limits::max_max_record_bytes)
    return wrong("http max_body_bytes", "1 … 64 MiB");
  if (o.io_time < 1s || o.io_time > 1h) return wrong("http io_time", "1 s … 1 h");
  if (o.body_time < 1ms) return wrong("http body_time", "1 ms or more");
  if (o.answer_time < 1ms) return wrong("http answer_time", "1 ms or more");
  if (o.connections < 1 || o.connections > 4096) return wrong("http connections", "1 … 4096");
  return {};
}

}  // namespace

result<std::unique_ptr<http_server>> http_server::start(host& h, const http_options& options) {
  if (auto good = check(options); !good) return fail(good.error());
  const auto colon = options.address.rfind(':');
  int port = -1;
  if (colon == std::string::npos ||
      !parse_number(std::string_view{options.address}.substr(colon + 1), port) || port < 0 ||
      port > 65535) {
    return fail(errc::bad_config, "--http " + options.address,
                "expected ADDRESS:PORT, as in 127.0.0.1:8080");
  }
  auto name = options.address.substr(0, colon);
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
  if (!is_loopback(name) && options.token.empty()) {
    return fail(
        errc::bad_config, "--http " + options.address,
        "listening beyond loopback needs a token: set the environment variable KAPPA_HTTP_TOKEN");
  }
  auto s = std::make_unique<server>(h, options);
  if (auto listening = s->listen(options.address, name, port); !listening)
    return fail(listening.error());
  return std::unique_ptr<http_server>{std::move(s)};
}

}  // namespace kappa
