// Answers of brokers that are no longer, or not yet, what they were taken for.
#include "kafka/admin.hpp"
#include "kafka/mock_brokers_support.hpp"
#include "log/contract.hpp"

namespace {

using namespace log_contract;

}  // namespace

BOOST_AUTO_TEST_CASE(
    a_coordinator_that_moved_while_offsets_are_asked_for_is_asked_again_elsewhere) {
  kappa::test::mock_brokers brokers;
  kafka_log_options options;
  options.brokers = brokers.bootstrap();
  const auto client = must(kafka::open_admin_client(options));
  kafka::admin ask{*client};
  constexpr int offset_fetch = 9;
  for (const auto answer :
       {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS}) {
    brokers.answer(offset_fetch, answer);
    BOOST_TEST(must(ask.group_offsets("some.group", {tp("orders")})).empty());
  }
}
