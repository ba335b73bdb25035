// The bank's log as its first version would have written it, for the audit, which knows no other.
// By names and bytes, not by upcasts: what it says does not rest on what it looks at.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "kappa/aggregate/event_header.hpp"
#include "kappa/log/envelope.hpp"
#include "kappa/log/for_each_record.hpp"
#include "kappa/log/memory_log.hpp"
#include "support/must.hpp"
#include "versions.hpp"

namespace evolution_tests {

using namespace kappa;
using kappa::test::must;

class first_books {
 public:
  explicit first_books(event_log& of) {
    for (const auto* topic : {"accounts", "transfers"}) {
      topic_config c;
      c.name = topic;
      c.partitions = must(of.find_topic(topic))->partitions;
      must(log->create_topic(c));
      for (std::int32_t p = 0; p < c.partitions; ++p) {
        const topic_partition where{topic, partition{p}};
        must(for_each_record(of, where, offset{0}, [&](const record_view& r) -> result<bool> {
          take(where, r);
          return true;
        }));
      }
    }
  }

  std::shared_ptr<kappa::memory_log> log = kappa::memory_log::create();

 private:
  template <class E>
  static E as(const record_view& r) {
    return must(codec<E>::decode(*r.value));
  }

  void take(const topic_partition& to, const record_view& r) {
    const auto name = must(decode_schema_reference(*r.headers.find("kappa.schema"))).name;
    const auto version = must(decode_event_header(r.headers)).version;
    const auto key = to.topic + "/" + std::string{*r.key};
    if (version != ++stored_[key]) throw std::logic_error{key + ": a version is missing"};
    if (name == "bank.capnp:Opened") return;  // its deposit is the next event
    if (name == "bank.capnp:Credited") {
      const auto e = as<bank_second::credited>(r);
      if (e.transfer.empty()) return add(to, r, bank::account_opened{e.amount_cents});
      return add(to, r, bank::deposited{e.amount_cents, e.transfer});
    }
    if (name == "bank.capnp:Debited") {
      const auto e = as<bank_second::debited>(r);
      return add(to, r, bank::withdrawn{e.cents, e.transfer});
    }
    append(to, r, *r.headers.find("kappa.schema"), *r.value);
  }
  template <class E>
  void add(const topic_partition& to, const record_view& r, const E& event) {
    bytes headers;
    envelope e;
    e.schema = reference_to(codec<E>::schema());
    encode_envelope(headers, e);
    append(to, r, *headers_view{headers}.find("kappa.schema"), encoded(event));
  }
  void append(const topic_partition& to, const record_view& r, bytes_view schema,
              bytes_view value) {
    const auto mine = encode_event_header({++written_[to.topic + "/" + std::string{*r.key}], 0, 1});
    const header_view both[] = {{"kappa.schema", schema}, {event_header_name, mine}};
    bytes headers;
    encode_headers(headers, both);
    record_batch batch;
    batch.add(r.time, *r.key, value, headers);
    must(log->append(to, batch));
  }

  std::map<std::string, std::uint64_t> stored_;   // versions, by topic and key
  std::map<std::string, std::uint64_t> written_;  // of these books
};

}  // namespace evolution_tests
