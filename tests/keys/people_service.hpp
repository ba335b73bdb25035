// An app with personal data on the embedded log, and a search of all that it has on the disk.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "kappa/actors/aggregate_client.hpp"
#include "kappa/actors/host.hpp"
#include "kappa/keys/file_key_store.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/open_log.hpp"
#include "keys/people.hpp"
#include "support/must.hpp"
#include "support/refused.hpp"
#include "support/temporary_folder.hpp"

namespace erasures {

using namespace people;
using namespace kappa;
using namespace std::chrono_literals;
using kappa::test::must;
using kappa::test::refused;
using kappa::test::temporary_folder;
namespace fs = std::filesystem;

// Each is in one thing that somebody says of Ada, and nowhere else.
inline const std::vector<std::string> personal_texts = {
    "xq7-name-registered", "xq7-name-renamed",  "xq7-note-text",
    "xq7-city-of-note",    "xq7-title-of-work", "xq7-forbidden",
    "xq7-fails-here",      "xq7-fails-in-log",  "xq7-bytes-of-photo"};
// Not personal: the search must find it.
inline const std::string public_text = "xq7-country-of-note";

/// The files under the folder that hold these bytes.
inline std::vector<std::string> files_with(const fs::path& folder, bytes_view wanted) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator{folder}) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in{entry.path(), std::ios::binary};
    const std::string content{std::istreambuf_iterator<char>{in}, {}};
    if (content.find(wanted) != std::string::npos) found.push_back(entry.path().string());
  }
  return found;
}

inline void wait_until(
    const std::function<bool()>& is,
    const std::function<std::string()>& what = [] { return std::string{}; }) {
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (!is()) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error{"it does not come " + what()};
    std::this_thread::yield();
  }
}

struct service {
  explicit service(app of = people_app()) : definition{std::move(of)} { start(); }
  void start() {
    keys = must(open_file_key_store(folder.path() / "keys" / "store"));
    host_options o;
    o.log = "lmdb:" + data("log").string();
    o.state = data("state");
    o.savepoints = data("savepoints");
    o.savepoint_interval = 0ms;
    o.limits.snapshot_interval = 100ms;
    o.partitions = 2;
    o.shared_keys = keys;
    runs.emplace(definition, o);
    must(runs->start());
  }
  void stop() {
    must(runs->stop());
    runs.reset();
    keys.reset();
  }
  void restart() {
    stop();
    start();
  }
  void replay_from_nothing() {
    stop();
    fs::remove_all(data("state"));
    fs::remove_all(data("savepoints"));
    start();
  }
  [[nodiscard]] fs::path data(const char* what) const { return folder.path() / "data" / what; }

  template <class C>
  command_receipt accepted(const std::string& key, const C& command, ask_options o = {}) {
    auto r = runs->ask<person>(key, command, o);
    if (!r) throw std::runtime_error{r.error().text()};
    return *r;
  }
  person of(const std::string& key) {
    for (;;) {
      const auto found = runs->query<person>(key);
      if (found) return found->value.value().state;
      if (!found.error().retriable) throw std::runtime_error{found.error().text()};
      std::this_thread::yield();
    }
  }
  bool has_dead_letter() {
    auto& log = runs->log();
    const auto config = must(log.find_topic("people.dead-letters"));
    bool found = false;
    for (std::int32_t p = 0; config && p < config->partitions; ++p) {
      const auto bounds = must(log.bounds({config->name, partition{p}}));
      found = found || bounds.latest > bounds.earliest;
    }
    return found;
  }
  void says_all_of_ada() {
    accepted("ada", register_{"xq7-name-registered"}, {.id = "reg"});
    contact c;
    c.photo = "xq7-bytes-of-photo";
    c.addresses = {{"xq7-city-of-note", public_text}};
    c.work.title = "xq7-title-of-work";
    accepted("ada", add_note{{"ada", "xq7-note-text", c}});
    accepted("ada", greet{}, {.id = "greet"});
    BOOST_TEST(
        (runs->ask<person>("ada", forbid{"xq7-forbidden"}, {.id = "no"}).error().rejected()));
    BOOST_TEST((runs->ask<person>("ada", fail_at_it{"xq7-fails-here"}).error().failed()->code ==
                errc::user_code));
    accepted("ada", tell_other{"bob"});
    wait_until([&] { return must(runs->query<person>("bob")).value.has_value(); });
    auto client = must(aggregate_client::open(
        must(open_log({.url = "lmdb:" + data("log").string()})), definition));
    client->use_keys(std::make_shared<key_ring>(keys));
    BOOST_TEST(!client->ask<person>("ada", fail_at_it{"xq7-fails-in-log"}, {.timeout = 30s}));
    wait_until([&] { return has_dead_letter(); });
    BOOST_TEST((
        client->ask<person>("ada", change_name{"xq7-name-renamed"}, {.timeout = 30s}).has_value()));
  }
  // What is there is there in the log, the states and the savepoints.
  void wait_for_savepoints() {
    for (const auto* what : {"log", "state", "savepoints"})
      wait_until([&] { return !files_with(data(what), public_text).empty(); });
  }

  app definition;
  temporary_folder folder;
  std::shared_ptr<key_store> keys;
  std::optional<host> runs;
};

inline void nothing_of(const fs::path& folder, bytes_view text, const std::string& what) {
  for (const auto& file : files_with(folder, text)) BOOST_ERROR(what + " is in " + file);
}

}  // namespace erasures
