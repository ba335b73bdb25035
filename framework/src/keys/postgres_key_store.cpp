#include "kappa/keys/postgres_key_store.hpp"

#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <libpq-fe.h>

#include <fmt/format.h>

namespace kappa {
namespace {

using steady = std::chrono::steady_clock;

// For one statement, or one connection.
constexpr std::chrono::seconds patience{5};

constexpr const char* table = "kappa_subject_keys";

struct finish {
  void operator()(PGconn* c) const { PQfinish(c); }
  void operator()(PGresult* r) const { PQclear(r); }
  void operator()(PQconninfoOption* o) const { PQconninfoFree(o); }
};
using connection = std::unique_ptr<PGconn, finish>;
using answer = std::unique_ptr<PGresult, finish>;

std::string in_one_line(const char* text) {
  std::string out{text == nullptr ? "" : text};
  while (!out.empty() && out.back() == '\n') out.pop_back();
  for (auto& c : out) {
    if (c == '\n') c = ' ';
  }
  return out;
}

class postgres_key_store final : public key_store {
 public:
  result<void> open(const std::string& text) {
    char* why = nullptr;
    const std::unique_ptr<PQconninfoOption, finish> all{PQconninfoParse(text.c_str(), &why)};
    if (!all) {
      // What libpq says may have the text in it, and that a password.
      PQfreemem(why);
      return fail(errc::bad_config, "key store",
                  "its connection cannot be read; write it like postgresql://USER@HOST/DATABASE");
    }
    settings_ = {{"connect_timeout", std::to_string(patience.count())},
                 {"tcp_user_timeout", std::to_string(patience.count() * 1000)},
                 {"target_session_attrs", "read-write"},
                 {"application_name", "kappa"}};
    for (auto* o = all.get(); o->keyword != nullptr; ++o) {
      if (o->val != nullptr) settings_[o->keyword] = o->val;
    }
    const std::lock_guard lock{mutex_};
    if (auto connected = connect(); !connected) return connected;
    name_ = fmt::format("PostgreSQL {}/{}", in_one_line(PQhost(connection_.get())),
                        in_one_line(PQdb(connection_.get())));
    return require_table();
  }

  std::string name() const override { return name_; }
  std::optional<std::string> local_file() const override { return std::nullopt; }

  result<void> check_reachable() override {
    const std::lock_guard lock{mutex_};
    auto answered = ask("SELECT 1", {});
    if (!answered) return fail(std::move(answered.error()));
    return {};
  }

  result<key_answer> find(bytes_view subject) override {
    const std::lock_guard lock{mutex_};
    return find_hash(hash_of_subject(subject));
  }

  result<key_answer> find_or_create(bytes_view subject) override {
    const auto hash = hash_of_subject(subject);
    const std::lock_guard lock{mutex_};
    auto found = find_hash(hash);
    if (!found || found->status != key_status::none) return found;
    const auto key = subject_key::make();
    if (!key) return fail(key.error());
    auto made = ask(fmt::format("INSERT INTO {} (subject, key) VALUES ($1, $2) "
                                "ON CONFLICT (subject) DO NOTHING",
                                table),
                    {hash, key->view()});
    if (!made) return fail(std::move(made.error()));
    return find_hash(hash);  // another process may have been faster
  }

  result<erasure> erase(bytes_view subject) override {
    const auto hash = hash_of_subject(subject);
    const std::lock_guard lock{mutex_};
    auto done =
        ask(fmt::format("INSERT INTO {0} (subject, key, erased_at) VALUES ($1, NULL, now()) "
                        "ON CONFLICT (subject) DO UPDATE SET key = NULL, erased_at = now() "
                        "WHERE {0}.key IS NOT NULL RETURNING (xmax = 0)",
                        table),
            {hash});
    if (!done) return fail(std::move(done.error()));
    if (PQntuples(done->get()) == 0) return erasure::was_before;
    return *PQgetvalue(done->get(), 0, 0) != 0 ? erasure::had_no_key : erasure::done;
  }

 private:
  tl::unexpected<error> unreachable(std::string why) const {
    return fail(errc::unavailable, name_, "the key store cannot be reached: " + std::move(why),
                true);
  }

  result<void> connect() {
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : settings_) {
      names.push_back(name.c_str());
      values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    connection_.reset(PQconnectdbParams(names.data(), values.data(), 0));
    if (!connection_) return unreachable("no memory");
    if (PQstatus(connection_.get()) != CONNECTION_OK) {
      auto why = unreachable(in_one_line(PQerrorMessage(connection_.get())));
      connection_.reset();
      return why;
    }
    // A key that was used must be there after the server's crash.
    auto set = once(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        {});
    if (!set) return fail(std::move(set.error()));
    return {};
  }

