// Admin messages as records: the key is the request's id, so that a reply finds its asker, and a
// request that cannot be read can still be refused.
//
// Threading: plain functions.
#pragma once

#include <string>

#include "kappa/core/codec.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/record.hpp"

namespace kappa::detail {

template <class Message>
void add_admin_record(record_batch& to, const Message& m, timestamp now) {
  envelope e;
  e.schema = reference_to(codec<Message>::schema());
  bytes headers;
  encode_envelope(headers, e);
  to.add(now, bytes_view{m.id}, bytes_view{encoded(m)}, headers);
}

}  // namespace kappa::detail
