// A log whose topics and apps have a prefix of their own on a log that many tests share: each finds
// it as if it were new.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "kappa/log/event_log.hpp"
#include "support/forwarding_log.hpp"

namespace kappa::test {

class prefixed_log final : public forwarding_log {
 public:
  prefixed_log(std::shared_ptr<event_log> to, std::string prefix)
      : forwarding_log{std::move(to)}, prefix_{std::move(prefix)} {}

  result<void> create_topic(const topic_config& c) override {
    return to().create_topic(outside(c));
  }
  result<std::optional<topic_config>> find_topic(const std::string& name) override {
    auto found = to().find_topic(with(name));
    if (found && *found) *found = inside(std::move(**found));
    return found;
  }
  result<std::vector<topic_config>> topics() override {
    auto all = to().topics();
    if (!all) return all;
    std::vector<topic_config> mine;
    for (auto& c : *all) {
      if (c.name.starts_with(prefix_)) mine.push_back(inside(std::move(c)));
    }
    return mine;
  }
  result<partition_bounds> bounds(const topic_partition& tp) override {
    return to().bounds(with(tp));
  }
  result<offset> settled_end(const topic_partition& tp) override {
    return to().settled_end(with(tp));
  }
  result<offset> offset_for_time(const topic_partition& tp, timestamp t) override {
    return to().offset_for_time(with(tp), t);
  }
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    return to().open_reader(with(tp));
  }
  result<void> make_room(const stage_tasks& s) override {
    auto mine = s;
    mine.app = with(s.app);
    return to().make_room(mine);
  }
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override {
    auto mine = o;
    mine.app = with(o.app);
    auto opened = to().open_writer(mine);
    if (!opened) return opened;
    return std::make_unique<prefixed_writer>(*this, std::move(*opened));
  }
  result<std::optional<std::string>> holder(const std::string& app) override {
    return to().holder(with(app));
  }
  result<std::vector<app_process>> processes(const std::string& app) override {
    return to().processes(with(app));
  }
  result<append_receipt> append(const topic_partition& tp, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override {
    auto mine = sequence;
    if (mine) mine->producer = with(mine->producer);
    return to().append(with(tp), records, mine);
  }
  result<std::optional<committed_position>> position(const position_key& key) override {
    return to().position(with(key));
  }
  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    auto all = to().positions(with(app));
    if (!all) return all;
    for (auto& m : *all) m.key.app = m.key.app.substr(prefix_.size());
    return all;
  }
  result<void> forget_position(const position_key& key) override {
    return to().forget_position(with(key));
  }

 private:
  class prefixed_writer final : public log_writer {
   public:
    prefixed_writer(const prefixed_log& log, std::unique_ptr<log_writer> to)
        : log_{log}, to_{std::move(to)} {}
    result<commit_receipt> commit(const log_transaction& tx) override {
      log_transaction mine;
      for (const auto& a : tx.appends) mine.appends.push_back({log_.with(a.to), a.records});
      for (const auto& m : tx.moves) mine.moves.push_back({log_.with(m.key), m.value});
      return to_->commit(mine);
    }
    writer_term term() const override { return to_->term(); }
    result<bool> moved_last(const position_key& key) override {
      return to_->moved_last(log_.with(key));
    }

   private:
    const prefixed_log& log_;
    std::unique_ptr<log_writer> to_;
  };

  // What is no name stays none; what comes back from a reader has the prefix already.
  std::string with(const std::string& name) const {
    if (name.empty() || name == "." || name == ".." || name.starts_with(prefix_)) return name;
    return prefix_ + name;
  }
  topic_partition with(const topic_partition& tp) const { return {with(tp.topic), tp.partition}; }
  position_key with(position_key key) const {
    key.app = with(key.app);
    return key;
  }
  topic_config outside(topic_config c) const {
    c.name = with(c.name);
    c.owner = with(c.owner);
    return c;
  }
  topic_config inside(topic_config c) const {
    c.name = c.name.substr(prefix_.size());
    if (!c.owner.empty()) c.owner = c.owner.substr(prefix_.size());
    return c;
  }

  std::string prefix_;
};

}  // namespace kappa::test
