#include "kappa/log/open_log.hpp"

#include <random>
#include <string_view>

#include <fmt/format.h>

#include "kappa/log/embedded_log.hpp"
#include "kappa/log/kafka_log.hpp"
#include "kappa/log/memory_log.hpp"
#include "log/log_file.hpp"

namespace kappa {

result<std::shared_ptr<event_log>> open_log(const open_log_options& options) {
  const std::string_view url = options.url;
  const auto colon = url.find(':');
  const auto scheme = url.substr(0, colon);
  const auto rest = colon == std::string_view::npos ? std::string_view{} : url.substr(colon + 1);
  if (scheme == "memory") {  // an id of its own: state of an earlier one is not this one's
    std::random_device device;
    const auto id = fmt::format("memory-{:08x}{:08x}", device(), device());
    return std::shared_ptr<event_log>{memory_log::create(id)};
  }
  if (scheme == "lmdb") {
    if (rest.empty()) {
      return fail(errc::bad_config, options.url, "name the folder: lmdb:FOLDER");
    }
    embedded_log_options embedded;
    embedded.folder = std::string{rest};
    embedded.frame_bytes = options.frame_bytes;
    embedded.read_only = options.read_only;
    embedded.log = options.log;
    auto looked = detail::look_at_log_file(embedded.folder, embedded.read_only);
    if (!looked) return fail(std::move(looked.error()));
    return open_embedded_log(embedded);
  }
  if (scheme == "kafka") {
#ifdef KAPPA_KAFKA
    if (!rest.starts_with("//") || rest.size() == 2)
      return fail(errc::bad_config, options.url, "name the brokers: kafka://HOST:PORT,HOST:PORT");
    if (rest.find('@') != std::string_view::npos) {  // not shown: it may be a password
      return fail(errc::bad_config, "kafka://",
                  "the address has a user in it: give him as the settings kafka.sasl.username and "
                  "kafka.sasl.password, in the config file or the environment");
    }
    kafka_log_options kafka;
    kafka.brokers = std::string{rest.substr(2)};
    kafka.settings = options.kafka_settings;
    kafka.instance_folder = options.instance_folder;
    kafka.session_timeout = kafka.transaction_timeout = options.session_timeout;
    kafka.replication = options.replication;
    kafka.log = options.log;
    return open_kafka_log(kafka);
#else
    return fail(errc::bad_config, options.url,
                "this build has no Kafka log: build it with librdkafka (KAPPA_KAFKA=ON)");
#endif
  }
  return fail(errc::bad_config, options.url,
              "not a log; known are lmdb:FOLDER, memory: and kafka://HOST:PORT");
}

}  // namespace kappa
