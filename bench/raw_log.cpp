#include "raw_log.hpp"

#include <stdexcept>

#include "log/embedded_layout.hpp"

namespace bench {

using kappa::bytes;
using kappa::bytes_view;
using kappa::detail::frame_header;
using kappa::detail::padded8;

void raw_output::add(std::int64_t time_ms, bytes_view key, bytes_view value, bytes_view headers) {
  const auto content =
      sizeof(wire_record_head) + padded8(value.size()) + key.size() + headers.size();
  const auto size = padded8(content);
  if (used_ + size > limit) flush();
  wire_record_head head;
  head.size = static_cast<std::uint32_t>(size);
  head.offset_delta = count_;
  head.time_ms = time_ms;
  head.value_size = static_cast<std::int32_t>(value.size());
  head.key_size = static_cast<std::int32_t>(key.size());
  head.headers_size = static_cast<std::uint32_t>(headers.size());
  char* p = body_ + used_;
  std::memset(p + size - 8, 0, 8);
  std::memcpy(p, &head, sizeof head);
  p += sizeof head;
  if (!value.empty()) {
    std::memset(p + padded8(value.size()) - 8, 0, 8);
    std::memcpy(p, value.data(), value.size());
    p += padded8(value.size());
  }
  std::memcpy(p, key.data(), key.size());
  std::memcpy(p + key.size(), headers.data(), headers.size());
  used_ += size;
  ++count_;
  max_time_ = std::max(max_time_, kappa::timestamp{kappa::milliseconds{time_ms}});
}

void raw_output::flush() {
  if (count_ == 0) return;
  kappa::detail::frame_part part{bytes_view{body_, used_}, 0, count_, max_time_};
  const kappa::offset base{base_};
  char* const room =
      must(txn_->reserve(frames_, kappa::detail::offset_key(base), part.frame_bytes(), MDB_APPEND));
  kappa::detail::write_frame(room, part, base, seed_);
  bytes_ += part.frame_bytes();
  base_ += count_;
  used_ = 0;
  count_ = 0;
}

raw_log::raw_log(const std::filesystem::path& folder, const std::string& topic) {
  kappa::lmdb::environment_options o;
  o.folder = folder;
  o.map_bytes = std::uint64_t{64} << 30;
  o.max_dbs = 256;
  env_ = must(kappa::lmdb::environment::open(o));
  std::optional<kappa::detail::stored_topic> stored;
  {
    const auto topics = must(env_->find_dbi("log.topics"));
    auto txn = must(env_->begin_read());
    const auto found = must(txn.get(topics.value(), topic));
    if (found) stored = kappa::detail::decode_topic(topic, *found);
  }
  if (!stored) throw std::runtime_error{"the copy has no topic " + topic};
  const kappa::partition first{0};
  frames_ = must(env_->find_dbi(kappa::detail::frames_name(stored->number, first))).value();
  seed_ = kappa::detail::frame_seed({topic, first});
}

void raw_log::check(bytes_view frame, const frame_header& h, std::uint64_t seed) {
  const auto summed = frame.substr(offsetof(frame_header, checksum) + sizeof h.checksum);
  if (frame.size() != sizeof h + h.body_bytes || h.checksum != kappa::checksum(summed, seed))
    throw std::runtime_error{"a frame of the copied log is damaged"};
}

std::string raw_log::written(const std::string& to, std::size_t n) {
  std::string out;
  auto txn = must(env_->begin_read());
  auto c = must(kappa::lmdb::cursor::open(txn, must(env_->find_dbi(to)).value()));
  for (bool more = must(c.first()); more && n > 0; more = must(c.next())) {
    const char* p = c.value().data() + sizeof(frame_header);
    const char* const end = c.value().data() + c.value().size();
    for (; p < end && n > 0; --n) {
      wire_record_head head;
      std::memcpy(&head, p, sizeof head);
      out.append(p + sizeof head, head.size - sizeof head);
      p += head.size;
    }
  }
  return out;
}

}  // namespace bench
