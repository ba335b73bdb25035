// An app over HTTP: aggregates, queries, metrics and health. By cpp-httplib; JSON.
//
//   auto http = kappa::http_server::start(host, {.address = "127.0.0.1:8080"});
//
//   POST /aggregates/{type}/{key}/{command}   a command; Idempotency-Key, If-Match
//   GET  /aggregates/{type}/{key}             its state and version (ETag)
//   GET  /aggregates/{type}/{key}/history     its events
//   GET  /openapi.json                        all of this app's, made from its schemas
//   GET  /state/{stage}/{key}                 the value, JSON (windowed stages: all windows)
//   GET  /state/{stage}/{key}?window=T        one window
//   GET  /status[?stage=NAME]                 stages and tasks, as admin replies tell them
//   GET  /metrics, /health, /ready
//
// Threads: one that accepts, and `connections` that serve one connection each, of Kappa's own.
// Threading: any thread. Ownership: the host must be started before and outlive it; the destructor
// waits for requests that are being answered, so up to `answer_time`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "kappa/actors/host.hpp"

namespace kappa {

struct http_options {
  std::string address{};  // "127.0.0.1:8080"; port 0: any free one
  std::string token{};    // asked for as "Authorization: Bearer …"; mandatory off loopback
  /// A larger body is refused (413). 1 … 64 MiB.
  std::size_t max_body_bytes = 1 << 20;
  /// For one read of, or write to, a connection. 1 s … 1 h. (One that is idle is closed after 2 s.)
  std::chrono::seconds io_time{5};
  /// For a whole body to come; with io_time, for all of a request, and again for all of its answer.
  /// ≥ 1 ms.
  std::chrono::milliseconds body_time{10'000};
  /// Until an aggregate or a state must have answered: then the answer is 504. ≥ 1 ms.
  std::chrono::milliseconds answer_time{5'000};
  /// Served at the same time, each by a thread. As many more wait; those beyond are not accepted
  /// until there is room. 1 … 4096.
  std::size_t connections = 64;
};

class http_server {
 public:
  virtual ~http_server() = default;
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;

  /// errc::bad_config: the address, a setting, or there is no token and it is not loopback's;
  /// errc::io: the port is taken.
  [[nodiscard]] static result<std::unique_ptr<http_server>> start(host& h,
                                                                  const http_options& options);
  [[nodiscard]] virtual int port() const = 0;

 protected:
  http_server() = default;
};

}  // namespace kappa
