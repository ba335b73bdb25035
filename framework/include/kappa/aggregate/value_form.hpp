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
/// errc::invalid_argument when the type has no JSON.
struct value_form {
  schema_info schema;
  result<std::string> (*to_json)(bytes_view value) = nullptr;
  result<bytes> (*from_json)(std::string_view text) = nullptr;
};

template <encodable T>
value_form form_of() {
  return {codec<T>::schema(), &json_of_bytes<T>, &bytes_of_json<T>};
}

struct aggregate_forms {
  std::vector<value_form> commands;                // in the order of the schema
  std::vector<value_form> events;                  // in the order of the schema
  std::vector<value_form> former_events;           // in the order of the schema
  std::vector<std::optional<value_form>> replies;  // as commands; nothing: not listed
  std::vector<value_form> rejections;              // those that are listed
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
                        {}};
  forms.replies.resize(forms.commands.size());
  if constexpr (requires { typename A::rejections; })
    forms.rejections = forms_of(typename A::rejections{});
  if constexpr (requires { typename A::replies; }) note_replies<A>(forms, typename A::replies{});
  return forms;
}

}  // namespace detail
}  // namespace kappa
