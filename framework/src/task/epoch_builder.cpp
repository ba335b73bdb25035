#include "kappa/task/epoch_builder.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "kappa/aggregate/command_id.hpp"
#include "kappa/aggregate/command_record.hpp"
#include "kappa/core/partitioner.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/event_log.hpp"

namespace kappa {
namespace {

constexpr std::size_t longest_error_text = 4096;
/// Of a dead letter, what came with the original; the rest is for Kappa's headers.
constexpr std::size_t dead_letter_room = log_limits::max_max_record_bytes - (64 << 10);

}  // namespace

epoch_builder::epoch_builder(task_id task, std::vector<port_layout> ports,
                             std::string dead_letters_topic,
                             std::shared_ptr<const command_routes> routes)
    : task_{std::move(task)},
      ports_{std::move(ports)},
      dead_letters_topic_{std::move(dead_letters_topic)},
      routes_{std::move(routes)} {
  for (const auto& p : ports_) {
    slots_.emplace_back(static_cast<std::size_t>(p.partitions));
    const bool named = p.spec.kind == port_kind::public_topic;
    envelopes_.emplace_back(named ? std::optional{reference_to(p.spec.schema)} : std::nullopt);
  }
}

epoch_builder::slot& epoch_builder::slot_of(std::size_t port, partition p) {
  auto& s = slots_[port][static_cast<std::size_t>(p.value)];
  if (!s.batch) s.batch = std::make_shared<record_batch>();
  return s;
}

// The batch to add to within a step; where it stood before the step is kept.
record_batch& epoch_builder::touched(slot& s) {
  if (s.step != step_) {
    s.step = step_;
    s.before = s.batch->position();
    touched_.push_back(&s);
  }
  return *s.batch;
}

void epoch_builder::rollback_step() {
  for (auto* s : touched_) s->batch->rewind(s->before);
  touched_.clear();
  bytes_ = bytes_before_step_;
  origin_ = nullptr;
}

void epoch_builder::emit(detail::port_index port, std::optional<bytes_view> placed_by,
                         std::optional<bytes_view> key, bytes_view value, timestamp time) {
  // Records between stages stay bare; public ones know their cause.
  emit_as(port, placed_by, key, value, time,
          ports_[port].spec.kind == port_kind::internal
              ? bytes_view{}
              : envelopes_[port].of(*origin_->where, origin_->offset));
}

void epoch_builder::emit_as(detail::port_index port, std::optional<bytes_view> placed_by,
                            std::optional<bytes_view> key, bytes_view value, timestamp time,
                            bytes_view headers) {
  const auto& layout = ports_[port];
  const auto to = placed_by ? partition_of(*placed_by, layout.partitions)
                            : partition{task_.partition.value % layout.partitions};
  const auto size = sizeof(detail::wire_record_head) + value.size() + (key ? key->size() : 0) +
                    headers.size() + 16;
  if (size > layout.max_record_bytes) {
    throw detail::step_failure{error{errc::too_large, layout.spec.topic,
                                     fmt::format("a record of {} bytes; the topic's limit is {}",
                                                 size, layout.max_record_bytes)}};
  }
  add_in_step(slot_of(port, to), time, key, value, headers);
}

void epoch_builder::add_in_step(slot& s, timestamp time, std::optional<bytes_view> key,
                                bytes_view value, bytes_view headers) {
  auto& batch = touched(s);
  const auto before = batch.size_bytes();
  batch.add(time, key, value, headers);
  bytes_ += batch.size_bytes() - before;
  ++records_in_step_;
}

void epoch_builder::send(const std::string& op, const outgoing_command& command,
                         const detail::step_context& ctx) {
  const auto refuse = [&](error e) { throw detail::step_failure{std::move(e)}; };
  if (command.type == nullptr) refuse({errc::user_code, op, "what it sends is no command"});
  if (!routes_) refuse({errc::user_code, command.type->name, "it has nowhere to go"});
  const auto route = routes_->find(command);
  if (!route) refuse(route.error());
  command_headers h;
  h.type = *command.type;
  h.id = id_of_send(op, ctx);
  command_headers_.clear();
  encode_command_headers(h, command_headers_);
  const auto cause = record_address{*origin_->where, origin_->offset}.text();
  const header_view why{envelope_header::cause, cause};
  encode_headers(command_headers_, {&why, 1});
  const auto size = detail::record_bytes(command.key, command.body, command_headers_.size());
  if (size > (*route)->max_record_bytes) {
    refuse({errc::too_large, printable(command.key),
            fmt::format("a command to it takes {} bytes, and a record of {} may have {}", size,
                        (*route)->topic, (*route)->max_record_bytes)});
  }
  auto& s = commands_[{(*route)->topic, partition_of(command.key, (*route)->partitions)}];
  if (!s.batch) s.batch = std::make_shared<record_batch>();
  // Not the event time: the topic keeps commands for some time from now on.
  add_in_step(s, now_, command.key, command.body, command_headers_);
}

// Of a timer's step not the record that was before it, but the timer, by its key and time.
bytes epoch_builder::id_of_send(const std::string& op, const detail::step_context& ctx) {
  bytes about;
  byte_writer w{about};
  w.put_bytes(task_.app).put_bytes(op);
  if (origin_->record != nullptr) {
    w.put_bytes(origin_->where->topic).put(origin_->where->partition.value);
    w.put(origin_->offset.value);
  } else {
    w.put_bytes("timer").put_bytes(ctx.key.value_or(bytes_view{}));
    w.put(std::int64_t{ctx.time.time_since_epoch().count()});
  }
  const auto before = std::count(sends_in_step_.begin(), sends_in_step_.end(), &op);
  w.put(std::int64_t{before});
  sends_in_step_.push_back(&op);
  return derived_command_id(about);
}

void epoch_builder::emit_late(detail::port_index port) {
  if (origin_ == nullptr || origin_->record == nullptr) bug("late outside of a record's step");
  const auto& r = *origin_->record;
  late_headers_ = envelopes_[port].of(*origin_->where, origin_->offset);
  late_headers_ += r.headers.raw();  // what the record is may stand nowhere else
  emit_as(port, r.key, r.key, r.value.value_or(bytes_view{}), r.time, late_headers_);
}

dead_letter dead_letter_of(error reason, std::string op, const topic_partition& where,
                           const record_view& record) {
  dead_letter d;
  d.reason = std::move(reason);
  d.op = std::move(op);
  d.position = fmt::format("{}@{}", where.text(), record.offset);
  d.key = record.key;
  d.value = record.value;
  d.headers = record.headers.raw();
  d.time = record.time;
  return d;
}

void epoch_builder::add(const dead_letter& d) {
  if (!dead_) dead_ = std::make_shared<record_batch>();
  bytes headers;
  const auto code = std::string{name_of(d.reason.code)};
  auto text =
      d.reason.subject.empty() ? d.reason.message : d.reason.subject + ": " + d.reason.message;
  if (text.size() > longest_error_text) {
    text.resize(longest_error_text);
    text += " …";
  }
  const auto task = task_.text();
  std::vector<header_view> list{{"kappa.error", text},        {"kappa.code", code},
                                {"kappa.stage", task_.stage}, {"kappa.task", task},
                                {"kappa.operator", d.op},     {"kappa.position", d.position}};
  std::string timer;
  if (d.timer_time) {
    timer = format_time(*d.timer_time);
    list.push_back({"kappa.timer", timer});
  }
  // A dead letter must always fit: what does not fit in is cut, and said so.
  auto original_headers = d.headers;
  auto key = d.key;
  auto value = d.value;
  std::string cut;
  const auto size = [](const std::optional<bytes_view>& part) { return part ? part->size() : 0; };
  if (size(key) + size(value) + original_headers.size() > dead_letter_room) {
    cut = fmt::format("key {} bytes, value {} bytes, headers {} bytes", size(key), size(value),
                      original_headers.size());
    if (original_headers.size() > dead_letter_room / 2) original_headers = {};
    if (size(key) > dead_letter_room / 4) key = key->substr(0, dead_letter_room / 4);
    if (value) value = value->substr(0, dead_letter_room - original_headers.size() - size(key));
    list.push_back({"kappa.cut", cut});
  }
  // The original's headers stay readable under their own names.
  for (const auto& h : headers_view{original_headers}) list.push_back(h);
  encode_headers(headers, list);
  const auto before = dead_->size_bytes();
  dead_->add(d.time, key, value, headers);
  bytes_ += dead_->size_bytes() - before;
  ++dead_letters_;
}

bool epoch_builder::has_internal_ports() const {
  return std::any_of(ports_.begin(), ports_.end(),
                     [](const port_layout& p) { return p.spec.kind == port_kind::internal; });
}

void epoch_builder::add(const marker& m) {
  const auto value = encode_marker(m);
  bytes headers;
  const std::array<header_view, 1> list{header_view{marker_header, value}};
  encode_headers(headers, list);
  for (std::size_t port = 0; port < ports_.size(); ++port) {
    if (ports_[port].spec.kind != port_kind::internal) continue;
    for (std::int32_t p = 0; p < ports_[port].partitions; ++p) {
      auto& batch = *slot_of(port, partition{p}).batch;
      const auto before = batch.size_bytes();
      batch.add(m.watermark, std::nullopt, bytes_view{}, headers);
      bytes_ += batch.size_bytes() - before;
    }
  }
}

void epoch_builder::add_to_epochs_topic(const std::string& topic, bytes_view value, timestamp now) {
  if (!epochs_) epochs_ = std::make_shared<record_batch>();
  epochs_topic_ = topic;
  epochs_->add(now, std::nullopt, value, bytes_view{});
  bytes_ += value.size();
}

std::shared_ptr<closed_epoch> epoch_builder::close(epoch_number number,
                                                   std::vector<log_transaction::move> moves) {
  auto e = std::make_shared<closed_epoch>();
  e->task = task_;
  e->number = number;
  e->moves = std::move(moves);
  e->output_bytes = bytes_;
  for (std::size_t port = 0; port < ports_.size(); ++port) {
    for (std::size_t p = 0; p < slots_[port].size(); ++p) {
      auto& s = slots_[port][p];
      if (!s.batch || s.batch->empty()) continue;
      e->appends.push_back(
          {{ports_[port].spec.topic, partition{static_cast<std::int32_t>(p)}}, std::move(s.batch)});
      s = slot{};
    }
  }
  for (auto& [to, s] : commands_) {
    if (!s.batch->empty()) e->appends.push_back({to, std::move(s.batch)});
  }
  commands_.clear();
  if (dead_ && !dead_->empty())
    e->appends.push_back({{dead_letters_topic_, partition{0}}, std::move(dead_)});
  if (epochs_ && !epochs_->empty()) {
    e->own_appends.push_back(e->appends.size());
    e->appends.push_back({{epochs_topic_, task_.partition}, std::move(epochs_)});
  }
  dead_.reset();
  epochs_.reset();
  bytes_ = 0;
  records_ = 0;
  return e;
}

}  // namespace kappa
