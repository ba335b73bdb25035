// A transactional id whose transactions are over when it says so: a commit counts once it is seen,
// and after an abort nothing is sent before what the brokers may have left open of it is ended. Of
// a commit that others' open transactions hide what can be seen counts; it is looked at again with
// each later commit, and made true if it turns out not to be.
//
// It needs to know what it has sent to tell what became of it. A broker that dies while it tells
// the partitions may leave a part of a commit true and the rest open: then the rest is made true,
// records by sending them again, offsets by a commit that touches their group. After a crash of
// this process as well nothing is known, and what is open is aborted.
//
// Threading: one thread at a time; everything blocks.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kafka/hanging_transactions.hpp"
#include "kafka/sent_commit.hpp"

namespace kappa::kafka {

class settled_producer {
 public:
  /// All of it outlives the producer.
  struct surroundings {
    const kafka_log_options& options;
    admin& ask;
    doubtful_commits& doubts;
    /// To see whether a record that was sent is there.
    event_log& log;
  };

  /// Fences and ends whatever had this id before, and may have left something open in `reach`.
  [[nodiscard]] static result<std::unique_ptr<settled_producer>> open(const surroundings& around,
                                                                      std::string transactional_id,
                                                                      producer_reach reach);

  /// As transactional_producer::send. After an error that is not errc::indefinite or errc::fenced
  /// the same may be sent again, or something else.
  [[nodiscard]] result<std::vector<offset>> send(
      const std::vector<log_transaction::append>& appends, bool wait_for_bases);
  /// Moves the offsets and commits what was sent. errc::indefinite: `open` finds out.
  [[nodiscard]] result<std::vector<offset>> finish(std::vector<group_commit> commits);

 private:
  settled_producer(const surroundings& around, std::string id, producer_reach reach)
      : around_{around}, id_{std::move(id)}, touched_{std::move(reach)} {}
  [[nodiscard]] result<void> open_anew();
  struct fate;
  [[nodiscard]] result<bool> settle();
  [[nodiscard]] result<bool> settle_doubts();
  [[nodiscard]] result<fate> wait_for_fate(const sent_commit& c,
                                           const std::set<topic_partition>& there);
  [[nodiscard]] result<fate> fate_of(const sent_commit& c, const std::set<topic_partition>& there);
  [[nodiscard]] result<void> abort_in(const std::set<topic_partition>& where);
  [[nodiscard]] result<void> complete(doubtful_commits::number which, sent_commit c, const fate& f);
  void keep_hidden(doubtful_commits::number which, const sent_commit& c,
                   const record_begins& hidden, bool aborted_since);
  void look_again_before(doubtful_commits::number newest);
  [[nodiscard]] result<record_begins> still_hidden(const sent_commit& c);

  surroundings around_;
  std::string id_;
  producer_reach touched_;  // since all was over
  std::vector<log_transaction::append> sent_;
  std::unique_ptr<transactional_producer> producer_;  // ends first: it may have values of `sent_`
  bool said_too_many_ = false;
};

}  // namespace kappa::kafka
