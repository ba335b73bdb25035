#include "actors/http_server.hpp"

#include <arpa/inet.h>

#include <thread>

#include <httplib.h>

#include <fmt/format.h>

#include "actors/admin_status.hpp"
#include "actors/state_answer.hpp"
#include "kappa/core/json_traits.hpp"
#include "kappa/core/parse_number.hpp"

namespace kappa::detail {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

std::string as_of_json(const admin::found& found) {
  std::string out = "{";
  for (const auto& p : found.as_of) {
    const topic_partition where{p.topic, partition{p.partition}};
    out += fmt::format("{}{}:{}", out.size() == 1 ? "" : ",", json_string(where.text()), p.next);
  }
  return out + "}";
}

int status_of(const error& e) {
  switch (e.code) {
    case errc::not_found:
      return 404;
    case errc::invalid_argument:
    case errc::bad_config:
      return 400;
    case errc::unavailable:
    case errc::elsewhere:
    case errc::stopped:
      return 503;
    case errc::timed_out:
      return 504;
    default:
      return 500;
  }
}

// A name could lead anywhere, whatever it begins with.
bool is_loopback(const std::string& name) {
  in_addr four{};
  if (::inet_pton(AF_INET, name.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  return name == "localhost" || name == "::1";
}

class server final : public http_server {
 public:
  server(host& h, std::string token) : host_{h}, token_{std::move(token)} {
    // Without SO_REUSEPORT, the library's default: a port that another program has is refused, not
    // shared with it.
    http_.set_socket_options([](socket_t s) {
      const int on = 1;
      ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    http_.set_pre_routing_handler([this](const httplib::Request& rq, httplib::Response& rs) {
      if (token_.empty() || rq.get_header_value("Authorization") == "Bearer " + token_) {
        return httplib::Server::HandlerResponse::Unhandled;
      }
      rs.status = 401;
      json(rs, R"({"error":"a token is needed: Authorization: Bearer …"})");
      return httplib::Server::HandlerResponse::Handled;
    });
    http_.Get("/health", [this](const httplib::Request&, httplib::Response& rs) { health(rs); });
    http_.Get("/status",
              [this](const httplib::Request& rq, httplib::Response& rs) { status(rq, rs); });
    http_.Get("/metrics", [this](const httplib::Request&, httplib::Response& rs) {
      rs.set_content(host_.metrics(), "text/plain; version=0.0.4");
    });
    http_.Get(R"(/state/([^/]+)/([\s\S]+))",
              [this](const httplib::Request& rq, httplib::Response& rs) { state(rq, rs); });
    http_.set_error_handler([](const httplib::Request& rq, httplib::Response& rs) {
      if (rs.body.empty()) {
        json(rs, fmt::format(
                     R"({{"error":{}}})",
                     json_string("no such path: " + rq.path +
                                 "; there are /state/{stage}/{key}, /status, /metrics, /health")));
      }
    });
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
    thread_ = std::thread{[this] { http_.listen_after_bind(); }};
    return {};
  }
  int port() const override { return port_; }

 private:
  static void json(httplib::Response& rs, std::string text) {
    rs.set_content(std::move(text) + "\n", "application/json");
  }
  static void refuse(httplib::Response& rs, const error& e) {
    rs.status = status_of(e);
    json(rs, fmt::format(R"({{"error":{}}})", json_string(e.text())));
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
      if (name == "window") {
        q.window = value;
        continue;
      }
      const auto* const what = name == "level" ? "expected committed or latest"
                                               : "no such parameter; there are level, window";
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
  std::string token_;
  httplib::Server http_;
  std::thread thread_;
  int port_ = 0;
};

}  // namespace

result<std::unique_ptr<http_server>> http_server::start(host& h, const http_options& options) {
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
  auto s = std::make_unique<server>(h, options.token);
  if (auto listening = s->listen(options.address, name, port); !listening)
    return fail(listening.error());
  return std::unique_ptr<http_server>{std::move(s)};
}

}  // namespace kappa::detail
