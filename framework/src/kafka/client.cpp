#include "kafka/client.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "kappa/log/kafka_settings.hpp"

namespace kappa::kafka {
namespace {

void on_log(const rd_kafka_t* rk, int level, const char* facility, const char* text) {
  client::of(rd_kafka_opaque(rk)).line(level, facility, text);
}

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  client::of(opaque).connection_error(static_cast<rd_kafka_resp_err_t>(code), reason);
}

log_level level_of(int syslog_level) {
  constexpr int error = 3;
  constexpr int notice = 5;
  if (syslog_level <= error) return log_level::error;
  return syslog_level <= notice ? log_level::warning : log_level::debug;
}

struct meaning {
  errc code;
  bool retriable;
};

meaning meaning_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return {errc::timed_out, true};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
      return {errc::not_found, false};
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      return {errc::already_exists, false};
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      return {errc::fenced, false};
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
      return {errc::too_large, false};
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return {errc::out_of_range, false};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return {errc::denied, false};
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
      return {errc::bad_config, false};
    case RD_KAFKA_RESP_ERR_UNRELEASED_INSTANCE_ID:
      return {errc::owned, false};
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
      return {errc::incompatible, false};
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return {errc::invalid_argument, false};
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return {errc::corrupt, false};
    default:
      return {errc::unavailable, true};
  }
}

// Why a connection does not come to be and, unless that passes by itself, what it takes.
struct no_entry {
  errc code;
  std::string_view mend;
  bool guessed = false;
};
std::optional<no_entry> no_entry_of(rd_kafka_resp_err_t code, std::string_view reason) {
  const auto says = [&](std::string_view words) {
    return reason.find(words) != std::string_view::npos;
  };
  if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || says("SASL authentication error")) {
    return no_entry{errc::denied,
                    "look at kafka.security.protocol, kafka.sasl.mechanism, kafka.sasl.username "
                    "and kafka.sasl.password"};
  }
  const bool tls =
      code == RD_KAFKA_RESP_ERR__SSL || says("SSL handshake failed") || says("SSL alert");
  // In the middle of a handshake a listener that does not speak TLS hangs up, and a broker that
  // ends.
  if (tls || says("in state SSL_HANDSHAKE")) {
    return no_entry{errc::unavailable,
                    "look at kafka.security.protocol (whether this listener speaks TLS), at "
                    "kafka.ssl.ca.location (who has signed the brokers' certificates), and, where "
                    "the brokers ask for one, at this program's own certificate "
                    "(kafka.ssl.certificate.location, kafka.ssl.key.location)",
                    !tls};
  }
  // A listener of TLS hangs up on one who does not speak it, and one of SASL on one who does not
  // give his name; so does a broker that ends.
  if (says("security.protocol") ||
      (says("Disconnected") && (says("in state APIVERSION_QUERY") || says("in state UP")))) {
    return no_entry{errc::unavailable,
                    "if the broker runs: set kafka.security.protocol to what this listener speaks, "
                    "SSL, SASL_SSL or SASL_PLAINTEXT",
                    true};
  }
  return std::nullopt;
}

// The usual one, where the call does not say more exactly.
std::string_view usual_right(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return "Describe, Read and Write on the topic";
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return "Read on the group";
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
      return "Write on the transactional id";
    default:
      return "the right to it";
  }
}

}  // namespace

void add(rd_kafka_topic_partition_list_t& list, const topic_partition& tp, std::int64_t offset,
         const std::string& metadata) {
  auto* at = rd_kafka_topic_partition_list_add(&list, tp.topic.c_str(), tp.partition.value);
  at->offset = offset;
  if (metadata.empty()) return;
  at->metadata = ::strdup(metadata.c_str());  // the list frees it
  at->metadata_size = metadata.size();
}

partition_list list_of(const topic_partition& tp, std::int64_t offset,
                       const std::string& metadata) {
  partition_list list{rd_kafka_topic_partition_list_new(1)};
  add(*list, tp, offset, metadata);
  return list;
}

