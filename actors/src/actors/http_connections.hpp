// Connections of an HTTP server, none of which holds its thread for ever: the library bounds single
// reads and writes only, so that a client that sends or takes a byte now and then has a thread for
// as long as it likes.
//
// Threading: as httplib::Server.
#pragma once

#include <chrono>
#include <cstddef>

#include <httplib.h>

namespace kappa::detail {

struct connection_limits {
  std::chrono::milliseconds io{0};        // one read, one write
  std::chrono::milliseconds exchange{0};  // all of a request, and again all of its answer
  std::chrono::milliseconds idle{0};      // between two requests
  std::size_t requests = 0;               // then a client connects anew, so that others get a turn
};

class bounded_server final : public httplib::Server {
 public:
  explicit bounded_server(const connection_limits& limits) : limits_{limits} {}

 private:
  bool process_and_close_socket(socket_t s) override;

  const connection_limits limits_;
};

}  // namespace kappa::detail
