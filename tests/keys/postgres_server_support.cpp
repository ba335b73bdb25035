#include "keys/postgres_server_support.hpp"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kappa::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* user = "postgres";  // where the tests run as root, which it refuses to

fs::path find_programs() {
  for (const auto& version : fs::directory_iterator{"/usr/lib/postgresql"}) {
    if (fs::exists(version.path() / "bin" / "initdb")) return version.path() / "bin";
  }
  throw std::runtime_error{"the tests need PostgreSQL: ./dev installs Debian's postgresql"};
}

struct command {
  fs::path program;
  std::vector<std::string> arguments;
};
command as_user(const fs::path& program, std::vector<std::string> arguments) {
  if (::geteuid() != 0) return {program, std::move(arguments)};
  std::vector<std::string> all{"--reuid=" + std::string{user}, "--regid=" + std::string{user},
                               "--clear-groups", program.string()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return {"/usr/bin/setpriv", std::move(all)};
}

}  // namespace

postgres_server::postgres_server() : programs_{find_programs()} {
  if (::geteuid() == 0) {
    const auto* who = ::getpwnam(user);
    if (who == nullptr || ::chown(folder_.path().c_str(), who->pw_uid, who->pw_gid) != 0)
      throw std::runtime_error{"cannot give the folder to the user postgres"};
  }
  const auto [program, arguments] =
      as_user(programs_ / "initdb", {"-D", (folder_.path() / "data").string(), "-A", "trust", "-U",
                                     "kappa", "--no-sync", "--no-locale", "-E", "UTF8"});
  child_process made{program, arguments};
  std::string said;
  while (const auto line = made.line()) said += *line + "\n";
  if (made.wait() != 0) throw std::runtime_error{"initdb failed: " + said};
  start();
}

postgres_server::~postgres_server() {
  if (server_) stop();
}

void postgres_server::start() {
  const auto [program, arguments] =
      as_user(programs_ / "postgres",
              {"-D", (folder_.path() / "data").string(), "-k", folder_.path().string(), "-c",
               "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off"});
  server_.emplace(program, arguments);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  for (;;) {
    child_process ready{programs_ / "pg_isready", {"-q", "-h", folder_.path().string()}};
    if (ready.wait() == 0) return;
    if (std::chrono::steady_clock::now() > until)
      throw std::runtime_error{"the server does not come up"};
    std::this_thread::yield();
  }
}

void postgres_server::stop() {
  server_->kill(SIGINT);  // "fast": connections are ended
  server_->kill(SIGCONT);
  (void)server_->wait();
  server_.reset();
}

// Its backends are processes of their own: the kernel takes new connections, and nobody answers.
void postgres_server::pause() { server_->kill(SIGSTOP); }
void postgres_server::resume() { server_->kill(SIGCONT); }

std::string postgres_server::url() const {
  return "postgresql://kappa@/postgres?host=" + folder_.path().string();
}

std::string postgres_server::ask(const std::string& statement) const {
  child_process asked{programs_ / "psql", {"-X", "-A", "-t", "-d", url(), "-c", statement}};
  const auto first = asked.line();
  while (asked.line()) {
  }
  if (asked.wait() != 0) throw std::runtime_error{"psql failed: " + statement};
  return first.value_or("");
}

}  // namespace kappa::testing
