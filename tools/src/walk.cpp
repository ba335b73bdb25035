#include "walk.hpp"

#include "kappa/log/wait_and_read.hpp"

namespace kappa::tools {

struct topic_walk::lane {
  topic_partition where;
  std::unique_ptr<log_reader> reader;
  offset next;
  offset until;
  read_batch batch;
  read_batch::cursor at;

  /// The next record, read when needed; null: the end of what the log holds.
  result<const record_view*> head() {
    constexpr std::size_t read_bytes = 256 << 10;
    for (;;) {
      if (const auto* r = at.peek())
        return r->offset < until ? r : static_cast<const record_view*>(nullptr);
      if (next >= until) return static_cast<const record_view*>(nullptr);
      auto read = until == no_end ? reader->read(next, read_bytes)
                                  : wait_and_read(*reader, next, until, read_bytes);
      if (!read) return fail(read.error());
      const bool more = read->next() > next;
      next = read->next();
      batch = std::move(*read);
      at = read_batch::cursor{batch};
      if (!more) return static_cast<const record_view*>(nullptr);
    }
  }
};

topic_walk::topic_walk() = default;
topic_walk::~topic_walk() = default;
topic_walk::topic_walk(topic_walk&&) noexcept = default;

result<topic_walk> topic_walk::open(event_log& log, const std::string& topic,
                                    const std::vector<span>& spans) {
  topic_walk walk;
  for (const auto& s : spans) {
    auto l = std::make_unique<lane>();
    l->where = {topic, s.partition};
    auto reader = log.open_reader(l->where);
    if (!reader) return fail(reader.error());
    l->reader = std::move(*reader);
    l->next = s.from;
    l->until = s.until;
    walk.lanes_.push_back(std::move(l));
  }
  return walk;
}

std::vector<log_reader*> topic_walk::readers() const {
  std::vector<log_reader*> all;
  for (const auto& l : lanes_) all.push_back(l->reader.get());
  return all;
}

result<std::optional<topic_walk::found>> topic_walk::next() {
  lane* first = nullptr;
  const record_view* record = nullptr;
  for (const auto& l : lanes_) {
    auto head = l->head();
    if (!head) return fail(head.error());
    if (*head && (!record || (*head)->time < record->time)) {
      first = l.get();
      record = *head;
    }
  }
  if (!record) return std::optional<found>{};
  const found out{first->where, *record};
  first->at.pop();
  return std::optional{out};
}

}  // namespace kappa::tools
