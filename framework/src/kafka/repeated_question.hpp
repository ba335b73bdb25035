// A question to the brokers that is asked again and again, by one who does not wait for the answer.
//
// Threading: one thread; never blocks.
#pragma once

#include <chrono>
#include <utility>

#include "kafka/client.hpp"

namespace kappa::kafka {

class repeated_question {
 public:
  /// `of` must outlive it.
  repeated_question(client& of, rd_kafka_admin_op_t op) : client_{of}, op_{op} {}

  /// The next answer, once it is there (it may be an error). `send(options, answers)` is called
  /// where it is time to ask: a second after an answer, or after what `next_in` said.
  template <class Send>
  [[nodiscard]] event answer(Send&& send) {
    const auto now = std::chrono::steady_clock::now();
    if (!answers_) {
      if (now < next_) return nullptr;
      const admin_options options{rd_kafka_AdminOptions_new(client_.get(), op_)};
      answers_.reset(rd_kafka_queue_new(client_.get()));
      std::forward<Send>(send)(options.get(), answers_.get());
      return nullptr;
    }
    event found{rd_kafka_queue_poll(answers_.get(), 0)};
    if (!found) return nullptr;
    answers_.reset();
    next_ = now + std::chrono::seconds{1};
    return found;
  }
  void next_in(std::chrono::seconds pause) { next_ = std::chrono::steady_clock::now() + pause; }

 private:
  client& client_;
  rd_kafka_admin_op_t op_;
  queue answers_;  // while one is waited for
  std::chrono::steady_clock::time_point next_;
};

}  // namespace kappa::kafka
