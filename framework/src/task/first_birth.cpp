#include "task/first_birth.hpp"

#include <fmt/format.h>

#include "kappa/log/for_each_record.hpp"

namespace kappa::detail {

result<std::optional<birth_record>> first_birth(event_log& log, const topic_partition& where) {
  std::optional<birth_record> birth;
  // Wherever it is: there may be unused offsets before it.
  auto first = for_each_record(log, where, offset{0}, [&](const record_view& r) -> result<bool> {
    birth = decode_birth(r.value.value_or(bytes_view{}));
    if (birth) return false;
    return fail(errc::corrupt, fmt::format("{}@{}", where.text(), r.offset),
                "the birth record is missing or malformed");
  });
  if (!first) return fail(first.error());
  return birth;
}

}  // namespace kappa::detail
