#include "kappa/copy/copy_note.hpp"

#include <fmt/format.h>

namespace kappa {
namespace {

constexpr std::uint8_t copy_note_version = 1;
constexpr std::size_t max_name_bytes = 500;

}  // namespace

position_key copy_note_key(const std::string& app) {
  return {app, "kappa.copy", generation{1}, partition{0}, "(copy)"};
}

log_transaction::move to_move(const std::string& app, const copy_note& note) {
  committed_position at;
  byte_writer{at.metadata}
      .put(copy_note_version)
      .put(std::uint8_t{note.complete})
      .put_bytes(note.log_id)
      .put_bytes(bytes_view{note.log}.substr(0, max_name_bytes));
  return {copy_note_key(app), std::move(at)};
}

result<std::optional<copy_note>> find_copy_note(event_log& log, const std::string& app) {
  const auto key = copy_note_key(app);
  auto at = log.position(key);
  if (!at) return fail(at.error());
  if (!*at) return std::optional<copy_note>{};
  byte_reader r{(*at)->metadata};
  const auto version = r.get<std::uint8_t>();
  copy_note note;
  note.complete = r.get<std::uint8_t>() != 0;
  note.log_id = bytes{r.get_bytes()};
  note.log = bytes{r.get_bytes()};
  if (version == copy_note_version && r.done()) return std::optional{std::move(note)};
  return fail(errc::corrupt, key.text(), "the note of a copy into this log is malformed");
}

result<void> check_copy_complete(event_log& log, const std::string& app) {
  auto note = find_copy_note(log, app);
  if (!note) return fail(note.error());
  if (!*note || (*note)->complete) return {};
  return fail(errc::refused_start, "app " + app,
              fmt::format("it is being copied here from {} and the copy is not complete: run the "
                          "same kappa copy again, it goes on where it was",
                          (*note)->log));
}

}  // namespace kappa
