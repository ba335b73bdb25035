// Two stages on one topic, of which one can be held up; a program of its own, to be killed.
//
//   kafka_helper LOG STATE NAME FLAG   runs app NAME until the end of its input; says "started".
//                                      Stage "slow" stops at its next reading once FLAG is there;
//                                      "quick" adds up wrongly if FLAG.wrong is there at the start
//
// KAPPA_TEST_GROUP_PROTOCOL: librdkafka's group.protocol.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <string>

#include "engine/small_types.hpp"
#include "kappa/kappa.hpp"

namespace {

using namespace kappa;
using namespace std::chrono_literals;
using engine_test::reading;
using engine_test::totals;

int run(const std::string& log, const std::string& state, const std::string& name,
        const std::filesystem::path& flag) {
  const bool wrong = std::filesystem::exists(flag.string() + ".wrong");
  app a{name};
  a.stream<reading>(name + "-readings")
      .already_keyed(&reading::place)
      .fold<totals>("quick", [wrong](totals& t, const reading& r) { t.add(wrong ? 0 : r.value); })
      .to(name + "-sums");
  a.stream<reading>(name + "-readings")
      .already_keyed(&reading::place)
      .fold<totals>("slow",
                    [flag](totals& t, const reading& r) {
                      if (std::filesystem::exists(flag)) std::promise<void>{}.get_future().wait();
                      t.add(r.value);
                    })
      .to(name + "-letters");
  host_options options;
  options.log = log;
  options.state = state;
  options.worker_threads = 10;  // so that those that are held up hold up no other
  options.session_timeout = 6s;
  options.handler_limit = 10min;
  options.limits.commit_interval = 20ms;
  options.limits.snapshot_interval = 100ms;
  if (const auto* protocol = std::getenv("KAPPA_TEST_GROUP_PROTOCOL"))
    options.kafka_settings["group.protocol"] = protocol;
  host h{a, options};
  if (auto started = h.start(); !started) {
    std::cerr << started.error().text() << '\n';
    return 1;
  }
  std::cout << "started" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  return h.stop() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  return run(argv[1], argv[2], argv[3], argv[4]);
}
