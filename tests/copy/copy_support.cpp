#include "copy/copy_support.hpp"

#include <set>

namespace copy_test {
namespace {

class marking_writer final : public log_writer {
 public:
  marking_writer(std::unique_ptr<log_writer> to, std::shared_ptr<memory_log> memory)
      : to_{std::move(to)}, memory_{std::move(memory)} {}
  result<commit_receipt> commit(const log_transaction& tx) override {
    auto done = to_->commit(tx);
    std::set<topic_partition> written;
    for (const auto& a : tx.appends) written.insert(a.to);
    for (const auto& tp : written) {
      if (done) memory_->skip_offsets(tp, 1);
    }
    return done;
  }
  writer_term term() const override { return to_->term(); }
  result<bool> moved_last(const position_key& key) override { return to_->moved_last(key); }

 private:
  std::unique_ptr<log_writer> to_;
  std::shared_ptr<memory_log> memory_;
};

}  // namespace

result<std::unique_ptr<log_writer>> marking_log::open_writer(const writer_options& o) {
  auto writer = to().open_writer(o);
  if (!writer) return writer;
  return std::make_unique<marking_writer>(std::move(*writer), memory_);
}

result<append_receipt> marking_log::append(const topic_partition& where,
                                           const record_batch& records,
                                           const std::optional<producer_sequence>& sequence) {
  auto done = to().append(where, records, sequence);
  if (done && !done->duplicate) memory_->skip_offsets(where, 1);
  return done;
}

std::vector<std::string> look_of(event_log& log, const std::string& app) {
  std::vector<std::string> all;
  for (const auto& t : must(log.topics())) {
    must(for_each_record(log, t.name, [&](const record_view& r) -> result<void> {
      auto line = fmt::format("{}@{} {} {} {}", t.name, r.offset, format_time(r.time),
                              r.key ? printable(*r.key) : "null",
                              r.value ? printable(*r.value, 4096) : "null");
      for (const auto& h : r.headers)
        line += fmt::format(" {}={}", h.name, printable(h.value, 4096));
      all.push_back(std::move(line));
      return {};
    }));
  }
  for (const auto& p : must(log.positions(app))) {
    if (p.key == copy_note_key(app)) continue;
    all.push_back(fmt::format("{} {} {}", p.key.text(), p.value.next, printable(p.value.metadata)));
  }
  return all;
}

}  // namespace copy_test
