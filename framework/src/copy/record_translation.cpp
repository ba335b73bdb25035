#include "copy/record_translation.hpp"

#include <algorithm>
#include <deque>

#include <fmt/format.h>

#include "kappa/log/envelope.hpp"
#include "kappa/task/marker.hpp"

namespace kappa::detail {
namespace {

constexpr bytes_view position_header = "kappa.position";

}  // namespace

bool is_epochs_topic(const topic_config& topic) {
  return !topic.owner.empty() && topic.name.starts_with(topic.owner + ".") &&
         topic.name.ends_with(".epochs");
}

record_translation::record_translation(const topic_config& topic, partition which,
                                       const offset_maps& maps, event_log& to)
    : where_{topic.name, which},
      owned_{!topic.owner.empty()},
      epochs_{is_epochs_topic(topic)},
      maps_{maps},
      to_{to} {}

const offset_map* record_translation::map_of(const std::string& topic) const {
  const auto found = maps_.find({topic, where_.partition});
  return found == maps_.end() ? nullptr : &found->second;
}

result<record_view> record_translation::operator()(const record_view& r) {
  auto out = r;
  if (!owned_) return out;
  if (epochs_) {
    if (auto done = translate_epochs(out); !done) return fail(done.error());
  }
  std::vector<header_view> all;
  std::deque<bytes> changed;  // the views stay where they are
  for (const auto& h : r.headers) {
    auto now = h;
    if (auto other = header(h)) now.value = changed.emplace_back(std::move(*other));
    all.push_back(now);
  }
  if (changed.empty()) return out;
  headers_.clear();
  encode_headers(headers_, all);
  out.headers = headers_view{headers_};
  return out;
}

result<void> record_translation::translate_epochs(record_view& r) {
  const auto value = r.value.value_or(bytes_view{});
  const auto malformed = [&](std::string_view what) {
    return fail(errc::corrupt, fmt::format("{}@{}", where_.text(), r.offset),
                fmt::format("malformed {}", what));
  };
  if (is_birth(value)) {
    auto b = decode_birth(value);
    if (!b) return malformed("birth record");
    auto moved = birth(std::move(*b));
    if (!moved) return fail(moved.error());
    value_ = std::move(*moved);
  } else {
    auto e = decode_epoch_record(value);
    auto moved = e ? epoch(std::move(*e)) : std::nullopt;
    if (!moved) return malformed("epoch record");
    value_ = std::move(*moved);
  }
  r.value = value_;
  return {};
}

result<bytes> record_translation::birth(birth_record b) {
  inputs_ = b.inputs;
  std::vector<std::string> topics{where_.topic};
  for (std::size_t i = 0; i < b.inputs.size(); ++i) {
    const auto* map = map_of(b.inputs[i]);
    if (map == nullptr) continue;
    b.starts[i] = map->position(b.starts[i]);
    topics.push_back(b.inputs[i]);
  }
  if (topics.size() == 1) {  // a source: what it reads has no identity in the log
    b.log_id = to_.id();
  } else {
    auto identity = to_.identity(topics);
    if (!identity) return fail(identity.error());
    b.log_id = std::move(*identity);
  }
  return encode_birth(b);
}

std::optional<bytes> record_translation::epoch(epoch_record e) const {
  if (!inputs_ || e.inputs.size() != inputs_->size()) return std::nullopt;
  for (std::size_t i = 0; i < e.inputs.size(); ++i) {
    const auto* map = map_of((*inputs_)[i]);
    if (map == nullptr) continue;
    e.inputs[i] = {map->position(e.inputs[i].from), map->position(e.inputs[i].to)};
  }
  for (auto& f : e.failed_records) {
    if (f.input >= inputs_->size()) return std::nullopt;
    const auto* map = map_of((*inputs_)[f.input]);
    if (map == nullptr) continue;
    const auto at = map->record(f.offset);
    if (!at) return std::nullopt;
    f.offset = *at;
  }
  return encode_epoch_record(e);
}

// Nothing: it stays.
std::optional<bytes> record_translation::header(const header_view& h) const {
  if (h.name == marker_header) {
    auto m = decode_marker(h.value);
    if (!m) return std::nullopt;
    for (auto& [origin, next] : m->through) {
      const auto map = maps_.find(origin);
      if (map != maps_.end()) next = map->second.position(next);
    }
    return encode_marker(*m);
  }
  if (h.name != envelope_header::cause && h.name != position_header) return std::nullopt;
  auto place = record_address::parse(h.value);
  if (!place) return std::nullopt;  // of a source: FILE:ROW
  const auto map = maps_.find(place->where);
  if (map == maps_.end()) return std::nullopt;
  const auto at = map->second.record(place->offset);
  if (!at) return std::nullopt;
  place->offset = *at;
  return bytes{place->text()};
}

}  // namespace kappa::detail
