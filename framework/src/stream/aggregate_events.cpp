#include "kappa/stream/aggregate_events.hpp"

namespace kappa::detail {

result<std::size_t> event_kinds::find(const headers_view& headers) {
  const auto named = headers.find(envelope_header::schema);
  if (!named) {
    return fail(errc::decode, bytes{envelope_header::schema},
                "the record does not say which event it is");
  }
  if (!last_header_.empty() && *named == last_header_) return last_;
  const auto type = decode_schema_reference(*named);
  if (!type) return fail(type.error());
  const auto known = kinds_.find(key_of_type(*type));
  if (known == kinds_.end()) {
    return fail(errc::incompatible, type->name,
                "the aggregate's protocol has no such event, and no former one");
  }
  last_header_ = *named;
  last_ = known->second;
  return last_;
}

}  // namespace kappa::detail
