#include "kafka/client.hpp"

#include <array>

#include <fmt/format.h>

#include "kappa/core/suggest.hpp"

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

}  // namespace

partition_list list_of(const topic_partition& tp, std::int64_t offset) {
  partition_list list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), tp.topic.c_str(), tp.partition.value)->offset =
      offset;
  return list;
}

error error_of(rd_kafka_resp_err_t code, std::string subject, std::string_view detail) {
  const auto m = meaning_of(code);
  std::string text = detail.empty() ? rd_kafka_err2str(code) : std::string{detail};
  if (m.code == errc::denied) {
    text += "; give the user that this program connects as the right to it (docs/how-to/kafka.md)";
  }
  return {m.code, std::move(subject), fmt::format("{} ({})", text, rd_kafka_err2name(code)),
          m.retriable};
}

error error_of(const rd_kafka_error_t* e, std::string subject) {
  return error_of(rd_kafka_error_code(e), std::move(subject), rd_kafka_error_string(e));
}

// ── config ──

result<config> config::create(const kafka_log_options& options, std::string_view role) {
  config c{options};
  for (const auto& [name, value] : options.settings) {
    if (auto r = c.set(name, value); !r) return fail(r.error());
  }
  if (auto r = c.set("bootstrap.servers", options.brokers); !r) return fail(r.error());
  if (auto r = c.prefer("client.id", fmt::format("kappa-{}", role)); !r) return fail(r.error());
  // A small request waits for nothing.
  if (auto r = c.prefer("socket.nagle.disable", "true"); !r) return fail(r.error());
  if (auto r = c.prefer("socket.keepalive.enable", "true"); !r) return fail(r.error());
  // What is asked again soon after a broker was away is answered soon after it is back.
  if (auto r = c.prefer("reconnect.backoff.max.ms", "1000"); !r) return fail(r.error());
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

// ── client ──

result<std::unique_ptr<client>> client::open(rd_kafka_type_t type, config settings, log_sink log) {
  std::unique_ptr<client> made{new client{std::move(log)}};
  rd_kafka_conf_set_opaque(settings.get(), made.get());
  rd_kafka_conf_set_log_cb(settings.get(), on_log);
  rd_kafka_conf_set_error_cb(settings.get(), on_error);
  std::array<char, 512> why{};
  made->handle_ = rd_kafka_new(type, settings.get(), why.data(), why.size());
  if (made->handle_ == nullptr) {
    return fail(errc::bad_config, "kafka settings", std::string{why.data()});
  }
  (void)settings.release();  // the handle has it
  return made;
}

client::~client() {
  if (handle_ != nullptr) rd_kafka_destroy(handle_);
}

void client::connection_error(rd_kafka_resp_err_t code, std::string_view reason) {
  {
    const std::lock_guard lock{mutex_};
    last_connection_error_ = std::string{reason};
  }
  log_(log_level::warning, "kafka connection",
       {{"error", std::string{reason}}, {"code", rd_kafka_err2name(code)}});
}

void client::line(int level, std::string_view facility, std::string_view text) const {
  log_(level_of(level), "kafka client",
       {{"facility", std::string{facility}}, {"text", std::string{text}}});
}

error client::with_reason(error e) const {
  if (!e.retriable) return e;
  const std::lock_guard lock{mutex_};
  if (!last_connection_error_.empty()) e.message += "; last: " + last_connection_error_;
  return e;
}

error client::error_of(rd_kafka_resp_err_t code, std::string subject,
                       std::string_view detail) const {
  return with_reason(kafka::error_of(code, std::move(subject), detail));
}
error client::error_of(const rd_kafka_error_t* e, std::string subject) const {
  return with_reason(kafka::error_of(e, std::move(subject)));
}

}  // namespace kappa::kafka
