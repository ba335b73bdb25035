// What the tests of copies share: a log that leaves gaps as Kafka does, and how a log looks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/manual_host.hpp"
#include "engine/story.hpp"
#include "kappa/copy/copy_log.hpp"
#include "kappa/copy/copy_note.hpp"
#include "kappa/kappa.hpp"
#include "support/forwarding_log.hpp"

namespace copy_test {

using namespace kappa;
using namespace engine_test;

inline constexpr std::int32_t partitions = 2;

/// After each transaction one offset of each partition that it wrote is unused.
class marking_log final : public kappa::test::forwarding_log {
 public:
  explicit marking_log(std::shared_ptr<memory_log> to)
      : forwarding_log{to}, memory_{std::move(to)} {}
  result<std::unique_ptr<log_writer>> open_writer(const writer_options& o) override;
  result<append_receipt> append(const topic_partition& to, const record_batch& records,
                                const std::optional<producer_sequence>& sequence) override;

 private:
  std::shared_ptr<memory_log> memory_;
};

/// topic[partition]@offset time key value headers, and the positions; of each of them only what is
/// not `kappa.copy`'s.
[[nodiscard]] std::vector<std::string> look_of(event_log& log, const std::string& app);

}  // namespace copy_test
