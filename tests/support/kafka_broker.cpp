#include "support/kafka_broker.hpp"

#include <exception>
#include <memory>
#include <stdexcept>

#include <boost/json.hpp>

#include "kappa_paths.hpp"

namespace kappa::testing {

namespace {

std::vector<std::string> arguments(const kafka_broker_options& options) {
  const auto harness = std::filesystem::path{test_paths::source_dir} / "tests/kafka/harness";
  std::vector<std::string> out{"python3", "-B", harness.string(), "run"};
  out.insert(out.end(), {"--nodes", std::to_string(options.nodes)});
  if (!options.version.empty()) out.insert(out.end(), {"--version", options.version});
  for (const auto& setting : options.settings) out.insert(out.end(), {"--set", setting});
  for (const auto& listener : options.listeners) out.insert(out.end(), {"--listener", listener});
  if (options.acls) out.emplace_back("--acls");
  if (options.full_speed) out.emplace_back("--full-speed");
  if (options.heap_mb != 0) out.insert(out.end(), {"--heap", std::to_string(options.heap_mb)});
  return out;
}

std::string text(const boost::json::value& value) {
  return std::string{std::string_view{value.as_string()}};
}

template <class Value>
const Value& named(const std::map<std::string, Value>& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) throw std::runtime_error{"this Kafka broker has no '" + name + "'"};
  return found->second;
}

}  // namespace

kafka_broker::kafka_broker(const kafka_broker_options& options)
    : harness_{"/usr/bin/env", arguments(options)} {
  try {
    read_answer("start");
  } catch (...) {
    end();
    throw;
  }
}

kafka_broker::~kafka_broker() { end(); }

void kafka_broker::end() {
  // The harness ends the brokers and removes their data; a killed one could only do the first.
  harness_.end_input();
  (void)harness_.wait();
}

const std::string& kafka_broker::bootstrap(const std::string& listener) const {
  return named(bootstrap_, listener);
}

const std::filesystem::path& kafka_broker::file(const std::string& name) const {
  return named(files_, name);
}

const kafka_broker::node& kafka_broker::status(int id) {
  command("status", std::vector<int>{});
  return nodes_.at(static_cast<std::size_t>(id) - 1);
}

int kafka_broker::lost(int id) { return status(id).lost; }
bool kafka_broker::runs(int id) { return status(id).pid != -1; }

void kafka_broker::wait_usable() { command("wait", std::vector<int>{}); }

void kafka_broker::wait_for_transactions() { command("wait-transactions", std::vector<int>{}); }

void kafka_broker::command(const std::string& name, int id) { command(name, std::vector{id}); }

void kafka_broker::command(const std::string& name, const std::vector<int>& ids) {
  auto line = name;
  for (const auto id : ids) line += " " + std::to_string(id);
  harness_.say(line);
  read_answer(line);
}

void kafka_broker::read_answer(const std::string& what) {
  const auto line = harness_.line();
  if (!line) throw std::runtime_error{"Kafka broker: " + what + ": the harness has ended"};
  const auto answer = boost::json::parse(*line).as_object();
  if (const auto* error = answer.if_contains("error")) {
    throw std::runtime_error{"Kafka broker: " + what + ": " + text(*error)};
  }
  version_ = text(answer.at("version"));
  cluster_id_ = text(answer.at("cluster_id"));
  folder_ = text(answer.at("folder"));
  nodes_.clear();
  for (const auto& value : answer.at("nodes").as_array()) {
    const auto& n = value.as_object();
    const auto& pid = n.at("pid");
    nodes_.push_back({n.at("id").to_number<int>(), n.at("port").to_number<int>(),
                      pid.is_null() ? -1 : pid.to_number<pid_t>(), text(n.at("log")),
                      text(n.at("data")), n.at("lost").to_number<int>()});
  }
  for (const auto& [name, value] : answer.at("listeners").as_object()) {
    bootstrap_[std::string{name}] = text(value);
  }
  for (const auto& [name, value] : answer.at("files").as_object()) {
    files_[std::string{name}] = text(value);
  }
}

kafka_broker& the_broker() {
  // What failed once is not tried again by each test of the program: that could take its whole time
  // limit.
  static std::exception_ptr failed;
  static const auto broker = []() -> std::unique_ptr<kafka_broker> {
    try {
      return std::make_unique<kafka_broker>();
    } catch (...) {
      failed = std::current_exception();
      return nullptr;
    }
  }();
  if (failed) std::rethrow_exception(failed);
  return *broker;
}

}  // namespace kappa::testing
