#include "log/contract_local.hpp"
#include "log/contract_records.hpp"
#include "log/contract_topics.hpp"
#include "log/contract_transactions.hpp"
#include "log/log_fixtures.hpp"

namespace {

using namespace log_contract;

const bool memory = add_suite("memory", [] { return std::make_unique<memory_fixture>(); });
const bool embedded = add_suite("embedded", [] { return std::make_unique<embedded_fixture>(); });
const bool embedded_small_frames = add_suite("embedded_small_framed", [] {
  return std::make_unique<embedded_fixture>(std::size_t{1} << 10);
});

}  // namespace
