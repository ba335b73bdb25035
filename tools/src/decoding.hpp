// Records as JSON, one line each, whatever they hold: by the schemas that apps left in the log
// (`<app>.schemas`), and of Kappa's own topics by their forms.
//
// What cannot be decoded is shown as {"base64": …, "problem": …}, never an error.
//
// Threading: one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kappa/core/error.hpp"
#include "kappa/log/event_log.hpp"
#include "kappa/serialization/dynamic.hpp"
#include "kappa/task/stored_schemas.hpp"

namespace kappa::tools {

/// How one topic's keys and values, or a state's, are read.
struct decoder {
  std::optional<dynamic_type> key;
  std::optional<dynamic_type> value;
  std::string problem{};  // why there is no `value`; empty: nothing is known of the topic
};

class decoders {
 public:
  explicit decoders(event_log& log) : log_{log} {}

  /// Of a topic, or of a state (state_name_of). `app`: whose schemas to look at; empty: the topic's
  /// owner's, or those of any app that reads it.
  [[nodiscard]] result<const decoder*> of(const std::string& name, const std::string& app = {});

  /// {"topic":…,"partition":…,"offset":…,"time":…,"key":…,"value":…,"headers":{…}}
  [[nodiscard]] result<std::string> line(const topic_partition& where, const record_view& r);

 private:
  enum class form { plain, epochs, admin_request, admin_reply, dead_letter, schemas };
  [[nodiscard]] result<form> form_of(const std::string& topic);
  [[nodiscard]] result<std::string> value_of(const topic_partition& where, const record_view& r,
                                             std::string& key);

  event_log& log_;
  std::map<std::string, decoder> known_;
  std::map<std::string, form> forms_;
};

/// Key or value as JSON.
[[nodiscard]] std::string json_of(const std::optional<dynamic_type>& type, bytes_view in,
                                  const std::string& problem = {});
/// The headers as an object; of a name that is there twice, an array.
[[nodiscard]] std::string json_of(const headers_view& headers);
/// "text" with its quotes.
[[nodiscard]] std::string json_text(std::string_view text);

[[nodiscard]] bool is_marker(const record_view& r);

}  // namespace kappa::tools
