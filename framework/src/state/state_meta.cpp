#include "state/state_meta.hpp"

#include <fmt/format.h>

namespace kappa::detail {

std::string text_of(const state_identity& id) {
  return fmt::format("{}/{}.g{}[{}]", id.app, id.stage, id.generation, id.task);
}

bytes encode_identity(const state_identity& id) {
  bytes out;
  byte_writer{out}
      .put_bytes(id.app)
      .put_bytes(id.stage)
      .put(id.generation.value)
      .put(id.task.value)
      .put_bytes(id.log_id)
      .put(id.fingerprint);
  return out;
}

result<state_identity> decode_identity(bytes_view in) {
  byte_reader reader{in};
  state_identity id;
  id.app = reader.get_bytes();
  id.stage = reader.get_bytes();
  id.generation.value = reader.get<std::int32_t>();
  id.task.value = reader.get<std::int32_t>();
  id.log_id = reader.get_bytes();
  id.fingerprint = reader.get<std::uint64_t>();
  if (!reader.done()) return fail(errc::corrupt, "identity", "is malformed");
  return id;
}

result<void> check_identity(const state_identity& present, const state_identity& stored,
                            const std::string& folder) {
  const auto refuse = [&](std::string_view what, const auto& is, const auto& wanted,
                          std::string_view mend) {
    return fail(errc::incompatible, text_of(present),
                fmt::format("the state in {} is of {} {}, this is {} {}: {}", folder, what, is,
                            what, wanted, mend));
  };
  constexpr std::string_view other_folder =
      "give each its own state folder, or remove this one to rebuild it from the log";
  if (stored.app != present.app) return refuse("app", stored.app, present.app, other_folder);
  if (stored.stage != present.stage) {
    return refuse("stage", stored.stage, present.stage, other_folder);
  }
  if (stored.generation != present.generation) {
    return refuse("generation", stored.generation, present.generation, other_folder);
  }
  if (stored.task != present.task) return refuse("task", stored.task, present.task, other_folder);
  if (stored.log_id != present.log_id) {
    return refuse("log", stored.log_id, present.log_id,
                  "open the log that it was made from, or remove the folder to rebuild the state "
                  "from this log");
  }
  if (stored.fingerprint != present.fingerprint) {
    return refuse("topology", fmt::format("{:016x}", stored.fingerprint),
                  fmt::format("{:016x}", present.fingerprint),
                  "deploy the changed stage as a new generation, or go back to the code that made "
                  "the state");
  }
  return {};
}

bytes encode_schema(const schema_info& schema) {
  bytes out;
  byte_writer{out}
      .put_bytes(schema.name)
      .put(schema.id)
      .put(schema.fingerprint)
      .put_bytes(schema.description);
  return out;
}

result<schema_info> decode_schema(bytes_view in) {
  byte_reader reader{in};
  schema_info schema;
  schema.name = reader.get_bytes();
  schema.id = reader.get<std::uint64_t>();
  schema.fingerprint = reader.get<std::uint64_t>();
  schema.description = reader.get_bytes();
  if (!reader.done()) return fail(errc::corrupt, "schema", "is malformed");
  return schema;
}

result<void> check_schema(const state_identity& id, const state_table_spec& present,
                          const schema_info& stored) {
  auto ok = check_readable(present.schema, stored);
  if (ok) return {};
  return fail(errc::incompatible, fmt::format("{} {}", text_of(id), present.name),
              fmt::format("the stored values have schema {} ({:016x}), the code has {} ({:016x}), "
                          "which cannot read them: {}. Keep the schema readable, or delete the "
                          "state's folder to make it anew from the log, or deploy the changed "
                          "stage as a new generation",
                          stored.name, stored.fingerprint, present.schema.name,
                          present.schema.fingerprint, ok.error().text()));
}

bool same_schema(const schema_info& a, const schema_info& b) {
  return a.name == b.name && a.id == b.id && a.fingerprint == b.fingerprint &&
         a.description == b.description;
}

}  // namespace kappa::detail
