// A log that passes every call on to another: tests override what is to fail.
#pragma once

#include <memory>
#include <utility>

#include "kappa/log/event_log.hpp"

namespace kappa::test {

class forwarding_log : public event_log {
 public:
  explicit forwarding_log(std::shared_ptr<event_log> to) : to_{std::move(to)} {}

  const std::string& id() const override { return to_->id(); }
  result<std::string> identity(const std::vector<std::string>& topics) override {
    return to_->identity(topics);
  }
  std::string name() const override { return to_->name(); }
  result<void> create_topic(const topic_config& c) override { return to_->create_topic(c); }
  result<std::optional<topic_config>> find_topic(const std::string& name) override {
    return to_->find_topic(name);
  }
  result<std::vector<topic_config>> topics() override { return to_->topics(); }
  result<partition_bounds> bounds(const topic_partition& tp) override { return to_->bounds(tp); }
  result<offset> settled_end(const topic_partition& tp) override { return to_->settled_end(tp); }
  result<offset> offset_for_time(const topic_partition& tp, timestamp t) override {
    return to_->offset_for_time(tp, t);
  }
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override {
    return to_->open_reader(tp);
  }
  bool places_tasks() const override { return to_->places_tasks(); }
  result<std::unique_ptr<membership>> join(const std::vector<stage_tasks>& stages,
                                           const std::string& instance,
                                           placement_listener& listener) override {
    return to_->join(stages, instance, listener);
  }
  result<void> make_room(const stage_tasks& s) override { return to_->make_room(s); }
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override {
    return to_->open_writer(o);
  }
  result<std::optional<std::string>> holder(const std::string& app) override {
    return to_->holder(app);
  }
  result<std::vector<app_process>> processes(const std::string& app) override {
    return to_->processes(app);
  }
  result<append_receipt> append(const topic_partition& to, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override {
    return to_->append(to, records, sequence);
  }
  result<std::optional<committed_position>> position(const position_key& key) override {
    return to_->position(key);
  }
  result<std::vector<log_transaction::move>> positions(const std::string& app) override {
    return to_->positions(app);
  }
  result<void> forget_position(const position_key& key) override {
    return to_->forget_position(key);
  }
  result<retention_report> apply_retention(timestamp now) override {
    return to_->apply_retention(now);
  }

 protected:
  event_log& to() { return *to_; }

 private:
  std::shared_ptr<event_log> to_;
};

}  // namespace kappa::test
