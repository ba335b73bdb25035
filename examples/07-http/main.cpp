// One new idea: aggregates over HTTP, in a program with a main of its own. A stock of articles.
//
//   ./http FOLDER ADDRESS:PORT               until Ctrl-C, or SIGTERM
//   curl http://ADDRESS:PORT/aggregates/articles/teapot/receive --json '{"pieces":3}'
#include <csignal>
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "kappa/actors/http_server.hpp"
#include "kappa/aggregate/value_form.hpp"
#include "kappa/kappa.hpp"
#include "stock.kappa.hpp"

namespace {

// [article]
struct article : article_state {
  using protocol = article_protocol;
  // Over HTTP their values are shown as JSON.
  using rejections = kappa::type_list<out_of_stock>;
  using replies = kappa::type_list<kappa::reply_to<ship, left>>;

  auto decide(const receive& c) const -> kappa::decision<received> {
    if (c.pieces == 0) return kappa::reject("nothing is nothing to receive");
    return received{c.pieces};
  }
  auto decide(const ship& c) const -> kappa::decision<shipped> {
    if (c.pieces > pieces) return kappa::reject(out_of_stock{c.pieces - pieces}, "out of stock");
    return kappa::decision<shipped>{shipped{c.pieces, c.to}}.reply(left{pieces - c.pieces});
  }
  void apply(const received& e) { pieces += e.pieces; }
  void apply(const shipped& e) { pieces -= e.pieces; }
};
// [/article]

kappa::app stock_app() {
  kappa::app app{"stock"};
  app.aggregate<article>("articles");
  return app;
}

int complain(const kappa::error& e) {
  fmt::print(stderr, "error: {}\n", e.text());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: {} FOLDER ADDRESS:PORT\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  // [signals]
  // Before there are threads, which then leave them alone.
  sigset_t stops;
  sigemptyset(&stops);
  sigaddset(&stops, SIGINT);
  sigaddset(&stops, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stops, nullptr);
  // [/signals]
  kappa::host host{stock_app(), {.log = "lmdb:" + folder + "/log", .state = folder + "/state"}};
  if (auto started = host.start(); !started) return complain(started.error());
  // [serve]
  auto http = kappa::http_server::start(host, {.address = argv[2], .connections = 256});
  if (!http) return complain(http.error());
  // [/serve]
  fmt::print("port {}\n", (*http)->port());
  std::fflush(stdout);
  // [wait]
  const timespec second{1, 0};
  while (sigtimedwait(&stops, nullptr, &second) < 0) {
    if (const auto failed = host.failure()) return complain(*failed);
  }
  http->reset();  // before the host: it asks it
  if (auto stopped = host.stop(); !stopped) return complain(stopped.error());
  // [/wait]
  return 0;
}