  result<void> require_table() {
    auto there = ask("SELECT to_regclass($1)::text", {table});
    if (!there) return fail(std::move(there.error()));
    if (PQgetisnull(there->get(), 0, 0) == 0) return {};
    auto made = ask(fmt::format("CREATE TABLE IF NOT EXISTS {} (subject bytea PRIMARY KEY, key "
                                "bytea, created_at timestamptz NOT NULL DEFAULT now(), "
                                "erased_at timestamptz)",
                                table),
                    {});
    if (!made) return fail(std::move(made.error()));
    return {};
  }

  result<key_answer> find_hash(const bytes& hash) {
    auto found = ask(fmt::format("SELECT key FROM {} WHERE subject = $1", table), {hash});
    if (!found) return fail(std::move(found.error()));
    if (PQntuples(found->get()) == 0) return key_answer{};
    if (PQgetisnull(found->get(), 0, 0) != 0) return key_answer{key_status::erased, {}};
    const bytes_view key{PQgetvalue(found->get(), 0, 0),
                         static_cast<std::size_t>(PQgetlength(found->get(), 0, 0))};
    if (key.size() != subject_key::size)
      return fail(errc::corrupt, name_, fmt::format("a key in {} is damaged", table));
    return key_answer{key_status::present, subject_key{key}};
  }

  // Each may be done twice. A connection that was lost while nobody used it is no failure yet.
  result<answer> ask(const std::string& statement, const std::vector<bytes_view>& values) {
    const bool fresh = !connection_;
    if (fresh) {
      if (auto connected = connect(); !connected) return fail(std::move(connected.error()));
    }
    auto a = once(statement, values);
    if (a || fresh || connection_) return a;
    if (auto connected = connect(); !connected) return fail(std::move(connected.error()));
    return once(statement, values);
  }

  result<answer> once(const std::string& statement, const std::vector<bytes_view>& values) {
    auto* c = connection_.get();
    std::vector<const char*> data;
    std::vector<int> sizes;
    for (const auto v : values) {
      data.push_back(v.data());
      sizes.push_back(static_cast<int>(v.size()));
    }
    const std::vector<int> binary(values.size(), 1);
    const auto until = steady::now() + patience;
    if (PQsendQueryParams(c, statement.c_str(), static_cast<int>(values.size()), nullptr,
                          data.data(), sizes.data(), binary.data(), 1) != 1)
      return lost(in_one_line(PQerrorMessage(c)));
    answer last;
    for (;;) {
      while (PQisBusy(c) != 0) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(until - steady::now()).count();
        if (left <= 0) return lost(fmt::format("no answer within {} s", patience.count()));
        ::pollfd one{PQsocket(c), POLLIN, 0};
        const int ready = ::poll(&one, 1, static_cast<int>(left));
        if (ready < 0 && errno != EINTR) return lost(std::strerror(errno));
        if (ready > 0 && PQconsumeInput(c) != 1) return lost(in_one_line(PQerrorMessage(c)));
      }
      answer next{PQgetResult(c)};
      if (!next) break;
      last = std::move(next);
    }
    const auto status = PQresultStatus(last.get());
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return last;
    return refused(last.get());
  }

  tl::unexpected<error> lost(std::string why) {
    connection_.reset();
    return unreachable(std::move(why));
  }

  tl::unexpected<error> refused(const PGresult* r) {
    const auto* raw = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const std::string_view state = raw == nullptr ? "" : raw;
    auto why = in_one_line(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
    if (state == "42501") {
      return fail(errc::denied, name_,
                  fmt::format("{}; the user needs SELECT, INSERT and UPDATE on {}", why, table));
    }
    // Classes: connection, resources, a server that is being ended, a server that only reads.
    if (state.empty() || state.starts_with("08") || state.starts_with("53") ||
        state.starts_with("57") || state == "25006")
      return lost(std::move(why));
    return fail(errc::io, name_, fmt::format("{} ({})", why, state));
  }

  std::string name_ = "PostgreSQL";
  std::map<std::string, std::string> settings_;  // may hold a password
  std::mutex mutex_;
  connection connection_;
};

}  // namespace

result<std::shared_ptr<key_store>> open_postgres_key_store(const std::string& connection) {
  auto store = std::make_shared<postgres_key_store>();
  if (auto opened = store->open(connection); !opened) return fail(std::move(opened.error()));
  return std::shared_ptr<key_store>{std::move(store)};
}

}  // namespace kappa
