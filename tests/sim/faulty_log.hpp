// The log of a simulation: a memory log that fails on demand, and tells the model what became
// durable.
//
// A commit whose outcome is unknown may be lost, applied, or still on its way: then it is applied
// when the next writer is opened, before it is (as a Kafka broker ends what an older producer
// epoch had begun), and never after.
//
// Threading: one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kappa/log/memory_log.hpp"
#include "support/forwarding_log.hpp"

namespace kappa::sim {

enum class commit_fate { good, aborted, no_space, lost, applied, on_its_way };

class faulty_log final : public test::forwarding_log,
                         public std::enable_shared_from_this<faulty_log> {
 public:
  explicit faulty_log(std::shared_ptr<memory_log> memory);

  std::function<commit_fate()> fate_of_commit = [] { return commit_fate::good; };
  /// Whether a read, a look at bounds or positions, or the opening of a writer fails now.
  std::function<bool(const std::string& what)> fails = [](const std::string&) { return false; };
  /// Whether what a reader has not shown yet is still on its way to it, as over a network.
  std::function<bool()> late = [] { return false; };
  std::function<void(const log_transaction&, const std::vector<offset>&)> on_commit;
  std::function<void(const log_transaction&, const error&)> on_refusal;
  /// After each T1, in every partition that it appended to: as Kafka's transaction markers.
  std::int64_t gap_after_commit = 0;

  [[nodiscard]] memory_log& memory() { return *memory_; }
  /// A commit is on its way whose outcome nobody knows yet.
  [[nodiscard]] bool in_doubt() const { return on_its_way_ != nullptr; }

  result<partition_bounds> bounds(const topic_partition& tp) override;
  result<std::unique_ptr<log_reader>> open_reader(const topic_partition& tp) override;
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override;
  result<std::optional<committed_position>> position(const position_key& key) override;

 private:
  friend class faulty_writer;
  result<commit_receipt> apply(log_writer& writer, const log_transaction& tx);

  std::shared_ptr<memory_log> memory_;
  std::unique_ptr<log_writer> writer_on_its_way_;
  std::unique_ptr<log_transaction> on_its_way_;
};

}  // namespace kappa::sim
