// Commands that come through the log.
#include <algorithm>

#include <fmt/format.h>

#include "kappa/core/failpoint.hpp"
#include "task/aggregate_impl.hpp"

namespace kappa::detail {
namespace {

// While the window of ids is full.
constexpr milliseconds pause_of_requests{200};

}  // namespace

bool is_its_own(errc code) {
  switch (code) {
    case errc::decode:
    case errc::user_code:
    case errc::too_large:
    case errc::incompatible:
    case errc::invalid_argument:
    case errc::id_reused:
    case errc::too_old:
    case errc::erased:
      return true;
    default:
      return false;
  }
}

// Each is decided once: the position moves in the transaction that has what came of it.
result<void> aggregate_task::open_requests() {
  if (options_.replay_only) return {};
  auto position = options_.log->position(position_of(options_.commands_topic));
  if (!position) return fail(position.error());
  auto bounds = options_.log->bounds(requests());
  if (!bounds) return fail(bounds.error());
  const auto from = *position ? (*position)->next : bounds->earliest;
  if (from > bounds->latest) {
    return fail(errc::refused_start, name_,
                fmt::format("its position in {} is {}, which ends at {}: the topic is not the one "
                            "that it has read",
                            requests().text(), from, bounds->latest));
  }
  if (from < bounds->earliest) {
    options_.log_to(log_level::warning, "commands that nobody has decided are not kept any more",
                    {{"task", name_},
                     {"topic", requests().text()},
                     {"from", std::to_string(from.value)},
                     {"to", std::to_string(bounds->earliest.value)}});
  }
  requests_ = {requests(), std::max(from, bounds->earliest), offset{INT64_MAX}};
  return requests_.open(*options_.log);
}

result<void> aggregate_task::decide_requests(std::size_t budget, run_status& status) {
  if (options_.clock() < requests_wait_until_) return {};
  requests_wait_until_ = min_time;
  for (std::size_t done = 0; done < budget; ++done) {
    auto r = requests_.peek(options_.limits.read_bytes);
    if (!r) return fail(r.error());
    if (*r == nullptr) return {};
    if (!may_decide(status)) return {};
    auto decided = decide_request(**r);
    if (!decided) return fail(decided.error());
    if (!*decided) {
      requests_wait_until_ = options_.clock() + pause_of_requests;
      return {};
    }
    requests_.pop();
    ++status.steps;
    ++counters_.records_in;
  }
  status.more = true;
  return {};
}

bool aggregate_task::is_deadly(const std::string& input, offset at) const {
  return std::any_of(
      options_.suspects.begin(), options_.suspects.end(), [&](const crash_suspect& s) {
        return s.input == input && s.offset == at && s.deaths >= deaths_until_dead_letter;
      });
}

error aggregate_task::died_of_it(bytes_view key) {
  return {
      errc::user_code, printable(key),
      fmt::format("the process has died {} times while it decided this", deaths_until_dead_letter)};
}

// False: not now. An error: the task cannot go on, and the command waits for its next life.
result<bool> aggregate_task::decide_request(const record_view& r) {
  const auto now = options_.clock();
  command_outcome outcome;
  std::string type = "command";
  auto call = call_of(r, type);
  if (!call) {
    outcome = call.error();
  } else if (is_deadly(options_.commands_topic, r.offset)) {
    outcome = died_of_it(*r.key);
  } else {
    const watched_step watched{*this, options_.commands_topic, r.offset};
    outcome = decide(*call);
  }
  const auto* failed = std::get_if<error>(&outcome);
  if (failed != nullptr && failed->retriable && (!call || (call->id && window_->full())))
    return false;
  if (failed != nullptr && !is_its_own(failed->code)) return fail(*failed);
  open_epoch(now);
  if (failed != nullptr) {
    add_dead_letter(dead_letter_of(*failed, type, requests(), r));
  }
  if (auto to = reply_address_in(r.headers); to && to->to.value < options_.reply_partitions)
    reply(*to, outcome, now);
  if (auto to = result_address_in(r.headers))
    send_result(*to, r.key.value_or(bytes_view{}), outcome, now);
  return true;
}

void aggregate_task::add_dead_letter(const dead_letter& d) {
  builder_.add(d);
  options_.log_to(
      log_level::warning, "dead letter",
      {{"task", name_}, {"operator", d.op}, {"position", d.position}, {"error", d.reason.text()}});
  ++counters_.dead_letters;
}

result<command_call> aggregate_task::call_of(const record_view& r, std::string& type) {
  if (!r.key || !r.value)
    return fail(errc::decode, "a command", "the record has no key, or no value");
  auto headers = decode_command_headers(r.headers);
  if (!headers) return fail(std::move(headers.error()));
  type = headers->type.name;
  const auto kind = command_kinds_.find(key_of_type(headers->type));
  if (kind == command_kinds_.end()) {
    return fail(errc::incompatible, type,
                fmt::format("{} has no such command in this version", options_.id.stage));
  }
  if (auto known = check_sender(*headers); !known) return fail(known.error());
  command_call call{bytes{*r.key}, kind->second, bytes{*r.value}};
  call.id = std::move(headers->id);
  call.expected = headers->expected;
  return call;
}

void aggregate_task::reply(const reply_address& to, const command_outcome& outcome, timestamp now) {
  bytes value;
  encode_reply(outcome, value);
  const auto most = log_limits::default_max_record_bytes / 2;  // the topic is Kappa's own
  if (value.size() > most) {
    value.clear();
    encode_reply(error{errc::indefinite, name_,
                       "what the command came to is in the log, but too large for a reply"},
                 value);
  }
  append_outgoing({options_.replies_topic, to.to}, to.correlation, value, {}, now);
}

}  // namespace kappa::detail
