// The annotations of kappa.capnp, by their ids.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <capnp/schema.capnp.h>

#include "model.hpp"

namespace kappa::plugin {

namespace annotation {
inline constexpr std::uint64_t namespace_ = 0xb6d8e2f1a4c97a11;
inline constexpr std::uint64_t name = 0xb6d8e2f1a4c97a12;
inline constexpr std::uint64_t event_time = 0xb6d8e2f1a4c97a13;
inline constexpr std::uint64_t time = 0xb6d8e2f1a4c97a14;
inline constexpr std::uint64_t key = 0xb6d8e2f1a4c97a15;
inline constexpr std::uint64_t command = 0xb6d8e2f1a4c97a16;
inline constexpr std::uint64_t event = 0xb6d8e2f1a4c97a17;
inline constexpr std::uint64_t personal = 0xb6d8e2f1a4c97a18;
inline constexpr std::uint64_t subject = 0xb6d8e2f1a4c97a19;
inline constexpr std::uint64_t former_event = 0xb6d8e2f1a4c97a1a;
inline constexpr std::uint64_t tombstone = 0xb6d8e2f1a4c97a1b;
}  // namespace annotation

using annotation_list = capnp::List<capnp::schema::Annotation>::Reader;

[[nodiscard]] inline bool has_annotation(annotation_list all, std::uint64_t id) {
  for (const auto a : all) {
    if (a.getId() == id) return true;
  }
  return false;
}

[[nodiscard]] inline std::optional<std::string> text_annotation(annotation_list all,
                                                                std::uint64_t id) {
  for (const auto a : all) {
    if (a.getId() == id) return std::string{a.getValue().getText().cStr()};
  }
  return std::nullopt;
}

/// "std::int32_t", "std::vector<::flight>"
[[nodiscard]] std::string cpp_type_of(const type_ref& type);

}  // namespace kappa::plugin
