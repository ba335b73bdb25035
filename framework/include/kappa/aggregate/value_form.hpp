// What an aggregate takes and gives, as JSON: its commands and events, and what it says beside.
//
// Commands and events are known by the protocol. Values of rejections and replies are shown as JSON
// when the aggregate lists their types:
//
//   struct account : account_state {
//     using protocol = account_protocol;
//     using rejections = kappa::type_list<insufficient_funds>;
//     using replies = kappa::type_list<kappa::reply_to<withdraw, withdrawal_receipt>>;
//
// Threading: plain values.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kappa/aggregate/aggregate.hpp"
#include "kappa/aggregate/personal_data.hpp"
#include "kappa/core/bytes.hpp"
#include "kappa/core/codec.hpp"
#include "kappa/core/error.hpp"
#include "kappa/core/json_of_bytes.hpp"
#include "kappa/core/schema_info.hpp"
#include "kappa/core/type_list.hpp"

namespace kappa {

/// The command is answered with this value (decision::reply).
template <class Command, class Reply>
struct reply_to {};

namespace detail {

/// Both functions fail with errc::decode when what they are given is no such value, and with
/// errc::invalid_argument when the type has no JSON. Personal fields are texts in the JSON, null
/// when they are erased; `keys` (null: there are none) opens and seals them.
struct value_form {
  schema_info schema;
  result<std::string> (*to_json)(bytes_view value, key_ring* keys) = nullptr;
  result<bytes> (*from_json)(std::string_view text, bytes_view subject, key_ring* keys) = nullptr;
};

template <class T>
result<std::string> shown_json(bytes_view in, key_ring* keys) {
  if constexpr (has_personal<T> && has_json<T>) {
    auto value = codec<T>::decode(bytes{in});
    if (!value) return fail(std::move(value.error()));
    if (auto shown = show_personal(*value, keys); !shown) return fail(std::move(shown.error()));
    return to_json(*value);
  } else {
    return json_of_bytes<T>(in);
  }
}

template <class T>
result<bytes> sealed_of_json(std::string_view text, bytes_view subject, key_ring* keys) {
  if constexpr (has_personal<T> && has_json<T>) {
    auto value = from_json<T>(text);
    if (!value) return fail(std::move(value.error()));
    return encoded_sealed(*value, subject, keys);
  } else {
    return bytes_of_json<T>(text);
  }
}

template <encodable T>
value_form form_of() {
  return {codec<T>::schema(), &shown_json<T>, &sealed_of_json<T>};
}

struct aggregate_forms {
  std::vector<value_form> commands;                // in the order of the schema
  std::vector<value_form> events;                  // in the order of the schema
  std::vector<value_form> former_events;           // in the order of the schema
  std::vector<std::optional<value_form>> replies;  // as commands; nothing: not listed
  std::vector<value_form> rejections;              // those that are listed
  value_form state{};                              // without its version
};

template <class... T>
std::vector<value_form> forms_of(type_list<T...>) {
  return {form_of<T>()...};
}

template <class A, class Command, class Reply>
void note_reply(aggregate_forms& forms, reply_to<Command, Reply>) {
  static_assert(commands_of<A>::template contains<Command>,
                "replies: this command is not of the aggregate's protocol");
  forms.replies[commands_of<A>::template place_of<Command>] = form_of<Reply>();
}
template <class A, class... Replies>
void note_replies(aggregate_forms& forms, type_list<Replies...>) {
  (note_reply<A>(forms, Replies{}), ...);
}

template <class A>
aggregate_forms make_forms() {
  aggregate_forms forms{forms_of(commands_of<A>{}),
                        forms_of(events_of<A>{}),
                        forms_of(former_events_of<A>{}),
                        {},
                        {},
                        form_of<A>()};
  forms.replies.resize(forms.commands.size());
  if constexpr (requires { typename A::rejections; })
    forms.rejections = forms_of(typename A::rejections{});
  if constexpr (requires { typename A::replies; }) note_replies<A>(forms, typename A::replies{});
  return forms;
}

}  // namespace detail
}  // namespace kappa