error error_of(rd_kafka_resp_err_t code, std::string subject, std::string_view detail,
               std::string_view needs) {
  const auto m = meaning_of(code);
  auto text = fmt::format("{} ({})", detail.empty() ? rd_kafka_err2str(code) : detail,
                          rd_kafka_err2name(code));
  if (m.code == errc::denied) {
    const auto no = no_entry_of(code, {});
    text += no ? fmt::format("; {}", no->mend)
               : fmt::format("; the user that this program connects as needs {}",
                             needs.empty() ? usual_right(code) : needs);
    text += " (docs/how-to/kafka.md)";
  }
  if (code == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT) {
    text +=
        "; the brokers take group.min.session.timeout.ms (6 s if nobody has set it) … "
        "group.max.session.timeout.ms: give --session-timeout in between";
  }
  if (m.code == errc::incompatible) text += fmt::format("; {}", needed_brokers);
  return {m.code, std::move(subject), std::move(text), m.retriable};
}

error error_of(const rd_kafka_error_t* e, std::string subject, std::string_view needs) {
  return error_of(rd_kafka_error_code(e), std::move(subject), rd_kafka_error_string(e), needs);
}

// ── config ──

result<config> config::create(const kafka_log_options& options, std::string_view role) {
  config c{options};
  for (const auto& [name, value] : options.settings) {
    if (const auto why = why_not_a_users_setting(name); !why.empty()) {
      return fail(errc::bad_config, "kafka." + name,
                  fmt::format("it is Kappa's own: {}; leave it out", why));
    }
    if (name == group_protocol)
      continue;  // of members alone: others would warn that it is not theirs
    if (auto r = c.set(name, value); !r) return fail(r.error());
  }
  if (auto r = c.set("bootstrap.servers", options.brokers); !r) return fail(r.error());
  if (auto r = c.prefer("client.id", fmt::format("kappa-{}", role)); !r) return fail(r.error());
  // A small request waits for nothing.
  if (auto r = c.prefer("socket.nagle.disable", "true"); !r) return fail(r.error());
  if (auto r = c.prefer("socket.keepalive.enable", "true"); !r) return fail(r.error());
  // What is asked again soon after a broker was away is answered soon after it is back.
  if (auto r = c.prefer("reconnect.backoff.max.ms", "1000"); !r) return fail(r.error());
  // A broker that comes up may not know a topic yet. Who asks then fetches nothing of it until the
  // next refresh: by default in five minutes.
  if (auto r = c.prefer("topic.metadata.refresh.interval.ms", "5000"); !r) return fail(r.error());
  return c;
}

result<void> config::set(const std::string& name, const std::string& value) {
  std::array<char, 512> why{};
  switch (rd_kafka_conf_set(conf_.get(), name.c_str(), value.c_str(), why.data(), why.size())) {
    case RD_KAFKA_CONF_OK:
      return {};
    case RD_KAFKA_CONF_UNKNOWN:
      return fail(errc::bad_config, "kafka." + name,
                  "librdkafka knows no such setting; its names are in its CONFIGURATION.md");
    default:
      break;
  }
  // Its own words repeat the value, which may be a secret.
  return fail(errc::bad_config, "kafka." + name,
              "librdkafka does not take its value (which is not shown here: it may be a secret)");
}

result<void> config::prefer(const std::string& name, const std::string& value) {
  return options_->settings.contains(name) ? result<void>{} : set(name, value);
}

std::vector<std::string> config::secrets() const {
  std::vector<std::string> all;
  for (const auto& [name, value] : options_->settings) {
    if (is_secret_kafka_setting(name) && !value.empty()) all.push_back(value);
  }
  // One may be a part of another.
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return all;
}

// ── client ──

result<std::unique_ptr<client>> client::open(rd_kafka_type_t type, config settings, log_sink log) {
  std::unique_ptr<client> made{new client{std::move(log), settings.secrets()}};
  rd_kafka_conf_set_opaque(settings.get(), made.get());
  rd_kafka_conf_set_log_cb(settings.get(), on_log);
  rd_kafka_conf_set_error_cb(settings.get(), on_error);
  std::array<char, 512> why{};
  made->handle_ = rd_kafka_new(type, settings.get(), why.data(), why.size());
  if (made->handle_ == nullptr) {
    return fail(errc::bad_config, "kafka settings", made->redacted(why.data()));
  }
  (void)settings.release();  // the handle has it
  return made;
}

