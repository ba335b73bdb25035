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

app shop() {
  using std::chrono_literals::operator""h;
  using std::chrono_literals::operator""min;
  app a{"shop"};
  auto hours = a.stream<reading>("in", {.idle_after = 1min})
                   .map("fragile",
                        [](const reading& r) {
                          if (r.value == 13) throw std::runtime_error{"thirteen"};
                          return r;
                        })
                   .key_by("place", &reading::place)
                   .window(tumbling{1h}, {.lateness = 10min})
                   .fold<totals>("sums", [](totals& t, const reading& r) { t.add(r.value); });
  hours.to("hours");
  hours.key_by("again", [](const auto& w) { return w.key; })
      .fold<totals>("best", [](totals& t, const auto& w) { t.add(w.value.sum); })
      .to("out");
  a.stream<reading>("left", {.idle_after = 1min})
      .merge("both", a.stream<reading>("right", {.idle_after = 1min}))
      .already_keyed(&reading::place)
      .process<totals>("order",
                       [](totals& t, const reading& r) {
                         if (r.value == 13) throw std::runtime_error{"thirteen"};
                         t.add(r.value);
                         return std::to_string(t.count) + ":" + r.place + std::to_string(r.value);
                       })
      .to("ordered");
  return a;
}

void play(manual_host& h, int from, int to, bool gaps) {
  for (int i = from; i < to; ++i) {
    const std::string place{static_cast<char>('a' + i % 5)};
    const int p = i % 2;
    h.send("in", {place, minute(i * 17), i % 15}, p);
    h.send("left", {place, minute(i * 20), i % 14}, p);
    if (i % 3 != 0) h.send("right", {place, minute(i * 19), i % 11}, p);
    if (i % 7 == 4) h.send_bytes("in", place, "garbage", minute(i * 17), p);
    h.settle(3);
    if (!gaps || i % 2 == 0) continue;
    for (const auto& t : must(h.log().topics())) {
      if (p < t.partitions) h.log().skip_offsets({t.name, partition{p}}, 1);
    }
  }
}

void end(manual_host& h) {
  h.until_end = true;
  h.open();
  h.settle();
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
