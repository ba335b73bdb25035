// Queries, metrics and health over HTTP, by cpp-httplib.
//
//   GET /state/{stage}/{key}             the value, JSON (windowed stages: all windows of the key)
//   GET /state/{stage}/{key}?window=T    one window
//   GET /status[?stage=NAME]             stages and tasks, as admin replies tell them
//   GET /metrics, /health
//
// Threading: threads of its own.
#pragma once

#include <memory>
#include <string>

#include "kappa/actors/host.hpp"

namespace kappa::detail {

struct http_options {
  std::string address;  // "127.0.0.1:8080"; port 0: any free one
  std::string token;    // asked for as "Authorization: Bearer …"; mandatory off loopback
};

class http_server {
 public:
  virtual ~http_server() = default;
  [[nodiscard]] static result<std::unique_ptr<http_server>> start(host& h,
                                                                  const http_options& options);
  [[nodiscard]] virtual int port() const = 0;
};

}  // namespace kappa::detail
