// Commands to aggregates, their states and their histories, over HTTP.
//
// Threading: the server's threads. Ownership: the host must outlive it, and it the server.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "actors/http_request.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/actors/http_server.hpp"

namespace httplib {
class Server;
struct Response;
}  // namespace httplib

namespace kappa::detail {

/// How a command or an event is called in a path: "bank.capnp:OpenAccount" is "open-account".
[[nodiscard]] std::string path_name_of(std::string_view schema_name);

class http_aggregates {
 public:
  http_aggregates(host& h, const http_options& options) : host_{h}, options_{options} {}

  void add_to(httplib::Server& server);
  /// Of a request with a method that nothing here takes.
  [[nodiscard]] http_problem wrong_method(const httplib::Request& rq) const;

 private:
  struct place;  // an aggregate's key

  [[nodiscard]] http_result<place> find(const std::vector<std::string>& parts) const;
  void get(const httplib::Request& rq, httplib::Response& rs) const;
  void post(const httplib::Request& rq, httplib::Response& rs,
            const httplib::ContentReader& read) const;
  [[nodiscard]] http_result<void> state(const httplib::Request& rq, httplib::Response& rs,
                                        const place& at) const;
  [[nodiscard]] http_result<void> history(const httplib::Request& rq, httplib::Response& rs,
                                          const place& at) const;
  [[nodiscard]] http_result<void> command(const httplib::Request& rq, httplib::Response& rs,
                                          const place& at, std::size_t which,
                                          const std::string& body) const;

  host& host_;
  const http_options options_;
  mutable std::atomic<int> histories_{0};  // being read
};

}  // namespace kappa::detail