client::~client() {
  if (handle_ != nullptr) rd_kafka_destroy(handle_);
}

void client::connection_error(rd_kafka_resp_err_t code, std::string_view reason) {
  const auto text = redacted(reason);
  if (const auto end = text.find("]: ");
      meaning_of(code).code == errc::not_found && end != std::string::npos) {
    const std::lock_guard lock{mutex_};
    unknown_.insert(text.substr(0, end + 1));
    return;
  }
  // That all are down only sums up what was said of each.
  const bool news = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || note_failure(code, text);
  if (news)
    log_(log_level::warning, "kafka connection",
         {{"error", text}, {"code", rd_kafka_err2name(code)}});
}

void client::line(int level, std::string_view facility, std::string_view text) {
  const auto shown = redacted(text);
  // Of a connection that ends early no more than this line is told.
  if (facility == "FAIL") {  // "[thrd:…]: …"
    const auto thread = shown.starts_with("[thrd:") ? shown.find("]: ") : std::string::npos;
    (void)note_failure(RD_KAFKA_RESP_ERR__TRANSPORT,
                       thread == std::string::npos ? shown : shown.substr(thread + 3));
  }
  log_(level_of(level), "kafka client", {{"facility", std::string{facility}}, {"text", shown}});
}

bool client::note_failure(rd_kafka_resp_err_t code, const std::string& reason) {
  const std::lock_guard lock{mutex_};
  if (const auto no = no_entry_of(code, reason)) {
    if (!refusal_) refused_at_ = std::chrono::steady_clock::now();
    refusal_ = error{no->code, {}, fmt::format("{}; {} (docs/how-to/kafka.md)", reason, no->mend)};
    refusal_guessed_ = no->guessed;
  } else {
    refusal_.reset();
  }
  return std::exchange(last_failure_, reason) != reason;
}

// librdkafka shows no password by itself, but its words on a setting that it cannot read may have
// a part of it.
std::string client::redacted(std::string_view text) const {
  std::string out{text};
  for (const auto& secret : secrets_) {
    for (auto at = out.find(secret); at != std::string::npos; at = out.find(secret, at))
      out.replace(at, secret.size(), "…");
  }
  return out;
}

std::optional<error> client::refusal(const std::string& subject, time_point since,
                                     bool first_contact) {
  rd_kafka_poll(handle_, 0);
  const std::lock_guard lock{mutex_};
  if (!refusal_ || (refusal_guessed_ && !first_contact)) return std::nullopt;
  const auto waited = std::chrono::steady_clock::now() - std::max(refused_at_, since);
  if (waited < patience_with_refusal) return std::nullopt;
  auto e = *refusal_;
  e.subject = subject;
  return e;
}

bool client::is_unknown(const topic_partition& where) {
  const std::lock_guard lock{mutex_};
  return unknown_.erase(fmt::format("{} [{}]", where.topic, where.partition)) > 0;
}

void client::answered() {
  const std::lock_guard lock{mutex_};
  refusal_.reset();
}

error client::with_reason(error e) const {
  if (!e.retriable) return e;
  const std::lock_guard lock{mutex_};
  if (!last_failure_.empty()) e.message += "; last: " + last_failure_;
  return e;
}

std::string client::member_id() const {
  const std::unique_ptr<char, void (*)(char*)> id{rd_kafka_memberid(handle_),
                                                  [](char* p) { rd_kafka_mem_free(nullptr, p); }};
  return id ? id.get() : "";
}

error client::error_of(rd_kafka_resp_err_t code, std::string subject, std::string_view detail,
                       std::string_view needs) const {
  return with_reason(kafka::error_of(code, std::move(subject), detail, needs));
}
error client::error_of(const rd_kafka_error_t* e, std::string subject,
                       std::string_view needs) const {
  return with_reason(kafka::error_of(e, std::move(subject), needs));
}

}  // namespace kappa::kafka
